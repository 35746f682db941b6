//! The command line as a person meets it: help, errors, exit codes.
//!
//! Golden files lie in `tests/golden`. If you meant to change the output, run the tests with
//! `VITRINE_UPDATE_GOLDEN=1` and look at the difference.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn vitrine(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vitrine"))
        .args(args)
        .env_remove("VITRINE_PROGRAMS")
        .env_remove("VITRINE_MIRROR")
        .env("COLUMNS", "200")
        .output()
        .unwrap()
}

fn golden(name: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("VITRINE_UPDATE_GOLDEN").is_some() {
        fs::write(&path, found).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(found, expected, "{} differs: if that is meant, set VITRINE_UPDATE_GOLDEN=1", path.display());
}

const VERBS: [&str; 20] = [
    "keygen",
    "lock",
    "update",
    "vendor",
    "compile",
    "build",
    "screen",
    "inspect",
    "predict",
    "diff",
    "sign",
    "export",
    "enrol",
    "slots",
    "slots install",
    "slots activate",
    "slots rollback",
    "slots status",
    "completions",
    "man",
];

#[test]
fn help_is_narrow_and_ends_with_an_example() {
    for verb in [None].into_iter().chain(VERBS.map(Some)) {
        let args: Vec<_> = verb.into_iter().flat_map(|verb| verb.split(' ')).chain(["--help"]).collect();
        let output = vitrine(&args);
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(0));
        for line in text.lines() {
            assert!(line.chars().count() <= 80, "{verb:?}: wider than 80 columns: {line}");
            assert!(!line.ends_with(' ') || line.trim().is_empty(), "{verb:?}: space at the end: {line:?}");
        }
        assert!(text.contains("Example"), "{verb:?} has no example");
        golden(&format!("help-{}.txt", verb.unwrap_or("vitrine").replace(' ', "-")), &text);
    }
}

/// Every refusal: what was typed, the exit code, and both lines.
#[test]
fn errors_name_what_happened_and_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| -> String {
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let not_an_image = file("text.efi", "this is no image");
    let missing = dir.path().join("missing").display().to_string();
    let folder = dir.path().display().to_string();
    let nowhere = dir.path().join("exported").display().to_string();
    let recipe = file("broken.toml", "name = \"x\"\nversion = 1\n");
    let whole = "name = \"x\"\nversion = \"1\"\n[debian]\nsuite = \"trixie\"\npackages = [\"a\"]\n[config]\n\
        wireguard.addresses = [\"10.66.0.1/24\"]\n";
    let whole = file("whole.toml", whole);
    let out = dir.path().join("out").display().to_string();
    let newer = file("newer.toml", "version = 2\nother = true\n");
    let cases: [(&str, Vec<&str>); 22] = [
        ("no verb", vec![]),
        ("unknown verb", vec!["bake"]),
        ("build without keys", vec!["build", "recipes/exit.toml", "--out", "out"]),
        ("set without value", vec!["lock", &recipe, "--set", "config.wireguard.mtu"]),
        ("missing recipe", vec!["lock", &missing]),
        ("broken recipe", vec!["lock", &recipe]),
        ("build without recipe and archive", vec!["build", "--out", &missing, "--unsigned"]),
        (
            "build from an archive and a recipe",
            vec!["build", &recipe, "--from", "x.tar", "--out", &missing, "--unsigned"],
        ),
        (
            "build from an archive with programs",
            vec!["build", "--from", "x.tar", "--programs", "x", "--out", &out, "--unsigned"],
        ),
        ("vendor a missing recipe", vec!["vendor", &missing, "--out", "x.tar"]),
        ("update without a lock", vec!["update", &whole, "--check"]),
        ("update a lock of a newer vitrine", vec!["update", &whole, "--lock", &newer]),
        ("inspect a text file", vec!["inspect", &not_an_image]),
        ("inspect a missing file", vec!["inspect", &missing]),
        ("screen a text file", vec!["screen", &not_an_image]),
        ("screen a recipe with a command line", vec!["screen", &recipe, "--cmdline", "quiet"]),
        ("sign without signer", vec!["sign", &not_an_image, "--out", "x"]),
        ("attach without certificate", vec!["sign", &not_an_image, "--attach", "sig", "--out", "x"]),
        ("export a text file", vec!["export", &not_an_image, "--format", "disk", "--to", &nowhere]),
        ("export a folder without an image", vec!["export", &folder, "--format", "iso", "--to", &nowhere]),
        ("export of an unknown kind", vec!["export", &not_an_image, "--format", "vhd", "--to", &nowhere]),
        ("diff of a folder and a file", vec!["diff", &folder, &not_an_image]),
    ];
    let mut report = String::new();
    for (name, args) in cases {
        let output = vitrine(&args);
        assert_eq!(output.status.code(), Some(2), "{name}");
        assert!(output.stdout.is_empty(), "{name}: something on standard output");
        report += &format!("## {name}\n{}\n", String::from_utf8(output.stderr).unwrap());
    }
    assert!(!Path::new(&nowhere).exists(), "a refused export left something");
    golden("errors.txt", &report.replace(&folder, "DIR"));
}

