//! Each attack that a monitor is for, staged, found, and proven to somebody who has nothing but the keys.

use super::made::MadeLog;
use super::{copy, entry, now, secret, statement, text, Here, Running, ORIGIN};
use std::io::BufRead as _;
use std::path::Path;
use vitrine_attest::predicate;
use vitrine_attest::rebuild_verdict::{Builder, Compared, RebuildVerdict};
use vitrine_attest::statement::Subject;
use vitrine_attest::vkey::NoteKey;
use vitrine_attest::Sha256;

/// Two folders of one log with one key, each with a history of its own: what a log does that shows different people different
/// things.
fn forked(here: &Here, ours: &[&str], theirs: &[&str]) {
    here.real_log();
    here.append("log", &[entry(&statement("1.0", 1), 1)]);
    copy(&here.path("log"), &here.path("other"));
    let releases = |versions: &[&str]| -> Vec<Vec<u8>> {
        versions.iter().zip(2..).map(|(version, seq)| entry(&statement(version, seq), 1)).collect()
    };
    here.append("log", &releases(ours));
    here.append("other", &releases(theirs));
}

#[test]
fn a_split_view_of_one_size() {
    let here = Here::new();
    forked(&here, &["1.1"], &["1.2"]);
    here.config("mirrors = [\"other\"]", "");
    let said = here.round();
    let alert = said.one("split-view");
    let (code, words) = here.evidence(alert, "--key log/log.pub");
    assert!(code == 0 && words.starts_with("PROVEN") && words.contains("two trees of 2 entries"), "{words}");
    // not with another key, and not when it is bent
    here.write("stranger", format!("{}\n", NoteKey::new(ORIGIN, secret(77).verifying_key()).unwrap()));
    assert_eq!(here.evidence(alert, "--key stranger").0, 1);
    let page = std::fs::read_to_string(here.path("page.html")).unwrap();
    assert!(page.contains("split-view") && page.contains("1 alert"), "{page}");
}

#[test]
fn a_split_view_between_a_smaller_and_a_larger_tree() {
    for (ours, theirs) in [(vec!["1.1"], vec!["1.2", "1.3"]), (vec!["1.1", "1.4"], vec!["1.2"])] {
        let here = Here::new();
        forked(&here, &ours, &theirs);
        here.config("mirrors = [\"other\"]", "");
        let said = here.round();
        let (code, words) = here.evidence(said.one("split-view"), "--key log/log.pub");
        assert!(code == 0 && words.contains("the first 2 of 3 entries differ"), "{words}");
    }
}

/// The log itself shows another history than it has shown before.
#[test]
fn a_history_that_is_written_anew() {
    let here = Here::new();
    forked(&here, &["1.1"], &["1.2", "1.3"]);
    here.config("", "");
    here.round().quiet();
    std::fs::rename(here.path("log"), here.path("was")).unwrap();
    std::fs::rename(here.path("other"), here.path("log")).unwrap();
    let said = here.round();
    let (code, words) = here.evidence(said.one("split-view"), "--key was/log.pub");
    assert!(code == 0 && words.contains("the first 2 of 3 entries differ"), "{words}");
    assert!(said.events("release").is_empty(), "nothing of it is taken up: {:?}", said.lines);
    // it stays open, and is told once
    let again = here.round();
    assert_eq!((again.code, again.kinds()), (1, vec![]));
}

#[test]
fn a_rollback() {
    let here = Here::new();
    here.real_log();
    here.append("log", &[entry(&statement("1.0", 1), 1)]);
    copy(&here.path("log"), &here.path("old"));
    here.append("log", &[entry(&statement("1.1", 2), 1)]);
    here.config("", "");
    here.round().quiet();
    std::fs::remove_dir_all(here.path("log")).unwrap();
    std::fs::rename(here.path("old"), here.path("log")).unwrap();
    let said = here.round();
    let alert = said.one("rollback");
    assert!(alert["what"].as_str().unwrap().starts_with("it shows 1 entries, and has shown 2 before"), "{alert}");
    let (code, words) = here.evidence(alert, "--key log/log.pub");
    assert!(code == 2 && words.contains("when it was served is the monitor's word"), "{words}");
}

#[test]
fn a_freeze() {
    let here = Here::new();
    let log = here.made_log(vec![entry(&statement("1.0", 1), 1)]);
    here.config("max_age = \"1h\"", "");
    log.publish(&here.path("log"), 1, &[now() - 7200, now() - 10]);
    let said = here.round();
    let alert = said.one("freeze");
    assert!(alert["what"].as_str().unwrap().contains("720"), "{alert}");
    // mended, and told so
    log.fresh(&here.path("log"));
    let mended = here.round();
    mended.quiet();
    assert_eq!(mended.events("mended").len(), 1);
    // again, and somebody took note of the first time: a new line
    here.good(&format!("monitor ack --state state {}", alert["id"].as_str().unwrap()));
    here.round().quiet();
    log.publish(&here.path("log"), 1, &[now() - 10, now() - 10]);
    here.config("max_age = \"1s\"", "");
    here.round().one("freeze");
    // from the future is no age
    log.publish(&here.path("log"), 1, &[now() + 90_000, now() + 90_000]);
    here.config("max_age = \"1h\"", "");
    assert!(here.round().events("mended").is_empty());
}

