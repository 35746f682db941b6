//! The index: what it finds, what becomes of it when it is damaged or lies, and that it is a function of the entries.

use super::{bad, copy, entries, files, good, head, text, verify, Log, ORIGIN};
use serde_json::Value;
use std::io::BufRead as _;
use std::path::Path;
use std::process::{Command, Stdio};
use vitrine_attest::dsse::{read_unverified, sign, Envelope};
use vitrine_attest::log_index::{Bucket, Head, List};
use vitrine_attest::statement::Statement;
use vitrine_attest::{note, private_key, Sha256};

/// A genuine release under another name.
fn release(name: &str, version: &str, seq: u64) -> Statement {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../attest/testkit/statements/statement-expired.dsse.json");
    let mut statement = read_unverified(&Envelope::from_json(&std::fs::read(file).unwrap()).unwrap()).unwrap();
    let image = &mut statement.predicate.image;
    (image.name, image.version) = (name.into(), version.into());
    (statement.predicate.seq, statement.predicate.not_after) = (seq, None);
    statement
}

fn signer() -> ed25519_dalek::SigningKey {
    ed25519_dalek::SigningKey::from_bytes(&[9; 32])
}

fn envelope(statement: &Statement) -> Vec<u8> {
    sign(statement, &signer()).unwrap().to_json().unwrap()
}

/// Numbers of the entries that are found, how many of all the index answered for, and the exit code.
fn find(log: &str, args: &[&str]) -> (Vec<u64>, u64, i32) {
    let output = verify(&[&["log", "find", log, "--json"], args].concat());
    let json: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
    let hits = json["entries"].as_array().unwrap().iter().map(|hit| hit["index"].as_u64().unwrap()).collect();
    (hits, json["indexed"].as_u64().unwrap(), output.status.code().unwrap())
}

