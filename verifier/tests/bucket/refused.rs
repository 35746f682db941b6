//! Stores that are none, credentials that are none, and objects that somebody has changed.

use super::{bad, command, good, numbered, text, verify, Machine, Store, BUCKET, ID, SECRET};
use serde_json::json;
use std::os::unix::fs::PermissionsExt as _;
use vitrine_verifier::log::Writer;

#[test]
fn stores_that_would_fork_a_log() {
    let Some(store) = Store::start() else { return };
    for (mode, why) in [
        ("no-if-none-match", "If-None-Match"),
        ("no-if-match", "If-Match"),
        ("no-etag", "ETag"),
        ("racy", "writes at once"),
    ] {
        let machine = Machine { folder: tempfile::tempdir().unwrap() };
        store.ask(&json!({"reset": true, "mode": mode}));
        let told = bad(&machine.try_init(&store, &[]), 2);
        assert!(told.contains("cannot keep a log") && told.contains(why), "{mode}: {told}");
        assert!(!machine.dir().join("log.json").exists(), "{mode}: there is a log");
        assert!(store.get("a/private/commit").is_none() && store.get("a/checkpoint").is_none(), "{mode}");
    }
    store.quiet();
    // the next one is, and there it is refused to begin again
    let machine = Machine::init(&store);
    assert!(bad(&machine.try_init(&store, &[]), 2).contains("is a log already"));
    let other = Machine { folder: tempfile::tempdir().unwrap() };
    assert!(bad(&other.try_init(&store, &[]), 2).contains("is a log already"));
    assert!(!other.dir().join("log.json").exists());
    machine.lines(&numbered("entry", 3), 3);
    std::fs::remove_file(machine.dir().join("log.json")).unwrap();
    assert!(bad(&machine.try_init(&store, &[]), 2).contains("is a log already"), "not even with its key");
    assert_eq!(store.published().0, 3);
}

#[test]
fn credentials() {
    let Some(store) = Store::start() else { return };
    let machine = Machine::init(&store);
    let told = |id: &str, secret: &str, token: &str| {
        let one = machine.beside("one", "one");
        let mut command = command(&["log", "append", &machine.path(), &one]);
        for (name, value) in
            [("AWS_ACCESS_KEY_ID", id), ("AWS_SECRET_ACCESS_KEY", secret), ("AWS_SESSION_TOKEN", token)]
        {
            match value {
                "" => command.env_remove(name),
                value => command.env(name, value),
            };
        }
        let output = command.output().unwrap();
        let (code, all) = (output.status.code(), text(&output.stdout) + &text(&output.stderr));
        assert!(secret.is_empty() || !all.contains(secret), "{all}");
        assert!(!all.contains("Signature="), "{all}");
        (code, all)
    };
    for (id, secret, token, why) in [
        ("", "", "", "there are no credentials"),
        (ID, "", "", "AWS_SECRET_ACCESS_KEY is missing"),
        ("", SECRET, "", "AWS_ACCESS_KEY_ID is missing"),
        (ID, "wrong-secret", "", "SignatureDoesNotMatch"),
        ("wrong", SECRET, "", "InvalidAccessKeyId"),
        (ID, SECRET, "wrong-token", "InvalidAccessKeyId"),
        (ID, "two words", "", "characters"),
        ("a/b", SECRET, "", "characters"),
    ] {
        let (code, all) = told(id, secret, token);
        assert!(code == Some(2) && all.contains(why), "{id} {why}: {all}");
    }
    assert_eq!(store.published().0, 0);
    assert_eq!(told(ID, SECRET, "a-token-of-tests").0, Some(0));
    // in a file
    let file = machine.dir().join("credentials");
    let lines = format!("# of tests\nAWS_ACCESS_KEY_ID={ID}\nAWS_SECRET_ACCESS_KEY={SECRET}\n");
    std::fs::write(&file, &lines).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(told("", "", "").1.contains("can be read by others"));
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(told("", "", "").0, Some(0));
    for wrong in ["x", "AWS_REGION=x", &format!("{lines}AWS_ACCESS_KEY_ID=y"), &format!("AWS_ACCESS_KEY_ID={ID}")] {
        std::fs::write(&file, wrong).unwrap();
        let (code, all) = told("", "", "");
        assert!(code == Some(2) && !all.contains(SECRET), "{all}");
    }
    // the log's key as of any log
    std::fs::remove_file(&file).unwrap();
    let key = machine.dir().join("log.key");
    assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert!(told(ID, SECRET, "").1.contains("can be read by others"));
}

