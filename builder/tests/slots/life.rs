//! Forward and back, on both kinds of folder.

use crate::world::{errors, files, image, text, Says, World};
use std::fs;
use std::process::Command;
use vitrine_attest::Sha256;

fn life(world: &World) {
    let (a, b, c) = (Says::new("1.0", 1), Says::new("1.1", 2), Says::new("1.2", 3));
    let status = world.slots("status", &[]);
    assert_eq!(status.status.code(), Some(1), "machines start nothing");
    world.bad("activate", &[], 2, "no release is installed");
    world.bad("rollback", &[], 2, "no slot is active");
    assert_eq!(world.install(&a)["did"], "installed");
    assert_eq!(world.started(), None, "installing changes nothing that machines start");
    assert_eq!(world.good("activate", &[])["did"], "activated");
    world.assert_starts(&a);
    world.bad("rollback", &[], 2, "the only release here");

    world.install(&b);
    world.assert_starts(&a);
    assert_eq!(world.install(&b)["did"], "nothing", "twice is once");
    assert_eq!(world.good("activate", &[])["did"], "activated");
    world.assert_starts(&b);
    assert_eq!(world.good("activate", &[])["did"], "nothing");
    assert_eq!(world.install(&b)["did"], "nothing");

    assert_eq!(world.good("rollback", &[])["did"], "rolled-back");
    world.assert_starts(&a);
    world.bad("rollback", &[], 2, "is newer");
    // the bad one's place is taken by the next one, and the way back leads to the good one
    world.install(&c);
    world.assert_starts(&a);
    world.good("activate", &[]);
    world.assert_starts(&c);
    world.good("rollback", &[]);
    world.assert_starts(&a);
    world.good("activate", &[]);
    let status = world.good("status", &[]);
    let slots = status["slots"].as_array().unwrap();
    assert_eq!(slots.len(), 2);
    let active = slots.iter().find(|slot| slot["slot"] == status["active"]).unwrap();
    assert_eq!((&active["release"]["version"], &active["release"]["seq"]), (&"1.2".into(), &3.into()));
    assert_eq!(active["sha256"], Sha256::of(&world.started().unwrap()).to_string());
}

#[test]
fn an_efi_system_partition() {
    let world = World::esp();
    life(&world);
    let expected = [
        "EFI/BOOT/BOOTX64.EFI",
        "EFI/vitrine/a.dsse.json",
        "EFI/vitrine/a.efi",
        "EFI/vitrine/b.dsse.json",
        "EFI/vitrine/b.efi",
    ];
    assert_eq!(files(&world.folder), expected);
}

#[test]
fn a_netboot_folder() {
    let world = World::netboot();
    life(&world);
    let found = files(&world.folder);
    assert_eq!(found.iter().filter(|name| name.ends_with(".dsse.json")).count(), 2, "{found:?}");
    assert_eq!(found.len(), 2 * 2 + 3, "two slots, link, README, SHA256SUMS: {found:?}");
    let sums =
        Command::new("sha256sum").args(["--check", "--strict", "SHA256SUMS"]).current_dir(&world.folder).output();
    let sums = sums.unwrap();
    assert!(sums.status.success(), "{}", errors(&sums));
    assert_eq!(String::from_utf8(sums.stdout).unwrap().lines().count(), 4);
    let readme = fs::read_to_string(world.folder.join("README")).unwrap();
    assert!(readme.contains("exit-1.2-") && readme.contains("http://boot.example.org/exit.efi"), "{readme}");
}

/// What `vitrine export` has made is taken over: its release gets its statement beside it.
#[test]
fn a_folder_of_export() {
    let world = World::netboot();
    let (a, b) = (Says::new("1.0", 1), Says::new("1.1", 2));
    let (old, new) = (world.build(&a), world.build(&b));
    fs::remove_dir(&world.folder).unwrap();
    let mut export = Command::new(env!("CARGO_BIN_EXE_vitrine"));
    export.args(["export", "--format", "netboot", "--to", text(&world.folder)]).arg(&old);
    assert!(export.output().unwrap().status.success());
    let status = world.slots("status", &[]);
    assert_eq!(status.status.code(), Some(1));
    world.good("install", &[text(&new)]);
    world.bad("activate", &[], 2, "is the image of no slot");
    assert_eq!(world.good("activate", &["--replace"])["did"], "activated");
    world.assert_starts(&b);

    // the other way round: first its own release
    fs::remove_dir_all(&world.folder).unwrap();
    assert!(export.output().unwrap().status.success());
    assert_eq!(world.good("install", &[text(&old)])["did"], "installed");
    assert_eq!(world.good("status", &[])["slots"][0]["release"]["version"], "1.0");
    world.good("install", &[text(&new)]);
    world.good("activate", &[]);
    world.good("rollback", &[]);
    world.assert_starts(&a);
}

/// The operator states the same image once more: for another PCR 7, or for longer.
#[test]
fn a_later_statement_of_the_same_image() {
    for world in [World::esp(), World::netboot()] {
        let old = Says { not_after: Some("2020-01-01"), ..Says::new("1.0", 1) };
        let (longer, b) = (Says::new("1.0", 2), Says::new("1.1", 3));
        assert_eq!(image(&old), image(&longer));
        world.install(&Says::new("1.0", 1));
        world.good("activate", &[]);
        assert_eq!(world.install(&longer)["did"], "restated");
        world.assert_starts(&longer);
        let status = world.good("status", &[]);
        assert_eq!((status["slots"].as_array().unwrap().len(), &status["slots"][0]["release"]["seq"]), (1, &2.into()));
        world.bad("install", &[text(&world.build(&Says::new("1.0", 1)))], 1, "seq-not-greater");
        world.install(&b);
        world.good("activate", &[]);
        // of the slot that is not active as well
        world.bad("install", &[text(&world.build(&old))], 1, "statement-expired");
        assert_eq!(world.install(&Says::new("1.0", 4))["did"], "restated");
    }
}