/// One vantage point is held back, and another is not.
#[test]
fn a_freeze_for_us_alone() {
    let here = Here::new();
    let mut log = here.made_log(vec![entry(&statement("1.0", 1), 1)]);
    here.config("mirrors = [\"mirror\"]", "");
    log.entries.push(entry(&statement("1.1", 2), 1));
    log.fresh(&here.path("mirror"));
    let said = here.round();
    assert!(said.one("freeze")["what"].as_str().unwrap().contains("is shown 2 entries, and we are held at 1"));
}

#[test]
fn too_few_witnesses() {
    let here = Here::new();
    let log = here.made_log(vec![entry(&statement("1.0", 1), 1)]);
    here.config("", "");
    log.publish(&here.path("log"), 1, &[now()]);
    assert!(here.round().one("too-few-witnesses")["what"].as_str().unwrap().contains("signed by w20"));
}

#[test]
fn two_releases_of_one_version() {
    let here = Here::new();
    let (first, mut second) = (statement("1.0", 1), statement("1.0", 2));
    second.predicate.cmdline += " debug";
    here.made_log(vec![entry(&first, 1), entry(&second, 1)]);
    here.write("log.pub", format!("{}\n", MadeLog::new(vec![]).key()));
    here.config("", "");
    let said = here.round();
    let (code, words) = here.evidence(said.one("two-releases"), "--key log.pub --key release.pub");
    assert!(code == 0 && words.contains("two different releases, both signed"), "{words}");
    // whoever does not know the release key cannot tell
    assert_eq!(here.evidence(said.events("alert")[0], "--key log.pub").0, 2);
}

#[test]
fn a_sequence_that_goes_back() {
    let here = Here::new();
    here.made_log(vec![entry(&statement("1.1", 5), 1), entry(&statement("1.0", 4), 1)]);
    here.config("", "");
    here.round().one("sequence");
}

#[test]
fn an_unexpected_key() {
    let here = Here::new();
    here.made_log(vec![entry(&statement("1.0", 1), 9)]);
    here.write("log.pub", format!("{}\n", MadeLog::new(vec![]).key()));
    here.config("", "");
    let said = here.round();
    let alert = said.one("unexpected-key");
    assert!(alert["what"].as_str().unwrap().contains("signed by none of your keys"), "{alert}");
    let (code, words) = here.evidence(alert, "--key log.pub --key release.pub");
    assert!(code == 2 && words.contains("with 1 signatures, 0 by keys that you gave"), "{words}");
    assert!(said.events("release").is_empty());
    // of somebody else's image it is nobody's business
    let here = Here::new();
    here.made_log(vec![entry(&statement("1.0", 1), 9)]);
    here.config("images = [\"dedicated\"]", "");
    here.round().quiet();
    // and one key of two is not enough
    let here = Here::new();
    here.made_log(vec![entry(&statement("1.0", 1), 1)]);
    here.write("second.pub", format!("{}\n", NoteKey::new("example.org/second", secret(2).verifying_key()).unwrap()));
    here.config("", "");
    let config = std::fs::read_to_string(here.path("monitor.toml")).unwrap();
    here.write("monitor.toml", config.replace("[\"release.pub\"]", "[\"release.pub\", \"second.pub\"]\nthreshold = 2"));
    here.round().one("unexpected-key");
}

fn verdict(got: Sha256) -> Vec<u8> {
    let expected = Sha256::ZERO; // the subject of the mock's statement
    let builder = Builder { vitrine: "v".into(), distribution: "d".into(), kernel: "k".into(), cores: 2 };
    let verdict = RebuildVerdict {
        statement: Sha256::of(b"x"),
        image: Compared { expected, got },
        equal: got == expected,
        first_difference: (got != expected).then(|| "3-tree.txt".into()),
        builder,
        date: "2026-11-22".parse().unwrap(),
    };
    let subject = vec![Subject::new("image", expected)];
    predicate::sign(subject, verdict, &secret(5)).unwrap().to_json().unwrap()
}

