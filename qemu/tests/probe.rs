//! The probe boot that decides about KVM, tried with QEMU's own translator, which works everywhere.

use vitrine_qemu::firmware::Firmware;
use vitrine_qemu::kvm::{probe, Choice};
use vitrine_qemu::machine::{Accel, QEMU, QEMU_PACKAGE};
use vitrine_qemu::process::version;

#[test]
fn a_working_machine_passes_the_probe() {
    if version(QEMU, QEMU_PACKAGE).is_err() || Firmware::find().is_err() {
        eprintln!("skipped: needs the packages qemu-system-x86 and ovmf");
        return;
    }
    probe(Accel::Tcg).unwrap();
}

#[test]
fn tcg_needs_no_probe() {
    let mut lines = Vec::new();
    assert_eq!(Choice::Tcg.decide(&mut |line| lines.push(line.to_string())).unwrap(), Accel::Tcg);
    assert!(lines.is_empty());
}
