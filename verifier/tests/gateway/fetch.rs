//! `fetch` with a gateway that is what it should be.

use super::*;
use std::io::{Read as _, Write as _};
use std::time::{Duration, Instant};

#[test]
fn nothing_is_added_to_a_request() {
    let here = Here::new();
    let output = here.fetch("/a?b=%20c", "");
    ends(&output, 0, "ACCEPTED: http://127.0.0.1:");
    let host = here.gateway.address;
    assert_eq!(out(&output), format!("get /a?b=%20c http/1.1\r\nhost: {host}\r\n\r\n"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(errors.lines().count(), 2, "{errors}");
    assert!(errors.contains("\nTLS key "), "{errors}");
}

#[test]
fn methods_headers_and_bodies() {
    let here = Here::new();
    std::fs::write(here.person.path("headers"), "Authorization: Bearer x\n\nX-Two: 2\n").unwrap();
    let output = here.fetch("/", "-X PATCH -H @headers -H X-Three:3 -i");
    ends(&output, 0, "ACCEPTED");
    let shown = out(&output);
    assert!(shown.starts_with("HTTP/1.1 200 OK\r\nx-kept: yes\r\n"), "{shown}");
    for words in ["\r\n\r\npatch / http/1.1\r\n", "\r\nauthorization: bearer x\r\nx-two: 2\r\nx-three: 3\r\n"] {
        assert!(shown.contains(words), "{shown}");
    }
    std::fs::write(here.person.path("body"), [b"\0\r\n\xff".as_slice(), &[b'y'; 200_000]].concat()).unwrap();
    let output = here.fetch("/echo", "-d @body -o answer");
    ends(&output, 0, "ACCEPTED");
    assert_eq!(out(&output), "");
    assert!(std::fs::read(here.person.path("answer")).unwrap() == std::fs::read(here.person.path("body")).unwrap());
    assert_eq!(out(&here.fetch("/echo", "-d a=b")), "a=b");
    assert_eq!(out(&here.fetch("/echo", "-d @/dev/null")), "");
}

#[test]
fn redirects_and_failures_are_what_they_are() {
    let here = Here::new();
    let output = here.fetch("/302", "");
    ends(&output, 0, "status 302 Found, not followed, to https://elsewhere.example/");
    assert_eq!(out(&output), "there");
    let output = here.fetch("/500", "");
    assert_eq!((output.status.code(), out(&output)), (Some(0), "oops"));
    let output = here.fetch("/500", "--fail -o file");
    ends(&output, 2, "the gateway answers with status 500");
    assert!(out(&output).is_empty() && !here.person.path("file").exists());
    ends(&here.fetch("/302", "-f"), 0, "ACCEPTED");
}

#[test]
fn broken_answers_are_no_answers() {
    let here = Here::new();
    for (path, says) in [
        ("/short", "did not end its answer"),
        ("/cut", "did not end its answer"),
        ("/until-the-end", "did not end its answer"),
        ("/none", "gave no answer"),
    ] {
        ends(&here.fetch(path, "-o file"), 2, says);
    }
    let left: Vec<_> =
        std::fs::read_dir(here.person.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with("file")), "{left:?}");
}

#[test]
fn mistakes_are_said_before_anybody_is_asked() {
    let here = Here::new();
    for more in ["-H x", "-H Host:x", "-H @none", "-d @none", "-X CONNECT", "-X ,,/"] {
        assert_eq!(here.fetch("/", more).status.code(), Some(2), "{more}");
    }
    for url in ["http://127.0.0.1/", "127.0.0.1", "https://u:p@127.0.0.1/"] {
        let output = here.command(&format!("fetch {url} --server {} {TRUST}", here.served.url)).output().unwrap();
        ends(&output, 2, "write it as https://HOST/PATH");
    }
    assert_eq!(here.served.inside.lock().unwrap().looks, 0);
}

/// Each piece goes through before the next one is there.
#[test]
fn pieces_go_both_ways_at_once() {
    let here = Here::new();
    let mut child = here
        .fetching("/echo", "-d @-")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    for piece in ["one", "two", "three"] {
        stdin.write_all(piece.as_bytes()).unwrap();
        let mut back = vec![0; piece.len()];
        stdout.read_exact(&mut back).unwrap();
        assert_eq!(back, piece.as_bytes());
    }
    drop(stdin);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn an_end_in_time() {
    let here = Here::new();
    let begun = Instant::now();
    let output = here.fetch("/steps", "--max-time 1 -o file");
    ends(&output, 2, "no whole answer within 1 s");
    assert!(begun.elapsed() >= Duration::from_secs(1));
    let mut child = here.fetching("/steps", "-o file").stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while here.gateway.bytes.load(SeqCst) == 0 || parts(&here) == 0 {
        std::thread::sleep(Duration::from_millis(20));
    }
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(2));
    assert_eq!(parts(&here), 0, "something was left");
}

/// Files beside the answer's place.
fn parts(here: &Here) -> usize {
    let names = std::fs::read_dir(here.person.path("")).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| name.to_string_lossy().starts_with("file")).count()
}

/// Nobody reads our output: the time limit holds all the same.
#[test]
fn a_reader_that_does_not_read() {
    let here = Here::new();
    let mut child = here
        .fetching("/mebibytes/16", "--max-time 2")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(2));
    let mut errors = String::new();
    child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    assert!(errors.contains("no whole answer within 2 s"), "{errors}");
}
