//! What is not installed, not activated, and no way back; each for its reason.

use crate::world::{errors, image as unsigned, image_with, keys_folder, stated, text, Says, World};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use vitrine_attest::fingerprint::Fingerprint;
use vitrine_attest::pe::authenticode;
use vitrine_attest::statement::Subject;
use vitrine_attest::Sha256;
use vitrine_builder::authenticode::sign;
use vitrine_builder::keys;

fn worlds() -> [World; 2] {
    [World::esp(), World::netboot()]
}

const OLD: Says = Says { name: "exit", version: "1.0", seq: 3, not_after: None };
const NEW: Says = Says { name: "exit", version: "1.1", seq: 5, not_after: None };

#[test]
fn what_is_not_newer() {
    for world in worlds() {
        world.updated(&OLD, &NEW);
        for (says, words) in [
            (Says::new("1.2", 5), "seq-not-greater: its sequence number is 5"),
            (Says::new("1.2", 4), "seq-not-greater"),
            (Says::new("1.2", 3), "seq-not-greater: its sequence number is 3"),
            (Says { name: "dns", ..Says::new("1.2", 9) }, "another-image-name"),
            (
                Says { not_after: Some("2020-01-01"), ..Says::new("1.2", 9) },
                "statement-expired: its last day was 2020-01-01",
            ),
        ] {
            world.bad("install", &[text(&world.build(&says))], 1, words);
        }
        world.good("status", &[]);
    }
}

/// One version for two images: nobody could tell which one is meant.
#[test]
fn the_same_version_again() {
    for world in worlds() {
        world.updated(&OLD, &NEW);
        let other = world.build(&Says { name: "exit", version: "1.1", seq: 9, not_after: None });
        let unsigned = image_with(&NEW, "quiet loglevel=0");
        let signer = keys::image_signer(keys_folder()).unwrap();
        fs::write(other.join("image.efi"), sign(&unsigned, &signer).unwrap()).unwrap();
        let mut statement = stated(&Says { seq: 9, ..NEW });
        statement.subject = vec![Subject::new("6-image.unsigned.efi", Sha256::of(&unsigned))];
        let (digest, config) = (authenticode(&unsigned).unwrap(), statement.predicate.config_digest);
        statement.predicate.image.authenticode = digest;
        statement.predicate.fingerprint = Fingerprint::new(digest, config);
        world.state(&other.join("release.dsse.json"), &statement);
        world.bad("install", &[text(&other)], 1, "version-again");
    }
}

/// A statement that does not hold, or is about another image.
#[test]
fn statements_that_do_not_fit() {
    let world = World::esp();
    world.updated(&OLD, &NEW);
    let says = Says::new("1.2", 9);
    let out = world.build(&says);
    let (image, file) = (out.join("image.efi"), out.join("release.dsse.json"));
    let (good_image, good_file) = (fs::read(&image).unwrap(), fs::read(&file).unwrap());
    let install = |code, words: &str| world.bad("install", &[text(&out)], code, words);

    let mut flipped = good_file.clone();
    let at = flipped.len() / 3;
    flipped[at] = if flipped[at] == b'A' { b'B' } else { b'A' };
    fs::write(&file, flipped).unwrap();
    install(1, "statement-signature-invalid");
    fs::write(&file, "{}").unwrap();
    install(2, "release.dsse.json");
    fs::remove_file(&file).unwrap();
    install(2, "there is no statement");

    let mut other = stated(&says);
    other.subject = vec![Subject::new("6-image.unsigned.efi", Sha256::ZERO)];
    world.state(&file, &other);
    install(1, "image-differs: the SHA-256 of the unsigned image");
    let mut other = stated(&says);
    other.predicate.image.version = "1.3".into();
    world.state(&file, &other);
    install(1, "image-differs: its name or version");
    let mut other = stated(&says);
    other.predicate.config_digest = Sha256::ZERO;
    world.state(&file, &other);
    install(1, "statement-inconsistent");
    world.state(&file, &stated(&Says::new("1.3", 9)));
    install(1, "image-differs: its Authenticode digest");

    fs::write(&file, &good_file).unwrap();
    let mut flipped = good_image.clone();
    flipped[5000] ^= 1;
    fs::write(&image, flipped).unwrap();
    install(1, "image-differs");
    fs::write(&image, unsigned(&says)).unwrap();
    install(1, "image-unsigned");
    fs::write(&image, "no image").unwrap();
    install(1, "image-unreadable");
    fs::remove_file(&image).unwrap();
    install(2, "image.efi");
    fs::write(&image, good_image).unwrap();
    world.good("install", &[text(&out)]);
}

#[test]
fn a_key_of_somebody_else() {
    let world = World::netboot();
    let stranger = stranger(&world);
    let key = stranger.join("release.pub");
    let mut command = Command::new(env!("CARGO_BIN_EXE_vitrine"));
    command.args(["slots", "install"]).arg(&world.folder).arg(world.build(&OLD));
    let output = command.arg("--key").arg(&key).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(errors(&output).contains("statement-signature-invalid"), "{}", errors(&output));
    // one of several is enough, whichever comes first
    command.arg("--key").arg(keys_folder().join("release.pub"));
    assert!(command.output().unwrap().status.success());
}

fn stranger(world: &World) -> PathBuf {
    let folder = world.path("stranger");
    if !folder.exists() {
        keys::generate(&folder, "stranger").unwrap();
    }
    folder
}

