//! What an attacker puts beside the image, or into the machine's firmware.

use std::path::Path;
use std::process::Command;
use vitrine_attest::secure_boot::EFI_GLOBAL_VARIABLE;
use vitrine_qemu::vars::Variable;

/// EFI_VARIABLE_NON_VOLATILE | BOOTSERVICE_ACCESS | RUNTIME_ACCESS (UEFI 2.10, §8.2.1).
const BOOT_VARIABLE: u32 = 7;
/// LOAD_OPTION_ACTIVE (§3.1.3).
const ACTIVE: u32 = 1;
/// Where the boot disk is in these machines, PciRoot(0x0)/Pci(0x1,0x0): ACPI(PNP0A03, 0), then PCI function and device
/// (§10.3).
const DISK: [u8; 18] = [2, 1, 12, 0, 0xd0, 0x41, 0x03, 0x0a, 0, 0, 0, 0, 1, 1, 6, 0, 0, 1];
const IMAGE: &str = "\\EFI\\BOOT\\BOOTX64.EFI";

/// Boot entry 0x0666, the first in the order, that hands this text to the image on the boot disk.
pub fn boot_entry(description: &str, load_options: &str) -> Vec<Variable> {
    let file = utf16(IMAGE);
    let node = [&[4, 4], (4 + file.len() as u16).to_le_bytes().as_slice(), &file].concat();
    let path = [&DISK, node.as_slice(), &[0x7f, 0xff, 4, 0]].concat();
    let (active, length) = (ACTIVE.to_le_bytes(), (path.len() as u16).to_le_bytes());
    let option = [&active[..], &length, &utf16(description), &path, &utf16(load_options)].concat();
    vec![
        Variable::new(EFI_GLOBAL_VARIABLE, "Boot0666", BOOT_VARIABLE, option),
        Variable::new(EFI_GLOBAL_VARIABLE, "BootOrder", BOOT_VARIABLE, 0x0666_u16.to_le_bytes().to_vec()),
    ]
}

/// With its NUL.
fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect()
}

/// A PE file with nothing but a command line for systemd-stub to add (systemd-stub(7)). It is loaded, never started.
pub fn addon(cmdline: &str) -> Vec<u8> {
    const HEADERS: u32 = 0x400;
    let mut pe = vec![0; 0x800];
    let mut put = |at: usize, bytes: &[u8]| pe[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"MZ");
    put(0x3c, &0x40_u32.to_le_bytes());
    put(0x40, b"PE\0\0");
    // machine, one section; size of the optional header; executable, large addresses
    put(0x44, &0x8664_u16.to_le_bytes());
    put(0x46, &1_u16.to_le_bytes());
    put(0x54, &0xf0_u16.to_le_bytes());
    put(0x56, &0x22_u16.to_le_bytes());
    // PE32+; alignments of memory and file; sizes of memory and headers; subsystem; directories
    put(0x58, &0x20b_u16.to_le_bytes());
    for (at, value) in [(0x78, 0x1000), (0x7c, 0x200), (0x90, 0x2000), (0x94, HEADERS), (0xc4, 16)] {
        put(at, &value.to_le_bytes());
    }
    put(0x9c, &10_u16.to_le_bytes());
    put(0x148, b".cmdline");
    let length = cmdline.len() as u32;
    // readable, initialized data
    for (at, value) in [(8, length), (12, 0x1000), (16, 0x400), (20, HEADERS), (36, 0x4000_0040)] {
        put(0x148 + at, &value.to_le_bytes());
    }
    put(HEADERS as usize, cmdline.as_bytes());
    pe
}

/// Signs a PE file with the Secure Boot key of the tests' machines, as somebody does who has it.
pub fn sign(pe: &[u8], keys: &Path) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let (unsigned, signed) = (folder.path().join("unsigned"), folder.path().join("signed"));
    std::fs::write(&unsigned, pe).unwrap();
    let mut command = Command::new("sbsign");
    command.arg("--key").arg(keys.join("db.key")).arg("--cert").arg(keys.join("db.crt")).arg("--output").arg(&signed);
    let output = command.arg(&unsigned).output().expect("sbsign runs: apt-get install sbsigntool");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::read(&signed).unwrap()
}
