//! Every switch on by which the libraries would say more (`common::spawn`), and canaries in all that could make them talk. [`Running`] holds
//! against it what the program has said and written when it ends; here what it tells init, and its own answers.
#![allow(clippy::disallowed_macros)]
mod common;

use common::backend::{read, say, Backend, Peer};
use common::two::{block_on, connect, whole};
use common::{plain, status, Running};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::Request;
use std::io::{Read as _, Write as _};
use std::time::Duration;

const CANARY: &str = "k4nar1e-7f3a9c51";
/// 100 MB.
const LARGE: usize = 100_000_000;

/// Repeats the request as the reason, in a header and in the body of an error; breaks off where the path says so.
fn echoing() -> Backend {
    Backend::start(|peer: &mut Peer, seen| {
        while let Some(request) = read(peer, seen) {
            let target = request.line().split(' ').nth(1).unwrap().to_owned();
            if target.contains("break") {
                say(peer, format!("HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{target}").as_bytes());
                return;
            }
            let body = [request.head.as_bytes(), &request.body[..request.body.len().min(1000)]].concat();
            let head = format!("HTTP/1.1 500 {target}\r\nX-Target: {target}\r\nContent-Length: {}\r\n\r\n", body.len());
            say(peer, &[head.as_bytes(), &body].concat());
        }
    })
}

fn dressed(method: &str, path: &str) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nAuthorization: Bearer {CANARY}\r\nX-Forwarded-For: {CANARY}\r\nUser-Agent: {CANARY}\r\n\
         Cookie: {CANARY}\r\nAccept: {CANARY}"
    )
}

#[test]
fn canaries_of_every_kind() {
    let backend = echoing();
    let gateway = Running::start(&plain(backend.address, ""));
    let body = format!("grüße {CANARY}\0");
    let length = format!("\r\nContent-Length: {}", body.len());
    // path, query, key, headers, body, letters beyond ASCII; the upstream's error repeats them, and is the client's alone
    let path = format!("/v1/{CANARY}/gr%C3%BC%C3%9Fe?q={CANARY}");
    let answer = gateway.ask(&[dressed("POST", &path), length.clone()].concat(), body.as_bytes());
    assert!(status(&answer) == 500 && answer.contains(&body), "{answer}");
    let first = answer.split("\r\n\r\n").next().unwrap();
    assert!(!first.contains(CANARY), "its reason and headers are not passed on: {first}");
    block_on(over_http2(&gateway, &path));
    // what is refused, or fails, in our own words
    for path in ["/other", "/v1/../x", "/v1//x", "/v1/%ff", "/v1/%252e", "/v1/\u{fc}"] {
        let answer =
            gateway.ask(&[dressed("POST", &format!("{path}/{CANARY}")), length.clone()].concat(), body.as_bytes());
        assert!([400, 404].contains(&status(&answer)) && !answer.contains(CANARY), "{path}: {answer}");
    }
    let long = format!("{}\r\nX-{CANARY}: {}", dressed("GET", "/v1"), CANARY.repeat(2000));
    for bad in [
        long,
        format!("{}{length}\r\nTransfer-Encoding: chunked", dressed("POST", "/v1")),
        format!("{}\r\nX : {CANARY}", dressed("GET", "/v1")),
        dressed(CANARY, "/v1"),
        format!("{}\r\nTransfer-Encoding: chunked", dressed("POST", "/v1")),
    ] {
        let answer = gateway.ask(&bad, format!("{CANARY}\r\n").as_bytes());
        assert!([400, 431].contains(&status(&answer)) && !answer.contains(CANARY), "{bad}: {answer}");
    }
    broken_streams(&gateway);
    large(&gateway);
    told(&gateway);
}

/// The same over HTTP/2, with a body that breaks off as the last one.
async fn over_http2(gateway: &Running, path: &str) {
    let mut client = connect(gateway).await;
    for path in [path, "/v1/break"] {
        let request = Request::builder().method("POST").uri(format!("https://x{path}"));
        let request = request.header("authorization", CANARY).header("cookie", CANARY).header("accept", CANARY);
        let request = request.body(Full::new(Bytes::from_static(CANARY.as_bytes()))).unwrap();
        match client.send_request(request).await {
            Ok(response) if !path.contains("break") => assert_eq!(whole(response).await.0, 500),
            _ => return,
        }
    }
}

/// Of the client and of the upstream.
fn broken_streams(gateway: &Running) {
    let half = gateway.ask(&dressed("GET", &format!("/v1/break/{CANARY}")), b"");
    assert!(half.ends_with(CANARY), "{half}");
    let mut stream = gateway.connect();
    write!(stream, "{}\r\nHost: x\r\nContent-Length: 99999\r\n\r\n{CANARY}", dressed("POST", "/v1")).unwrap();
    drop(stream);
    // no TLS at all
    let mut bare = std::net::TcpStream::connect(gateway.address).unwrap();
    write!(bare, "GET /{CANARY} HTTP/1.1\r\n\r\n").unwrap();
    bare.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut said = Vec::new();
    let _ = bare.read_to_end(&mut said);
    assert!(!String::from_utf8_lossy(&said).contains(CANARY));
}

fn large(gateway: &Running) {
    let piece = CANARY.repeat(LARGE / 1000 / CANARY.len());
    let mut stream = gateway.connect();
    let head = dressed("POST", &format!("/v1/{CANARY}"));
    write!(stream, "{head}\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", 1000 * piece.len()).unwrap();
    for _ in 0..1000 {
        stream.write_all(piece.as_bytes()).unwrap();
    }
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    assert_eq!(status(&answer), 500);
}

/// Counts, and no word of a client.
fn told(gateway: &Running) {
    let mut init = gateway.init.as_ref().unwrap();
    init.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let (mut told, mut piece) = (Vec::new(), [0; 4096]);
    while let Ok(length @ 1..) = init.read(&mut piece) {
        told.extend_from_slice(&piece[..length]);
    }
    let told = String::from_utf8(told).unwrap();
    assert!(told.contains("server-error") && !told.contains(CANARY), "{told}");
}