/// No way back to an image that is revoked, and no way forward; who has said it once need not say it again.
#[test]
fn revoked() {
    for world in worlds() {
        world.updated(&OLD, &NEW);
        let by_stranger = world.revoke(&OLD, &stranger(&world), "stranger.json");
        let by_us = world.revoke(&OLD, keys_folder(), "revocation.json");
        world.good("status", &["--revocation", text(&by_stranger)]);
        world.bad("rollback", &["--revocation", text(&by_us)], 1, "revoked: vulnerability, 2026-11-23, signed by test");
        world.bad("rollback", &[], 1, "revoked");
        let status = world.good("status", &[]);
        let old = status["slots"].as_array().unwrap().iter().find(|slot| slot["slot"] != status["active"]).unwrap();
        assert_eq!(old["refused"][0]["reason"], "revoked");
        // by hand: status finds it
        by_hand(&world, &OLD);
        let output = world.slots("status", &[]);
        let status: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((output.status.code(), &status["active"]), (Some(1), &old["slot"]));
        // and the way out is forward
        assert_eq!(world.good("activate", &[])["did"], "activated");
        world.assert_starts(&NEW);

        let later = Says::new("1.2", 9);
        let revocation = world.revoke(&later, keys_folder(), "later.json");
        world.bad("install", &[text(&world.build(&later)), "--revocation", text(&revocation)], 1, "revoked");
        let broken = world.path("broken.json");
        fs::write(&broken, "{}").unwrap();
        world.good("status", &[]);
        let output = world.slots("status", &["--revocation", text(&broken)]);
        assert!(
            output.status.code() == Some(1) && errors(&output).contains("revocation-unreadable"),
            "{}",
            errors(&output)
        );
        let kept = if world.folder.join("EFI").is_dir() { "EFI/vitrine/revocations" } else { "revocations" };
        assert_eq!(fs::read_dir(world.folder.join(kept)).unwrap().count(), 2, "the stranger's is not kept");
        fs::write(world.folder.join(kept).join("x.json"), "{}").unwrap();
        assert_eq!(world.slots("status", &[]).status.code(), Some(1), "one that is kept may be damaged");
    }
}

/// Makes an installed release the active one past the command.
pub fn by_hand(world: &World, says: &Says) {
    let bytes = fs::read(world.build(says).join("image.efi")).unwrap();
    if world.folder.join("EFI").is_dir() {
        fs::write(world.folder.join("EFI/BOOT/BOOTX64.EFI"), bytes).unwrap();
    } else {
        let link = world.folder.join("exit.efi");
        fs::remove_file(&link).unwrap();
        let digest = Sha256::of(&bytes);
        std::os::unix::fs::symlink(format!("exit-{}-{}.efi", says.version, digest.short()), &link).unwrap();
    }
}

/// Installed in time, and gone back to too late.
#[test]
fn past_its_last_day() {
    for world in worlds() {
        world.updated(&OLD, &NEW);
        let over = Says { not_after: Some("2020-01-01"), ..OLD };
        replace_statement(&world, &over);
        world.bad("rollback", &[], 1, "statement-expired: its last day was 2020-01-01");
        world.good("status", &[]);
        by_hand(&world, &OLD);
        assert_eq!(world.slots("status", &[]).status.code(), Some(1));
    }
}

/// As if time had passed.
fn replace_statement(world: &World, says: &Says) {
    let status = world.good("status", &[]);
    let slots = status["slots"].as_array().unwrap();
    let slot = slots.iter().find(|slot| slot["release"]["version"] == says.version).unwrap();
    world.state(slot["statement"].as_str().unwrap().as_ref(), &stated(says));
}

#[test]
fn below_the_floor() {
    for world in worlds() {
        world.updated(&OLD, &NEW);
        world.good("rollback", &[]);
        world.bad("activate", &["--min-seq", "6"], 1, "below-floor: its sequence number is 5");
        world.good("activate", &["--min-seq", "4"]);
        world.bad("install", &[text(&world.build(&Says::new("0.9", 2)))], 1, "below-floor");
        world.bad("rollback", &[], 1, "below-floor: its sequence number is 3, and nothing below 4 is taken");
        world.good("activate", &["--min-seq", "2"]);
        world.bad("rollback", &[], 1, "nothing below 4");
        // a floor that is not readable is none that may be ignored
        let file = if world.folder.join("EFI").is_dir() { "EFI/vitrine/slots.json" } else { "slots.json" };
        fs::write(world.folder.join(file), "{").unwrap();
        for verb in ["rollback", "activate", "status"] {
            let output = world.slots(verb, &[]);
            assert!(output.status.code() == Some(2) && errors(&output).contains("slots.json"), "{}", errors(&output));
        }
    }
}

/// What the machines' firmware holds, when the operator says so.
#[test]
fn what_firmware_would_not_start() {
    let world = World::esp();
    world.updated(&OLD, &NEW);
    let enrolled = keys_folder().join("secure-boot.json");
    world.good("status", &["--secure-boot", text(&enrolled)]);
    let output = Command::new(env!("CARGO_BIN_EXE_vitrine"))
        .args(["enrol", "--keys", text(keys_folder()), "--out", text(&world.path("revoked")), "--revoke"])
        .arg(world.build(&OLD).join("image.efi"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", errors(&output));
    let dbx = world.path("revoked/secure-boot.json");
    world.bad("rollback", &["--secure-boot", text(&dbx)], 1, "firmware-refuses: its Authenticode digest stands in dbx");
    // the other one starts, and is refused by who checks it: its statement knows nothing of this dbx
    let output = world.slots("status", &["--secure-boot", text(&dbx)]);
    assert!(String::from_utf8(output.stdout).unwrap().contains("pcr-7-differs"));
    let strange = stranger(&world).join("secure-boot.json");
    world.bad("rollback", &["--secure-boot", text(&strange)], 1, "pcr-7-differs");
    world.good("rollback", &[]);
}
