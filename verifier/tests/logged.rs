//! V29: statements that stand in a log as demanded, and each way in which they do not; and bundles, which hold the proof.

mod mock;
mod person;

use base64::{engine::general_purpose::STANDARD, Engine as _};
use mock::{Scene, SigningKey};
use person::{cannot_judge, ends, json, serve_scene, text, Person, Served};
use std::process::Output;
use std::time::{SystemTime, UNIX_EPOCH};
use vitrine_attest::note::sign;
use vitrine_attest::tlog_proof::to_text;
use vitrine_attest::vkey::{Kind, NoteKey};
use vitrine_attest::{merkle, Sha256};

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

/// The log (1), and two of three witnesses (2, 3, 4).
fn log_policy() -> String {
    let log = key(Kind::Note, LOG, 1);
    let witnesses: String = (2..5).map(|seed| format!("witness w{seed} {}\n", witness(seed))).collect();
    format!("log {log}\n{witnesses}group most 2 w2 w3 w4\nquorum most\n")
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// A log with the entry between others.
struct Log {
    leaves: Vec<Sha256>,
    signer: u8,
    origin: &'static str,
    witnesses: Vec<(u8, u64)>,
    /// What else stands under the note.
    more: String,
}

impl Log {
    fn of(entry: &[u8]) -> Self {
        let leaf = |entry: &[u8]| merkle::leaf(entry);
        let leaves = vec![leaf(b"a"), leaf(b"b"), leaf(entry), leaf(b"c"), leaf(b"d")];
        let witnesses = vec![(2, now() - 7200), (3, now() - 60), (4, now() - 3600)];
        Self { leaves, signer: 1, origin: LOG, witnesses, more: String::new() }
    }

    /// That entry 2 stands in it.
    fn proof(&self) -> String {
        let root = STANDARD.encode(merkle::root(&self.leaves).unwrap().0);
        let body = format!("{}\n{}\n{root}\n", self.origin, self.leaves.len());
        let mut lines = sign(&body, self.origin, &secret(self.signer), None).unwrap();
        for &(seed, time) in &self.witnesses {
            lines += &sign(&body, witness(seed).name(), &secret(seed), Some(time)).unwrap();
        }
        let path = merkle::path(&self.leaves, 2).unwrap();
        to_text(None, 2, &path, &format!("{body}\n{lines}{}", self.more))
    }
}

struct Here {
    person: Person,
    served: Served,
    log: Log,
}

impl Here {
    fn new() -> Self {
        let scene = Scene::good();
        let person = Person::of(&scene);
        let log = Log::of(&scene.envelope().to_json().unwrap());
        let here = Self { person, served: serve_scene(scene), log };
        here.write("log-policy", &log_policy());
        here.write("proof", &here.log.proof());
        here
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.person.path(name), text).unwrap();
    }

    fn check(&self, more: &str) -> Output {
        self.person.check(&self.served.url, &format!("--ek-roots roots {more}"))
    }

    /// With the log policy in a policy's `[log]`, and the proof as it is now.
    fn with(&self, table: &str) -> Output {
        self.write("proof", &self.log.proof());
        self.write("policy", &format!("version = 1\n[log]\nfile = \"log-policy\"\n{table}\n"));
        self.check("--no-state --json --proof proof --policy policy")
    }

    #[track_caller]
    fn refused(&self, table: &str, reason: &str) {
        only(&self.with(table), reason);
    }
}

/// Rejected for nothing but this.
#[track_caller]
fn only(output: &Output, reason: &str) {
    let report = json(output);
    let failed = report["checks"].as_array().unwrap().iter().filter(|check| check["status"] == "failed");
    let failed: Vec<&str> = failed.map(|check| check["reason"].as_str().unwrap()).collect();
    assert_eq!((output.status.code(), failed.as_slice()), (Some(1), [reason].as_slice()), "{report}");
    assert_eq!(report["grounds"], serde_json::json!(["log"]));
}

