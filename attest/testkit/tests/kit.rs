//! `vitrine-verify` against the kit: every file gets exactly the verdict that `cases.toml` wrote down.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use vitrine_testkit::list::{Case, List};
use vitrine_testkit::{cases, swtpm};
use vitrine_verifier::checks;
use vitrine_verifier::cli::Cli;
use vitrine_verifier::commands;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn list() -> List {
    List::parse(&std::fs::read_to_string(folder().join("cases.toml")).unwrap()).unwrap()
}

/// Exit code, failed checks, skipped checks; as the program gives them.
type Outcome = (u8, Vec<String>, Vec<String>);

fn judge(kit: &Path, case: &Case) -> Outcome {
    let path = |name: &str| kit.join(name).display().to_string();
    let mut line =
        vec!["vitrine-verify".into(), "check".into(), path(&case.file()), "--json".into(), "--explain".into()];
    line.extend(["--statement".into(), path(case.statement()), "--key".into(), path(case.key())]);
    if !case.without_ek_roots {
        line.extend(["--ek-roots".into(), path("trust/ek-roots.pem")]);
    }
    line.extend(case.nonce.iter().flat_map(|nonce| ["--nonce".into(), nonce.clone()]));
    let each = |option: &str, files: &[String]| -> Vec<String> {
        files.iter().flat_map(|file| [option.to_owned(), path(file)]).collect()
    };
    line.extend(each("--policy", case.policy.as_slice()));
    line.extend(each("--proof", case.proof.as_slice()));
    line.extend(each("--revocation", &case.revocations));
    line.extend(each("--rebuild-verdict", &case.verdicts));
    let cli = <Cli as clap::Parser>::try_parse_from(line).unwrap();
    let done = match commands::run(cli) {
        Ok(done) => done,
        Err(error) => return (error.exit_code(), vec![], vec![]),
    };
    let report: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(report["keys"].is_null(), done.exit_code != 0, "{}: keys only of accepted servers", case.name);
    let of = |status: &str| -> Vec<String> {
        let checks = report["checks"].as_array().unwrap().iter().filter(|check| check["status"] == status);
        let words = |check: &serde_json::Value| {
            let reason = check["reason"].as_str().map(|reason| format!(" {reason}")).unwrap_or_default();
            format!("{}{reason}", check["code"].as_str().unwrap())
        };
        checks.map(words).collect()
    };
    (done.exit_code, of("failed"), of("skipped"))
}

