//! Policies with mistakes, each with its line.

use super::parse::parse;
use super::*;
use crate::case::firmware_pcrs;

fn problems(text: &str) -> Vec<(usize, String)> {
    let problems = parse(&format!("version = 1\n{text}")).unwrap_err();
    problems.into_iter().map(|problem| (problem.line, problem.text)).collect()
}

#[test]
fn the_example_demands_little_and_its_comments_are_true() {
    let policy = parse(EXAMPLE).unwrap();
    let observed = firmware_pcrs().map(|pcr| (pcr, Pin::Observed)).collect();
    assert_eq!(policy, Policy { level: Some(Level::L2), firmware: observed, ..Policy::default() });
    // every commented field is one that can be used
    let used: Vec<String> = EXAMPLE
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(field) if field.starts_with('[') || field.contains(" = ") => field.into(),
            _ => line.into(),
        })
        .collect();
    let policy = parse(&used.join("\n")).unwrap();
    assert_eq!(policy.statement.keys[0].name(), "example.org/release");
    assert_eq!(policy.statement.threshold, Some(2));
    assert_eq!((policy.statement.programs, policy.statement.app), (Programs::Locked, OwnProgram::None));
    assert_eq!(policy.rebuild.map(|rebuild| (rebuild.verdicts, rebuild.keys.len())), Some((2, 2)));
    assert_eq!((policy.images["exit"].min_seq, policy.min_firmware), (Some(7), Some(0x0007_0055_0000_0000)));
    assert_eq!(policy.images["exit"].min_version, Some("1.2".parse().unwrap()));
    assert_eq!(policy.max_age.map(|span| span.as_seconds()), Some(600));
    let log = policy.log.unwrap();
    assert_eq!((log.trust.words().as_str(), log.required), ("w1", true));
    assert_eq!(log.max_age.map(|span| span.as_seconds()), Some(48 * 3600));
    assert_eq!(policy.statement.expires_within.map(|span| span.as_seconds()), Some(400 * 86_400));
}

#[test]
fn versions() {
    for (text, says) in [
        ("", "missing field"),
        ("version = 2\nanything = 1", "version 2 of the form is unknown"),
        ("version = \"1\"", "invalid type"),
        ("version = 1.0", "invalid type"),
    ] {
        let problems = parse(text).unwrap_err();
        assert!(problems[0].text.contains(says), "{text}: {problems:?}");
    }
    assert_eq!(parse("version = 1").unwrap(), Policy::default());
}

#[test]
fn unknown_fields_and_wrong_types_have_their_line() {
    for (text, line, says) in [
        ("levle = \"L1\"", 2, "levle"),
        ("[tpm]\nfirmware = \"x\"", 3, "firmware"),
        ("[firmware]\npcr4 = \"observed\"", 3, "pcr4"),
        ("[[image]]\nname = \"a\"\nseq = 1", 4, "seq"),
        ("[[image]]\nmin_seq = 1", 2, "name"),
        ("[[image]]\nname = \"a\"\nmin_seq = -1", 4, "invalid value"),
        ("[memory]\n\nrequired = \"yes\"", 4, "invalid type"),
        ("[statement]\nkeys = \"a\"", 3, "invalid type"),
        ("level = ", 2, ""),
    ] {
        let found = problems(text);
        assert_eq!((found.len(), found[0].0), (1, line), "{text}: {found:?}");
        assert!(found[0].1.contains(says), "{text}: {found:?}");
    }
}

#[test]
fn all_wrong_values_at_once() {
    let found = problems(
        r#"level = "L4"
registers = "all"
[statement]
keys = [
  "x",
]
expires_within = "soon"
[[image]]
name = "a"
min_version = "1.x"
[[image]]
name = "a"
[evidence]
max_age = "10"
[tpm]
min_firmware = "0x7"
[firmware]
pcr0 = []
pcr1 = "anything"
pcr2 = ["00"]
pcr3 = [1]
[memory]
first_seen = "maybe""#,
    );
    let mut lines: Vec<usize> = found.iter().map(|(line, _)| *line).collect();
    lines.sort_unstable();
    assert_eq!(lines, [2, 3, 6, 8, 11, 13, 15, 17, 19, 20, 21, 22, 24], "{found:#?}");
    assert!(problems("[statement]\nkeys = []")[0].1.contains("empty list"));
}

