//! An interpreter is accepted where the configuration starts it, and nowhere else.

use super::super::{screen_subject, Context};
use super::CONFIG;
use crate::cache::Content;
use crate::fixture::{program, Wants};
use crate::item::TreeSubject;
use crate::path::ImagePath;
use crate::policy::Policy;
use crate::report::Finding;
use crate::tree::{Layer, Tree};

/// Findings of an image with such a configuration and programs.
fn found(config: &str, programs: &[&str]) -> Vec<Finding> {
    let mut tree = Tree::new();
    let mut add = |path: &str, bytes: Vec<u8>| {
        tree.add_file(ImagePath::parse(path).unwrap(), Content::new(bytes), 0o555, Layer::App, "o").unwrap();
    };
    add(CONFIG, config.as_bytes().to_vec());
    for path in programs {
        add(path, program(&Wants { imports: &["openlog"], ..Wants::default() }));
    }
    let context = Context { without: vec!["cmdline".into()], ..Context::default() };
    screen_subject(&TreeSubject::of(&tree), &context, &Policy::standard(), &[]).report.findings
}

fn open(findings: &[Finding]) -> Vec<String> {
    findings.iter().filter(|f| f.waived.is_none()).map(|f| format!("{} {}", f.rule, f.path)).collect()
}

const APP: &str = r#"{"app":{"command":["/usr/bin/python3.13","/srv/a.py"],"port":8000}}"#;

#[test]
fn the_interpreter_that_is_started_is_accepted_and_shown() {
    let findings = found(APP, &["/app/usr/bin/python3.13"]);
    assert_eq!(open(&findings), ["log.import /app/usr/bin/python3.13"], "other rules hold for it");
    let accepted = findings.iter().find(|f| f.rule == "interpreter").unwrap();
    assert!(accepted.waived.as_deref().unwrap().contains("[app]"));
}

#[test]
fn no_other_one_is() {
    let interpreter = |path: &str| format!("interpreter {path}");
    for (config, path) in [
        (APP, "/usr/bin/python3.13"),
        (APP, "/app/usr/bin/python3.12"),
        (APP, "/app/usr/bin/perl"),
        (APP, "/app/app/usr/bin/python3.13"),
        ("{}", "/app/usr/bin/python3.13"),
        ("no JSON", "/app/usr/bin/python3.13"),
    ] {
        assert!(open(&found(config, &[path])).contains(&interpreter(path)), "{path} with {config}");
    }
}

#[test]
fn shells_and_log_daemons_stay_refused() {
    for (name, rule) in [("sh", "shell"), ("busybox", "shell"), ("rsyslogd", "log.daemon"), ("sshd", "login.remote")] {
        let config = format!(r#"{{"app":{{"command":["/usr/bin/{name}"]}}}}"#);
        let path = format!("/app/usr/bin/{name}");
        assert!(open(&found(&config, &[&path])).contains(&format!("{rule} {path}")), "{name}");
    }
}

/// Rules that name paths hold as the program sees them.
#[test]
fn paths_are_those_of_the_program() {
    let path = "/app/etc/ld.so.preload";
    assert!(open(&found(APP, &[path])).contains(&format!("loader.preload {path}")));
}
