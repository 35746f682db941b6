//! Clients that are slow, greedy, many, or gone: they cost little, and others are served.
#![allow(clippy::disallowed_macros)]
mod common;

use common::backend::{read, read_head, say, Backend};
use common::two::{block_on, connect, request, stream, whole};
use common::{is_error, plain, soon, status, Running};
use hyper::body::{Bytes, Frame};
use rustix::process::{setrlimit, Resource, Rlimit};
use std::convert::Infallible;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use vitrine_attest::config::Span;
use vitrine_attest::inside::{Class, Count, FromGateway, Outcome};

const LIMITS: &str = "limits = { header = \"1s\", idle = \"2s\" }";

fn still_works(gateway: &Running) {
    assert_eq!(status(&gateway.ask("GET /v1 HTTP/1.1", b"")), 200);
}

#[test]
fn slow_heads() {
    let backend = Backend::echo();
    let gateway = Running::start(&plain(backend.address, LIMITS));
    // nothing at all, and nothing but a hello: no TLS handshake
    for bytes in [&b""[..], b"\x16\x03\x01"] {
        let mut tcp = TcpStream::connect(gateway.address).unwrap();
        tcp.write_all(bytes).unwrap();
        ends(tcp, 1..3);
    }
    // a byte now and then
    let mut slow = gateway.connect();
    let begin = Instant::now();
    for byte in b"GET /v1 HTTP/1.1\r\nHost: x\r\nX: abcdefghijklmnopqrstuvwxyz" {
        if slow.write_all(&[*byte]).and_then(|()| slow.flush()).is_err() || begin.elapsed() > Duration::from_secs(2) {
            break;
        }
        std::thread::sleep(Duration::from_millis(60));
    }
    let mut answer = String::new();
    let _ = slow.read_to_string(&mut answer);
    assert!(is_error(&answer, 408, "request-timeout"), "{answer}");
    // nothing after the handshake, and nothing after an answer
    ends(gateway.connect(), 1..3);
    let mut idle = gateway.connect();
    idle.write_all(b"HEAD /v1 HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    ends(idle, 2..5);
    still_works(&gateway);
}

/// The other side closes between so and so many seconds.
fn ends(mut stream: impl std::io::Read, seconds: std::ops::Range<u64>) {
    let begin = Instant::now();
    let _ = stream.read_to_end(&mut Vec::new());
    assert!(seconds.contains(&begin.elapsed().as_secs()), "{:?}", begin.elapsed());
}

#[test]
fn slow_bodies() {
    let backend = Backend::echo();
    let gateway = Running::start(&plain(backend.address, LIMITS));
    let mut stream = gateway.connect();
    let begin = Instant::now();
    stream.write_all(b"POST /v1 HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc").unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    assert!(is_error(&answer, 408, "request-timeout"), "{answer}");
    assert!((2..5).contains(&begin.elapsed().as_secs()));
    assert!(backend.requests().is_empty());
    still_works(&gateway);
}

/// Whoever does not read what he has asked for.
#[test]
fn clients_that_take_nothing() {
    let (told, ended) = std::sync::mpsc::channel();
    let told = std::sync::Mutex::new(told);
    let backend = Backend::start(move |peer, _| {
        let Some(head) = read_head(peer) else { return };
        say(peer, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        if head.contains("/v1/small") {
            say(peer, b"2\r\nok\r\n0\r\n\r\n");
            return;
        }
        let chunk = [b"10000\r\n", &vec![b'x'; 1 << 16][..], b"\r\n"].concat();
        while say(peer, &chunk) {}
        told.lock().unwrap().send(()).unwrap();
    });
    let gateway = Running::start(&plain(backend.address, LIMITS));
    let mut one = gateway.connect();
    one.write_all(b"GET /v1 HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    ended.recv_timeout(Duration::from_secs(10)).expect("HTTP/1.1: the upstream's answer ends");
    block_on(async {
        let mut client = connect(&gateway).await;
        // its window stays shut, and other streams of the connection go on
        let body = client.send_request(request("GET", "/v1", b"")).await.unwrap().into_body();
        let other = client.send_request(request("GET", "/v1/small", b"")).await.unwrap();
        assert_eq!(whole(other).await.2, "ok");
        tokio::time::sleep(Duration::from_secs(5)).await;
        drop(body);
    });
    ended.try_recv().expect("HTTP/2: the upstream's answer ends");
}

#[test]
fn floods_of_headers() {
    let backend = Backend::echo();
    let gateway = Running::start(&plain(backend.address, ""));
    let long = format!("GET /v1 HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "y".repeat(20_000));
    let many = format!("GET /v1 HTTP/1.1\r\nHost: x\r\n{}\r\n", "x: y\r\n".repeat(100));
    let target = format!("GET /v1/{} HTTP/1.1\r\nHost: x\r\n\r\n", "y".repeat(20_000));
    for request in [long, many, target] {
        let answer = gateway.raw(request.as_bytes());
        assert!(is_error(&answer, 431, "headers-too-large"), "{answer}");
    }
    let endless = gateway.raw(&b"a: b\r\n".repeat(20_000));
    assert!(is_error(&endless, 431, "headers-too-large") || is_error(&endless, 400, "malformed"), "{endless}");
    block_on(async {
        let mut client = connect(&gateway).await;
        let mut large = request("GET", "/v1", b"");
        large.headers_mut().insert("x", "y".repeat(20_000).parse().unwrap());
        // h2 answers itself, without a body
        let refused = client.send_request(large).await;
        assert!(refused.is_err() || refused.unwrap().status() == 431);
    });
    assert!(backend.requests().is_empty());
    still_works(&gateway);
}

/// Frames by hand: CONTINUATION without end (CVE-2024-27316), resets (CVE-2023-44487), pings, settings.
#[test]
fn floods_of_frames() {
    let backend = Backend::start(|peer, seen| {
        while read(peer, seen).is_some() {
            std::thread::sleep(Duration::from_millis(20));
            if !say(peer, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") {
                return;
            }
        }
    });
    let gateway = Running::start(&plain(backend.address, "limits = { requests = 100 }"));
    let before = gateway.memory();
    let frame = |kind: u8, flags: u8, stream: u32, body: &[u8]| {
        let mut frame = u32::try_from(body.len()).unwrap().to_be_bytes()[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.extend(body);
        frame
    };
    // :method GET, :scheme https, :authority x, :path /v1 (RFC 7541 Appendix A)
    let head = b"\x82\x87\x41\x01x\x44\x03/v1";
    let field = [&b"\0\x01x\x7f\x81\x7f"[..], &[b'y'; 256]].concat();
    let floods: [(&str, Vec<u8>, Vec<u8>); 5] = [
        ("continuation", frame(1, 0, 1, head), frame(9, 0, 1, &field.repeat(40))),
        ("reset", vec![], vec![]),
        ("ping", vec![], frame(6, 0, 0, &[7; 8]).repeat(100)),
        ("settings", vec![], frame(4, 0, 0, &[]).repeat(100)),
        ("empty data", frame(1, 4, 1, b"\x83\x87\x41\x01x\x44\x03/v1"), frame(0, 0, 1, &[]).repeat(100)),
    ];
    for (name, start, repeated) in floods {
        let sent = block_on(async {
            let mut stream = stream(&gateway, b"h2").await;
            stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
            stream.write_all(&start).await.unwrap();
            let mut sent = 0;
            for n in 0..3000_u32 {
                let bytes = match name {
                    "reset" => [frame(1, 5, 2 * n + 1, head), frame(3, 0, 2 * n + 1, &8_u32.to_be_bytes())].concat(),
                    _ => repeated.clone(),
                };
                let write = tokio::time::timeout(Duration::from_secs(2), stream.write_all(&bytes));
                if !matches!(write.await, Ok(Ok(()))) {
                    break;
                }
                sent += 1;
                if n % 50 == 49 {
                    // room for what it answers
                    let _ = tokio::time::timeout(Duration::from_millis(1), stream.read(&mut [0; 65_536])).await;
                }
            }
            sent
        });
        if ["continuation", "reset"].contains(&name) {
            assert!(sent < 3000, "{name}: the connection goes on");
        }
        let now = gateway.memory();
        assert!(now < before + (16 << 10), "{name}: {before} KiB, then {now} KiB");
        still_works(&gateway);
    }
}

/// Requests beyond the limit are told so at once, and connections beyond the limit are closed.
#[test]
fn overload() {
    let backend = Backend::start(|peer, seen| {
        while let Some(request) = read(peer, seen) {
            let slow = request.line().contains("/v1/slow");
            std::thread::sleep(Duration::from_millis(if slow { 1500 } else { 0 }));
            say(peer, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        }
    });
    let gateway = Running::start(&plain(backend.address, "limits = { requests = 2, connections = 6 }"));
    let slow: Vec<_> = (0..2)
        .map(|_| {
            let mut stream = gateway.connect();
            stream.write_all(b"GET /v1/slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
            stream
        })
        .collect();
    soon("two wait", || backend.requests().len() == 2);
    let begin = Instant::now();
    let answer = gateway.ask("GET /v1 HTTP/1.1", b"");
    assert!(is_error(&answer, 503, "overload"), "{answer}");
    assert!(begin.elapsed() < Duration::from_secs(1));
    for mut stream in slow {
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        assert_eq!(status(&answer), 200);
    }
    still_works(&gateway);
    let held: Vec<_> = (0..6).map(|_| gateway.connect()).collect();
    let mut one_more = TcpStream::connect(gateway.address).unwrap();
    one_more.set_read_timeout(Some(Duration::from_secs(3))).unwrap();
    assert!(matches!(one_more.read(&mut [0]), Ok(0) | Err(_)), "closed at once");
    drop(held);
    soon("places are free again", || std::panic::catch_unwind(|| gateway.connect()).is_ok());
}

/// Ten thousand connections that hold on, and one that is served; then all are gone, and so is their memory.
#[test]
fn ten_thousand_connections() {
    const MANY: usize = 10_000;
    // the gateway inherits this
    let limit = Rlimit { current: Some(2 * MANY as u64), maximum: Some(2 * MANY as u64) };
    setrlimit(Resource::Nofile, limit).expect("a hard limit of 20000 descriptors, or root");
    let backend = Backend::echo();
    let gateway = Running::start(&plain(backend.address, "limits = { connections = 10100, header = \"2m\" }"));
    still_works(&gateway);
    let before = gateway.memory();
    let held: Vec<_> = (0..MANY).map(|_| gateway.connect()).collect();
    still_works(&gateway);
    let most = gateway.memory() - before;
    let each = most * 1024 / MANY as u64;
    assert!((1..64 << 10).contains(&each), "{each} bytes for each idle connection");
    drop(held);
    still_works(&gateway);
    soon("the memory is given back", || gateway.memory() < before + most / 4);
}

/// A body that never ends. Its pieces are not small: h2 ends a connection with many small ones by itself.
struct Drip(u64);

impl hyper::body::Body for Drip {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0 += 1;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b'x'; 4096])))))
    }
}