#[test]
fn numbers_of_signers() {
    let keys = |names: &[&str]| names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ");
    let (a, b) = (
        "example.org/release-2+e77272ba+AddamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea",
        "example.net/rebuild+0b88a60e+AT1AF8PoQ4lakrcKp00bfrycmCzPLsSWjMDNVfEq9GYM",
    );
    let again = vitrine_attest::vkey::NoteKey::of_kind(
        vitrine_attest::vkey::Kind::Note,
        "again",
        a.parse::<vitrine_attest::vkey::NoteKey>().unwrap().key().clone(),
    );
    let again = again.unwrap().to_string();
    let statement =
        |list: &[&str], number: i64| format!("[statement]\nkeys = [{}]\nthreshold = {number}\n", keys(list));
    let rebuild = |list: &[&str], number: i64| format!("[rebuild]\nverdicts = {number}\nkeys = [{}]\n", keys(list));
    for good in
        [statement(&[a, b], 2), statement(&[a, b], 1), rebuild(&[a, b], 2), statement(&[a], 1) + &rebuild(&[b], 1)]
    {
        assert!(parse(&format!("version = 1\n{good}")).is_ok(), "{good}");
    }
    for (bad, line, says) in [
        (statement(&[a, b], 3), 4, "3 of 2"),
        (statement(&[a, b], 0), 4, "0 of 2"),
        (statement(&[a, &again], 2), 4, "2 of 1"),
        ("[statement]\nthreshold = 1\n".into(), 3, "1 of 0"),
        (rebuild(&[a], 2), 3, "2 of 1"),
        (rebuild(&[a, b], -1), 3, "-1 of 2"),
        (statement(&[a], 1) + &rebuild(&[b, &again], 1), 7, "signs releases"),
        ("[rebuild]\nverdicts = 1\n".into(), 2, "keys"),
    ] {
        let found = problems(&bad);
        assert_eq!((found.len(), found[0].0), (1, line), "{bad}: {found:?}");
        assert!(found[0].1.contains(says), "{bad}: {found:?}");
    }
}

#[test]
fn pins() {
    let (a, b) = (Sha256::of(b"a"), Sha256::of(b"b"));
    let policy = parse(&format!("version = 1\n[firmware]\npcr0 = [\"{a}\", \"{b}\"]\n")).unwrap();
    let [zero, one] = [0, 1].map(|n| vitrine_attest::pcr::Pcr::new(n).unwrap());
    assert_eq!(policy.firmware.get(&zero), Some(&Pin::OneOf(vec![a, b])));
    assert!(policy.pins_firmware() && !policy.firmware.contains_key(&one));
}

/// docs/verify.md is what outsiders read first.
#[test]
fn the_guide_is_true() {
    let guide = include_str!("../../../docs/verify.md");
    let sample = guide.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let policy = parse(&sample.replace("<64 hex>", &Sha256::ZERO.to_string())).unwrap();
    let logged = guide.split("```toml\n[log]").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    assert!(parse(&format!("version = 1\n[log]{logged}")).unwrap().log.unwrap().required);
    assert!(policy.pins_firmware() && policy.images.contains_key("exit") && policy.max_age.is_some());
    // every reason of a check that is about policies or memory
    let checks = [
        include_str!("../checks/v17_tpm_firmware.rs"),
        include_str!("../checks/v24_firmware.rs"),
        include_str!("../checks/v25_release.rs"),
        include_str!("../checks/v26_age.rs"),
        include_str!("../checks/v27_memory.rs"),
        include_str!("../checks/v29_logged.rs"),
        include_str!("../checks/v30_revoked.rs"),
        include_str!("../checks/v31_rebuilds.rs"),
        include_str!("../memory/compare.rs"),
    ];
    let reason = |word: &&str| word.contains('-') && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
    for check in checks {
        let code = check.split("#[cfg(test)]").next().unwrap();
        let reasons: Vec<&str> = code.split('"').skip(1).step_by(2).filter(reason).collect();
        assert!(!reasons.is_empty());
        for reason in reasons {
            assert!(guide.contains(&format!("`{reason}`")), "{reason} is not in the guide");
        }
    }
}