fn v29(output: &Output) -> String {
    let report = json(output);
    let check = report["checks"].as_array().unwrap().iter().find(|check| check["code"] == "V29").unwrap().clone();
    check["detail"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn demanded_and_shown() {
    let here = Here::new();
    let output = here.check("--no-state --proof proof --log-policy log-policy");
    ends(&output, 0, "ACCEPTED");
    let shown = text(&output);
    assert!(shown.contains("entry 2 of 5 in log.example/vitrine; seen by w2, w3, w4 at "), "{shown}");
    assert!(shown.contains("- that others are shown the same log, unless the witnesses"), "{shown}");
    assert!(!shown.contains("- that the statement is in a public log"));
    // nothing demanded, nothing given
    let output = here.check("--no-state");
    ends(&output, 0, "ACCEPTED");
    assert!(
        text(&output).contains("no log demanded") && text(&output).contains("- that the statement is in a public log")
    );
    // another spelling of the same envelope
    let statement = std::fs::read(here.person.path("statement")).unwrap();
    let value: serde_json::Value = serde_json::from_slice(&statement).unwrap();
    here.write("statement", &serde_json::to_string_pretty(&value).unwrap());
    ends(&here.check("--no-state --proof proof --log-policy log-policy"), 0, "ACCEPTED");
}

#[test]
fn without_a_proof() {
    let here = Here::new();
    only(&here.check("--no-state --json --log-policy log-policy"), "proof-missing");
    here.write("policy", "version = 1\n[log]\nfile = \"log-policy\"\n");
    only(&here.check("--no-state --json --policy policy"), "proof-missing");
    here.write("policy", "version = 1\n[log]\nrequired = false\nfile = \"log-policy\"\n");
    let output = here.check("--no-state --json --policy policy");
    assert_eq!((output.status.code(), v29(&output).as_str()), (Some(0), "no proof given, and none required"));
    // one that is given is judged all the same
    here.write("proof", "nothing");
    only(&here.check("--no-state --json --policy policy --proof proof"), "proof-malformed");
}

#[test]
fn mistakes_of_the_person_are_no_verdict() {
    let here = Here::new();
    cannot_judge(&here.check("--no-state --proof proof"), "nobody said which logs and witnesses count");
    cannot_judge(&here.check("--no-state --proof nowhere --log-policy log-policy"), "nowhere");
    here.write("policy", "version = 1\n[log]\nfile = \"log-policy\"\n");
    let both = here.check("--no-state --proof proof --policy policy --log-policy log-policy");
    cannot_judge(&both, "has a table [log] already");
    here.write("bad", "log x\nquorum none\n");
    let output = here.check("--no-state --proof proof --log-policy bad");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(2) && errors.contains("bad: 1 problem\n  line 1: the vkey"), "{errors}");
    here.write("bad", "quorum none\n");
    let errors = String::from_utf8(here.check("--proof proof --log-policy bad").stderr).unwrap();
    assert!(errors.contains("it names no log"), "{errors}");
    for (table, says) in [
        ("", "line 2: log: give `policy`"),
        ("file = \"a\"\npolicy = \"b\"", "line 2: log: give `policy`"),
        ("file = \"bad\"", "line 3: file, line 1 of it: it names no log"),
        ("file = \"nowhere\"", "line 3: file: "),
        ("policy = \"\"\"\nlog x\nquorum none\n\"\"\"", "line 3: policy, line 1 of it: the vkey"),
        ("file = \"log-policy\"\nmax_age = \"soon\"", "line 4: max_age"),
        ("file = \"log-policy\"\nmin_size = 3", "line 4: unknown field `min_size`"),
    ] {
        here.write("policy", &format!("version = 1\n[log]\n{table}\n"));
        let errors = String::from_utf8(here.check("--proof proof --policy policy").stderr).unwrap();
        assert!(errors.contains(says), "{table}: {errors}");
    }
    let alone = format!("log {}\nquorum none", key(Kind::Note, LOG, 1));
    here.write("policy", &format!("version = 1\n[log]\npolicy = '''\n{alone}\n'''\nmax_age = \"1h\"\n"));
    let errors = String::from_utf8(here.check("--proof proof --policy policy").stderr).unwrap();
    assert!(errors.contains("line 7: max_age: with \"quorum none\""), "{errors}");
    assert_eq!(here.served.inside.lock().unwrap().looks, 0, "somebody was asked");
}

#[test]
fn inline_policy_and_what_it_says() {
    let here = Here::new();
    here.write("policy", &format!("version = 1\n[log]\nmax_age = \"48h\"\npolicy = '''\n{}'''\n", log_policy()));
    let output = here.check("--no-state --json --policy policy --proof proof");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let shown = text(&here.person.run("policy show policy"));
    assert!(
        shown.contains("a proof is required: log.example/vitrine; witnesses: most: 2 of (w2, w3, w4); at most "),
        "{shown}"
    );
    let value = json(&here.person.run("policy show policy --json"));
    assert_eq!(value["log"]["witnesses"].as_array().unwrap().len(), 3);
}

#[test]
fn entries_that_are_not_there() {
    let mut here = Here::new();
    here.log.leaves[2] = merkle::leaf(b"another statement");
    here.refused("", "entry-not-in-log");
    // a proof of the release before
    let other = Here::new();
    std::fs::copy(other.person.path("proof"), here.person.path("old")).unwrap();
    let mut statement = Scene::good().statement;
    statement.predicate.seq = 2;
    let envelope = vitrine_attest::dsse::sign(&statement, &secret(1)).unwrap();
    std::fs::write(here.person.path("statement"), envelope.to_json().unwrap()).unwrap();
    only(&here.check("--no-state --json --proof old --log-policy log-policy"), "entry-not-in-log");
    here.log = Log::of(&envelope.to_json().unwrap());
    here.write("proof", &here.log.proof().replace("index 2\n", "index 3\n"));
    only(&here.check("--no-state --json --proof proof --log-policy log-policy"), "entry-not-in-log");
    let output = here.with("");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
}

#[test]
fn malformed_proofs() {
    let here = Here::new();
    let good = here.log.proof();
    for bad in [String::new(), good.replace("@v1", "@v2"), good.replace("\n\n", "\n"), good[..good.len() - 9].into()] {
        here.write("proof", &bad);
        only(&here.check("--no-state --json --proof proof --log-policy log-policy"), "proof-malformed");
    }
    here.write("proof", &"x".repeat(100_000));
    cannot_judge(&here.check("--no-state --proof proof --log-policy log-policy"), "more than");
}

#[test]
fn logs_and_witnesses_that_do_not_count() {
    let mut here = Here::new();
    here.log.signer = 9;
    here.refused("", "log-untrusted");
    here.log.signer = 1;
    here.log.origin = "other.example";
    here.refused("", "log-untrusted");
    here.log.origin = LOG;
    for few in [vec![], vec![(2, now())], vec![(2, now()), (2, now())], vec![(2, now()), (8, now()), (9, now())]] {
        here.log.witnesses = few;
        here.refused("", "quorum-missing");
    }
    here.log.witnesses = vec![(4, now()), (2, now())];
    assert_eq!(here.with("").status.code(), Some(0));
}

#[test]
fn signatures_that_do_not_hold() {
    let mut here = Here::new();
    let other = format!("{LOG}\n7\n{}\n", STANDARD.encode([7; 32]));
    // in the name of the log, of a witness that is needed, and of one that is not
    here.log.witnesses.truncate(2);
    let by_log = sign(&other, LOG, &secret(1), None).unwrap();
    let by_witness = |seed| sign(&other, witness(seed).name(), &secret(seed), Some(now())).unwrap();
    for more in [by_log, by_witness(2), by_witness(4)] {
        here.log.more = more;
        here.refused("", "log-signature-bad");
    }
    // of strangers anything may stand there
    here.log.more = by_witness(8);
    assert_eq!(here.with("").status.code(), Some(0));
}

#[test]
fn age_is_that_of_a_quorum() {
    let mut here = Here::new();
    // 7200, 60 and 3600 s ago: two of three say that it was there 3600 s ago, or later
    assert_eq!(here.with("max_age = \"61m\"").status.code(), Some(0));
    here.refused("max_age = \"59m\"", "proof-too-old");
    let ahead = now() + 3000;
    here.log.witnesses = vec![(2, ahead), (3, ahead), (4, 5)];
    assert_eq!(here.with("max_age = \"1h\"").status.code(), Some(0), "clocks differ");
    here.log.witnesses = vec![(2, ahead + 1000), (3, 5), (4, 5)];
    assert_eq!(here.with("").status.code(), Some(0), "one witness alone decides nothing");
    here.refused("max_age = \"1h\"", "proof-too-old");
    here.log.witnesses = vec![(2, ahead + 1000), (3, ahead + 1000)];
    here.refused("", "proof-from-the-future");
    here.log.witnesses = vec![(2, u64::MAX), (3, u64::MAX)];
    here.refused("max_age = \"1h\"", "proof-from-the-future");
}

/// Every command that checks has the options.
#[test]
fn other_commands_demand_it_too() {
    let here = Here::new();
    let trust = format!("--server {} --statement statement --key key --ek-roots roots --no-state", here.served.url);
    let peer = STANDARD.encode([9; 32]);
    let commands = [
        format!("watch {trust} --count 1"),
        format!("wg-config {trust} --generate --address 10.66.0.7/32"),
        format!("peers add {trust} --owner-key owner --peer {peer} --allowed-ips 10.66.0.7/32"),
    ];
    for line in commands {
        let without = here.person.run(&format!("{line} --log-policy log-policy"));
        assert_eq!(without.status.code(), Some(1), "{line}");
        assert!(text(&without).contains("proof-missing"), "{}", text(&without));
        let with = here.person.run(&format!("{line} --log-policy log-policy --proof proof"));
        assert_eq!(with.status.code(), Some(0), "{line}: {}", String::from_utf8_lossy(&with.stderr));
    }
}

#[test]
fn a_fleet_demands_it_too() {
    let here = Here::new();
    let once = |more: &str| {
        let url = &here.served.url;
        here.write(
            "fleet.toml",
            &format!(
                "version = 1\n[defaults]\nkey = \"key\"\nek_roots = \"roots\"\nno_state = true\n\
                 log_policy = \"log-policy\"\n{more}\n[[server]]\nname = \"one\"\nurl = \"{url}\"\n"
            ),
        );
        here.person.run("watch fleet.toml --once")
    };
    let one = "statement = \"statement\"";
    ends(&once(&format!("{one}\nproof = \"proof\"")), 0, "");
    let without = once(one);
    assert!(without.status.code() == Some(1) && text(&without).contains("V29 proof-missing"), "{}", text(&without));
    let two = once("statement = [\"statement\", \"statement\"]\nproof = \"proof\"");
    assert!(String::from_utf8_lossy(&two.stderr).contains("2 statements and 1 proofs"));
}

fn bundle(here: &Here, more: &str) -> Output {
    here.person.run(&format!("bundle --evidence record --statement statement --out server.vitrine {more}"))
}

#[test]
fn a_bundle_is_judged_offline() {
    let here = Here::new();
    let key = std::fs::read_to_string(here.person.path("key")).unwrap();
    ends(&here.check("--no-state --save record"), 0, "ACCEPTED");
    ends(&bundle(&here, "--proof proof"), 0, "server.vitrine written, ");
    here.write(
        "policy",
        &format!("version = 1\n[statement]\nkeys = [\"{}\"]\n[log]\nfile = \"log-policy\"\n", key.trim()),
    );
    let looks = here.served.inside.lock().unwrap().looks;
    for name in ["statement", "proof", "record", "key"] {
        std::fs::remove_file(here.person.path(name)).unwrap();
    }
    let output = here.person.run("check server.vitrine --policy policy --ek-roots roots");
    ends(&output, 0, "ACCEPTED; from messages saved in server.vitrine");
    assert!(text(&output).contains("entry 2 of 5 in log.example/vitrine"), "{}", text(&output));
    assert_eq!(here.served.inside.lock().unwrap().looks, looks);
    // the person's papers do not mix with the bundle's
    here.write("statement", "{}");
    let beside = |more: &str| here.person.run(&format!("check server.vitrine --policy policy --ek-roots roots {more}"));
    cannot_judge(&beside("--statement statement"), "a bundle has its own");
    cannot_judge(&beside("--proof statement"), "a bundle has its own");
    cannot_judge(&beside(&format!("--nonce {}", "0".repeat(64))), "--nonce");
    // its proof needs a log policy as any
    here.write("policy", &format!("version = 1\n[statement]\nkeys = [\"{}\"]\n", key.trim()));
    cannot_judge(&beside(""), "nobody said which logs and witnesses count");
}

#[test]
fn a_bundle_of_a_beacon() {
    let here = Here::new();
    let body = format!("{LOG}\n5\n{}\n", STANDARD.encode([7; 32]));
    let note = format!("{body}\n{}", sign(&body, LOG, &secret(1), None).unwrap());
    here.write("checkpoint", &note);
    here.write("log-keys", &format!("{}\n", key(Kind::Note, LOG, 1)));
    let made = here.person.run(&format!("beacon {} --checkpoint checkpoint --out record", here.served.url));
    ends(&made, 0, "record written");
    ends(&bundle(&here, "--proof proof"), 0, "server.vitrine written, ");
    let line = "check server.vitrine --key key --ek-roots roots --log-policy log-policy --accept-level L1";
    cannot_judge(&here.person.run(line), "--log-keys");
    let output = here.person.run(&format!("{line} --log-keys log-keys"));
    ends(&output, 0, "ACCEPTED; at level L1 only, as asked: V06 skipped; from a beacon");
}

/// A beacon that a log has taken in was made before.
#[test]
fn a_beacon_that_stands_in_a_log() {
    let here = Here::new();
    let body = format!("{LOG}\n5\n{}\n", STANDARD.encode([7; 32]));
    let lines = sign(&body, LOG, &secret(1), None).unwrap()
        + &sign(&body, witness(2).name(), &secret(2), Some(1_763_600_000)).unwrap();
    here.write("checkpoint", &format!("{body}\n{lines}"));
    here.write("log-keys", &format!("{}\n", witness(2)));
    let made = here.person.run(&format!("beacon {} --checkpoint checkpoint --out beacon.json", here.served.url));
    ends(&made, 0, "beacon.json written");
    here.write("policy", "version = 1\n[log]\nrequired = false\nfile = \"log-policy\"\n");
    let check = |more: &str| {
        let line = "--ek-roots roots --accept-level L1 --log-keys log-keys --beacon-proof beacon-proof";
        here.person.check("beacon.json", &format!("{line} {more}"))
    };
    let file = std::fs::read(here.person.path("beacon.json")).unwrap();
    let mut log = Log::of(&file);
    // by the second of two of three it had been seen
    log.witnesses = vec![(2, 1_763_600_700), (3, 1_763_600_300), (4, 1_763_600_500)];
    here.write("beacon-proof", &log.proof());
    let output = check("--policy policy");
    ends(&output, 0, "ACCEPTED");
    let words =
        "made after 2025-11-20T00:53:20Z, when log.example/vitrine had 5 entries, and before 2025-11-20T01:01:40Z";
    assert!(text(&output).contains(words), "{}", text(&output));
    cannot_judge(&check(""), "nobody said which logs and witnesses count");
    cannot_judge(&here.check("--beacon-proof beacon-proof"), "a server is no beacon");
    here.write("none", &format!("log {}\nquorum none\n", key(Kind::Note, LOG, 1)));
    cannot_judge(&check("--log-policy none"), "no witness that could say");
    // one that does not hold is no acceptance
    for (bad, says) in [
        (Log::of(b"another beacon").proof(), "not in the tree"),
        (Log { witnesses: vec![(2, 5)], ..Log::of(&file) }.proof(), "signed by w2"),
        (Log { signer: 9, ..Log::of(&file) }.proof(), "has not signed"),
        ("nothing".into(), "no empty line"),
    ] {
        here.write("beacon-proof", &bad);
        let output = check("--policy policy");
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), text(&output).as_str()), (Some(1), ""), "{errors}");
        assert!(errors.contains(says), "{errors}");
    }
}

