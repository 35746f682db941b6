//! What a log in a bucket is from its beginning on.

use super::{bad, good, numbered, verify, Machine, Store, BUCKET};
use std::process::Command;

#[test]
fn a_life() {
    let Some(store) = Store::start() else { return };
    let machine = Machine::init(&store);
    assert_eq!(store.published().0, 0);
    good(&machine.fsck());
    // as one in a folder that is given the same
    let folder = machine.folder.path().join("folder");
    let path = folder.to_str().unwrap();
    good(&verify(&["log", "init", path, "--origin", super::ORIGIN]));
    for (count, batch) in [(1, 1), (255, 100), (256, 256), (600, 300), (601, 10)] {
        let told = machine.lines(&numbered("entry", count), batch);
        assert!(told.contains(&format!("\"size\":{count}")), "{told}");
        let file = machine.beside("lines", numbered("entry", count).join("\n"));
        good(&verify(&["log", "append", path, "--lines", &file]));
        let note = std::fs::read_to_string(folder.join("public/checkpoint")).unwrap();
        assert_eq!(note.lines().nth(2).unwrap(), store.published().1, "another tree than a folder's");
    }
    assert_eq!(machine.entries(&store), numbered("entry", 601));
    // what is there is not written again
    store.quiet();
    machine.lines(&numbered("entry", 601), 601);
    assert!(store.requests().iter().all(|request| request.starts_with("GET")), "{:?}", store.requests());
    // files, proofs, and what is asked of it
    let one = machine.beside("one", "entry 300");
    let told = good(&verify(&["log", "append", &machine.path(), &one]));
    assert!(told.contains("entry 300, as before"), "{told}");
    let proof = machine.beside("proof", "");
    good(&verify(&["log", "get", &machine.path(), "--file", &one, "--proof", &proof]));
    vitrine_attest::tlog_proof::Proof::parse(&std::fs::read(proof).unwrap()).unwrap();
    let digest = vitrine_attest::Sha256::of(b"entry 300").to_string();
    assert!(good(&verify(&["log", "find", &machine.path(), "--digest", &digest])).contains("entry 300"));
    let told = good(&verify(&["log", "refresh", &machine.path()]));
    assert!(told.contains("601 entries"), "{told}");
    // anybody reads it by its address
    let (url, key) = (format!("{}/{BUCKET}/a", store.endpoint()), machine.dir().join("log.pub").display().to_string());
    for index in ["0", "255", "256", "600"] {
        assert_eq!(good(&verify(&["log", "get", &url, "--key", &key, index])), format!("entry {index}"));
    }
    bad(&verify(&["log", "get", &url, "--key", &key, "601"]), 2);
    assert!(good(&verify(&["log", "fsck", &url, "--key", &key])).contains("all is well"));
    // nothing but what has to be there
    for name in store.list() {
        let known = name.starts_with("a/tile/") || name == "a/checkpoint" || name.starts_with("a/private/");
        assert!(known, "{name}");
    }
    bad(&verify(&["log", "serve", &machine.path()]), 2);
}

#[test]
fn a_new_key() {
    let Some(store) = Store::start() else { return };
    let first = Machine::init(&store);
    first.lines(&numbered("entry", 3), 3);
    let second = first.another();
    good(&verify(&["log", "rotate-key", &first.path()]));
    let note = String::from_utf8(store.get("a/checkpoint").unwrap()).unwrap();
    assert_eq!(note.matches('\u{2014}').count(), 2, "{note}");
    // whoever does not have it would take it back
    let told = bad(&second.append(&numbered("entry", 4), 4).output().unwrap(), 1);
    assert!(told.contains("copy log.json"), "{told}");
    first.lines(&numbered("entry", 4), 4);
    let second = first.another();
    good(&verify(&["log", "rotate-key", &first.path(), "--retire"]));
    assert!(!first.dir().join("log.key").exists());
    // one that has both goes on, and so does the one that has the newer
    second.lines(&numbered("entry", 5), 5);
    first.lines(&numbered("entry", 6), 6);
    good(&verify(&["log", "refresh", &first.path()]));
    let note = String::from_utf8(store.get("a/checkpoint").unwrap()).unwrap();
    assert_eq!(note.matches('\u{2014}').count(), 1, "{note}");
    assert_eq!(first.entries(&store), numbered("entry", 6));
}

/// TLS with a certificate of its own, and nobody else's.
#[test]
fn over_tls() {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned(), "localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let both = folder.path().join("both.pem");
    std::fs::write(&both, format!("{}{}", made.cert.pem(), made.signing_key.serialize_pem())).unwrap();
    let Some(store) = Store::start_with(&[both.to_str().unwrap()]) else { return };
    let endpoint = format!("https://localhost:{}", store.port);
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, made.cert.pem()).unwrap();
    let dir = folder.path().join("log").display().to_string();
    let init = |more: &[&str]| {
        let bucket = format!("s3://{BUCKET}/a");
        let mut args =
            vec!["log", "init", &dir, "--origin", super::ORIGIN, "--bucket", &bucket, "--endpoint", &endpoint];
        args.extend(["--region", super::REGION]);
        args.extend(more);
        verify(&args)
    };
    let made_bucket = Command::new(super::python().unwrap())
        .args(["-c", "import sys,ssl,urllib.request as u; u.urlopen(u.Request(sys.argv[1], b'{\"bucket\":\"transparency\"}'), context=ssl._create_unverified_context())"])
        .arg(format!("{endpoint}/_control"))
        .status();
    assert!(made_bucket.unwrap().success());
    let told = bad(&init(&[]), 2);
    assert!(told.contains("--ca"), "{told}");
    good(&init(&["--ca", ca.to_str().unwrap()]));
    let one = folder.path().join("one");
    std::fs::write(&one, "one").unwrap();
    good(&verify(&["log", "append", &dir, one.to_str().unwrap()]));
    assert_eq!(good(&verify(&["log", "get", &dir, "0"])), "one");
    good(&verify(&["log", "fsck", &dir]));
    // plain HTTP is for this machine alone
    let bucket = format!("s3://{BUCKET}/b");
    let other = folder.path().join("other").display().to_string();
    let args =
        ["log", "init", &other, "--origin", super::ORIGIN, "--bucket", &bucket, "--endpoint", "http://s3.example"];
    assert!(bad(&verify(&args), 2).contains("plain HTTP"));
}
