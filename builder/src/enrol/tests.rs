//! Whole enrolments; and efitools judge them. Without efitools that test says that it was skipped, and fails in CI.

use super::first::{self, Wanted};
use super::plan::Plan;
use super::rotate;
use super::set::Set;
use super::time::Time;
use crate::authenticode::{Certificate, Signer};
use crate::{keys, uki};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use vitrine_attest::pe::authenticode;
use vitrine_attest::secure_boot::{digest_list, signature_list, signatures, Variables};
use vitrine_attest::Sha256;

/// Two keys folders for all tests: RSA keys take a while to make.
fn key_folder(name: &str) -> PathBuf {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        for name in ["old", "new"] {
            keys::generate(&folder.path().join(name), "test").unwrap();
        }
        folder
    });
    folder.path().join(name)
}

pub fn signer(name: &str) -> Signer {
    keys::secure_boot_signer(&key_folder("old"), name).unwrap()
}

pub fn certificate(name: &str) -> Certificate {
    keys::certificate(&key_folder("old").join(format!("{name}.crt"))).unwrap()
}

fn set(name: &str) -> Set {
    Set::read(&key_folder(name), None).unwrap()
}

fn file<'a>(plan: &'a Plan, name: &str) -> &'a [u8] {
    let found = plan.files.iter().find(|(there, _)| there == name);
    &found.unwrap_or_else(|| panic!("no {name} in {:?}", names(plan))).1
}

fn names(plan: &Plan) -> Vec<&str> {
    plan.files.iter().map(|(name, _)| name.as_str()).collect()
}

fn state(plan: &Plan, folder: &str) -> Variables {
    serde_json::from_slice(file(plan, &format!("{folder}secure-boot.json"))).unwrap()
}

#[test]
fn a_first_enrolment_is_what_keygen_has_said() {
    let plan = first::plan(&set("old"), &Wanted::default()).unwrap();
    let expected = [
        "db.esl",
        "db.auth",
        "KEK.esl",
        "KEK.auth",
        "PK.esl",
        "PK.auth",
        "noPK.auth",
        "secure-boot.json",
        "README.txt",
    ];
    assert_eq!(names(&plan), expected);
    assert_eq!(file(&plan, "secure-boot.json"), fs::read(key_folder("old").join("secure-boot.json")).unwrap());
    let again = first::plan(&set("old"), &Wanted::default()).unwrap();
    assert_eq!(plan.files, again.files, "the same input gave other bytes");
    assert!(String::from_utf8_lossy(file(&plan, "README.txt")).contains("2025-01-01T00:00:00Z"));
}

/// PCR 7 in the report is what `vitrine predict` says of an image that this key has signed.
#[test]
fn the_report_agrees_with_the_prediction() {
    let image = crate::authenticode::sign(&uki::tests::sample(), &signer("db")).unwrap();
    let wanted = Wanted {
        revoke: vec![Sha256([9; 32])],
        also_db: vec![signature_list([4; 16], certificate("KEK").der())],
        ..Wanted::default()
    };
    for wanted in [Wanted::default(), wanted] {
        let plan = first::plan(&set("old"), &wanted).unwrap();
        let predicted = vitrine_attest::predict::predict(&image, Some(&state(&plan, ""))).unwrap();
        let boot = &predicted.platforms[&vitrine_attest::expected::Platform::SecureBoot];
        assert_eq!(Some(plan.states[0].pcr7[0].pcr7), boot.pcrs.get(vitrine_attest::pcr::Pcr::SECURE_BOOT));
    }
}

/// A machine that was enrolled with the old list and then got the append update holds what a new machine gets at once.
#[test]
fn appended_and_enrolled_at_once_are_the_same() {
    let old = digest_list([7; 16], &[Sha256([1; 32])]);
    let image = authenticode(&uki::tests::sample()).unwrap();
    let wanted = Wanted { dbx: Some(old.clone()), revoke: vec![Sha256([1; 32]), image], ..Wanted::default() };
    let plan = first::plan(&set("old"), &wanted).unwrap();
    let appended = file(&plan, "dbx-append.esl");
    assert_eq!(signatures(appended).unwrap().iter().map(|entry| entry.data).collect::<Vec<_>>(), [image.0]);
    assert_eq!(file(&plan, "dbx.esl"), [&old, appended].concat());
    assert_eq!(state(&plan, "").dbx, file(&plan, "dbx.esl"));
    assert!(String::from_utf8_lossy(file(&plan, "README.txt")).contains("dbx-append.auth"));
    let again = Wanted { dbx: Some(state(&plan, "").dbx), revoke: vec![image], ..Wanted::default() };
    assert!(first::plan(&set("old"), &again).unwrap_err().what.contains("already"));
}