fn indexed(log: &Log) -> Option<u64> {
    let output = verify(&["log", "fsck", log.path(), "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    serde_json::from_slice::<Value>(&output.stdout).unwrap()["indexed"].as_u64()
}

fn index_head(log: &Log) -> Head {
    let note = std::fs::read(log.dir.join("public/index/checkpoint")).unwrap();
    Head::parse(note::Note::parse(&note).unwrap().text()).unwrap()
}

/// Three hundred lines, then four releases.
fn sample() -> (Log, Vec<Statement>) {
    let log = Log::new();
    log.lines(&entries(300), 300);
    let releases = [("gateway", "1", 1), ("gateway", "2", 2), ("mail", "1", 1), ("gateway", "1", 3)]
        .map(|(n, v, s)| release(n, v, s));
    for (n, release) in releases.iter().enumerate() {
        let file = log.beside(&format!("release{n}"), envelope(release));
        good(&verify(&["log", "append", log.path(), &file]));
    }
    (log, releases.into())
}

#[test]
fn found_by_what_they_name() {
    let (log, releases) = sample();
    let digest = |digest: &Sha256| vec!["--digest".to_string(), digest.to_string()];
    let (one, entry) = (&releases[2].predicate, envelope(&releases[2]));
    let words = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
    let cases = [
        (words(&["--name", "gateway"]), vec![300, 301, 303]),
        (words(&["--name", "gateway", "--version", "1"]), vec![300, 303]),
        (words(&["--name", "mail"]), vec![302]),
        (words(&["--name", "gate"]), vec![]),
        (words(&["--name", "mail", "--version", "2"]), vec![]),
        (digest(&Sha256::of(&entry)), vec![302]),
        (words(&["--leaf", &vitrine_attest::merkle::leaf(&entry).to_string()]), vec![302]),
        (words(&["--digest", &one.fingerprint.to_string()]), vec![300, 301, 302, 303]),
        (digest(&one.fingerprint.0), vec![300, 301, 302, 303]),
        (digest(&releases[0].subject[0].sha256().unwrap()), vec![300, 301, 302, 303]),
        (digest(&one.image.authenticode), vec![300, 301, 302, 303]),
        (digest(&Sha256::of(b"entry 7")), vec![7]),
        (digest(&Sha256::of(b"entry 300")), vec![]),
    ];
    let key = log.dir.join("log.pub");
    let mut serving = Command::new(env!("CARGO_BIN_EXE_vitrine-verify"))
        .args(["log", "serve", log.path(), "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    std::io::BufReader::new(serving.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let url = line.trim().strip_prefix("listening on ").unwrap();
    for (args, expected) in &cases {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let code = i32::from(expected.is_empty());
        assert_eq!(find(log.path(), &args), (expected.clone(), 304, code), "{args:?}");
        assert_eq!(find(log.path(), &[&args[..], &["--scan"]].concat()), (expected.clone(), 0, code), "{args:?}");
        let at = [&args[..], &["--key", key.to_str().unwrap()]].concat();
        assert_eq!(find(url, &at), (expected.clone(), 304, code), "{args:?}");
    }
    serving.kill().unwrap();
    serving.wait().unwrap();
    let told = good(&verify(&["log", "find", log.path(), "--name", "mail"]));
    assert!(
        told.contains("entry 302: urn:vitrine:release:v1 mail 1\n") && told.contains("as of 304 entries"),
        "{told}"
    );
    let absent = verify(&["log", "find", log.path(), "--name", "nobody"]);
    assert!(text(&absent.stdout).contains("not there, as of 304 entries, signed by the log"));
    for wrong in [&["--version", "1"][..], &[], &["--digest", "ab"], &["--name", "a", "--leaf", &"0".repeat(64)]] {
        bad(&verify(&[&["log", "find", log.path()], wrong].concat()), 2);
    }
}

/// The index follows from the entries: not from the changes in which they came, nor from what was there before.
#[test]
fn one_index_of_the_same_entries() {
    let all = entries(1400); // 2800 records: twice there are more buckets
    let mut lists = vec![];
    for steps in [vec![1400], vec![1, 256, 511, 512, 513, 1024, 1400], vec![700, 1400]] {
        let log = Log::new();
        for step in steps {
            log.lines(&all[..step], 4096);
            assert_eq!((indexed(&log), index_head(&log).size), (Some(step as u64), step as u64));
        }
        lists.push(index_head(&log).list);
        good(&verify(&["log", "index", log.path(), "--anew"]));
        lists.push(index_head(&log).list);
        // of the index before there may be files, of older ones none
        let there = files(&log.dir.join("public/index")).len();
        assert!((6..=10).contains(&there), "{there} files");
    }
    assert!(lists.iter().all(|list| *list == lists[0]), "{lists:?}");
}

#[test]
fn lost_or_damaged() {
    let (log, _) = sample();
    let public = log.dir.join("public");
    let kept = log.dir.with_file_name("kept");
    copy(&public.join("index"), &kept);
    let note = Path::new("checkpoint");
    let head = index_head(&log);
    let list = List::parse(&std::fs::read(public.join(format!("index/{}", head.list))).unwrap()).unwrap();
    let of_now = |path: &Path| {
        path == note
            || [&list.buckets[..], &[head.list]].concat().iter().any(|name| path == Path::new(&name.to_string()))
    };
    let mut n = 0;
    for (path, bytes) in files(&public.join("index")) {
        let file = public.join("index").join(&path);
        let middle = bytes.len() / 2;
        let flipped = [&bytes[..middle], &[bytes[middle] ^ 1], &bytes[middle + 1..]].concat();
        for damage in [Some(flipped), Some(bytes[..middle].to_vec()), Some(vec![]), None] {
            match &damage {
                Some(bent) => std::fs::write(&file, bent).unwrap(),
                None => std::fs::remove_file(&file).unwrap(),
            }
            // without its note there is no index; files of the one before may be gone
            let fine = damage.is_none() && (path == note || !of_now(&path));
            assert_eq!(log.fsck().status.code(), Some(i32::from(!fine)), "{} {damage:?}", path.display());
            assert_eq!(find(log.path(), &["--name", "mail", "--scan"]).0, [302]);
            if of_now(&path) && path != note && path == Path::new(&head.list.to_string()) {
                assert!(bad(&verify(&["log", "find", log.path(), "--name", "mail"]), 1).contains("--scan"));
            }
            // nobody needs it to go on
            let more = log.beside("more", format!("more {n}"));
            n += 1;
            let appended = verify(&["log", "append", log.path(), &more]);
            assert!(appended.status.success() && appended.stderr.is_empty(), "{}", text(&appended.stderr));
            good(&verify(&["log", "index", log.path(), "--anew"]));
            assert_eq!(indexed(&log), Some(304 + n));
            assert_eq!(find(log.path(), &["--name", "mail"]), (vec![302], 304 + n, 0));
            // as it was, but for the entries: behind, which is no damage
            std::fs::remove_dir_all(public.join("index")).unwrap();
            copy(&kept, &public.join("index"));
            assert_eq!(indexed(&log), Some(304));
        }
    }
    for stranger in [Sha256::ZERO.to_string(), Sha256::of(b"x").to_string(), "checkpoint.old".into(), "a/b".into()] {
        let file = public.join("index").join(&stranger);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, b"x").unwrap();
        let told = text(&log.fsck().stdout);
        assert!(told.contains(&stranger) && told.contains("1 finding"), "{told}");
        std::fs::remove_file(&file).unwrap();
    }
}

/// What is newer than the index is read; and the index that is behind is grown.
#[test]
fn behind() {
    let (log, _) = sample();
    let index = log.dir.join("public/index");
    let old = log.dir.with_file_name("old");
    copy(&index, &old);
    let file = log.beside("late", envelope(&release("mail", "9", 9)));
    good(&verify(&["log", "append", log.path(), &file]));
    log.lines(&entries(900), 500);
    std::fs::remove_dir_all(&index).unwrap();
    copy(&old, &index);
    let size = log.published().0;
    assert_eq!((indexed(&log), size), (Some(304), 905));
    assert_eq!(find(log.path(), &["--name", "mail"]), (vec![302, 304], 304, 0));
    good(&verify(&["log", "refresh", log.path()]));
    assert_eq!(find(log.path(), &["--name", "mail"]), (vec![302, 304], size, 0));
    // none at all
    std::fs::remove_dir_all(&index).unwrap();
    assert_eq!(find(log.path(), &["--name", "mail"]), (vec![302, 304], 0, 0));
    assert_eq!(indexed(&log), None);
    good(&verify(&["log", "index", log.path()]));
    assert_eq!(find(log.path(), &["--name", "mail"]), (vec![302, 304], size, 0));
}

/// Whoever asks while it changes gets an answer: an index stays for one more change, and is asked anew after that.
#[test]
fn asked_while_it_grows() {
    let (log, _) = sample();
    let done = std::sync::atomic::AtomicBool::new(false);
    let asked = std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let mut asked = 0;
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                let (hits, indexed, code) = find(log.path(), &["--name", "mail"]);
                assert!(hits == [302] && indexed >= 304 && code == 0, "{hits:?} {indexed} {code}");
                asked += 1;
            }
            asked
        });
        for n in 0..60 {
            let more = log.beside("more", format!("more {n}"));
            good(&verify(&["log", "append", log.path(), &more]));
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        asking.join().unwrap()
    });
    assert!(asked > 10, "asked {asked} times only");
    assert_eq!(indexed(&log), Some(364));
}

