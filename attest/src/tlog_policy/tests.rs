//! Quorums, their times, and each mistake with its line.

use super::*;
use crate::note::sign;
use crate::vkey::Kind;
use crate::Sha256;
use base64::{engine::general_purpose::STANDARD, Engine as _};
use ed25519_dalek::SigningKey;

const LOG: &str = "log.example/vitrine";

fn secret(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn key(kind: Kind, name: &str, seed: u8) -> NoteKey {
    NoteKey::of_kind(kind, name, secret(seed).verifying_key()).unwrap()
}

fn witness(seed: u8) -> NoteKey {
    key(Kind::Cosignature, &format!("witness.example/w{seed}"), seed)
}

/// `L` is the log's key, `W2` to `W9` are witnesses' keys.
fn text(form: &str) -> String {
    let mut text = form.replace("<L>", &key(Kind::Note, LOG, 1).to_string());
    for seed in 2..10 {
        text = text.replace(&format!("<W{seed}>"), &witness(seed).to_string());
    }
    text
}

fn policy(form: &str) -> Policy {
    Policy::parse(text(form).as_bytes()).unwrap()
}

/// Signed by the log and by these witnesses at these times.
fn judged(policy: &Policy, signed: &[(u8, u64)]) -> Result<Met, Missing> {
    let body = format!("{LOG}\n7\n{}\n", STANDARD.encode([7; 32]));
    let mut lines = sign(&body, LOG, &secret(1), None).unwrap();
    for &(seed, time) in signed {
        lines += &sign(&body, witness(seed).name(), &secret(seed), Some(time)).unwrap();
    }
    let note = Note::parse(format!("{body}\n{lines}").as_bytes()).unwrap();
    policy.judge(&note, &Checkpoint::parse(note.text()).unwrap())
}

/// The example of the standard, with keys.
const EXAMPLE: &str = "log <L>

witness X1 <W2>
witness X2 <W3>
witness X3 <W4>
group X-witnesses 2 X1 X2 X3

witness Y1 <W5>
witness Y2 <W6>
witness Y3 <W7>
group Y-witnesses any Y1 Y2 Y3

group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
";

#[test]
fn the_example_of_the_standard() {
    let policy = policy(EXAMPLE);
    assert_eq!((policy.logs.len(), policy.witnesses.len(), policy.keys().len()), (1, 6, 7));
    assert!(policy.wants_witnesses());
    let words = "X-and-Y: 2 of (X-witnesses: 2 of (X1, X2, X3), Y-witnesses: 1 of (Y1, Y2, Y3))";
    assert_eq!(policy.words(), words);
    for (signed, enough) in [
        (&[][..], false),
        (&[(2, 1), (3, 1), (4, 1)], false),
        (&[(5, 1), (6, 1), (7, 1)], false),
        (&[(2, 1), (5, 1), (6, 1)], false),
        (&[(2, 1), (4, 1), (6, 1)], true),
        (&[(2, 1), (3, 1), (4, 1), (5, 1), (6, 1), (7, 1)], true),
    ] {
        assert_eq!(judged(&policy, signed).is_ok(), enough, "{signed:?}");
    }
    let met = judged(&policy, &[(6, 30), (4, 20), (2, 10), (9, 99)]).unwrap();
    assert_eq!((met.log.as_str(), met.witnesses), (LOG, ["X1", "X3", "Y2"].map(String::from).to_vec()));
    let missing = judged(&policy, &[(6, 1)]).unwrap_err();
    assert_eq!(missing, Missing::Quorum { rule: words.into(), signed: vec!["Y2".into()] });
    assert!(missing.to_string().ends_with("; signed by Y2"));
}

/// Every subset of signers and every time: the two times are what their docstrings say, found by trying.
#[test]
fn times_are_exact() {
    let policy = policy(EXAMPLE);
    let keys = policy.keys();
    let times = [(2, 50), (3, 20), (4, 40), (5, 10), (6, 60), (7, 30)];
    for set in 0..64_u32 {
        let signed: Vec<(u8, u64)> = (0..6).filter(|n| set >> n & 1 == 1).map(|n| times[n]).collect();
        let within = |keep: &dyn Fn(u64) -> bool| {
            let by_log = std::iter::once((&keys[0], None));
            let some = signed.iter().filter(|(_, time)| keep(*time));
            let some = some.map(|(seed, time)| (&keys[usize::from(*seed) - 1], Some(*time)));
            let signers: Vec<Signer> = by_log.chain(some).map(|(key, time)| Signer { key, time }).collect();
            policy.satisfied(LOG, &signers).is_ok()
        };
        let all = (0..=70).filter(|at| within(&|time| time >= *at)).max();
        let first = (0..=70).find(|at| within(&|time| time <= *at));
        let found = judged(&policy, &signed).ok();
        assert_eq!(found.as_ref().and_then(|met| met.since), all, "{signed:?}");
        assert_eq!(found.and_then(|met| met.by), first, "{signed:?}");
    }
}

#[test]
fn quorums_of_one_and_of_none() {
    let none = policy("log <L>\nquorum none\n");
    let met = judged(&none, &[(2, 5)]).unwrap();
    assert_eq!((met.witnesses, met.since, met.by), (vec![], None, None));
    assert!(!none.wants_witnesses());
    let one = policy("witness A <W2> https://w.example\nquorum A\nlog <L> https://log.example\n");
    assert_eq!(one.witnesses[0].url.as_deref(), Some("https://w.example"));
    let met = judged(&one, &[(2, 5), (3, 6)]).unwrap();
    assert_eq!((met.witnesses, met.since, met.by), (vec!["A".into()], Some(5), Some(5)));
    assert!(judged(&one, &[(3, 6)]).is_err());
}

/// The same witness under one more line of the note does not count again.
#[test]
fn a_witness_counts_once() {
    let two = policy("log <L>\nwitness A <W2>\nwitness B <W3>\ngroup G 2 A B\nquorum G\n");
    assert!(judged(&two, &[(2, 5), (2, 6), (2, 5)]).is_err());
    assert!(judged(&two, &[(2, 5), (3, 6)]).is_ok());
}

#[test]
fn only_a_listed_log_signs_for_itself() {
    let two = format!("log <L>\nlog {}\nquorum none\n", key(Kind::Note, "other.example", 9));
    let policy = policy(&two);
    assert!(judged(&policy, &[]).is_ok());
    let body = format!("{LOG}\n7\n{}\n", STANDARD.encode([7; 32]));
    let line = sign(&body, "other.example", &secret(9), None).unwrap();
    let note = Note::parse(format!("{body}\n{line}").as_bytes()).unwrap();
    let checkpoint = Checkpoint::parse(note.text()).unwrap();
    assert_eq!(policy.judge(&note, &checkpoint), Err(Missing::Log(LOG.into())));
    let empty = Policy::parse(b"quorum none\n").unwrap();
    assert_eq!(judged(&empty, &[]), Err(Missing::Log(LOG.into())));
    // signers of somebody else's keys
    let stranger = key(Kind::Note, LOG, 3);
    let signers = [Signer { key: &stranger, time: None }];
    assert_eq!(policy.satisfied(LOG, &signers), Err(Missing::Log(LOG.into())));
}

#[test]
fn a_bad_signature_spoils_the_note() {
    let policy = policy("log <L>\nwitness A <W2>\nquorum none\n");
    let body = format!("{LOG}\n7\n{}\n", STANDARD.encode([7; 32]));
    let good = sign(&body, LOG, &secret(1), None).unwrap();
    let bad = sign(&body.replace("\n7\n", "\n8\n"), witness(2).name(), &secret(2), Some(5)).unwrap();
    let note = Note::parse(format!("{body}\n{good}{bad}").as_bytes()).unwrap();
    let missing = policy.judge(&note, &Checkpoint::parse(note.text()).unwrap()).unwrap_err();
    assert!(matches!(missing, Missing::Signature(_)), "{missing:?}");
}

#[test]
fn white_space_comments_and_foreign_names() {
    let odd = policy("\n \t\n#\n \t# log nothing\n\t log \t <L>  \n quorum  none\t\n# the end\n");
    assert_eq!(odd.logs.len(), 1);
    // names are bytes: K and the Kelvin sign are two, and bytes that are no UTF-8 are a name
    let form = text(
        "log <L>\nwitness K <W2>\nwitness \u{212a} <W3>\nwitness ? <W4>\n# ?\ngroup all all K \u{212a} ?\nquorum all\n",
    );
    let bytes: Vec<u8> = form.bytes().map(|byte| if byte == b'?' { 0xff } else { byte }).collect();
    let policy = Policy::parse(&bytes).unwrap();
    assert_eq!(policy.words(), "all: 3 of (K, \u{212a}, \u{fffd})");
}

/// `line: words` of each mistake.
fn mistakes(form: &str) -> Vec<String> {
    let mistakes = Policy::parse(text(form).as_bytes()).unwrap_err();
    mistakes.into_iter().map(|mistake| format!("{}: {}", mistake.line, mistake.text)).collect()
}

#[test]
fn each_mistake_has_its_line() {
    for (form, says) in [
        ("", "1: there is no quorum line"),
        ("log <L>\n", "1: there is no quorum line"),
        ("quorum none\nlog <L>", "2: the last line has no line end"),
        ("\nquorum none\nquorum none\n", "3: there is a quorum already, in line 2"),
        ("quorum A\nwitness A <W2>\n", "1: \"A\" is not defined on a line before"),
        ("quorum\nquorum none\n", "1: write: quorum"),
        ("quorum none none\nquorum none\n", "1: write: quorum"),
        ("Quorum none\nquorum none\n", "1: \"Quorum\" is not log, witness, group or quorum"),
        ("log\nquorum none\n", "1: write: log"),
        ("log <L> a b\nquorum none\n", "1: write: log"),
        ("witness A\nquorum none\n", "1: write: witness"),
        ("witness A <W2> a b\nquorum none\n", "1: write: witness"),
        ("log <L>\r\nquorum none\n", "1: control byte 0x0d"),
        ("# \u{7f}\nquorum none\n", "1: control byte 0x7f"),
        ("log <W2>\nquorum none\n", "1: a log's key is of type 0x01 (Ed25519), and this one of type 0x04"),
        (
            "witness A <L>\nquorum none\n",
            "1: a witness's key is of type 0x04 (Ed25519 with a time) or 0x06 (ML-DSA-44), and",
        ),
        ("log log.example\nquorum none\n", "1: the vkey cannot be used: it has not the form"),
        ("log <L>\n\nlog <L>\nquorum none\n", "3: the public key of log.example/vitrine stands here twice"),
        ("witness A <W2>\nwitness B <W2>\nquorum A\n", "2: the public key of witness.example/w2 stands here twice"),
        ("witness none <W2>\nquorum none\n", "1: \"none\" cannot be a name"),
        ("witness A <W2>\nwitness A <W3>\nquorum A\n", "2: \"A\" is defined twice"),
        ("witness A <W2>\nwitness B <W3>\ngroup A any B\nquorum A\n", "3: \"A\" is defined twice"),
        ("witness A <W2>\ngroup G any\nquorum A\n", "2: write: group"),
        ("witness A <W2>\ngroup G 0 A\nquorum G\n", "2: the threshold is \"all\", \"any\", or a number from 1 to 1"),
        ("witness A <W2>\ngroup G 2 A\nquorum G\n", "2: the threshold"),
        ("witness A <W2>\ngroup G 01 A\nquorum G\n", "2: the threshold"),
        ("witness A <W2>\ngroup G +1 A\nquorum G\n", "2: the threshold"),
        ("witness A <W2>\ngroup G All A\nquorum G\n", "2: the threshold"),
        ("group G any none\nquorum G\n", "1: \"none\" is no member"),
        ("group G any G\nquorum G\n", "1: \"G\" is not defined on a line before"),
        ("group G any A\nwitness A <W2>\nquorum G\n", "1: \"A\" is not defined on a line before"),
        ("witness A <W2>\ngroup G any A A\nquorum G\n", "2: \"A\" is a member twice"),
        ("witness A <W2>\ngroup G any A\ngroup H all G A\nquorum H\n", "3: \"A\" is a member twice"),
    ] {
        let found = mistakes(form);
        assert!(found.len() == 1 && found[0].starts_with(says), "{form:?}: {found:?}");
    }
    // one key for a log and a witness
    let both = format!("log <L>\nwitness A {}\nquorum A\n", key(Kind::Cosignature, "w", 1));
    assert_eq!(mistakes(&both), ["2: the public key of w stands here twice"]);
    // keys of type 0x06: of a log never, of a witness with the feature only; never left out of a quorum in silence
    let typed = STANDARD.encode([&[6][..], &[5; 1312]].concat());
    let id = &Sha256::of(&[b"log.example\n".as_slice(), &[6], &[5; 1312]].concat()).to_string()[..8];
    let without = "key type 0x06, ML-DSA-44, needs a program with the feature `ml-dsa`";
    let says = if cfg!(feature = "ml-dsa") { "and this one of type 0x06" } else { without };
    let found = mistakes(&format!("log log.example+{id}+{typed}\nquorum none\n"));
    assert!(found.len() == 1 && found[0].contains(says), "{found:?}");
    let witness = format!("log <L>\nwitness A <W2>\nwitness B log.example+{id}+{typed}\ngroup G any A B\nquorum G\n");
    if cfg!(feature = "ml-dsa") {
        assert!(Policy::parse(text(&witness).as_bytes()).is_ok());
    } else {
        let found = mistakes(&witness);
        assert!(
            found.len() == 1 && found[0].starts_with("3: the vkey cannot be used: ") && found[0].contains(without),
            "{found:?}"
        );
    }
}

#[test]
fn all_mistakes_at_once() {
    let form = "log x\nwitness A y\ngroup G 9 A B\nnonsense\nquorum G\n";
    let lines: Vec<String> = mistakes(form).iter().map(|mistake| mistake[..1].into()).collect();
    assert_eq!(lines, ["1", "2", "3", "3", "4"], "{:?}", mistakes(form));
}

#[test]
fn limits() {
    let many = |kind, word: fn(u8) -> String, count: u8| -> String {
        (1..=count).map(|seed| format!("{} {}\n", word(seed), key(kind, "a", seed))).collect()
    };
    for (kind, word) in
        [(Kind::Note, (|_| "log".into()) as fn(u8) -> String), (Kind::Cosignature, |seed| format!("witness {seed}"))]
    {
        let most = many(kind, word, 64) + "quorum none\n";
        assert!(Policy::parse(most.as_bytes()).is_ok());
        let more = many(kind, word, 65) + "quorum none\n";
        assert!(Policy::parse(more.as_bytes()).unwrap_err()[0].text.starts_with("more than 64"));
    }
    // as deep as it can be
    let deep = |count: u8| {
        let groups: String = (1..=count).map(|n| format!("group g{n} all g{}\n", n - 1)).collect();
        text(&format!("log <L>\nwitness g0 <W2>\n{groups}quorum g{count}\n"))
    };
    let deepest = Policy::parse(deep(64).as_bytes()).unwrap();
    assert_eq!(judged(&deepest, &[(2, 5)]).unwrap().since, Some(5));
    assert!(Policy::parse(deep(65).as_bytes()).unwrap_err()[0].text.starts_with("more than 64 groups"));
    let large = format!("quorum none\n#{}\n", "x".repeat(TLOG_POLICY_LIMIT));
    assert!(Policy::parse(large.as_bytes()).unwrap_err()[0].text.contains("262144 bytes"));
}
