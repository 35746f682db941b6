//! Every system call with which a slot is filled or switched fails once, and once the program is killed there.
//!
//! At each moment machines start the one or the other release, whole. The same command run again leads to where it leads without
//! a failure, and nothing is left over.

use crate::world::{errors, keys_folder, text, Says, World};
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// What fails, by name of the system call.
const CALLS: [(&str, &[&str]); 7] = [
    ("write", &["ENOSPC", "EIO"]),
    ("fsync", &["EIO"]),
    ("rename", &["EIO"]),
    ("symlink", &["ENOSPC"]),
    ("unlink", &["EIO"]),
    ("mkdir", &["ENOSPC"]),
    ("flock", &["EIO"]),
];
/// More calls of one name would mean that the loop does not end.
const MOST: usize = 200;

const OLD: Says = Says { name: "exit", version: "1.0", seq: 3, not_after: None };
const NEW: Says = Says { name: "exit", version: "1.1", seq: 5, not_after: None };
const NEXT: Says = Says { name: "exit", version: "1.2", seq: 7, not_after: None };

/// None: the program has no such call any more.
fn injected(folder: &Path, verb: &str, more: &[&str], trace: &Path, what: (&str, &str)) -> Option<Output> {
    let (call, what) = what;
    let mut command = Command::new("strace");
    command.env_remove("LD_LIBRARY_PATH"); // cargo's many folders: the loader would look for libc in each
    command.args(["-f", "-qq", "-o"]).arg(trace);
    command.args(["-e", &format!("trace={call}"), "-e", &format!("inject={call}:{what}")]);
    command.arg(env!("CARGO_BIN_EXE_vitrine")).args(["--json", "slots", verb]).arg(folder).args(more);
    let output = command.arg("--key").arg(keys_folder().join("release.pub")).output().unwrap();
    let told = fs::read_to_string(trace).unwrap();
    // a call that kills is never seen to return
    (told.contains("INJECTED") || told.contains("killed by SIGKILL")).then_some(output)
}

fn copy(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    assert!(Command::new("cp").args(["-a", text(from), text(to)]).status().unwrap().success());
}

/// Runs the command with every failure, on fresh copies of the folder.
fn every_call_fails(world: &World, verb: &str, more: &[&str], before: &Says, after: &Says) -> usize {
    let (start, trace) = (world.path("start"), world.path("trace"));
    copy(&world.folder, &start);
    world.good(verb, more);
    world.assert_starts(after);
    let whole = world.path("whole");
    copy(&world.folder, &whole);
    let ends: Vec<Option<Vec<u8>>> =
        [before, after].map(|says| Some(fs::read(world.build(says).join("image.efi")).unwrap())).into();
    let mut runs = 0;
    for (call, errnos) in CALLS {
        let faults = errnos.iter().map(|error| format!("error={error}")).chain(["signal=KILL".into()]);
        for fault in faults {
            for n in 1.. {
                assert!(n < MOST, "{call} has no end");
                copy(&start, &world.folder);
                let what = format!("{fault}:when={n}");
                let Some(output) = injected(&world.folder, verb, more, &trace, (call, &what)) else { break };
                runs += 1;
                let context = format!("{verb}, {call} {what}: {:?} {}", output.status, errors(&output));
                let started = world.started();
                assert!(ends.contains(&started), "machines start something half-made: {context}");
                if output.status.success() {
                    assert!(started == ends[1], "done, it says, and it is not: {context}");
                }
                let status = world.slots("status", &[]);
                assert_eq!(status.status.code(), Some(0), "{context}\n{}", errors(&status));
                world.good(verb, more);
                world.assert_starts(after);
                let same = Command::new("diff").args(["-r", text(&world.folder), text(&whole)]).output().unwrap();
                assert!(same.status.success(), "{context}\n{}", String::from_utf8_lossy(&same.stdout));
            }
        }
    }
    runs
}

fn all(world: &World) {
    if Command::new("strace").arg("--version").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "strace is missing");
        eprintln!("skipped: strace is missing");
        return;
    }
    world.updated(&OLD, &NEW);
    let build = world.build(&NEXT);
    let mut runs = every_call_fails(world, "install", &[text(&build)], &NEW, &NEW);
    runs += every_call_fails(world, "activate", &["--min-seq", "5"], &NEW, &NEXT);
    eprintln!("{runs} failures");
    assert!(runs > 40, "only {runs} failures were made");
}

#[test]
fn every_call_fails_once_on_an_efi_system_partition() {
    all(&World::esp());
}

#[test]
fn every_call_fails_once_in_a_netboot_folder() {
    all(&World::netboot());
}

/// What FAT needs (`write.rs` says why): the file of before is open until its successor is on the disk, and the folder is
/// synchronised before the file. No test here can cut the power on FAT; that the order is kept, it can.
#[test]
fn the_order_that_fat_needs() {
    let world = World::esp();
    world.updated(&OLD, &NEW);
    let Some(calls) = calls(&world) else { return };
    let after = |from: usize, words: &[&str]| {
        let found = calls[from..].iter().position(|line| words.iter().all(|word| line.contains(word)));
        from + found.unwrap_or_else(|| panic!("no {words:?} in {calls:#?}"))
    };
    let renamed = after(0, &["rename(", "BOOTX64.EFI"]);
    let held =
        calls[..renamed].iter().rposition(|line| line.starts_with("openat") && line.contains("BOOT/BOOTX64.EFI\""));
    let descriptor = calls[held.unwrap()].rsplit("= ").next().unwrap().split('<').next().unwrap();
    let (folder, file) =
        (after(renamed, &["fsync(", "/EFI/BOOT>"]), after(renamed, &["fsync(", "/EFI/BOOT/BOOTX64.EFI>"]));
    let closed = after(renamed, &[&format!("close({descriptor}<"), "(deleted)"]);
    assert!(held.unwrap() < renamed && renamed < folder && folder < file && file < closed, "{calls:#?}");
}

/// The system calls of a rollback, with what their descriptors are.
fn calls(world: &World) -> Option<Vec<String>> {
    let trace = world.path("trace");
    let mut command = Command::new("strace");
    command
        .env_remove("LD_LIBRARY_PATH")
        .args(["-y", "-qq", "-e", "trace=openat,rename,fsync,close", "-o"])
        .arg(&trace);
    command.arg(env!("CARGO_BIN_EXE_vitrine")).args(["--json", "slots", "rollback"]).arg(&world.folder);
    match command.arg("--key").arg(keys_folder().join("release.pub")).output() {
        Ok(output) => assert!(output.status.success(), "{}", errors(&output)),
        Err(e) => {
            assert!(std::env::var_os("CI").is_none(), "strace is missing: {e}");
            eprintln!("skipped: strace is missing");
            return None;
        }
    }
    Some(fs::read_to_string(&trace).unwrap().lines().map(String::from).collect())
}