#[test]
fn an_image_that_does_not_rebuild() {
    let here = Here::new();
    here.made_log(vec![entry(&statement("1.0", 1), 1), verdict(Sha256::ZERO), verdict(Sha256::of(b"other"))]);
    here.config("", "");
    let said = here.round();
    let alert = said.one("rebuild-differs");
    assert!(alert["what"]
        .as_str()
        .unwrap()
        .contains("built exit 1.0 again and got another image, first in 3-tree.txt"));
    let page = std::fs::read_to_string(here.path("page.html")).unwrap();
    assert!(page.contains("Rebuilt: 1 times the same, 1 times another image"), "{page}");
    // as a file
    let here = Here::new();
    here.made_log(vec![entry(&statement("1.0", 1), 1)]);
    std::fs::create_dir(here.path("verdicts")).unwrap();
    here.write("verdicts/one.json", verdict(Sha256::of(b"other")));
    here.config("rebuild_verdicts = \"verdicts\"", "");
    let said = here.round();
    assert_eq!(here.evidence(said.one("rebuild-differs"), "--key release.pub").0, 2);
    // by somebody who does not count
    let here = Here::new();
    here.made_log(vec![entry(&statement("1.0", 1), 1), verdict(Sha256::of(b"other"))]);
    here.config("rebuilders = [\"release.pub\"]", "");
    here.round().quiet();
}

/// A witness that clients do not ask has seen more, or something else, than we are shown.
#[test]
fn a_witness_that_knows_more() {
    let here = Here::new();
    forked(&here, &["1.1"], &["1.2"]);
    here.good("witness init witness --name witness.example/w1");
    here.good("witness add-log witness --key log/log.pub");
    let (_witness, mut out) = Running::start(here.command("witness serve witness --listen 127.0.0.1:0"));
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    let url = line.split_whitespace().find(|word| word.starts_with("http://")).unwrap_or_else(|| panic!("{line}"));
    let key = std::fs::read_to_string(here.path("witness/witness.pub")).unwrap();
    here.write("more", format!("witness w1 {} {}\nquorum none\n", key.trim(), url.trim_end_matches('/')));
    here.config("more_witnesses = \"more\"", "");
    // it has signed the other history
    cosign(&here, "other", key.trim(), url);
    let said = here.round();
    let alert = said.one("witness-disagrees");
    assert!(alert["what"].as_str().unwrap().contains("knows another tree of 2 entries"), "{alert}");
    // and goes on with it: it is ahead of us
    here.append("other", &[entry(&statement("1.5", 9), 1)]);
    cosign(&here, "other", key.trim(), url);
    let said = here.round();
    assert_eq!(said.code, 1);
    let open = here.alerts();
    assert!(open.iter().any(|alert| alert["kind"] == "witness-disagrees"), "{open:?}");
}

/// Has this witness sign the log of a folder.
fn cosign(here: &Here, log: &str, key: &str, url: &str) {
    use vitrine_verifier::witness::{cosign, WitnessAt};
    let place = vitrine_verifier::log::Place::of(here.path(log).to_str().unwrap()).unwrap();
    let note = std::fs::read_to_string(here.path(log).join("public/checkpoint")).unwrap();
    let size: u64 = note.lines().nth(1).unwrap().parse().unwrap();
    let witness = WitnessAt { key: NoteKey::of_log(key).unwrap(), url: url.trim_end_matches('/').into(), old: 0 };
    let agent = vitrine_verifier::server::agent();
    let mut prove = |old| place.tree(size).consistency(old, size);
    let outcomes = cosign(&agent, &[witness], &note, &mut prove, std::time::Duration::from_secs(20));
    assert!(outcomes[0].result.is_ok(), "{outcomes:?}");
}

#[test]
fn names_that_are_meant_to_harm_the_page() {
    let here = Here::new();
    let mut hostile = statement("<img src=x onerror=alert(1)>", 1);
    hostile.predicate.image.name = "\"><script>alert(1)</script>\u{202e}".into();
    let mut second = hostile.clone();
    second.predicate.seq = 2;
    second.predicate.image.version = "2'\"&<".into();
    second.predicate.cmdline = "</style><script>x</script>".into();
    second.predicate.inputs = vec![super::package("<b>name</b>", "\u{1b}[31m1")];
    second.predicate.not_after = Some("<i>2199".into());
    here.made_log(vec![entry(&hostile, 1), entry(&second, 1), entry(&second, 8)]);
    here.config("", "[[server]]\nname = \"<u>z</u>\"\nurl = \"http://127.0.0.1:9\"\naccept_level = \"L1\"\n");
    let said = here.round();
    assert_eq!(said.kinds(), vec!["unexpected-key"], "{:?}", said.lines);
    let page = std::fs::read_to_string(here.path("page.html")).unwrap();
    for bad in ["<script", "<img", "<b>name", "<i>2199", "<u>", "\u{202e}", "\u{1b}", "href=", "url(", "src=\""] {
        assert!(!page.contains(bad), "{bad} is in {page}");
    }
    assert!(page.contains("&lt;script&gt;"));
    let plain = here.run("monitor run monitor.toml --once");
    assert!(!text(&plain.stdout).contains('\u{1b}'));
    let metrics = std::fs::read_to_string(here.path("metrics")).unwrap();
    assert!(!metrics.contains("script"), "{metrics}");
    assert!(Path::new(&here.path("state/evidence")).read_dir().unwrap().count() > 0);
}
