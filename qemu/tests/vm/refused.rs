//! What has to be refused, each for its own reason.

use crate::images::Images;
use crate::machine::{boot, refused_by_firmware, Judged};
use std::path::Path;
use std::process::Command;
use vitrine_attest::pe::Pe;
use vitrine_qemu::boot::{Options, SecureBoot};
use vitrine_qemu::tamper;

#[test]
fn altered_initramfs_is_refused() {
    let Some(images) = Images::find() else { return };
    let image = tamper::change_initramfs(&images.exit()).unwrap();
    let words = refused_by_firmware(&Options::new(image.clone(), images.secure_boot()));
    assert!(words.contains("Access Denied"), "{words}");

    let running = boot(&Options::new(image, SecureBoot::Off));
    let judged = Judged::server(&images, &running);
    judged.assert_rejected(&["pcr-4-differs", "pcr-digest-differs"]);
    judged.assert_explained(".initrd");
}

/// `quiet` becomes `quieT`: nothing behaves differently, and still it is another image.
fn change_command_line(image: &[u8]) -> Vec<u8> {
    let pe = Pe::parse(image).unwrap();
    let section = pe.section(".cmdline").unwrap();
    let text = pe.contents(section).unwrap();
    let at = text.windows(5).position(|word| word == b"quiet").unwrap();
    let mut image = image.to_vec();
    image[section.raw_offset as usize + at + 4] = b'T';
    image
}

#[test]
fn altered_command_line_is_refused() {
    let Some(images) = Images::find() else { return };
    let image = change_command_line(&images.exit());
    let words = refused_by_firmware(&Options::new(image.clone(), images.secure_boot()));
    assert!(words.contains("Access Denied"), "{words}");

    let running = boot(&Options::new(image, SecureBoot::Off));
    let judged = Judged::server(&images, &running);
    judged.assert_rejected(&["pcr-4-differs", "pcr-digest-differs"]);
    judged.assert_explained(".cmdline");
}

#[test]
fn image_of_another_signer_does_not_start() {
    let Some(images) = Images::find() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (keys, signed) = (folder.path().join("keys"), folder.path().join("image.efi"));
    vitrine(&["keygen", "--out"], &[&keys]);
    vitrine(
        &["sign"],
        &[&images.path("exit/6-image.unsigned.efi"), Path::new("--keys"), &keys, Path::new("--out"), &signed],
    );
    let image = std::fs::read(&signed).unwrap();
    let words = refused_by_firmware(&Options::new(image, images.secure_boot()));
    assert!(words.contains("Access Denied"), "{words}");
}

fn vitrine(words: &[&str], paths: &[&Path]) {
    let output =
        Command::new("vitrine").args(words).args(paths).output().expect("`vitrine` is in the PATH: use `make test`");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The signed image on a machine with Secure Boot; a hypervisor slips in a kernel argument.
#[test]
fn smbios_command_line_is_refused() {
    let Some(images) = Images::find() else { return };
    let options = Options::new(images.exit(), images.secure_boot());
    let running = boot(&options.smbios_string("io.systemd.stub.kernel-cmdline-extra=EVIL=1"));
    let judged = Judged::server(&images, &running);
    judged.assert_rejected(&["pcr-9-differs", "pcr-digest-differs"]);
    judged.assert_explained("EVIL=1");
}

/// The stub adds such a file to the initramfs, whatever Secure Boot says.
#[test]
fn credential_on_the_esp_is_refused() {
    let Some(images) = Images::find() else { return };
    let options = Options::new(images.exit(), images.secure_boot());
    let running = boot(&options.esp_file("loader/credentials/evil.cred", b"EVIL"));
    let judged = Judged::server(&images, &running);
    judged.assert_rejected(&["pcr-9-differs", "pcr-digest-differs"]);
    judged.assert_explained("credential");
}

/// Properly signed by the same keys, with a statement of its own, and refused by its name.
#[test]
fn dev_image_is_refused() {
    let Some(images) = Images::find() else { return };
    let running = boot(&Options::new(images.read("dev/image.efi"), images.secure_boot()));
    let statement = images.path("dev/release.dsse.json");
    let roots = running.guest.ek_roots();
    let judged = Judged::check_statement(running.guest.url(), statement, &images, roots, &[]);
    judged.assert_rejected(&["dev-image"]);
    assert!(!running.guest.console().is_empty(), "a development image has a console");
}

/// Evidence of a while ago as an answer to a new nonce.
pub fn replayed_evidence(images: &Images, judged: &Judged, roots: &Path) {
    let evidence = judged.write("evidence.json", &judged.evidence_bytes());
    let nonce = "ab".repeat(32);
    let replayed = Judged::check(images, evidence, roots.into(), &["--nonce", &nonce, "--accept-level", "L1"]);
    replayed.assert_rejected(&["extra-data-differs"]);
}

/// One letter of the signed statement.
pub fn altered_statement(images: &Images, judged: &Judged, roots: &Path) {
    let mut envelope: serde_json::Value = serde_json::from_slice(&images.read("exit/release.dsse.json")).unwrap();
    let payload = envelope["payload"].as_str().unwrap().to_string();
    let middle = payload.len() / 2;
    let letter = if payload.as_bytes()[middle] == b'A' { "B" } else { "A" };
    envelope["payload"] = format!("{}{letter}{}", &payload[..middle], &payload[middle + 1..]).into();
    let statement = judged.write("altered.dsse.json", envelope.to_string().as_bytes());
    let altered = Judged::check_statement(judged.record(), statement, images, roots.into(), &[]);
    assert_eq!(altered.outcome.exit_code, 1);
    assert!(altered.report.reasons().contains(&"statement-signature-invalid"), "{:?}", altered.report.reasons());
    assert!(altered.report.keys.is_none());
}

/// The server's own key exchanged for another in the saved evidence.
pub fn altered_record(images: &Images, judged: &Judged, roots: &Path) {
    let mut evidence = judged.evidence();
    evidence.keys.wg_pub.0[0] ^= 1;
    let nonce = evidence.nonce.to_string();
    let file = judged.write("altered.evidence.json", &serde_json::to_vec(&evidence).unwrap());
    let altered = Judged::check(images, file, roots.into(), &["--nonce", &nonce, "--accept-level", "L1"]);
    assert_eq!(altered.outcome.exit_code, 1);
    for reason in ["extra-data-differs", "pcr-digest-differs"] {
        assert!(altered.report.reasons().contains(&reason), "{:?}", altered.report.reasons());
    }
}