#[test]
fn beacons_too_large_for_an_entry() {
    use vitrine_verifier::beacon::entry;
    let most = vec![b' '; 65_535];
    assert_eq!(*entry(&most), most);
    let more = vec![b' '; 65_536];
    assert_eq!(*entry(&more), Sha256::of(&more).0);
}

#[test]
fn what_no_bundle_is_made_of() {
    let here = Here::new();
    here.write("record", "{}");
    cannot_judge(&bundle(&here, ""), "record is bare evidence");
    ends(&here.check("--no-state --save record"), 0, "ACCEPTED");
    here.write("bad", "x");
    cannot_judge(&bundle(&here, "--proof bad"), "the proof");
    let mut other = Log::of(b"another statement");
    here.write("bad", &other.proof());
    cannot_judge(&bundle(&here, "--proof bad"), "the proof is not for this statement");
    other.leaves.clear();
    assert!(!here.person.path("server.vitrine").exists());
    cannot_judge(
        &here.person.run(&format!("check {} --key key", here.served.url)),
        "there is no statement to judge by",
    );
    // noise cannot be packed
    here.served.inside.lock().unwrap().before = |inside| {
        let mut noise = vec![];
        for n in 0..2000_u32 {
            noise.extend(Sha256::of(&n.to_be_bytes()).0);
        }
        inside.scene.measure_raw(8, 0xd, Sha256::of(&noise), &noise);
    };
    let big = here.check("--no-state --save record");
    assert!(matches!(big.status.code(), Some(0 | 1)), "{}", text(&big));
    cannot_judge(&bundle(&here, "--proof proof"), "more than 65536: evidence ");
}

