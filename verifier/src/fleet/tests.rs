use super::*;
use crate::lines::Problem;
use std::path::Path;

const GOOD: &str = r#"version = 1
[defaults]
statement = "a.json"
key = "k"
ek_roots = "/abs/roots"
[[server]]
name = "one"
url = "http://203.0.113.7:8787"
[[server]]
name = "two"
url = "http://[2001:db8::7]:8787"
statement = ["a.json", "b.json"]
interval = "1m"
timeout = "5s"
accept_level = "L1"
[[server]]
name = "three"
url = "http://example.org:1/"
"#;

fn problems(text: &str) -> Vec<(usize, String)> {
    let problems = parse(text, Path::new("")).unwrap_err();
    problems.into_iter().map(|Problem { line, text }| (line, text)).collect()
}

#[test]
fn defaults_and_overrides() {
    let fleet = parse(GOOD, Path::new("/etc/fleet")).unwrap();
    assert_eq!((fleet.concurrency, &fleet.memory), (16, &Place::Default));
    let kinds: Vec<usize> = fleet.members.iter().map(|member| member.sources).collect();
    assert_eq!(kinds, [0, 1, 0], "the same files are one kind");
    let [first, second] = fleet.sources.as_slice() else { panic!("{:?}", fleet.sources) };
    assert_eq!(first.statements, [Path::new("/etc/fleet/a.json")]);
    assert_eq!(first.ek_roots.as_deref(), Some(Path::new("/abs/roots")));
    assert_eq!(first.published, Default::default());
    assert_eq!((second.statements.len(), second.accept_level, &second.key), (2, Some(Level::L1), &first.key));
    let two = &fleet.members[1];
    assert_eq!((two.interval.as_seconds(), two.timeout.as_seconds()), (60, 5));
    assert_eq!(fleet.members[0].interval.as_seconds(), 300);
}

#[test]
fn places_of_memory() {
    let with = |line: &str| parse(&GOOD.replace("[defaults]", &format!("[defaults]\n{line}")), Path::new("f"));
    assert_eq!(with("state = \"s\"").unwrap().memory, Place::Named("f/s".into()));
    assert_eq!(with("no_state = true").unwrap().memory, Place::Off);
    assert_eq!(with("no_state = false").unwrap().memory, Place::Default);
    assert_eq!(with("state = \"s\"\nno_state = true").unwrap_err()[0].line, 3);
}

#[test]
fn all_mistakes_with_their_lines() {
    let text = r#"version = 1
[defaults]
concurrency = 0
timeout = "11m"
accept_level = "L3"
statement = []
[[server]]
name = "a"
url = "https://example.org"
interval = "0s"
[[server]]
name = "a"
url = "http://example.org:1"
key = ""
[[server]]
url = "http://example.org:2"
[[server]]
name = " x\u0007"
url = "http://example.org:3"
key = "k"
"#;
    let found = problems(text);
    let lines: Vec<usize> = found.iter().map(|(line, _)| *line).collect();
    for line in [3, 4, 5, 6, 8, 9, 10, 12, 14, 16, 18] {
        assert!(lines.contains(&line), "line {line}: {found:#?}");
    }
    assert!(found.iter().any(|(line, text)| *line == 12 && text.contains("twice")));
}

#[test]
fn files_that_are_no_fleet() {
    for (text, line, says) in [
        ("", 1, "version"),
        ("version = 2\nanything = 1\n", 1, "unknown"),
        ("version = 1\n", 1, "no [[server]]"),
        ("version = 1\n[defaults]\nstatment = \"x\"\n", 3, "unknown field"),
        ("version = 1\n[[server]]\nname = \"a\"\nurl = \"http://a:1\"\ncolour = 1\n", 5, "unknown field"),
        ("version = 1\n[[server]]\nname = \"a\"\nurl = \"http://a:1\"\n", 3, "no statement"),
        ("version = 1\nserver = 5\n", 2, "invalid type"),
    ] {
        let found = problems(text);
        assert!(found.iter().any(|(at, words)| *at == line && words.contains(says)), "{text}: {found:?}");
    }
}

#[test]
fn most_servers() {
    let of = |count: usize| {
        let head = "version = 1\n[defaults]\nstatement = \"a\"\nkey = \"k\"\n".to_owned();
        (0..count).fold(head, |text, n| {
            text + &format!("[[server]]\nname = \"s{n}\"\nurl = \"http://10.0.0.1:{}\"\n", n % 65_000 + 1)
        })
    };
    let most = of(SERVERS_LIMIT);
    assert!(most.len() < FLEET_LIMIT);
    assert_eq!(parse(&most, Path::new("")).unwrap().members.len(), SERVERS_LIMIT);
    assert!(problems(&of(SERVERS_LIMIT + 1))[0].1.contains("20001"));
}

/// What the fuzz target asserts, on texts near a good one.
#[test]
fn texts_that_are_cut_or_altered() {
    let lines = GOOD.lines().count() + 1;
    let judge = |text: &str| match parse(text, Path::new("")) {
        Ok(fleet) => assert!(!fleet.members.is_empty()),
        Err(problems) => {
            assert!(!problems.is_empty());
            assert!(problems.iter().all(|problem| (1..=lines).contains(&problem.line)), "{text}: {problems:?}");
        }
    };
    for at in 0..GOOD.len() {
        judge(&GOOD[..at]);
        for byte in ["", "\"", "[", "=", "é", "9"] {
            judge(&format!("{}{byte}{}", &GOOD[..at], &GOOD[at + 1..]));
        }
    }
}

/// The example that people copy.
#[test]
fn the_example_in_the_documentation() {
    let docs = include_str!("../../../docs/verify.md");
    let (_, section) = docs.split_once("## Watching a fleet").unwrap();
    let (example, _) = section.split_once("```toml\n").unwrap().1.split_once("```").unwrap();
    let fleet = parse(example, Path::new("")).unwrap();
    assert_eq!((fleet.members.len(), fleet.sources[1].statements.len()), (2, 2));
    assert_eq!((fleet.members[0].interval, fleet.members[0].timeout), (Span::seconds(300), Span::seconds(30)));
}