/// An archive says what to compile from: nothing else does at the same time.
#[test]
fn compile_from_an_archive_takes_nothing_else() {
    for more in [vec![], vec!["--from", "x.tar", "x.lock.toml"], vec!["--from", "x.tar", "--source", "."]] {
        let output = vitrine(&[&["compile", "--out", "x"], &more[..]].concat());
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("--from") || said.contains("<LOCK>"), "{said}");
    }
    let output = vitrine(&["vendor", "x.toml", "--out", "x.tar", "--source", "."]);
    assert!(String::from_utf8(output.stderr).unwrap().contains("--toolchain <LOCK>"));
    let output = vitrine(&["compile", "--from", "/nonexistent/x.tar", "--out", "/nonexistent/x"]);
    assert!(String::from_utf8(output.stderr).unwrap().contains("/nonexistent/x.tar"));
}

#[test]
fn errors_as_json() {
    let output = vitrine(&["--json", "inspect", "/nonexistent/image"]);
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(value["error"]["blame"], "host");
    assert_eq!(value["error"]["exit_code"], 2);
}

#[test]
fn keys_completions_and_pages() {
    let dir = tempfile::tempdir().unwrap();
    let keys = dir.path().join("keys").display().to_string();
    let output = vitrine(&["keygen", "--out", &keys, "--json", "-q"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty());
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(value["written"].as_array().unwrap().len(), 11);
    let again = vitrine(&["keygen", "--out", &keys]);
    assert_eq!(again.status.code(), Some(2));
    assert!(String::from_utf8(again.stderr).unwrap().contains("never overwritten"));

    for shell in ["bash", "zsh", "fish"] {
        let script = vitrine(&["completions", shell]).stdout;
        assert!(String::from_utf8(script).unwrap().contains("keygen"), "{shell}");
    }
    let pages = dir.path().join("man1");
    vitrine(&["man", "--out", &pages.display().to_string()]);
    for page in [PathBuf::from("vitrine.1")]
        .into_iter()
        .chain(VERBS.map(|v| format!("vitrine-{}.1", v.replace(' ', "-")).into()))
    {
        assert!(fs::read_to_string(pages.join(&page)).unwrap().contains(".TH"), "{}", page.display());
    }
}

/// What an earlier build left stays until a new one has all its inputs.
#[test]
fn a_build_that_cannot_begin_leaves_an_older_one_alone() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    fs::create_dir(&out).unwrap();
    fs::write(out.join("image.efi"), "old").unwrap();
    let path = out.display().to_string();
    let missing = dir.path().join("keys").display().to_string();
    for args in
        [["/nonexistent.toml", "--keys", &missing, "-q"], ["/nonexistent.toml", "--unsigned", "-q", "--offline"]]
    {
        let output = vitrine(&[&["build", "--out", &path], &args[..]].concat());
        assert_eq!(output.status.code(), Some(2));
        assert_eq!(fs::read(out.join("image.efi")).unwrap(), b"old");
    }
}

#[test]
fn two_builds_in_one_folder() {
    let dir = tempfile::tempdir().unwrap();
    let out = vitrine_builder::out::Out::begin(dir.path()).unwrap();
    let second = vitrine(&["build", "x.toml", "--out", &dir.path().display().to_string(), "--unsigned"]);
    assert_eq!(second.status.code(), Some(2));
    let text = String::from_utf8(second.stderr).unwrap();
    assert!(text.contains("another build is writing to"), "{text}");
    drop(out);
}
