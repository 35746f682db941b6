use super::*;
use std::path::Path;
use vitrine_attest::note::sign;
use vitrine_attest::vkey::NoteKey;
use vitrine_attest::{merkle, Sha256};

const LOG: &str = "log.example/vitrine";

fn secret() -> ed25519_dalek::SigningKey {
    ed25519_dalek::SigningKey::from_bytes(&[7; 32])
}

fn key() -> NoteKey {
    NoteKey::new(LOG, secret().verifying_key()).unwrap()
}

fn leaves(history: &str, count: usize) -> Vec<Sha256> {
    (0..count).map(|n| merkle::leaf(format!("{history} {n}").as_bytes())).collect()
}

fn note(leaves: &[Sha256]) -> String {
    use base64::{engine::general_purpose::STANDARD, Engine as _};
    let root = merkle::root(leaves).unwrap_or_else(merkle::root_of_nothing);
    let body = format!("{LOG}\n{}\n{}\n", leaves.len(), STANDARD.encode(root.0));
    format!("{body}\n{}", sign(&body, LOG, &secret(), None).unwrap())
}

fn evidence(shown: Shown) -> Evidence {
    Evidence::new(Kind::SplitView, LOG, "words", 5, shown)
}

fn fork(smaller: &str, larger: &str, prefix: Option<Prefix>) -> Evidence {
    evidence(Shown::Fork { smaller: smaller.into(), larger: larger.into(), prefix })
}

/// The proof that the first `old` are the beginning of all.
fn prefix(leaves: &[Sha256], old: usize) -> Prefix {
    let fetch = |tile: vitrine_attest::tile::Tile| {
        assert_eq!((tile.level, tile.index), (0, 0));
        Ok::<_, ()>(leaves[..usize::from(tile.width)].to_vec())
    };
    let mut tree = vitrine_attest::tile::Tree::new(leaves.len() as u64, fetch);
    Prefix { root: tree.root(old as u64).unwrap(), proof: tree.consistency(old as u64, leaves.len() as u64).unwrap() }
}

#[test]
fn forks_are_proven_and_nothing_else_is() {
    let (a, b) = (leaves("a", 9), leaves("b", 9));
    let keys = [key()];
    let judge = |evidence: &Evidence| evidence.judge(&keys);
    assert!(matches!(judge(&fork(&note(&a), &note(&b), None)), Ok(Judged::Proven(_))));
    assert!(matches!(judge(&fork(&note(&a[..5]), &note(&b), Some(prefix(&b, 5)))), Ok(Judged::Proven(_))));
    // one history
    let good = note(&a);
    for (smaller, larger, prefix) in [
        (&good, &good, None),
        (&note(&a[..5]), &good, None),
        (&note(&a[..5]), &good, Some(prefix(&a, 5))),
        (&note(&a[..5]), &good, Some(prefix(&b, 5))), // of another tree
        (&note(&a[..5]), &note(&b), Some(prefix(&b, 4))),
        (&note(&b), &note(&a[..5]), Some(prefix(&a, 5))),
        (&note(&a[..0]), &good, Some(prefix(&b, 5))),
    ] {
        assert!(judge(&fork(smaller, larger, prefix)).is_err());
    }
    // not signed by the log
    let stranger = NoteKey::new(LOG, ed25519_dalek::SigningKey::from_bytes(&[8; 32]).verifying_key()).unwrap();
    assert!(fork(&note(&a), &note(&b), None).judge(&[stranger]).is_err());
    let bent = note(&b).replace("\n9\n", "\n8\n");
    assert!(judge(&fork(&note(&a), &bent, None)).is_err());
}

#[test]
fn evidence_is_read_as_it_was_written() {
    let (a, b) = (leaves("a", 3), leaves("b", 3));
    for shown in [
        Shown::Fork { smaller: note(&a), larger: note(&b), prefix: Some(prefix(&b, 2)) },
        Shown::Entries(vec![Proven { entry: vec![0, 255], proof: "p".into() }]),
        Shown::Checkpoints(vec![note(&a)]),
        Shown::Server { record: vec![1], checkpoint: None },
        Shown::Statement { envelope: vec![2] },
        Shown::Words,
    ] {
        let evidence = evidence(shown);
        let file = evidence.to_file().unwrap();
        assert_eq!(Evidence::from_file(&file).as_ref(), Ok(&evidence));
        for end in 0..file.len() {
            assert!(Evidence::from_file(&file[..end]).is_err());
        }
        assert!(Evidence::from_file(&[&file[..], b"\n"].concat()).is_err());
        let text = String::from_utf8(file).unwrap();
        assert!(Evidence::from_file(text.replace("\"v\":1", "\"v\":2").as_bytes()).is_err());
    }
    let nothing = evidence(Shown::Entries(vec![]));
    assert!(nothing.judge(&[key()]).is_err());
}

#[test]
fn state_that_is_damaged_is_refused() {
    let mut state = State { v: 1, ..State::default() };
    state.logs.insert(LOG.into(), LogState { note: note(&leaves("a", 3)), ..LogState::default() });
    let file = state.to_file().unwrap();
    assert_eq!(State::from_file(&file).unwrap(), state);
    for at in 0..file.len() {
        let mut bent = file.clone();
        bent[at] ^= 1;
        assert!(State::from_file(&bent).is_err(), "byte {at}");
        assert!(State::from_file(&file[..at]).is_err());
    }
}