/// Entries are acknowledged, published and found, whatever becomes of the index.
#[test]
fn it_never_stops_an_append() {
    let log = Log::new();
    std::fs::write(log.dir.join("public/index"), "in the way").unwrap();
    let one = log.beside("one", "1");
    let output = verify(&["log", "append", log.path(), &one]);
    assert!(good(&output).contains("is entry 0"));
    assert!(text(&output.stderr).contains("the index is not up to them"), "{}", text(&output.stderr));
    assert_eq!(log.published().0, 1);
    bad(&verify(&["log", "index", log.path()]), 2);
    std::fs::remove_file(log.dir.join("public/index")).unwrap();
    good(&verify(&["log", "append", log.path(), &one]));
    assert_eq!(indexed(&log), Some(1));
}

/// Signs another index with the log's key: this is what a log that lies does.
fn lie(log: &Log, change: impl Fn(&mut Vec<Bucket>, &mut Head)) {
    let folder = log.dir.join("public/index");
    let mut head = index_head(log);
    let mut list = List::parse(&std::fs::read(folder.join(head.list.to_string())).unwrap()).unwrap();
    let bucket = |name: &Sha256| Bucket::parse(&std::fs::read(folder.join(name.to_string())).unwrap()).unwrap();
    let mut buckets: Vec<Bucket> = list.buckets.iter().map(bucket).collect();
    change(&mut buckets, &mut head);
    let put = |bytes: &[u8]| {
        std::fs::write(folder.join(Sha256::of(bytes).to_string()), bytes).unwrap();
        Sha256::of(bytes)
    };
    list.buckets = buckets.iter().map(|bucket| put(&bucket.to_bytes())).collect();
    list.records = buckets.iter().map(|bucket| bucket.records.len() as u64).sum();
    list.size = head.size;
    head.list = put(&list.to_bytes());
    let pem = std::fs::read(log.dir.join("log.key")).unwrap();
    let key = private_key::ed25519(&pem, "log.key", "").unwrap();
    let body = head.to_text();
    let line = note::sign(&body, ORIGIN, &key, None).unwrap();
    std::fs::write(folder.join("checkpoint"), format!("{body}\n{line}")).unwrap();
}

