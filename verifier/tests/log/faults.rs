//! Every system call with which an append writes fails once, and once the program is killed there.
//!
//! Afterwards: what it acknowledged is there, the public part is whole at every moment, and the same command run again leads to the very
//! tree that it leads to without a failure.

use super::{copy, entries, good, head, text, verify, Log};
use std::path::Path;
use std::process::{Command, Output};
use vitrine_attest::Sha256;

/// What fails, by name of the system call.
const CALLS: [(&str, &[&str]); 9] = [
    ("openat", &["ENOSPC", "EIO"]),
    ("write", &["ENOSPC", "EIO"]),
    ("fsync", &["EIO"]),
    ("rename", &["EIO", "ENOSPC"]),
    ("linkat", &["ENOSPC"]),
    ("mkdir", &["ENOSPC"]),
    ("unlink", &["EIO"]),
    ("unlinkat", &["EIO"]),
    ("flock", &["EIO"]),
];
/// More calls of one name would mean that the loop does not end.
const MOST: usize = 200;

/// A log with two entries too few for a full tile: the change crosses its edge, which touches every kind of file.
fn before() -> (Log, Vec<String>) {
    let log = Log::new();
    log.lines(&entries(254), 254);
    let files = ["a", "b", "c", "d"].map(|name| log.beside(name, format!("more {name}")));
    (log, files.into())
}

fn append(dir: &Path, files: &[String]) -> Output {
    let mut args = vec!["log", "append", dir.to_str().unwrap()];
    args.extend(files.iter().map(String::as_str));
    verify(&args)
}

/// None: the program has no such call any more.
fn injected(dir: &Path, files: &[String], trace: &Path, call: &str, what: &str) -> Option<Output> {
    let output = Command::new("strace")
        .env_remove("LD_LIBRARY_PATH") // cargo's many folders: the loader would look for libc in each
        .args(["-f", "-qq", "-o"])
        .arg(trace)
        .args(["-e", &format!("trace={call}"), "-e", &format!("inject={call}:{what}")])
        .arg(env!("CARGO_BIN_EXE_vitrine-verify"))
        .args(["log", "append"])
        .arg(dir)
        .args(files)
        .output()
        .unwrap();
    let told = std::fs::read_to_string(trace).unwrap();
    // a call that kills is never seen to return
    (told.contains("INJECTED") || told.contains("killed by SIGKILL")).then_some(output)
}

#[test]
fn every_call_fails_once() {
    if Command::new("strace").arg("--version").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "strace is missing");
        eprintln!("skipped: strace is missing");
        return;
    }
    let (log, files) = before();
    let start = head(&log.dir.join("public/checkpoint"));
    let whole = log.dir.with_file_name("whole");
    copy(&log.dir, &whole);
    good(&append(&whole, &files));
    let end = head(&whole.join("public/checkpoint"));

    let jobs: Vec<(&str, String)> = CALLS
        .iter()
        .flat_map(|(call, errors)| {
            let errors = errors.iter().map(|error| format!("error={error}"));
            errors.chain(["signal=KILL".into()]).map(|what| (*call, what))
        })
        .collect();
    let next = std::sync::atomic::AtomicUsize::new(0);
    let runs = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for thread in 0..2 {
            let (log, files, start, end, jobs, next, runs) = (&log, &files, &start, &end, &jobs, &next, &runs);
            scope.spawn(move || {
                let (dir, trace) =
                    (log.dir.with_file_name(format!("run{thread}")), log.dir.with_file_name(format!("trace{thread}")));
                while let Some((call, what)) = jobs.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
                    for n in 1.. {
                        assert!(n < MOST, "{call} has no end");
                        copy(&log.dir, &dir);
                        let Some(output) = injected(&dir, files, &trace, call, &format!("{what}:when={n}")) else {
                            std::fs::remove_dir_all(&dir).unwrap();
                            break;
                        };
                        runs.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        let context =
                            format!("{call} {what} number {n}: {}{}", text(&output.stdout), text(&output.stderr));
                        after(&dir, files, &output, start, end, &context);
                        std::fs::remove_dir_all(&dir).unwrap();
                    }
                }
            });
        }
    });
    let runs = runs.into_inner();
    eprintln!("{runs} failures");
    assert!(runs > 150, "only {runs} failures were made");
}

fn after(dir: &Path, files: &[String], output: &Output, start: &(u64, String), end: &(u64, String), context: &str) {
    // what anybody sees now
    let seen = head(&dir.join("public/checkpoint"));
    assert!(seen == *start || seen == *end, "{context}");
    let state = verify(&["log", "fsck", dir.to_str().unwrap()]);
    assert_eq!(state.status.code(), Some(0), "{context}\n{}", text(&state.stdout));
    if seen == *end {
        // by its index, or without it
        let found = verify(&["log", "find", dir.to_str().unwrap(), "--digest", &Sha256::of(b"more a").to_string()]);
        assert_eq!(found.status.code(), Some(0), "{context}\n{}", text(&found.stderr));
    }
    // what was acknowledged is published
    let acknowledged = text(&output.stdout).lines().filter(|line| line.contains("is entry")).count();
    assert!(acknowledged == 0 || seen == *end, "{context}");
    assert!(!output.status.success() || acknowledged == files.len(), "{context}");
    if output.status.code() == Some(2) {
        assert!(text(&output.stderr).lines().count() >= 2, "no word about what to do: {context}");
    }
    // and all of it comes to the same end
    let again = append(dir, files);
    assert!(again.status.success(), "{context}\nthen: {}", text(&again.stderr));
    assert_eq!(head(&dir.join("public/checkpoint")), *end, "{context}");
    let state = verify(&["log", "fsck", dir.to_str().unwrap()]);
    assert_eq!(state.status.code(), Some(0), "{context}\nat last: {}", text(&state.stdout));
    assert!(text(&state.stdout).contains(&format!("{} in its index", end.0)), "{context}\n{}", text(&state.stdout));
}
