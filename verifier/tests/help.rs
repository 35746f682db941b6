//! Help texts: golden, narrow, and with an example. `UPDATE_GOLDEN=1 cargo test -p vitrine-verifier --test help` writes
//! the files anew when a change was meant.

use std::path::Path;
use std::process::Command;

const VERBS: &[&str] = &[
    "",
    "check",
    "peers",
    "peers add",
    "peers remove",
    "peers has",
    "peers sync",
    "peers commitment",
    "attach",
    "wg-config",
    "fetch",
    "proxy",
    "watch",
    "beacon",
    "monitor",
    "monitor run",
    "monitor ack",
    "monitor evidence",
    "publish",
    "bundle",
    "revoke",
    "co-sign",
    "rebuild",
    "fleet-epoch",
    "fleet-epoch make",
    "fleet-epoch record",
    "fleet-epoch check",
    "policy",
    "policy example",
    "policy show",
    "state",
    "state list",
    "state forget",
    "witness",
    "witness init",
    "witness add-log",
    "witness serve",
    "witness show",
    "event-log",
    "log",
    "log init",
    "log append",
    "log refresh",
    "log get",
    "log find",
    "log index",
    "log fsck",
    "log rotate-key",
    "log serve",
    "completions",
];

fn run(line: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vitrine-verify"));
    let output = command.args(line.split_whitespace()).env("COLUMNS", "80").output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn help_is_as_it_was() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    for verb in VERBS {
        let help = run(&format!("{verb} --help"));
        let name = if verb.is_empty() { "vitrine-verify".into() } else { verb.replace(' ', "-") };
        let file = folder.join(format!("{name}.txt"));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&file, &help).unwrap();
        }
        let golden = std::fs::read_to_string(&file).unwrap_or_default();
        assert_eq!(help, golden, "{verb}: if you meant to change it, run again with UPDATE_GOLDEN=1");
    }
}

#[test]
fn help_fits_a_terminal() {
    for verb in VERBS {
        let help = run(&format!("{verb} --help"));
        let long: Vec<_> = help.lines().filter(|line| line.chars().count() > 80).collect();
        assert!(long.is_empty(), "{verb}: {long:?}");
        assert!(
            matches!(*verb, "fleet-epoch" | "peers" | "policy" | "state" | "witness" | "log" | "monitor")
                || help.contains("Example:"),
            "{verb}: {help}"
        );
    }
}

#[test]
fn completions_and_man_page_know_every_verb() {
    let (bash, man) = (run("completions bash"), run("man"));
    for verb in [
        "check",
        "sync",
        "commitment",
        "wg-config",
        "fetch",
        "proxy",
        "watch",
        "forget",
        "policy",
        "co-sign",
        "rebuild",
        "fleet-epoch",
        "event-log",
    ] {
        assert!(bash.contains(verb), "completions: {verb}");
    }
    for words in ["vitrine", "on\\-reboot", "private\\-key\\-file", "commitment"] {
        assert!(man.contains(words), "man page: {words}");
    }
}
