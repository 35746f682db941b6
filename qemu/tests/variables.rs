//! Another program judges our variable store: virt-fw-vars (Debian: python3-virt-firmware).

use std::path::Path;
use std::process::Command;
use vitrine_attest::secure_boot::{signature_list, Variables};
use vitrine_qemu::vars;

const EMPTY: &str = "/usr/share/OVMF/OVMF_VARS_4M.fd";

/// Names the program where it is not in the PATH.
fn program() -> String {
    std::env::var("VIRT_FW_VARS").unwrap_or_else(|_| "virt-fw-vars".into())
}

fn run(arguments: &[&str]) -> Option<String> {
    let output = Command::new(program()).args(arguments).output().ok()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn keys() -> Variables {
    let list = |owner, length: usize| signature_list([owner; 16], &vec![owner; length]);
    Variables { pk: list(1, 777), kek: list(2, 778), db: list(3, 779), dbx: list(4, 780) }
}

/// virt-fw-vars reads our file, names every variable, and what it writes back we read as the same keys.
#[test]
fn virt_fw_vars_reads_what_we_write() {
    if !Path::new(EMPTY).exists() || run(&["--help"]).is_none() {
        eprintln!("skipped: needs the packages ovmf and python3-virt-firmware");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = (folder.path().join("ours.fd"), folder.path().join("theirs.fd"));
    std::fs::write(&ours, vars::enroll(&std::fs::read(EMPTY).unwrap(), &keys()).unwrap()).unwrap();
    let list = run(&["--input", ours.to_str().unwrap(), "--print"]).unwrap();
    for (name, what) in [
        ("PK", "blob: 821 bytes"),
        ("KEK", "blob: 822 bytes"),
        ("db", "blob: 823 bytes"),
        ("dbx", "blob: 824 bytes"),
        ("SecureBootEnable", "bool: ON"),
    ] {
        let line = list.lines().find(|line| line.split_whitespace().next() == Some(name));
        assert!(line.is_some_and(|line| line.contains(what)), "{name}: {line:?}");
    }
    run(&["--input", ours.to_str().unwrap(), "--output", theirs.to_str().unwrap(), "--set-true", "Extra"]);
    assert_eq!(vars::enrolled(&std::fs::read(&theirs).unwrap()).unwrap(), keys());
}
