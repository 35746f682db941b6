//! A calendar of our own, over HTTP: what is sent to it, and what is made of its answers.

use super::{ends, vector};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread::JoinHandle;
use vitrine_verifier::anchor::ots::OtsFile;

/// Answers one request with this status and body. What was asked is the thread's result.
fn serve(status: &'static str, body: Vec<u8>) -> (String, JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let (mut asked, mut buffer) = (Vec::new(), [0; 1024]);
        let whole =
            |asked: &[u8]| asked.windows(4).position(|w| w == b"\r\n\r\n").is_some_and(|at| asked.len() >= at + 36);
        while !whole(&asked) {
            let count = stream.read(&mut buffer).unwrap();
            assert_ne!(count, 0, "the request ended early");
            asked.extend(&buffer[..count]);
        }
        let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
        // a client that has heard enough may have gone
        let _ = stream.write_all(&[head.as_bytes(), &body].concat());
        asked
    });
    (url, thread)
}

/// Append "mac", then a promise of calendar "a".
const ANSWER: &[u8] = b"\xf0\x03mac\x00\x83\xdf\xe3\x0d\x2e\xf9\x0c\x8e\x02\x01a";

#[test]
fn a_calendar_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.ots").to_str().unwrap().to_owned();
    let checkpoint = vector("stamped");
    let export = |code, calendar: &str, post: &str| {
        ends(code, &["anchor", "ots-export", &checkpoint, "--calendar", calendar, "--out", &out, "--post", post])
    };
    for (status, body) in
        [("404 Not Found", ANSWER.to_vec()), ("302 Found", ANSWER.to_vec()), ("200 OK", vec![0; 10_001])]
    {
        let (url, thread) = serve(status, body);
        export(2, &url, &url);
        thread.join().unwrap();
    }
    for body in [&b""[..], b"no", &ANSWER[..ANSWER.len() - 1]] {
        let (url, thread) = serve("200 OK", body.to_vec());
        export(1, &url, &url);
        thread.join().unwrap();
    }
    assert!(!std::path::Path::new(&out).exists(), "a refused answer left a file");
    export(2, "https://a.example", "https://a.example");
    export(2, "no address", "http://127.0.0.1:1");
    let (url, thread) = serve("200 OK", ANSWER.to_vec());
    let said = export(0, &url, &url);
    let asked = thread.join().unwrap();
    assert!(asked.starts_with(b"POST /digest HTTP/1.1\r\n"));
    let file = OtsFile::parse(&std::fs::read(&out).unwrap()).unwrap();
    let message = [&asked[asked.len() - 32..], b"mac"].concat();
    assert_eq!(file.pending(), [(message.clone(), "a")]);
    assert!(said.contains(&format!("GET a/timestamp/{}", vitrine_attest::digest::hex(&message))), "{said}");
}

/// Twice the same checkpoint: a calendar cannot tell that it is the same.
#[test]
fn commitments_differ() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.ots").to_str().unwrap().to_owned();
    let export = || {
        let args = ["anchor", "ots-export", &vector("stamped"), "--calendar", "https://a.example/", "--out", &out];
        let said = ends(0, &args);
        let commitment = said.lines().find_map(|line| line.strip_prefix("commitment ")).unwrap().to_owned();
        let file = OtsFile::parse(&std::fs::read(&out).unwrap()).unwrap();
        assert_eq!(vitrine_attest::digest::hex(&file.pending()[0].0), commitment);
        commitment
    };
    assert_ne!(export(), export());
}
