//! What a log does when nothing fails, and what it refuses.

use super::{bad, copy, entries, files, good, verify, Log, ORIGIN};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use vitrine_attest::merkle::{leaf, root};
use vitrine_attest::note::{Checkpoint, Note};
use vitrine_attest::tlog_proof::Proof;
use vitrine_attest::vkey::NoteKey;
use vitrine_attest::Sha256;

/// One at a time, in batches of any size, all at once: one tree, the same files.
#[test]
fn batches_do_not_matter() {
    let all = entries(600);
    let leaves: Vec<Sha256> = all.iter().map(|entry| leaf(entry.as_bytes())).collect();
    let mut trees = vec![];
    for batch in [1, 7, 255, 256, 257, 600] {
        let log = Log::new();
        log.lines(&all, batch);
        let note = Note::parse(&std::fs::read(log.dir.join("public/checkpoint")).unwrap()).unwrap();
        let checkpoint = Checkpoint::parse(note.text()).unwrap();
        assert_eq!((checkpoint.size, Some(checkpoint.root)), (600, root(&leaves)));
        assert!(good(&log.fsck()).contains("600 entries"), "batches of {batch}");
        let full: Vec<_> = files(&log.dir.join("public/tile"))
            .into_iter()
            .filter(|(path, _)| !path.to_str().unwrap().contains(".p/") || path.to_str().unwrap().ends_with(".p/88"))
            .collect();
        trees.push(full);
    }
    assert!(trees.iter().all(|tree| *tree == trees[0]));
}