#[test]
fn altered_bundles() {
    let here = Here::new();
    ends(&here.check("--no-state --save record"), 0, "ACCEPTED");
    ends(&bundle(&here, "--proof proof"), 0, "server.vitrine written, ");
    let good = std::fs::read(here.person.path("server.vitrine")).unwrap();
    let check = |bytes: &[u8]| {
        std::fs::write(here.person.path("altered"), bytes).unwrap();
        here.person.run("check altered --key key --ek-roots roots --log-policy log-policy")
    };
    ends(&check(&good), 0, "ACCEPTED");
    for at in (0..good.len()).step_by(good.len() / 23) {
        let mut altered = good.clone();
        altered[at] ^= 1;
        let code = check(&altered).status.code();
        assert!(matches!(code, Some(1 | 2)), "byte {at}: {code:?}");
    }
    let text = String::from_utf8(good.clone()).unwrap();
    for (bad, says) in [
        (text.replace("\"v\":1", "\"v\":2"), "version 2"),
        (text.replace(",\"v\":1", ",\"v\":1,\"w\":1"), "unknown field"),
        (text.replace(",\"v\"", ", \"v\""), "not in canonical form"),
        (format!("{text}\n"), "not in canonical form"),
        (text.replace("\",\"v\"", "AAAA\",\"v\""), ""),
        (format!("{text}{}", " ".repeat(1 << 16)), "more than 65536 bytes"),
    ] {
        let output = check(bad.as_bytes());
        cannot_judge(&output, "altered is no usable bundle");
        cannot_judge(&output, says);
    }
}

