//! Bytes that have changed in the folder, two at once, and folders that are none.

use crate::refused::by_hand;
use crate::world::{errors, slots, text, Says, World};
use lock::hold;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::symlink;
use std::process::Stdio;
use vitrine_attest::dsse::Envelope;
use vitrine_attest::pe::Pe;

const OLD: Says = Says { name: "exit", version: "1.0", seq: 3, not_after: None };
const NEW: Says = Says { name: "exit", version: "1.1", seq: 5, not_after: None };

/// Whatever is bent in a slot is said, and the slot that is not active does not become active.
#[test]
fn altered_bytes_in_a_slot() {
    for world in [World::esp(), World::netboot()] {
        world.updated(&OLD, &NEW);
        let status = world.good("status", &[]);
        for slot in status["slots"].as_array().unwrap() {
            for file in ["image", "statement"] {
                let path = slot[file].as_str().unwrap();
                let good = fs::read(path).unwrap();
                for at in (0..good.len()).step_by(good.len() / 13) {
                    let mut bent = good.clone();
                    bent[at] ^= 1;
                    if harmless(&good, &bent) {
                        continue;
                    }
                    fs::write(path, bent).unwrap();
                    assert!(is_refused(&world, &slot["slot"]), "{path}: byte {at} was bent, and nobody noticed");
                    if slot["slot"] != status["active"] {
                        assert_eq!(world.slots("rollback", &[]).status.code(), Some(1), "{path}: byte {at}");
                    }
                }
                fs::write(path, good).unwrap();
            }
        }
        world.good("rollback", &[]);
    }
}

/// What is not signed by the release key: the image's own signature, which the firmware looks at, and the hint at the
/// statement's key.
fn harmless(good: &[u8], bent: &[u8]) -> bool {
    if let Ok(pe) = Pe::parse(good) {
        let signed = pe.certificate_table().0;
        return good[..signed] == bent[..signed];
    }
    let [good, bent] = [good, bent].map(Envelope::from_json);
    let (good, Ok(bent)) = (good.unwrap(), bent) else { return false };
    let signatures = |envelope: &Envelope| envelope.signatures.iter().map(|one| one.sig.clone()).collect::<Vec<_>>();
    (&good.payload_type, &good.payload, signatures(&good)) == (&bent.payload_type, &bent.payload, signatures(&bent))
}

fn is_refused(world: &World, slot: &Value) -> bool {
    let found = world.slots("status", &[]);
    let said: Value = serde_json::from_slice(&found.stdout).unwrap_or_else(|_| panic!("{}", errors(&found)));
    let this = said["slots"].as_array().unwrap().iter().find(|other| other["slot"] == *slot).unwrap();
    !this["refused"].as_array().unwrap().is_empty()
}

/// Each file of the slot that is not active is missing once.
#[test]
fn half_a_slot() {
    for world in [World::esp(), World::netboot()] {
        world.updated(&OLD, &NEW);
        let status = world.good("status", &[]);
        let other = status["slots"].as_array().unwrap().iter().find(|slot| slot["slot"] != status["active"]).unwrap();
        let image = other["image"].as_str().unwrap();
        let bytes = fs::read(image).unwrap();
        fs::remove_file(image).unwrap();
        world.bad("rollback", &[], 1, "image-missing");
        assert_eq!(world.good("activate", &[])["did"], "nothing");
        // installed again it is whole
        world.good("install", &[text(&world.build(&Says::new("1.2", 7)))]);
        world.good("activate", &[]);
        world.good("rollback", &[]);
        world.assert_starts(&NEW);
        assert!(fs::read(image).map_or(true, |there| there != bytes));
    }
}

/// What machines start is damaged: it is said, and mended when that is asked for.
#[test]
fn what_machines_start_is_damaged() {
    let world = World::esp();
    world.updated(&OLD, &NEW);
    fs::write(world.folder.join("EFI/BOOT/BOOTX64.EFI"), "half").unwrap();
    let status = world.slots("status", &[]);
    assert_eq!(status.status.code(), Some(1));
    assert!(String::from_utf8(status.stdout).unwrap().contains("\"unknown\""));
    world.bad("activate", &[], 2, "is the image of no slot");
    world.bad("rollback", &[], 2, "no slot is active");
    assert_eq!(world.good("activate", &["--replace"])["slot"], "b");
    world.assert_starts(&NEW);
    by_hand(&world, &OLD);
    world.good("activate", &[]);
    world.assert_starts(&NEW);
}

#[test]
fn two_at_once() {
    for world in [World::esp(), World::netboot()] {
        world.updated(&OLD, &NEW);
        let held = hold(&world.folder);
        for verb in ["status", "activate", "rollback"] {
            let output = world.slots(verb, &[]);
            assert_eq!(output.status.code(), Some(2), "{}", errors(&output));
            assert!(errors(&output).contains("another `vitrine slots` is at work"), "{}", errors(&output));
        }
        drop(held);
        // many at once: each is done or says that another one is at work, and in the end all is whole
        let run = |verb: &str| {
            let mut command = slots(&world.folder, verb, &[]);
            command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
        };
        let running: Vec<_> = (0..8).map(|n| run(if n % 2 == 0 { "activate" } else { "rollback" })).collect();
        for mut child in running {
            assert!(matches!(child.wait().unwrap().code(), Some(0 | 2)));
        }
        world.good("status", &[]);
        world.good("activate", &[]);
        world.assert_starts(&NEW);
    }
}

mod lock {
    use std::path::Path;
    use std::process::{Child, Command, Stdio};

    /// Somebody else's lock: `flock` of util-linux, until this value goes.
    pub struct Held(Child);

    impl Drop for Held {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    pub fn hold(folder: &Path) -> Held {
        let mut command = Command::new("flock");
        // exec: killing it has to free the lock
        command.args(["--exclusive", "--no-fork"]).arg(folder).args(["sh", "-c", "echo locked; exec sleep 600"]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = [0; 7];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut line).unwrap();
        Held(child)
    }
}

#[test]
fn folders_that_are_none() {
    let world = World::netboot();
    world.updated(&OLD, &NEW);
    let missing = slots(&world.path("missing"), "status", &[]).output().unwrap();
    assert!(
        missing.status.code() == Some(2) && errors(&missing).contains("cannot open folder"),
        "{}",
        errors(&missing)
    );
    let file = slots(&world.path("exit-1.0-3/image.efi"), "activate", &[]).output().unwrap();
    assert_eq!(file.status.code(), Some(2), "{}", errors(&file));
    assert!(world.path("exit-1.0-3/image.efi").is_file());
    // two links: two images in one folder
    symlink("x", world.folder.join("dns.efi")).unwrap();
    world.bad("rollback", &[], 2, "serves 2 images");
    fs::remove_file(world.folder.join("dns.efi")).unwrap();
    // a link to nothing starts nothing, and is mended
    let link = world.folder.join("exit.efi");
    fs::remove_file(&link).unwrap();
    symlink("gone.efi", &link).unwrap();
    assert_eq!(world.slots("status", &[]).status.code(), Some(1));
    world.good("activate", &[]);
    world.assert_starts(&NEW);
}
