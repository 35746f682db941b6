//! When all is well nothing is said, however the log is had.

use super::{entry, now, other, package, release_key, secret, statement, text, Here, Running, ORIGIN};
use std::io::BufRead as _;
use vitrine_attest::predicate;
use vitrine_attest::revocation::{Reason, Revocation};

#[test]
fn a_log_of_the_programs_own_in_a_folder_and_served() {
    let here = Here::new();
    here.real_log();
    here.config("", "");
    here.round().quiet();
    let mut second = statement("1.1", 2);
    second.predicate.inputs = vec![package("linux", "6.12"), package("wireguard-tools", "1.0")];
    second.predicate.cmdline += " more";
    here.append("log", &[entry(&statement("1.0", 1), 1), b"{}".to_vec()]);
    let said = here.round();
    assert_eq!(
        said.one("malformed-entry")["what"].as_str().unwrap().split(':').next(),
        Some("entry 1 is no statement")
    );
    assert_eq!(said.events("release")[0]["what"], "exit 1.0");
    // told once; open until somebody takes note
    let again = here.round();
    assert_eq!((again.code, again.kinds()), (1, vec![]));
    here.good(&format!("monitor ack --state state {}", said.events("alert")[0]["id"].as_str().unwrap()));
    let acknowledged = here.round();
    acknowledged.quiet();
    assert_eq!(acknowledged.events("acknowledged").len(), 1);
    here.append("log", &[entry(&second, 1)]);

    let (_serving, mut out) = Running::start(here.command("log serve log --listen 127.0.0.1:0"));
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    let url = line.split_whitespace().find(|word| word.starts_with("http://")).unwrap_or_else(|| panic!("{line}"));
    here.config(&format!("place = \"{url}\"\nmirrors = [\"log\"]"), "");
    let said = here.round();
    said.quiet();
    assert_eq!(said.events("release")[0]["what"], "exit 1.1");
    let page = std::fs::read_to_string(here.path("page.html")).unwrap();
    for words in
        ["Nothing is wrong", "exit 1.1", "since entry 0", "added: 2", "linux 6.12", "audit=0 quiet more", ORIGIN]
    {
        assert!(page.contains(words), "{words} is not in {page}");
    }
    let metrics = std::fs::read_to_string(here.path("metrics")).unwrap();
    for line in [
        "vitrine_monitor_open_alerts{kind=\"split-view\"} 0",
        "vitrine_monitor_log_entries{log=\"log.example/vitrine\"} 3",
        "vitrine_monitor_log_entries_read{log=\"log.example/vitrine\"} 3",
        "vitrine_monitor_log_releases{log=\"log.example/vitrine\"} 2",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} is not in {metrics}");
    }
}

/// Parts, partial tiles that become full, the same statement signed by one more: nothing of it is a finding.
#[test]
fn a_log_that_grows_past_tiles() {
    let here = Here::new();
    let mut log = here.made_log((0..3).map(other).collect());
    here.config("max_age = \"1h\"\nmirrors = [\"log\"]", "");
    here.round().quiet();
    let statement = statement("1.0", 1);
    let once = vitrine_attest::dsse::sign(&statement, &secret(1)).unwrap();
    let twice = vitrine_attest::dsse::add_signature(&once, &secret(2)).unwrap();
    for size in [4, 255, 256, 257, 300, 700, 70_000] {
        while log.entries.len() < size {
            log.entries.push(other(log.entries.len() % 300));
        }
        if size == 257 {
            log.entries.extend([once.to_json().unwrap(), twice.to_json().unwrap()]);
        }
        log.fresh(&here.path("log"));
        here.round().quiet();
    }
    let metrics = std::fs::read_to_string(here.path("metrics")).unwrap();
    assert!(metrics.contains("entries_read{log=\"log.example/vitrine\"} 70000"), "{metrics}");
}

#[test]
fn cosigned_anew_and_revoked_by_the_right_key() {
    let here = Here::new();
    let first = statement("1.0", 1);
    let mut log = here.made_log(vec![entry(&first, 1)]);
    here.config("max_age = \"1h\"", "");
    log.publish(&here.path("log"), 1, &[now() - 3000, now() - 3000]);
    here.round().quiet();
    log.publish(&here.path("log"), 1, &[now() - 5, now() - 5]);
    here.round().quiet();
    let revocation = Revocation {
        fingerprint: Some(first.predicate.fingerprint),
        statement: None,
        reason: Reason::Vulnerability,
        text: "<script>alert(1)</script>".into(),
        date: "2026-11-22".parse().unwrap(),
        seq: 1,
    };
    let revocation = predicate::sign(first.subject.clone(), revocation, &secret(1)).unwrap();
    log.entries.push(revocation.to_json().unwrap());
    log.fresh(&here.path("log"));
    here.round().quiet();
    let page = std::fs::read_to_string(here.path("page.html")).unwrap();
    assert!(page.contains("revoked 2026-11-22, vulnerability: &lt;script&gt;") && !page.contains("<script"), "{page}");
    assert!(page.contains(&release_key(1).name().to_string()));
}

#[test]
fn mistakes_in_files_are_told() {
    let here = Here::new();
    here.real_log();
    for (file, words) in [
        ("version = 2\n", "version 2"),
        ("version = 1\n", "no [[log]]"),
        ("version = 1\n[[log]]\nplace = \"log\"\npolicy = \"policy\"\nrelease_keys = []\n", "at least one"),
        ("version = 1\n[[log]]\nplace = \"ftp://x\"\npolicy = \"policy\"\nrelease_keys = [\"release.pub\"]\n", "neither"),
        ("version = 1\nx = 1\n[[log]]\nplace = \"log\"\npolicy = \"policy\"\nrelease_keys = [\"release.pub\"]\n", "unknown field"),
        ("version = 1\n[[log]]\nplace = \"log\"\npolicy = \"none\"\nrelease_keys = [\"release.pub\"]\n", "No such file"),
        ("version = 1\n[[log]]\nplace = \"log\"\npolicy = \"policy\"\nrelease_keys = [\"release.pub\"]\n", "where the monitor remembers"),
        ("version = 1\n[[log]]\nplace = \"log\"\npolicy = \"policy\"\nmax_age = \"1h\"\nrelease_keys = [\"release.pub\"]\n", "quorum none"),
    ] {
        here.write("monitor.toml", file);
        let said = here.run("monitor run monitor.toml --once");
        let errors = text(&said.stderr);
        assert!(said.status.code() == Some(2) && errors.contains(words), "{file}: {errors}");
    }
}

/// Full tiles have exactly as many bytes as are read.
#[test]
fn full_tiles_over_the_network() {
    let here = Here::new();
    here.real_log();
    let lines: Vec<String> = (0..600).map(|n| format!("{{\"n\":{n}}}")).collect();
    here.write("lines", lines.join("\n"));
    here.good("log append log --lines lines");
    let (_serving, mut out) = Running::start(here.command("log serve log --listen 127.0.0.1:0"));
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    let url = line.split_whitespace().find(|word| word.starts_with("http://")).unwrap_or_else(|| panic!("{line}"));
    assert_eq!(here.good(&format!("log get {url} --key log/log.pub 5")), "{\"n\":5}");
    here.config(&format!("place = \"{url}\""), "");
    let said = here.round();
    assert_eq!(said.kinds().iter().filter(|kind| **kind != "malformed-entry").count(), 1, "{:?}", said.kinds());
    let metrics = std::fs::read_to_string(here.path("metrics")).unwrap();
    assert!(metrics.contains("entries_read{log=\"log.example/vitrine\"} 600"), "{metrics}");
}