#[test]
fn endless_bodies() {
    let backend = Backend::echo();
    let gateway = Running::start(&plain(backend.address, "limits = { body = 100000 }"));
    let before = gateway.memory();
    block_on(async {
        let mut client = connect(&gateway).await;
        let endless = hyper::Request::builder().method("POST").uri("https://x/v1").body(Drip(0)).unwrap();
        let response = client.send_request(endless).await.unwrap();
        assert_eq!(whole(response).await.2, r#"{"error":"body-too-large"}"#);
    });
    assert!(gateway.memory() < before + (8 << 10));
    assert!(backend.requests().is_empty());
}

/// What init hears: classes, within moments of the first request, and not again for ten seconds.
#[test]
fn counts() {
    let backend = Backend::echo();
    let gateway = Running::start(&plain(backend.address, ""));
    still_works(&gateway);
    let init = gateway.init.as_ref().unwrap();
    init.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
    let mut lines = BufReader::new(init).lines();
    let mut next = || -> FromGateway { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };
    let FromGateway::Counts(first) = next() else { panic!("no counts") };
    let begin = Instant::now();
    let of = |counts: &[Count], upstream: &str, outcome| {
        let found = counts.iter().find(|count| count.upstream == upstream && count.class == Class::Outcome(outcome));
        found.map(|count| count.count)
    };
    assert_eq!((first.len(), of(&first, "u", Outcome::Ok)), (3, Some(1)), "outcome, latency, size: {first:?}");
    gateway.ask("GET /nowhere/secret HTTP/1.1", b"");
    gateway.raw(b"GET /v1\r\n\r\n");
    let FromGateway::Counts(second) = next() else { panic!("no counts") };
    assert!(begin.elapsed() > Duration::from_secs(8), "{:?}", begin.elapsed());
    assert_eq!((of(&second, "u", Outcome::Ok), of(&second, "", Outcome::Refused)), (Some(1), Some(2)), "{second:?}");
}

/// Init hears of a quiet time once, after the last request is over, and again only after another one.
#[test]
fn quiet() {
    let backend = Backend::echo();
    let gateway = Running::start_with(&plain(backend.address, ""), Some(Span::seconds(2)));
    let init = gateway.init.as_ref().unwrap();
    let heard = |patience: u64| {
        init.set_read_timeout(Some(Duration::from_secs(patience))).unwrap();
        let mut lines = BufReader::new(init).lines();
        let messages = std::iter::from_fn(|| serde_json::from_str(&lines.next()?.ok()?).ok());
        messages.filter(|message| matches!(message, FromGateway::Quiet(true))).count()
    };
    assert_eq!(heard(4), 0, "there was nothing to forget");
    for _ in 0..2 {
        still_works(&gateway);
        assert_eq!(heard(4), 1);
    }
    let mut open = gateway.connect();
    open.write_all(b"POST /v1 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n1").unwrap();
    assert_eq!(heard(4), 0, "a request is being answered");
    open.write_all(b"2").unwrap();
    assert_eq!(heard(4), 1);
}

/// A program on this machine that is about to listen.
#[test]
fn a_neighbour_that_starts() {
    let port = common::free_port();
    let late = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(1));
        let listener = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = [0; 4096];
        while !head.windows(4).any(|four| four == b"\r\n\r\n") {
            let _ = std::io::Read::read(&mut stream, &mut head).unwrap();
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nup").unwrap();
    });
    let gateway = Running::start(&plain(([127, 0, 0, 1], port).into(), ""));
    let answer = gateway.ask("GET /v1 HTTP/1.1", b"");
    assert!(answer.ends_with("up"), "{answer}");
    late.join().unwrap();
}