#[test]
fn entries_are_there_once_and_are_proven() {
    let log = Log::new();
    let (one, two) = (log.beside("one", "1"), log.beside("two", "2"));
    let told = good(&verify(&["log", "append", log.path(), &one, &two, &one]));
    assert!(
        told.contains("two is entry 1 (") && told.lines().nth(2).unwrap().contains("is entry 0, as before"),
        "{told}"
    );
    log.lines(&entries(300), 100);
    let told = good(&verify(&["log", "append", log.path(), &two, "--json"]));
    assert!(told.contains(r#""duplicate":true"#) && told.contains(r#""index":1"#), "{told}");
    assert_eq!(log.published().0, 302);

    let proof = log.beside("proof", "");
    good(&verify(&["log", "get", log.path(), "--file", &two, "--proof", &proof]));
    let proof = Proof::parse(&std::fs::read(proof).unwrap()).unwrap();
    let key: NoteKey = std::fs::read_to_string(log.dir.join("log.pub")).unwrap().trim().parse().unwrap();
    assert_eq!(key.name(), ORIGIN);
    proof.check(b"2", std::slice::from_ref(&key)).unwrap();
    assert!(proof.check(b"1", &[key]).is_err());
    assert_eq!(good(&verify(&["log", "get", log.path(), "201"])), "entry 199");
    bad(&verify(&["log", "get", log.path(), "302"]), 2);
    let stranger = log.beside("stranger", "3");
    bad(&verify(&["log", "get", log.path(), "--file", &stranger]), 1);
}

#[test]
fn entries_at_and_over_the_limit() {
    let log = Log::new();
    let (at, over) = (log.beside("at", vec![7; 65_535]), log.beside("over", vec![7; 65_536]));
    let empty = log.beside("empty", "");
    bad(&verify(&["log", "append", log.path(), &empty, &over]), 2);
    assert_eq!(log.published().0, 0, "a part of a refused change was written");
    good(&verify(&["log", "append", log.path(), &empty, &at]));
    assert_eq!(log.published().0, 2);
    good(&log.fsck());
    let long = log.beside("long", "x".repeat(70_000));
    bad(&verify(&["log", "append", log.path(), "--lines", &long]), 2);
    assert_eq!(log.published().0, 2);
}

#[test]
fn names_and_folders() {
    let log = Log::new();
    assert!(bad(&verify(&["log", "init", log.path(), "--origin", ORIGIN]), 2).contains("is a log already"));
    let other = log.dir.with_file_name("other");
    for name in ["https://log.example/a", "log.example", "log.example/", "a b/c", ""] {
        bad(&verify(&["log", "init", other.to_str().unwrap(), "--origin", name]), 2);
        assert!(!other.join("log.json").exists());
    }
    // killed while it was made: made again; with entries: never
    let init = || verify(&["log", "init", log.path(), "--origin", ORIGIN]);
    std::fs::remove_file(log.dir.join("log.json")).unwrap();
    good(&init());
    log.lines(&entries(1), 1);
    let config = std::fs::read(log.dir.join("log.json")).unwrap();
    std::fs::remove_file(log.dir.join("log.json")).unwrap();
    bad(&init(), 2);
    std::fs::write(log.dir.join("log.json"), config).unwrap();
    good(&log.fsck());
    bad(&verify(&["log", "append", other.to_str().unwrap(), "--lines", "/dev/null"]), 2);
    let mode = |name| std::fs::metadata(log.dir.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("log.key"), mode("log.pub")), (0o600, 0o644));
    std::fs::set_permissions(log.dir.join("log.key"), std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(bad(&verify(&["log", "append", log.path(), "--lines", "/dev/null"]), 2).contains("can be read by others"));
}

#[test]
fn two_writers() {
    use rustix::fs::{flock, FlockOperation};
    let log = Log::new();
    let file = std::fs::File::open(log.dir.join("lock")).unwrap();
    flock(&file, FlockOperation::LockExclusive).unwrap();
    let one = log.beside("one", "1");
    assert!(bad(&verify(&["log", "append", log.path(), &one]), 2).contains("another program writes"));
    good(&log.fsck());
    drop(file);
    good(&verify(&["log", "append", log.path(), &one]));
}

/// Many programs at once: each either appends or says that another is at work, and nothing is lost.
#[test]
fn a_crowd_of_writers() {
    let log = Log::new();
    let appended: usize = std::thread::scope(|scope| {
        let each = |n: usize| {
            let entry = log.beside(&format!("entry{n}"), n.to_string());
            let path = log.path();
            move || verify(&["log", "append", path, &entry]).status.success()
        };
        let threads: Vec<_> = (0..16).map(|n| scope.spawn(each(n))).collect();
        threads.into_iter().map(|thread| usize::from(thread.join().unwrap())).sum()
    });
    assert!(appended > 0);
    assert_eq!(log.published().0 as usize, appended);
    good(&log.fsck());
}

#[test]
fn whatever_is_changed_is_found() {
    let log = Log::new();
    log.lines(&entries(300), 256);
    good(&log.fsck());
    let public = log.dir.join("public");
    for (path, bytes) in files(&public) {
        let file = public.join(&path);
        for bent in [
            [&bytes[..bytes.len() / 2], &[bytes[bytes.len() / 2] ^ 1], &bytes[bytes.len() / 2 + 1..]].concat(),
            bytes[..bytes.len() - 1].to_vec(),
            [&bytes[..], b"x"].concat(),
        ] {
            std::fs::write(&file, bent).unwrap();
            assert_ne!(log.fsck().status.code(), Some(0), "{}", path.display());
        }
        std::fs::remove_file(&file).unwrap();
        // a log can do without its index
        let fine = path == Path::new("index/checkpoint");
        assert_eq!(log.fsck().status.code() == Some(0), fine, "{}", path.display());
        std::fs::write(&file, bytes).unwrap();
    }
    for stranger in ["tile/0/002", "tile/0/001.p/45", "tile/entries/001.p/200", "index.html", "tile/9/000"] {
        let file = public.join(stranger);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, [0; 32]).unwrap();
        let told = super::text(&log.fsck().stdout);
        assert!(told.contains(stranger) && told.contains("1 finding"), "{told}");
        std::fs::remove_file(&file).unwrap();
    }
    good(&log.fsck());
}

/// A folder that was put back from an old copy, wholly or in part, is not appended to where that can be seen without witnesses.
#[test]
fn old_copies() {
    let log = Log::new();
    log.lines(&entries(10), 10);
    let old = log.dir.with_file_name("old");
    copy(&log.dir, &old);
    log.lines(&entries(20), 10);
    let more = log.beside("more", "more");
    let new = log.dir.with_file_name("new");
    for part in ["commit", "public"] {
        copy(&log.dir, &new);
        let (from, to) = (old.join(part), new.join(part));
        if from.is_dir() {
            std::fs::remove_dir_all(&to).unwrap();
            copy(&from, &to);
        } else {
            std::fs::copy(&from, &to).unwrap();
        }
        let output = verify(&["log", "append", new.to_str().unwrap(), &more]);
        if part == "public" {
            // what was promised is staged still: it is laid out again
            good(&output);
            assert_eq!(super::head(&new.join("public/checkpoint")).0, 21);
        } else {
            bad(&output, 1);
        }
        std::fs::remove_dir_all(&new).unwrap();
    }
    // older than the last change: what was promised cannot be made again
    log.lines(&entries(30), 10);
    copy(&log.dir, &new);
    std::fs::remove_dir_all(new.join("public")).unwrap();
    copy(&old.join("public"), &new.join("public"));
    assert!(bad(&verify(&["log", "append", new.to_str().unwrap(), &more]), 1).contains("damaged"));
}

#[test]
fn a_new_key() {
    let log = Log::new();
    let lines = |n: u32| {
        std::fs::read_to_string(log.dir.join("public/checkpoint")).unwrap().matches('\u{2014}').count() == n as usize
    };
    bad(&verify(&["log", "rotate-key", log.path(), "--retire"]), 2);
    log.lines(&entries(2), 2);
    good(&verify(&["log", "rotate-key", log.path()]));
    assert!(lines(2), "both sign");
    bad(&verify(&["log", "rotate-key", log.path()]), 2);
    log.lines(&entries(3), 3);
    assert!(lines(2), "both sign what is new");
    for key in ["log.pub", "log-1.pub"] {
        let key = log.dir.join(key);
        good(&verify(&["log", "get", log.path(), "1", "--key", key.to_str().unwrap()]));
    }
    good(&verify(&["log", "rotate-key", log.path(), "--retire"]));
    assert!(!log.dir.join("log.key").exists());
    good(&log.fsck());
    log.lines(&entries(4), 4);
    assert!(lines(1), "the older one is gone");
    let old = log.dir.join("log.pub");
    bad(&verify(&["log", "get", log.path(), "1", "--key", old.to_str().unwrap()]), 1);
    good(&log.fsck());
    // once more, with names that are free
    good(&verify(&["log", "rotate-key", log.path()]));
    good(&verify(&["log", "rotate-key", log.path(), "--retire"]));
    good(&log.fsck());
    log.lines(&entries(5), 5);
    // a new key that has not signed yet does not replace the one that has
    let note = std::fs::read(log.dir.join("public/checkpoint")).unwrap();
    good(&verify(&["log", "rotate-key", log.path()]));
    std::fs::write(log.dir.join("public/checkpoint"), note).unwrap();
    assert!(bad(&verify(&["log", "rotate-key", log.path(), "--retire"]), 2).contains("has not signed"));
    good(&verify(&["log", "refresh", log.path()]));
    // nor does one that has not signed the index
    let index = log.dir.join("public/index/checkpoint");
    let both = std::fs::read_to_string(&index).unwrap();
    std::fs::write(
        &index,
        both.lines().take(both.lines().count() - 1).map(|line| format!("{line}\n")).collect::<String>(),
    )
    .unwrap();
    assert!(bad(&verify(&["log", "rotate-key", log.path(), "--retire"]), 2).contains("index/checkpoint"));
    good(&verify(&["log", "index", log.path()]));
    good(&verify(&["log", "rotate-key", log.path(), "--retire"]));
    good(&log.fsck());
}

/// Served by the program, read by the program: every entry's bundle and tiles, full and partial, and what is not there.
#[test]
fn over_http() {
    use std::io::{BufRead as _, BufReader};
    let log = Log::new();
    log.lines(&entries(600), 300);
    let mut serve = std::process::Command::new(env!("CARGO_BIN_EXE_vitrine-verify"));
    serve.args(["log", "serve", log.path(), "--listen", "127.0.0.1:0"]).stdout(std::process::Stdio::piped());
    let mut server = serve.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let url = line.trim().strip_prefix("listening on ").unwrap().to_owned();
    let key = log.dir.join("log.pub").display().to_string();
    let get = |index: &str| verify(&["log", "get", &url, "--key", &key, index]);
    for index in ["0", "255", "256", "511", "512", "599"] {
        assert_eq!(good(&get(index)), format!("entry {index}"));
    }
    bad(&get("600"), 2);
    let one = log.beside("one", "entry 300");
    let proof = log.beside("proof", "");
    good(&verify(&["log", "get", &url, "--key", &key, "--file", &one, "--proof", &proof]));
    Proof::parse(&std::fs::read(proof).unwrap()).unwrap();
    // what is served is changed
    let bundle = log.dir.join("public/tile/entries/001");
    let bytes = std::fs::read(&bundle).unwrap();
    std::fs::write(&bundle, [&bytes[..bytes.len() - 1], b"x"].concat()).unwrap();
    bad(&get("511"), 1);
    std::fs::write(&bundle, [&bytes[..], b"x"].concat()).unwrap();
    bad(&get("300"), 1);
    std::fs::remove_file(&bundle).unwrap();
    bad(&get("300"), 1);
    good(&get("0"));
    server.kill().unwrap();
    server.wait().unwrap();
}

/// A change that failed half-way is finished by whoever opens the log next, and not by this writer with other entries.
#[test]
fn a_writer_that_failed_promises_nothing_else() {
    use vitrine_verifier::log::Writer;
    let log = Log::new();
    let mut writer = Writer::open(&log.dir).unwrap();
    let in_the_way = log.dir.join("public/tile");
    std::fs::write(&in_the_way, "").unwrap();
    writer.append(&[b"entry 0"]).unwrap_err();
    std::fs::remove_file(&in_the_way).unwrap();
    for entry in ["another", "entry 0"] {
        let error = writer.append(&[entry.as_bytes()]).unwrap_err();
        assert!(error.what.contains("not finished"), "{error}");
    }
    assert!(writer.refresh().unwrap_err().what.contains("not finished"));
    drop(writer);
    let mut writer = Writer::open(&log.dir).unwrap();
    assert_eq!(writer.size(), 1);
    assert!(writer.append(&[b"entry 0"]).unwrap()[0].duplicate);
    assert_eq!(writer.append(&[b"another"]).unwrap()[0].index, 1);
    drop(writer);
    good(&log.fsck());
}
