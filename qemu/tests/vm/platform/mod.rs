//! Attacks on the platform: what somebody puts into the machine's firmware, on its boot disk, or in place of the image,
//! who may even have the key that Secure Boot asks for. See the table in `docs/testing.md`.

pub mod downgrade;
mod forge;

use crate::images::Images;
use crate::machine::{boot, Judged, Running};
use forge::{addon, boot_entry, sign};
use vitrine_attest::event_log::EventLog;
use vitrine_attest::pe::Pe;
use vitrine_qemu::boot::{Options, SecureBoot};
use vitrine_qemu::tamper;

/// What the boot menu calls the attacker's entry.
const ENTRY: &str = "EVIL entry";
/// Beside the image, for it alone (systemd-stub(7)).
const BESIDE: &str = "EFI/BOOT/BOOTX64.EFI.extra.d";

/// Signed images on machines with Secure Boot take no command line from a boot entry, and no add-on without a signature;
/// PID 1 and kernel of the image have no reader for credentials of SMBIOS and fw_cfg. So the boot is the predicted one,
/// to the last register. (Secure Boot's part is shown by [`load_options_are_refused`] and [`signed_addon_is_refused`];
/// that systemd takes no credentials, in `systemd.rs`.)
#[test]
fn what_is_offered_and_not_taken() {
    let Some(images) = Images::find() else { return };
    let mut options = Options::new(images.exit(), images.secure_boot());
    options.variables = boot_entry(ENTRY, "EVIL=1 init=/EVIL");
    let options = options.esp_file(&format!("{BESIDE}/evil.addon.efi"), &addon("EVIL=2"));
    let mut options = options.smbios_string("io.systemd.credential:vitrine.evil=EVIL");
    options.extra.extend(["-fw_cfg".into(), "name=opt/io.systemd.credentials/vitrine.evil,string=EVIL".into()]);
    let running = boot(&options);
    let judged = Judged::server(&images, &running);
    judged.assert_accepted();
    came_by_the_entry(&running, &judged);
}

/// The firmware says so on the console, and in its log: the whole entry is measured, into a register of the firmware.
fn came_by_the_entry(running: &Running, judged: &Judged) {
    let console = running.guest.console();
    assert!(console.contains(&format!("starting Boot0666 \"{ENTRY}\"")), "{console}");
    let evidence = judged.evidence();
    let log = EventLog::parse(&evidence.firmware_log).unwrap();
    let text: Vec<u8> = "EVIL=1".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut told = log.events.iter().filter(|event| event.pcr == 1);
    assert!(told.any(|event| event.data.windows(text.len()).any(|part| part == text)), "not measured");
}

/// Without Secure Boot the stub takes the boot entry's words for the kernel's command line, and records them.
#[test]
fn load_options_are_refused() {
    let Some(images) = Images::find() else { return };
    let mut options = Options::new(images.exit(), SecureBoot::Off);
    options.variables = boot_entry(ENTRY, "EVIL=1");
    let running = boot(&options);
    let judged = Judged::server(&images, &running);
    judged.assert_rejected(&["pcr-4-differs", "pcr-digest-differs"]);
    came_by_the_entry(&running, &judged);
    judged.assert_explained("Secure Boot is off");
    judged.assert_explained("PCR 12: the kernel command line got \"EVIL=1\"");
}

/// An add-on with a good signature: Secure Boot lets it in.
#[test]
fn signed_addon_is_refused() {
    let Some(images) = Images::find() else { return };
    let addon = sign(&addon("EVIL=2"), &images.path("keys"));
    let options = Options::new(images.exit(), images.secure_boot());
    let running = boot(&options.esp_file(&format!("{BESIDE}/evil.addon.efi"), &addon));
    let judged = Judged::server(&images, &running);
    judged.assert_rejected(&["pcr-4-differs", "pcr-digest-differs"]);
    judged.assert_explained("PCR 4: a further program was loaded after the image: Secure Boot is off, a signed add-on");
    judged.assert_explained("PCR 12: the kernel command line got \"EVIL=2\"");
}

/// A credential and a system extension for this image alone; those for all images are in `refused.rs`.
#[test]
fn extension_and_credential_beside_the_image_are_refused() {
    let Some(images) = Images::find() else { return };
    let options = Options::new(images.exit(), images.secure_boot());
    let options = options.esp_file(&format!("{BESIDE}/evil.cred"), b"EVIL");
    let running = boot(&options.esp_file(&format!("{BESIDE}/evil.raw"), b"EVIL"));
    let judged = Judged::server(&images, &running);
    judged.assert_rejected(&["pcr-9-differs", "pcr-digest-differs"]);
    judged.assert_explained("PCR 12: a credential file was put on the EFI system partition");
    judged.assert_explained("PCR 13: a system extension was put beside the image");
}

/// Another revision of the stub around the same kernel and initramfs, signed with the right key.
#[test]
fn another_stub_is_refused() {
    let Some(images) = Images::find() else { return };
    let mut image = images.read("exit/6-image.unsigned.efi");
    let section = Pe::parse(&image).unwrap().section(".sdmagic").unwrap().clone();
    let magic = &mut image[section.raw_offset as usize..][..section.virtual_size as usize];
    let digit = magic.iter().rposition(u8::is_ascii_digit).expect("the stub's version has a number");
    magic[digit] = if magic[digit] == b'9' { b'8' } else { b'9' };
    let running = boot(&Options::new(sign(&image, &images.path("keys")), images.secure_boot()));
    let judged = Judged::server(&images, &running);
    judged.assert_rejected(&["pcr-4-differs", "pcr-digest-differs"]);
    judged.assert_explained("PCR 4: another program than this image was started");
}

/// One byte of the initramfs, signed with the right key: Secure Boot has nothing to say against it.
#[test]
fn signed_altered_initramfs_is_refused() {
    let Some(images) = Images::find() else { return };
    let image = tamper::change_initramfs(&images.read("exit/6-image.unsigned.efi")).unwrap();
    let running = boot(&Options::new(sign(&image, &images.path("keys")), images.secure_boot()));
    let judged = Judged::server(&images, &running);
    judged.assert_rejected(&["pcr-4-differs", "pcr-digest-differs"]);
    judged.assert_explained("PCR 4: another program than this image was started");
    judged.assert_explained("PCR 9: the initramfs handed to the kernel is not the published one");
    judged.assert_explained("PCR 11: section .initrd of the image is not the published one");
}