#[test]
fn a_log_with_two_trees_of_one_size() {
    let mut here = Here::new();
    let check = |here: &Here, more: &str| {
        here.write("proof", &here.log.proof());
        here.check(&format!("--state state --proof proof --log-policy log-policy {more}"))
    };
    ends(&check(&here, ""), 0, "ACCEPTED");
    let first = here.log.proof();
    ends(&check(&here, ""), 0, "ACCEPTED");
    // another tree of that size
    here.log.leaves[4] = merkle::leaf(b"something else");
    let output = check(&here, "--json");
    only(&output, "log-forked");
    let report = json(&output);
    let forked = report["checks"].as_array().unwrap().iter().find(|check| check["code"] == "V29").unwrap();
    let note = |proof: &str| proof.split_once("\n\n").unwrap().1.to_owned();
    assert_eq!(forked["expected"], note(&first));
    assert_eq!(forked["got"], note(&here.log.proof()));
    ends(&here.check("--no-state --proof proof --log-policy log-policy"), 0, "ACCEPTED");
    // a smaller one says nothing, a larger one is remembered instead
    here.log.leaves.truncate(4);
    ends(&check(&here, ""), 0, "ACCEPTED");
    here.log.leaves.extend([merkle::leaf(b"x"), merkle::leaf(b"y")]);
    ends(&check(&here, ""), 0, "ACCEPTED");
    let shown = text(&here.person.run("state list --state state"));
    assert!(shown.contains("Log log.example/vitrine\n  Largest        6 entries, root "), "{shown}");
    here.log.leaves[5] = merkle::leaf(b"z");
    only(&check(&here, "--json"), "log-forked");
    // a log that began again, as its operator says
    ends(&here.person.run("state forget log.example/vitrine --state state"), 0, "forgotten: log.example/vitrine");
    ends(&check(&here, ""), 0, "ACCEPTED");
    // what is not accepted is not remembered
    here.log.leaves.push(merkle::leaf(b"more"));
    here.log.witnesses.truncate(1);
    only(&check(&here, "--json"), "quorum-missing");
    assert!(text(&here.person.run("state list --state state")).contains("6 entries"));
}