/// All cases, so that one run shows everything that is wrong.
fn judge_all(kit: &Path) {
    let mut wrong = vec![];
    for case in list().cases {
        let expected = (case.exit, case.failures.clone(), case.skipped.clone());
        let got = judge(kit, &case);
        if got != expected {
            wrong.push(format!("{}\n  expected {expected:?}\n  got      {got:?}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{} cases judged otherwise\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_file_gets_exactly_its_codes() {
    judge_all(&folder());
}

#[test]
fn the_folder_and_the_list_name_the_same_files() {
    let listed: BTreeSet<String> = list().cases.iter().map(Case::file).collect();
    let of = |part: &str| -> BTreeSet<String> {
        let files = std::fs::read_dir(folder().join(part)).unwrap();
        files.map(|entry| format!("{part}/{}", entry.unwrap().file_name().into_string().unwrap())).collect()
    };
    assert_eq!(of("cases"), listed);
    let trust = ["trust/ek-roots.pem", "trust/release.dsse.json", "trust/release.pub"].map(String::from);
    let statements: BTreeSet<String> =
        list().cases.iter().map(|case| case.statement().to_owned()).filter(|s| s.starts_with("statements/")).collect();
    assert_eq!(of("trust"), BTreeSet::from(trust));
    assert_eq!(of("statements"), statements);
    let demands: BTreeSet<String> =
        list().cases.iter().flat_map(|case| case.demands().cloned().collect::<Vec<_>>()).collect();
    assert_eq!(of("demands"), demands);
    let made: BTreeSet<String> = cases::all().map(|(name, _)| name.into()).collect();
    let named: BTreeSet<String> = list().cases.iter().map(|case| case.name.clone()).collect();
    assert_eq!(made, named, "functions and list differ");
}

/// The kit is a part of the repository: it stays small, and there is enough in it.
#[test]
fn size_and_number() {
    let cases = list().cases;
    let files: BTreeSet<String> =
        cases.iter().flat_map(|case| case.demands().cloned().chain([case.file()]).collect::<Vec<_>>()).collect();
    let bytes: u64 = files.iter().map(|file| std::fs::metadata(folder().join(file)).unwrap().len()).sum();
    assert!(bytes < 2_600_000, "{bytes} bytes");
    let of = |exit: u8| cases.iter().filter(|case| case.exit == exit).count();
    assert!(of(0) >= 5 && of(1) >= 200 && of(2) >= 5, "{} accepted, {} rejected, {} not judged", of(0), of(1), of(2));
}

/// No check could be left out without a file being accepted that must not be. What follows from a failure ("not reached")
/// does not count.
#[test]
fn every_check_stands_alone_somewhere() {
    // V01: what is too large is also malformed or not what was recorded. V15, V19, V20 compare the same three things, the
    // prediction, the quote and the logs, in pairs: one of them never fails alone
    let never = ["V01", "V15", "V19"];
    // V17, and of what comes after V23 what a person may demand beyond the protocol and the kit does not: it has policies for
    // the number of signers, a log, revocations and rebuilds
    let demand = |code: &str| code == "V17" || code > "V23" && !["V25", "V29", "V30", "V31"].contains(&code);
    let cases = list().cases;
    for check in checks::ALL.iter().filter(|check| !never.contains(&check.code) && !demand(check.code)) {
        let alone = cases.iter().any(|case| {
            let mut failed = case.failures.iter().filter(|failure| !failure.ends_with(" not-reached")).peekable();
            failed.peek().is_some() && failed.all(|failure| failure.starts_with(check.code))
        });
        assert!(alone, "{} fails nowhere alone: add a case, or say here why there is none", check.code);
    }
}

/// Each word by which the kit's demands are refused has a case. `log-forked` needs a memory, and is in `verifier/tests/logged.rs`.
#[test]
fn every_word_of_the_demands() {
    let words = [
        "V25 too-few-signers",
        "V25 release-key-refused",
        "V29 proof-missing",
        "V29 proof-malformed",
        "V29 entry-not-in-log",
        "V29 log-untrusted",
        "V29 log-signature-bad",
        "V29 quorum-missing",
        "V29 proof-from-the-future",
        "V29 proof-too-old",
        "V30 revoked",
        "V30 revocation-unreadable",
        "V31 rebuild-verdicts-missing",
        "V31 rebuild-differs",
        "V31 rebuild-verdict-unreadable",
    ];
    let cases = list().cases;
    for word in words {
        assert!(cases.iter().any(|case| case.failures == [word]), "{word} is nobody's only failure");
    }
    // and there is no other word: the checks' own texts are read
    let checks = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../verifier/src/checks");
    for (code, file) in [("V29", "v29_logged.rs"), ("V30", "v30_revoked.rs"), ("V31", "v31_rebuilds.rs")] {
        let text = std::fs::read_to_string(checks.join(file)).unwrap();
        let said =
            text.split("Failure::new(").chain(text.split("Failure::differs(")).chain(text.split("Missing::")).skip(1);
        for word in said.filter_map(|rest| rest.split('"').nth(1)).filter(|word| is_word(word)) {
            let known = words.contains(&format!("{code} {word}").as_str()) || word == "log-forked";
            assert!(known, "{file} says {word}, and no case does");
        }
    }
}

fn is_word(text: &str) -> bool {
    text.contains('-') && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
}

/// A new kit, with new TPMs and keys, is judged as the one in the repository. Skipped with a message where swtpm or
/// tpm2-tools are missing, except in CI.
#[test]
fn a_new_kit_is_judged_the_same() {
    if !swtpm::installed() {
        assert!(std::env::var_os("CI").is_none(), "swtpm and tpm2-tools are needed in CI");
        eprintln!("skipped: install swtpm and tpm2-tools");
        return;
    }
    let kit = tempfile::tempdir().unwrap();
    cases::generate(&list(), kit.path()).unwrap();
    judge_all(kit.path());
}