#[test]
fn a_bucket_that_is_not_there() {
    let Some(store) = Store::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("log").display().to_string();
    let args = [
        "log",
        "init",
        &dir,
        "--origin",
        super::ORIGIN,
        "--bucket",
        "s3://nowhere/a",
        "--endpoint",
        &store.endpoint(),
        "--region",
        super::REGION,
    ];
    assert!(bad(&verify(&args), 2).contains("NoSuchBucket"));
    let args = [
        "log",
        "init",
        &dir,
        "--origin",
        super::ORIGIN,
        "--bucket",
        &format!("s3://{BUCKET}/a"),
        "--endpoint",
        &store.endpoint(),
    ];
    assert!(bad(&verify(&args), 2).contains("--region"));
    let machine = Machine::init(&store);
    // a prefix where there is none, and nobody at the endpoint
    let json = machine.dir().join("log.json");
    let config = std::fs::read_to_string(&json).unwrap();
    std::fs::write(&json, config.replace("\"a/\"", "\"b/\"")).unwrap();
    assert!(bad(&machine.append(&numbered("x", 1), 1).output().unwrap(), 1).contains("is not there"));
    std::fs::write(&json, config.replace(&store.port.to_string(), "1")).unwrap();
    bad(&machine.append(&numbered("x", 1), 1).output().unwrap(), 2);
}

#[test]
fn changed_objects() {
    let Some(store) = Store::start() else { return };
    let machine = Machine::init(&store);
    machine.lines(&numbered("entry", 300), 300);
    let whole: Vec<(String, Vec<u8>)> =
        store.list().into_iter().map(|name| (name.clone(), store.get(&name).unwrap())).collect();
    let restore = || whole.iter().for_each(|(name, bytes)| store.put(name, bytes));
    let append = || machine.append(&numbered("entry", 301), 301).output().unwrap();
    // each that an append reads, or a check
    for (name, bytes) in whole.iter().filter(|(name, _)| !name.contains("probe")) {
        let mut bent = bytes.clone();
        let at = bent.len() - 5;
        bent[at] ^= 1;
        for wrong in [&bent[..], &bytes[..bytes.len() - 1], &[&bytes[..], b"x"].concat(), b""] {
            store.put(name, wrong);
            let code = machine.fsck().status.code();
            assert!(code != Some(0), "{name}: fsck says {code:?}");
            store.put(name, bytes);
        }
    }
    // a tile that will be made is there with other bytes: promised, and never published
    store.put("a/tile/0/001.p/45", b"x");
    assert!(bad(&append(), 1).contains("other bytes"));
    assert!(bad(&append(), 1).contains("other bytes"));
    assert_eq!(store.published().0, 300);
    let told = good(&machine.fsck());
    assert!(told.contains("promised"), "{told}");
    store.ask(&json!({"delete": format!("{BUCKET}/a/tile/0/001.p/45")}));
    good(&append());
    assert_eq!(machine.entries(&store), numbered("entry", 301));
    // a public checkpoint that somebody set back is put right
    let (name, old) = whole.iter().find(|(name, _)| name == "a/checkpoint").unwrap();
    store.put(name, old);
    assert_eq!(store.published().0, 300);
    good(&append());
    assert_eq!(store.published().0, 301);
    // a commit record that somebody set back is not gone on from
    let (name, old) = whole.iter().find(|(name, _)| name == "a/private/commit").unwrap();
    store.put(name, old);
    assert!(bad(&append(), 1).contains("old copy"));
    assert_eq!(store.published().0, 301);
    restore();
}

/// A bucket that is set back as a whole: who was there notices. Who comes anew is told by a witness (`with_a_witness`).
#[test]
fn a_bucket_from_a_backup() {
    let Some(store) = Store::start() else { return };
    let first = Machine::init(&store);
    first.lines(&numbered("entry", 2), 2);
    let backup: Vec<_> = store.list().into_iter().map(|name| (name.clone(), store.get(&name).unwrap())).collect();
    first.keep_credentials();
    let mut writer = Writer::open(&first.dir()).unwrap();
    writer.append(&[b"entry 2", b"entry 3"]).unwrap();
    for (name, bytes) in &backup {
        store.put(name, bytes);
    }
    let error = writer.append(&[b"another"]).unwrap_err();
    assert!(error.what.contains("old copy"), "{}", error.what);
    assert_eq!(store.published().0, 2);
}
