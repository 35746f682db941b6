//! Builds that find something of an earlier one: in the cache, in the output folder, or beside them.
//!
//! They need what `make images` leaves, like those of `build.rs`.

mod whole;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use whole::{build, empty_cache, keys, names, possible, succeed, telling, text, vitrine};

/// The words on standard error when an earlier build's files are taken.
const SAME: &str = "nothing has changed";
/// … and when a cache entry did not have its hash.
const DAMAGED: &str = "was damaged";

/// `vitrine build … --out OUT` in a cache of its own, with what it says.
fn within(cache: &Path, out: &Path, more: &[&str]) -> Command {
    let mut command = telling(out, more);
    command.env("VITRINE_CACHE", cache);
    command
}

/// Runs it, and gives what it says on standard error.
fn said(command: Command) -> String {
    String::from_utf8(succeed(command).stderr).unwrap()
}

/// On one processor, where the host can do that.
fn on_one_processor(plain: &Command) -> Command {
    let mut command = Command::new("sh");
    let script = "if command -v taskset >/dev/null; then exec taskset -c 0 \"$0\" \"$@\"; else exec \"$0\" \"$@\"; fi";
    command.args(["-c", script]).arg(plain.get_program()).args(plain.get_args()).stdin(Stdio::null());
    command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command
}

/// Every file of both folders is the same, byte by byte.
fn assert_alike(a: &Path, b: &Path) {
    assert_eq!(names(a), names(b));
    for name in names(a) {
        assert!(fs::read(a.join(&name)).unwrap() == fs::read(b.join(&name)).unwrap(), "{name} differs");
    }
}

/// Cold and warm, on one processor and on all: one set of files.
#[test]
fn cold_warm_one_and_all_processors_leave_the_same_files() {
    if !possible() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let out = |name: &str| dir.path().join(name);
    let (one, all) = (empty_cache(&out("one-cache")), empty_cache(&out("all-cache")));
    let signed = ["--keys", text(keys())];
    said(on_one_processor(&within(&one, &out("one-cold"), &signed)));
    said(on_one_processor(&within(&one, &out("one-warm"), &signed)));
    said(within(&all, &out("all-cold"), &signed));
    said(within(&all, &out("all-warm"), &signed));
    // what one has kept, the other takes
    said(within(&one, &out("across"), &signed));
    for name in ["one-warm", "all-cold", "all-warm", "across"] {
        assert_alike(&out("one-cold"), &out(name));
        succeed(vitrine(&["diff", text(&out("one-cold")), text(&out(name))]));
    }
    assert!(names(&out("one-cold")).contains(&"release.dsse.json".to_string()));
}

/// No change: the files are looked at and stay. Any file that is not as it was left, and all are made again.
#[test]
fn an_unchanged_build_is_checked_and_not_made_again() {
    if !possible() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (cache, out, whole) = (empty_cache(&dir.path().join("c")), dir.path().join("out"), dir.path().join("whole"));
    let signed = ["--keys", text(keys())];
    assert!(!said(within(&cache, &whole, &signed)).contains(SAME));
    let first = succeed(within(&cache, &out, &signed));
    let made = |name: &str| fs::metadata(out.join(name)).unwrap().modified().unwrap();
    let before: Vec<_> = names(&out).iter().map(|name| made(name)).collect();
    let second = succeed(within(&cache, &out, &signed));
    assert!(String::from_utf8_lossy(&second.stderr).contains(SAME));
    assert_eq!(first.stdout, second.stdout, "the result is told alike");
    assert_eq!(before, names(&out).iter().map(|name| made(name)).collect::<Vec<_>>());
    for name in ["image.efi", "5-initramfs.cpio.zst", "3-tree.txt"] {
        let good = fs::read(out.join(name)).unwrap();
        let mut bad = good.clone();
        *bad.last_mut().unwrap() ^= 1;
        fs::write(out.join(name), bad).unwrap();
        let words = said(within(&cache, &out, &signed));
        assert!(words.contains(&format!("{name} is not what the last build left")) && !words.contains(SAME), "{words}");
        assert_alike(&out, &whole);
    }
    fs::remove_file(out.join("fingerprint")).unwrap();
    assert!(said(within(&cache, &out, &signed)).contains("fingerprint is not what"));
    // another recipe, no keys, other keys: another build
    for other in [&["--keys", text(keys()), "--set", "config.wireguard.ports=[51999]"][..], &["--unsigned"]] {
        let words = said(within(&cache, &out, other));
        assert!(!words.contains(SAME), "{words}");
    }
    assert_eq!(names(&out).last().unwrap(), "8-pcrs.json", "the statement of the build before has gone");
    // the record itself is not believed either
    said(within(&cache, &out, &signed));
    flip(&cache.join("cache/build"));
    let words = said(within(&cache, &out, &signed));
    assert!(words.contains(DAMAGED) && !words.contains(SAME), "{words}");
    assert_alike(&out, &whole);
}

