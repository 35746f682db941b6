//! File systems that are full, and FAT.

use crate::world::{errors, files, text, Says, World};
use std::fs;
use std::path::Path;
use std::process::{Command, ExitStatus};

const OLD: Says = Says { name: "exit", version: "1.0", seq: 3, not_after: None };
const NEW: Says = Says { name: "exit", version: "1.1", seq: 5, not_after: None };

/// Mounted until dropped.
struct Mounted<'a>(&'a Path);

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).status();
    }
}

/// None, with a message, where this user or this kernel cannot do that.
fn mount<'a>(arguments: &[&str], at: &'a Path) -> Option<Mounted<'a>> {
    let done = Command::new("mount").args(arguments).arg(at).output();
    if done.as_ref().is_ok_and(|output| output.status.success()) {
        return Some(Mounted(at));
    }
    eprintln!("skipped: mount {arguments:?}: {done:?}");
    None
}

fn run(program: &str, arguments: &[&str]) -> ExitStatus {
    Command::new(program).args(arguments).status().unwrap()
}

/// Room for so many images, on both kinds of folder: it says so before it begins, and nothing has changed.
#[test]
fn a_full_file_system() {
    for (size, esp) in [(460, true), (400, false)] {
        let world = World::netboot();
        let Some(mounted) = mount(&["-t", "tmpfs", "-o", &format!("size={size}k"), "none"], &world.folder) else {
            return;
        };
        if esp {
            fs::create_dir(world.folder.join("EFI")).unwrap();
        }
        world.install(&OLD);
        world.good("activate", &[]);
        let before = files(&world.folder);
        fs::write(world.folder.join("ballast"), vec![1; 60_000]).unwrap();
        world.bad("install", &[text(&world.build(&NEW))], 2, "bytes free");
        assert_eq!(
            files(&world.folder).iter().filter(|name| *name != "ballast").collect::<Vec<_>>(),
            before.iter().collect::<Vec<_>>()
        );
        world.good("status", &[]);
        fs::remove_file(world.folder.join("ballast")).unwrap();
        drop(mounted);
    }
}

/// A real FAT file system, where this kernel has one.
#[test]
fn fat() {
    let world = World::netboot();
    let disk = world.path("disk");
    fs::File::create(&disk).unwrap().set_len(64 << 20).unwrap();
    assert!(run("mkfs.vfat", &["-F", "32", text(&disk)]).success());
    let Some(_mounted) = mount(&["-t", "vfat", "-o", "loop", text(&disk)], &world.folder) else { return };
    // no EFI folder yet: it is known by its file system
    world.install(&OLD);
    world.good("activate", &[]);
    world.install(&NEW);
    world.good("activate", &[]);
    world.assert_starts(&NEW);
    world.good("rollback", &[]);
    world.assert_starts(&OLD);
    let status = world.slots("status", &[]);
    assert!(String::from_utf8(status.stdout.clone()).unwrap().contains("\"esp\""), "{}", errors(&status));
}