#[test]
fn a_rotation_has_four_steps_and_keeps_what_is_foreign() {
    let (mut old, new) = (set("old"), set("new"));
    let foreign = signature_list([4; 16], b"somebody else's certificate");
    old.enrolled.db = [&foreign[..], &old.enrolled.db].concat();
    old.enrolled.dbx = digest_list([7; 16], &[Sha256([1; 32])]);
    let plan = rotate::plan(&old, &new, Time::parse("2026-11-23").unwrap()).unwrap();
    let folders: Vec<&str> = plan.states.iter().map(|state| state.folder.as_str()).collect();
    assert_eq!(folders, ["1-db-both", "2-KEK", "3-PK", "4-db-new"]);
    let both = state(&plan, "1-db-both/");
    assert_eq!(both.db, [&old.enrolled.db[..], &new.enrolled.db].concat());
    let last = state(&plan, "4-db-new/");
    assert_eq!(last.db, [&new.enrolled.db[..], &foreign].concat());
    assert_eq!((&last.pk, &last.kek, &last.dbx), (&new.enrolled.pk, &new.enrolled.kek, &old.enrolled.dbx));
    assert_eq!(file(&plan, "4-db-new/db.esl"), last.db);
    // who may start: both, both, both, the new one
    assert_eq!(plan.states.iter().map(|state| state.pcr7.len()).collect::<Vec<_>>(), [2, 2, 2, 1]);
    assert_eq!(plan.states[3].pcr7[0].signed_by, "the new db.crt");
    // each later than the one before, and the way back later than all
    let stamps: Vec<u8> = ["1-db-both/db", "2-KEK/KEK", "3-PK/PK", "4-db-new/db", "noPK"]
        .map(|name| file(&plan, &format!("{name}.auth"))[6])
        .into();
    assert_eq!(stamps, [0, 1, 2, 3, 4]);
    assert!(rotate::plan(&old, &set("old"), Time::parse("2026-11-23").unwrap())
        .unwrap_err()
        .what
        .contains("same keys"));
}

/// A key that stays has no step.
#[test]
fn a_rotation_of_one_key() {
    let folder = tempfile::tempdir().unwrap();
    let copy = |from: &str, name: &str| {
        for end in ["key", "crt"] {
            let file = format!("{name}.{end}");
            fs::copy(key_folder(from).join(&file), folder.path().join(&file)).unwrap();
        }
    };
    copy("old", "PK");
    copy("new", "KEK");
    copy("old", "db");
    let enrolled = Variables { kek: set("new").enrolled.kek, ..set("old").enrolled };
    fs::write(folder.path().join("secure-boot.json"), serde_json::to_vec(&enrolled).unwrap()).unwrap();
    let new = Set::read(folder.path(), None).unwrap();
    let plan = rotate::plan(&set("old"), &new, Time::parse("2026-11-23").unwrap()).unwrap();
    assert_eq!(plan.states.len(), 1);
    assert_eq!(state(&plan, "1-KEK/"), enrolled);
    assert!(Set::read(&key_folder("old"), Some(&folder.path().join("secure-boot.json")))
        .unwrap_err()
        .what
        .contains("KEK.crt"));
}

/// efitools write the same bytes from the same keys.
#[test]
fn efitools_write_the_same() {
    if Command::new("sign-efi-sig-list").arg("--help").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "efitools are needed in CI");
        eprintln!("skipped: efitools are not installed (package efitools)");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let image = uki::tests::sample();
    let digest = authenticode(&image).unwrap();
    let wanted =
        Wanted { revoke: vec![digest], time: Some(Time::parse("2026-11-23T12:34:56Z").unwrap()), ..Wanted::default() };
    let plan = first::plan(&set("old"), &wanted).unwrap();
    for name in ["PK", "KEK", "db"] {
        assert_eq!(theirs_of(folder.path(), name), file(&plan, &format!("{name}.esl")), "{name}.esl");
    }
    assert_eq!(their_hash_list(folder.path(), &image), digest_list([0; 16], &[digest]));
    fs::write(folder.path().join("dbx.esl"), file(&plan, "dbx.esl")).unwrap();
    fs::write(folder.path().join("empty"), b"").unwrap();
    for (name, signer, variable, list, second, append) in [
        ("PK", "PK", "PK", "PK.esl", 56, None),
        ("KEK", "PK", "KEK", "KEK.esl", 56, None),
        ("db", "KEK", "db", "db.esl", 56, None),
        ("dbx", "KEK", "dbx", "dbx.esl", 56, None),
        ("dbx-append", "KEK", "dbx", "dbx.esl", 56, Some("-a")),
        ("noPK", "PK", "PK", "empty", 57, None),
    ] {
        let time = format!("2026-11-23 12:34:{second}");
        let mut command = Command::new("sign-efi-sig-list");
        command.current_dir(folder.path()).args(append).args(["-t", &time]);
        command.arg("-k").arg(key_folder("old").join(format!("{signer}.key")));
        command.arg("-c").arg(key_folder("old").join(format!("{signer}.crt")));
        run(command.args([variable, list, "out.auth"]));
        assert_eq!(
            fs::read(folder.path().join("out.auth")).unwrap(),
            file(&plan, &format!("{name}.auth")),
            "{name}.auth"
        );
    }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Their signature list of one of our certificates.
fn theirs_of(folder: &Path, name: &str) -> Vec<u8> {
    let list = folder.join(format!("{name}.esl"));
    let certificate = key_folder("old").join(format!("{name}.crt"));
    run(Command::new("cert-to-efi-sig-list")
        .args(["-g", "c1d2a8f3-6b1e-4a57-9e0c-7a1f5b3d9e42"])
        .arg(certificate)
        .arg(&list));
    fs::read(list).unwrap()
}

/// Theirs has an owner of its own, which no option changes: here it is zeros.
fn their_hash_list(folder: &Path, image: &[u8]) -> Vec<u8> {
    fs::write(folder.join("image.efi"), image).unwrap();
    run(Command::new("hash-to-efi-sig-list").current_dir(folder).args(["image.efi", "hash.esl"]));
    let mut list = fs::read(folder.join("hash.esl")).unwrap();
    list[28..44].fill(0);
    list
}