/// One byte in the middle of each file of a folder.
fn flip(folder: &Path) -> usize {
    let entries: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    for path in &entries {
        let mut bytes = fs::read(path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x40;
        fs::write(path, bytes).unwrap();
    }
    entries.len()
}

/// A flipped byte in each kind of cache entry: it is told, the entry is made anew, and the files are the same.
#[test]
fn flipped_bytes_in_the_cache_are_made_anew() {
    if !possible() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (cache, whole) = (empty_cache(&dir.path().join("c")), dir.path().join("whole"));
    said(within(&cache, &whole, &["--unsigned"]));
    let kinds = names(&cache.join("cache"));
    assert_eq!(
        kinds,
        ["build", "deb-index", "file", "file-plain", "layer", "read-back", "screen"],
        "a kind that nobody tests"
    );
    for kind in kinds {
        assert!(flip(&cache.join("cache").join(&kind)) > 0, "{kind} is empty");
        let words = said(within(&cache, &whole, &["--unsigned"]));
        // with a good record nothing else is looked at
        assert_eq!(words.contains(&format!("cache/{kind}/")), kind == "build", "{words}");
        let out = dir.path().join(&kind);
        let words = said(within(&cache, &out, &["--unsigned"]));
        assert_eq!(words.contains(&format!("cache/{kind}/")), kind != "build", "{kind}: {words}");
        assert_eq!(words.contains(DAMAGED), kind != "build", "{kind}: {words}");
        assert_alike(&out, &whole);
        let again = dir.path().join(format!("{kind}-again"));
        assert!(!said(within(&cache, &again, &["--unsigned"])).contains(DAMAGED), "{kind} was not made anew");
    }
}

/// A package of the store is read through its hash, too: nothing of an altered one gets into an image.
#[test]
fn an_altered_package_is_refused_and_named() {
    if !possible() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (cache, out) = (empty_cache(&dir.path().join("c")), dir.path().join("out"));
    // a copy: the packages of the user stay as they are
    fs::remove_file(cache.join("sha256")).unwrap();
    let from = vitrine_builder::store::Store::open(None).unwrap().root().join("sha256");
    succeed({
        let mut copy = Command::new("cp");
        copy.arg("-rL").arg(from).arg(cache.join("sha256"));
        copy
    });
    let lock = fs::read_to_string(whole::lock()).unwrap();
    let package = lock.split("[[package]]").find(|part| part.contains("name = \"libc6\"")).unwrap();
    let sha = package.lines().find_map(|line| line.strip_prefix("sha256 = ")).unwrap().trim_matches('"').to_string();
    let path = cache.join("sha256").join(&sha[..2]).join(&sha);
    let mut bytes = fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&path, bytes).unwrap();
    let output = within(&cache, &out, &["--unsigned"]).output().unwrap();
    let words = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{words}");
    assert!(words.contains("package libc6") && words.contains("was altered"), "{words}");
    assert!(!path.exists() && cache.join("bad").join(&sha).exists());
    assert_eq!(names(&out), ["1-recipe.toml", "2-lock.toml"]);
}

/// Two builds in one empty cache at the same time: both come to their end, and to the same.
#[test]
fn two_builds_share_a_cache() {
    if !possible() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let cache = empty_cache(&dir.path().join("c"));
    let outs = ["a", "b", "again"].map(|name| dir.path().join(name));
    let start = |out: &PathBuf| within(&cache, out, &["--unsigned", "-q"]).stdout(Stdio::null()).spawn().unwrap();
    let mut running = outs[..2].iter().map(start).collect::<Vec<_>>();
    for child in &mut running {
        assert!(child.wait().unwrap().success());
    }
    assert_alike(&outs[0], &outs[1]);
    let words = said(within(&cache, &outs[2], &["--unsigned"]));
    assert!(!words.contains(DAMAGED), "{words}");
    assert_alike(&outs[0], &outs[2]);
}

/// kill -9 while the cache fills, at several moments: what lies in it then is whole, and the next build goes on.
#[test]
fn a_killed_build_leaves_a_usable_cache() {
    if !possible() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (whole, out) = (dir.path().join("whole"), dir.path().join("out"));
    succeed(build(&whole, &["--unsigned"]));
    let cache = empty_cache(&dir.path().join("c"));
    for kind in ["deb-index", "file", "file-plain", "screen", "layer"] {
        let mut child =
            within(&cache, &out, &["--unsigned"]).stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        while !cache.join("cache").join(kind).exists() && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let words = said(within(&cache, &out, &["--unsigned"]));
    assert!(!words.contains(DAMAGED), "a file of the cache was half-written: {words}");
    assert_alike(&out, &whole);
}

/// A file that cannot become as large as it has to, as on a full disk: an error with a path, and nothing half-written.
#[test]
fn no_space_is_told_and_leaves_nothing_half_written() {
    if !possible() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (cache, out) = (empty_cache(&dir.path().join("c")), dir.path().join("out"));
    let plain = within(&cache, &out, &["--unsigned"]);
    let mut limited = Command::new("sh");
    // blocks of 512 bytes: enough for each cache entry and each stage but the image
    limited.args(["-c", "trap '' XFSZ; ulimit -f 30000; exec \"$0\" \"$@\""]).arg(plain.get_program());
    limited.args(plain.get_args()).envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = limited.output().unwrap();
    let words = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{words}");
    assert!(words.contains("cannot write") && words.contains("6-image.unsigned.efi"), "{words}");
    assert!(
        names(&out).iter().all(|name| !name.starts_with(".partial-") && !name.starts_with("6-")),
        "{:?}",
        names(&out)
    );
    said(within(&cache, &out, &["--unsigned"]));
    assert!(names(&out).contains(&"6-image.unsigned.efi".to_string()));
}

/// Too large an image: where the bytes are is said, and no image is left.
#[test]
fn an_image_over_its_budget_is_refused() {
    if !possible() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let output = build(dir.path(), &["--unsigned", "--set", "image.budget=1 MB"]).output().unwrap();
    let words = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{words}");
    for part in
        ["its budget is 1 MB", "layer modules", "layer programs", "/init (program vitrine-init)", "image.budget"]
    {
        assert!(words.contains(part), "{part:?} is not in {words}");
    }
    assert!(!dir.path().join("6-image.unsigned.efi").exists());
    succeed(build(dir.path(), &["--unsigned", "--set", "image.budget=1 GB"]));
}
