//! The examples of `verifier/examples` in other languages, as they are.

use super::*;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

/// The answer's first piece comes out before the second one is made.
fn streams(program: &str, file: &str) {
    if Command::new(program).arg("--version").output().is_err() {
        eprintln!("skipped: there is no {program} here");
        return;
    }
    let here = Here::new();
    let mut proxy = here.proxy("--every 1s");
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(file);
    let mut child = Command::new(program)
        .arg(&example)
        .args([proxy.url("/steps"), r#"{"stream":true}"#.to_owned()])
        .env("API_KEY", "secret-key")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for line in ["data: 1", "", "data: 2", ""] {
        assert_eq!(lines.next().unwrap().unwrap(), line);
        if line.is_empty() {
            here.gateway.go.send(()).unwrap();
        }
    }
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(lines.next().is_none());
    let ask = |url: String| Command::new(program).arg(&example).args([url, "{}".into()]).output().unwrap();
    for path in ["/short", "/cut"] {
        let output = ask(proxy.url(path));
        assert_eq!(output.status.code(), Some(1), "{path}: an answer that broke off was taken for whole");
        assert!(!output.stderr.is_empty() && "half".starts_with(out(&output)), "{path}");
    }
    here.served.inside.lock().unwrap().scene.measure(12, "EVIL=1");
    assert_eq!(proxy.line()["event"], "rejected");
    let output = ask(proxy.url("/steps"));
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("502") && errors.contains("server-rejected"), "{errors}");
}

#[test]
fn python() {
    streams("python3", "client.py");
}

#[test]
fn javascript() {
    streams("node", "client.mjs");
}
