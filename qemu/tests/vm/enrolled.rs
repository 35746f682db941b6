//! Firmware in setup mode takes what `vitrine enrol` has written, by its own SetVariable; then it does what was predicted.

use crate::accepted::{predicted_digest, quoted_digest};
use crate::images::Images;
use crate::machine::{boot, refused_by_firmware, Judged, Place, PATIENCE};
use std::path::Path;
use std::process::Command;
use vitrine_attest::expected::{Platform, Prediction};
use vitrine_attest::secure_boot::Variables;
use vitrine_qemu::boot::{Guest, Options, SecureBoot};
use vitrine_qemu::vars;

/// Attributes of an update that replaces, and of one that appends (UEFI 2.10, §8.2.1).
const REPLACE: &str = "27";
const APPEND: &str = "67";

/// `vitrine` with these words and paths, each path behind its word.
fn vitrine(verb: &str, words: &[(&str, &Path)], more: &[&str]) -> String {
    let mut command = Command::new("vitrine");
    command.args(["--quiet", verb]);
    for (word, path) in words {
        command.args(Some(*word).filter(|word| !word.is_empty())).arg(path);
    }
    let output = command.args(more).output().expect("`vitrine` is in the PATH: use `make test`");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn variables(folder: &Path) -> Variables {
    serde_json::from_slice(&read(&folder.join("secure-boot.json"))).unwrap()
}

/// One update for the enroller: variable, attributes, file, and whether the firmware is to take it.
type Update<'a> = (&'a str, &'a str, &'a Path, bool);

/// Boots the enroller on this firmware and gives the variable store that the firmware leaves.
fn write(enroller: Vec<u8>, firmware: SecureBoot, updates: &[Update]) -> Vec<u8> {
    let mut options = Options::new(enroller, firmware);
    for (place, (variable, attributes, file, _)) in updates.iter().enumerate() {
        let name = format!("loader/credentials/{place}-{variable}-{attributes}.cred");
        options = options.esp_file(&name, &read(file));
    }
    let _place = Place::take();
    let mut guest = Guest::start(&options, &mut |line| eprintln!("{line}")).unwrap();
    guest.wait_for_console("enroller: done", PATIENCE).unwrap();
    let console = guest.console();
    assert!(!console.contains(".cred is locked"), "Linux refused, and not the firmware:\n{console}");
    for (place, (variable, attributes, file, taken)) in updates.iter().enumerate() {
        let said =
            format!("enroller: {place}-{variable}-{attributes}.cred {}", if *taken { "taken" } else { "refused" });
        assert!(console.contains(&said), "{}: not \"{said}\"\n{console}", file.display());
    }
    read(&guest.vars())
}

/// From setup mode to a server that is accepted, to an image that is revoked.
#[test]
fn enrolled_machine_is_accepted_and_revoked_image_does_not_start() {
    let Some(images) = Images::find() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (keys, first, revoked) = (images.path("keys"), folder.path().join("first"), folder.path().join("revoked"));
    vitrine("enrol", &[("--keys", &keys), ("--out", &first)], &[]);
    let file = |name: &str| first.join(format!("{name}.auth"));
    // signed by nobody whom the firmware knows, once PK is there
    let (db, kek, pk) = (file("db"), file("KEK"), file("PK"));
    let enroller = || images.read("enroller/image.efi");
    let store = write(
        enroller(),
        SecureBoot::Off,
        &[
            ("db", REPLACE, &db, true),
            ("KEK", REPLACE, &kek, true),
            ("PK", REPLACE, &pk, true),
            ("PK", REPLACE, &db, false),
        ],
    );
    assert_eq!(
        vars::enrolled(&store).unwrap(),
        variables(&first),
        "the firmware holds something else than was predicted"
    );
    accepted(&images, store.clone());

    vitrine("enrol", &[("--keys", &keys), ("--out", &revoked), ("--revoke", &images.path("dev/image.efi"))], &[]);
    let append = revoked.join("dbx-append.auth");
    let store = write(enroller(), SecureBoot::Left(store), &[("dbx", APPEND, &append, true)]);
    assert_eq!(vars::enrolled(&store).unwrap(), variables(&revoked), "dbx is not what was predicted");
    let words = refused_by_firmware(&Options::new(images.read("dev/image.efi"), SecureBoot::Left(store.clone())));
    assert!(words.contains("Access Denied"), "{words}");
    differs_as_predicted(&images, store, &revoked);
}

/// The shipped image, with the statement as published.
fn accepted(images: &Images, store: Vec<u8>) {
    let running = boot(&Options::new(images.exit(), SecureBoot::Left(store)));
    Judged::server(images, &running).assert_accepted();
}

/// The statement says nothing of this dbx, so the server is refused by it; the registers are those of the new prediction.
fn differs_as_predicted(images: &Images, store: Vec<u8>, enrolment: &Path) {
    let running = boot(&Options::new(images.exit(), SecureBoot::Left(store)));
    let judged = Judged::server(images, &running);
    judged.assert_rejected(&["pcr-7-differs", "pcr-digest-differs"]);
    let secure_boot = enrolment.join("secure-boot.json");
    let predicted =
        vitrine("predict", &[("", &images.path("exit/image.efi")), ("--secure-boot", &secure_boot)], &["--json"]);
    let predicted: Prediction = serde_json::from_str(&predicted).unwrap();
    let evidence = judged.evidence();
    let expected = predicted_digest(images, &predicted, Platform::SecureBoot, &evidence);
    assert_eq!(quoted_digest(&evidence), expected, "the TPM's values are not the predicted ones");
}

/// All keys are replaced on an enrolled machine, an old update is not taken again, and the way back to setup mode is open.
#[test]
fn keys_are_rotated_on_an_enrolled_machine() {
    let Some(images) = Images::find() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (old, new, first, rotation) = (images.path("keys"), path("new"), path("first"), path("rotation"));
    vitrine("keygen", &[("--out", &new)], &[]);
    vitrine("enrol", &[("--keys", &old), ("--out", &first)], &[]);
    vitrine("enrol", &[("--keys", &new), ("--rotate-from", &old), ("--out", &rotation)], &["--time", "2026-11-23"]);
    let first_db = first.join("db.auth");
    let [both, kek, pk, last, none] = ["1-db-both/db", "2-KEK/KEK", "3-PK/PK", "4-db-new/db", "noPK"]
        .map(|name| rotation.join(format!("{name}.auth")));
    // too early: the new KEK is not there yet
    let steps: [Update; 6] = [
        ("db", REPLACE, &last, false),
        ("db", REPLACE, &both, true),
        ("KEK", REPLACE, &kek, true),
        ("PK", REPLACE, &pk, true),
        ("db", REPLACE, &last, true),
        ("db", REPLACE, &first_db, false),
    ];
    let store = write(images.read("enroller/image.efi"), images.secure_boot(), &steps);
    assert_eq!(vars::enrolled(&store).unwrap(), variables(&rotation.join("4-db-new")));
    let words = refused_by_firmware(&Options::new(images.exit(), SecureBoot::Left(store.clone())));
    assert!(words.contains("Access Denied"), "{words}");

    // the enroller signed anew is the only image that still starts
    let image = path("enroller.efi");
    vitrine("sign", &[("", &images.path("enroller/6-image.unsigned.efi")), ("--keys", &new), ("--out", &image)], &[]);
    let store = write(read(&image), SecureBoot::Left(store), &[("PK", REPLACE, &none, true)]);
    assert!(vars::enrolled(&store).unwrap().pk.is_empty(), "PK is still there");
}