#[test]
fn a_log_that_lies() {
    use vitrine_attest::log_index::Key;
    let mail = Key::Name("mail".into()).hash();
    // it leaves one out: signed, so that anybody who has the entries can show it
    let (log, _) = sample();
    lie(&log, |buckets, _| buckets.iter_mut().for_each(|bucket| bucket.records.retain(|record| record.key != mail)));
    assert_eq!(find(log.path(), &["--name", "mail"]), (vec![], 304, 1));
    assert!(text(&log.fsck().stdout).contains("this is not the index of the log's entries"));
    let copied = log.dir.with_file_name("copied");
    copy(&log.dir.join("public"), &copied);
    let key = log.dir.join("log.pub");
    let outside = verify(&["log", "fsck", copied.to_str().unwrap(), "--key", key.to_str().unwrap()]);
    assert!(text(&outside.stdout).contains("index/checkpoint: this is not the index"));
    // it names another entry
    let (log, _) = sample();
    lie(&log, |buckets, _| {
        let records = buckets.iter_mut().flat_map(|bucket| &mut bucket.records);
        records.filter(|record| record.key == mail).for_each(|record| record.index = 5);
    });
    assert!(bad(&verify(&["log", "find", log.path(), "--name", "mail"]), 1).contains("names entry 5"));
    assert_eq!(log.fsck().status.code(), Some(1));
    // it speaks of another tree
    let (log, _) = sample();
    lie(&log, |_, head| head.root = Sha256::ZERO);
    assert!(bad(&verify(&["log", "find", log.path(), "--name", "mail"]), 1).contains("not the beginning of the log"));
    assert!(text(&log.fsck().stdout).contains("signed over other entries"));
    // of entries that there are not
    let (log, _) = sample();
    lie(&log, |_, head| head.size = 305);
    assert!(bad(&verify(&["log", "find", log.path(), "--name", "mail"]), 1).contains("covers 305 entries"));
    assert!(text(&log.fsck().stdout).contains("covers 305 entries"));
    // each is made again from the entries, without a word of what was there
    good(&verify(&["log", "refresh", log.path()]));
    assert_eq!(find(log.path(), &["--name", "mail"]), (vec![302], 304, 0));
    good(&log.fsck());
    // somebody else's signature
    let other = Log::new();
    std::fs::copy(other.dir.join("log.key"), log.dir.join("other.key")).unwrap();
    let (kept, key) = (log.dir.join("kept.key"), log.dir.join("log.key"));
    std::fs::rename(&key, &kept).unwrap();
    std::fs::copy(other.dir.join("log.key"), &key).unwrap();
    lie(&log, |_, _| {});
    std::fs::rename(&kept, &key).unwrap();
    assert!(bad(&verify(&["log", "find", log.path(), "--name", "mail"]), 1).contains("has not signed it"));
    assert!(text(&log.fsck().stdout).contains("has not signed it"));
}

/// `publish` asks the index for earlier releases, and reads the entries when it is behind or damaged.
#[test]
fn releases_in_order() {
    let log = Log::new();
    let image = b"image";
    let build = |name: &str, seq: u64| {
        let mut statement = release(name, &seq.to_string(), seq);
        statement.subject[0].digest = [("sha256".into(), Sha256::of(image))].into();
        let out = log.dir.with_file_name(format!("{name}{seq}"));
        std::fs::create_dir_all(&out).unwrap();
        std::fs::write(out.join("release.dsse.json"), envelope(&statement)).unwrap();
        std::fs::write(out.join("6-image.unsigned.efi"), image).unwrap();
        out.to_str().unwrap().to_string()
    };
    let key = vitrine_attest::vkey::NoteKey::new("release", signer().verifying_key()).unwrap();
    let key = log.beside("release.pub", format!("{key}\n"));
    let publish = |out: &str| verify(&["publish", out, "--log", log.path(), "--key", &key]);
    good(&publish(&build("gateway", 5)));
    let index = log.dir.join("public/index");
    let kept = log.dir.with_file_name("kept");
    copy(&index, &kept);
    good(&publish(&build("gateway", 7)));
    good(&publish(&build("mail", 2)));
    let before = log.published();
    let refused = || {
        let told = bad(&publish(&build("gateway", 6)), 1);
        assert!(told.contains("entry 1 of the log is \"gateway\" with the sequence number 7"), "{told}");
        assert_eq!(log.published(), before);
    };
    refused();
    // behind
    std::fs::remove_dir_all(&index).unwrap();
    copy(&kept, &index);
    refused();
    // damaged
    for (path, _) in files(&index) {
        std::fs::write(index.join(path), "x").unwrap();
    }
    refused();
    std::fs::remove_dir_all(&index).unwrap();
    refused();
    good(&publish(&build("gateway", 7)));
    assert_eq!(head(&log.dir.join("public/checkpoint")).0, 3);
}