#[test]
fn one_monitor_for_a_state() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    assert!(Store::open(folder.path()).unwrap_err().what.contains("another monitor"));
    for bad in ["", "../../../../x", "0123456789ABCDEF", "0123456789abcde"] {
        assert_eq!(acknowledge(folder.path(), bad).unwrap_err().exit_code(), 2);
    }
    acknowledge(folder.path(), "0123456789abcdef").unwrap();
    assert!(store.acknowledged("0123456789abcdef") && !store.acknowledged("0123456789abcdee"));
    drop(store);
    Store::open(folder.path()).unwrap();
    assert!(acknowledge(&folder.path().join("none"), "0123456789abcdef").is_err());
}

#[test]
fn findings_are_told_apart() {
    let finding = |kind, about: &str, which: &str| Finding {
        kind,
        about: about.into(),
        which: which.into(),
        what: "a\u{1b}[2Jb".repeat(1000),
        proving: Proving::Entries(vec![]),
    };
    let ids: std::collections::BTreeSet<String> = [
        finding(Kind::Freeze, "ab", "c"),
        finding(Kind::Freeze, "a", "bc"),
        finding(Kind::Rollback, "a", "bc"),
        finding(Kind::Freeze, "a", "b"),
    ]
    .iter()
    .map(Finding::id)
    .collect();
    assert_eq!(ids.len(), 4);
    let alert = Alert::new(&finding(Kind::Freeze, "a", "b"), 5);
    assert!(alert.what.chars().count() <= 600 && !alert.what.contains('\u{1b}') && alert.is_open());
    let words: std::collections::BTreeSet<&str> = Kind::ALL.iter().map(|kind| kind.word()).collect();
    assert_eq!(words.len(), Kind::ALL.len());
}

#[test]
fn what_has_changed() {
    let release = |inputs: &[(&str, &str)], cmdline: &str| {
        let inputs: Vec<_> = inputs
            .iter()
            .map(|(name, version)| {
                serde_json::json!({"kind": "deb", "name": name, "version": version, "sha256": Sha256::of(version.as_bytes())})
            })
            .collect();
        let inputs = serde_json::from_value::<Vec<vitrine_attest::statement::Input>>(inputs.into()).unwrap();
        vitrine_attest::statement::Release { inputs, cmdline: cmdline.into(), ..sample() }
    };
    let before = release(&[("a", "1"), ("b", "1"), ("c", "1")], "quiet");
    let now = release(&[("a", "1"), ("b", "2"), ("<d>\u{202e}", "1")], "loud");
    let changes = Changes::between(4, &before, &now);
    assert_eq!((changes.removed.first, changes.changed.first), (vec!["c 1".to_owned()], vec!["b 1 → 2".to_owned()]));
    assert!(changes.added.count == 1 && !changes.added.first[0].contains('\u{202e}'));
    assert_eq!(changes.cmdline, Some(("quiet".into(), "loud".into())));
    let many: Vec<String> = (0..500).map(|n| format!("p{n}")).collect();
    let many = release(&many.iter().map(|name| (name.as_str(), "1")).collect::<Vec<_>>(), "quiet");
    let changes = Changes::between(4, &before, &many);
    assert!(changes.added.count == 500 && changes.added.first.len() < 100 && changes.removed.count == 3);
}

fn sample() -> vitrine_attest::statement::Release {
    let config: vitrine_attest::config::Config = serde_json::from_str(&format!(
        r#"{{"owner":"{}","wireguard":{{"addresses":["10.66.0.1/24"]}}}}"#,
        vitrine_attest::digest::Key32([2; 32])
    ))
    .unwrap();
    vitrine_attest::statement::Release {
        fingerprint: vitrine_attest::fingerprint::Fingerprint::new(Sha256::ZERO, Sha256::ZERO),
        image: vitrine_attest::statement::Image {
            name: "exit".into(),
            version: "1".into(),
            lock: Sha256::ZERO,
            authenticode: Sha256::ZERO,
            initramfs: Sha256::ZERO,
            stub_version: 257,
        },
        config_digest: config.digest().unwrap(),
        config,
        boot: vitrine_attest::expected::ExpectedBoot { pcrs: Default::default(), events: vec![] },
        cmdline: String::new(),
        inputs: vec![],
        waivers: vec![],
        app: None,
        seq: 1,
        not_after: None,
    }
}

#[test]
fn files_of_people() {
    let good = "version = 1\n[[log]]\nplace = \"log\"\npolicy = \"p\"\nrelease_keys = [\"k\"]\n[[server]]\nname = \"z\"\nurl = \"http://a:1\"\n";
    let config = parse(good, Path::new("/etc/m")).unwrap();
    assert_eq!(config.logs[0].place, "/etc/m/log");
    assert_eq!((config.every.as_seconds(), config.logs[0].threshold, config.servers.len()), (600, 1, 1));
    for (from, to) in [
        ("[\"k\"]", "[\"k\"]\nthreshold = 2"),
        ("[\"k\"]", "[]"),
        ("\"log\"", "\"\""),
        ("\"log\"", "\"https://log\""),
        ("[\"k\"]", "[\"k\"]\nmirrors = [\"gopher://x\"]"),
        ("[\"k\"]", "[\"k\"]\nmax_age = \"0s\""),
        ("[\"k\"]", "[\"k\"]\nunknown = 1"),
        ("http://a:1", "https://a:1"),
        ("\"z\"", "\" z\""),
        ("\"z\"", "\"\\u202e\""),
        ("http://a:1\"", "http://a:1\"\n[[server]]\nname = \"z\"\nurl = \"f\""),
        ("http://a:1\"", "http://a:1\"\naccept_level = \"L9\""),
        ("http://a:1\"", "http://a:1\"\ntimeout = \"1d\""),
        ("[[server]]", "[[log]]\nplace = \"b\"\npolicy = \"p\"\nrelease_keys = [\"k\"]\n[[server]]"),
        ("version = 1", "version = 2"),
    ] {
        assert!(parse(&good.replace(from, to), Path::new("")).is_err(), "{to}");
    }
}
