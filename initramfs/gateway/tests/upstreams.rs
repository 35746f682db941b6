//! Upstreams that are down, lie, or are somebody else: the client hears one fixed word, or the answer breaks off for him, too.
#![allow(clippy::disallowed_macros)]
mod common;

use base64::prelude::{Engine as _, BASE64_STANDARD};
use common::backend::{echo, read, read_head, say, Backend};
use common::two::{block_on, connect, request};
use common::{free_port, is_error, plain, soon, status, Running};
use http_body_util::BodyExt as _;
use rustls::ServerConfig;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

fn down() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], free_port()))
}

#[test]
fn nobody_there() {
    let gateway = Running::start(&plain(down(), ""));
    let answer = gateway.ask("POST /v1 HTTP/1.1\r\nContent-Length: 3", b"abc");
    assert!(is_error(&answer, 502, "upstream-unreachable"), "{answer}");
}

/// The next address, since no byte was sent to the first one.
#[test]
fn the_next_address() {
    let backend = Backend::echo();
    let config = plain(backend.address, "").replace("addresses = [", &format!("addresses = [\"{}\", ", down()));
    let gateway = Running::start(&config);
    assert_eq!(status(&gateway.ask("POST /v1 HTTP/1.1\r\nContent-Length: 3", b"abc")), 200);
    assert_eq!(backend.requests().len(), 1);
}

#[test]
fn no_http() {
    let long = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "y".repeat(200_000));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(1000));
    let lies: Vec<Vec<u8>> = vec![
        b"".to_vec(),
        b"\0\xff\x16\x03\x01".to_vec(),
        b"hello\r\n\r\n".to_vec(),
        b"HTTP/1.1 abc\r\n\r\n".to_vec(),
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n".to_vec(),
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab".to_vec(),
        b"HTTP/1.1 200 OK\r\nContent-Le".to_vec(),
        b"HTTP/1.1 200 OK\r\nX : y\r\nContent-Length: 0\r\n\r\n".to_vec(),
        b"HTTP/1.1 200 OK\r\nX: y\r\n folded\r\n\r\n".to_vec(),
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n".to_vec(),
        b"HTTP/2.0 200 OK\r\n\r\n".to_vec(),
        long.into_bytes(),
        many.into_bytes(),
    ];
    for lie in lies {
        let said = lie.clone();
        let backend = Backend::start(move |peer, seen| {
            if read(peer, seen).is_some() {
                say(peer, &said);
            }
        });
        let gateway = Running::start(&plain(backend.address, ""));
        let answer = gateway.ask("POST /v1 HTTP/1.1\r\nContent-Length: 3", b"abc");
        let lie = String::from_utf8_lossy(&lie[..lie.len().min(60)]).into_owned();
        assert!(is_error(&answer, 502, "upstream-broken"), "{lie:?}: {answer}");
        assert_eq!(backend.requests().len(), 1, "once and not again: {lie:?}");
    }
}

/// Answers that break off break off for the client, who can see it.
#[test]
fn broken_answers() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\nzz\r\n",
    ] {
        let backend = Backend::start(move |peer, _| {
            if read_head(peer).is_some() {
                say(peer, answer.as_bytes());
            }
        });
        let gateway = Running::start(&plain(backend.address, ""));
        let got = gateway.ask("GET /v1 HTTP/1.1", b"");
        assert!(got.starts_with("HTTP/1.1 200 OK") && got.contains("short"), "{got}");
        assert!(!got.ends_with("0\r\n\r\n"), "it looks whole: {got}");
        block_on(async {
            let mut client = connect(&gateway).await;
            // the reset may overtake the head
            if let Ok(response) = client.send_request(request("GET", "/v1", b"")).await {
                assert!(response.into_body().collect().await.is_err());
            }
        });
    }
}

/// What an upstream says beyond its answer reaches nobody, also not the next client.
#[test]
fn more_than_was_asked_for() {
    let backend = Backend::start(|peer, seen| {
        while read(peer, seen).is_some() {
            say(
                peer,
                b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
            );
        }
    });
    let gateway = Running::start(&plain(backend.address, ""));
    for n in 1..4 {
        let answer = gateway.ask("GET /v1 HTTP/1.1", b"");
        assert!(answer.ends_with("\r\n\r\nok"), "{answer}");
        std::thread::sleep(Duration::from_millis(50));
        assert_eq!(backend.connections(), n, "such a connection is not used again");
    }
}

/// A spare connection that the upstream has closed: the next request goes out on a new one, once.
#[test]
fn spare_connections_that_ended() {
    let backend = Backend::start(|peer, seen| {
        if read(peer, seen).is_some() {
            say(peer, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        }
    });
    let gateway = Running::start(&plain(backend.address, ""));
    for n in 1..10 {
        assert_eq!(status(&gateway.ask("POST /v1 HTTP/1.1\r\nContent-Length: 3", b"abc")), 200);
        std::thread::sleep(Duration::from_millis(30));
        assert_eq!((backend.requests().len(), backend.connections()), (n, n));
    }
}

fn with_tls(address: SocketAddr, name: &str, trust: Option<&str>) -> String {
    let trust = trust.map(|trust| format!("trust = \"{trust}\"\n")).unwrap_or_default();
    plain(address, "").replace("protocol = \"plain\"", &trust).replace("api.example", name)
}

/// A CA as the configuration names it, and a server's configuration with a certificate from it.
fn ca(name: &str, years: (i32, i32)) -> (String, Arc<ServerConfig>) {
    let (ca, config) = vitrine_tls_peer::ca(name, years);
    (BASE64_STANDARD.encode(ca), config)
}

#[test]
fn certificates() {
    let (trust, config) = ca("api.example", (2020, 2100));
    let (other, _) = ca("api.example", (2020, 2100));
    let good = Backend::with(Some(config), echo);
    let gateway = Running::start(&with_tls(good.address, "api.example", Some(&trust)));
    // one after the other on one connection, because each of the gateway's threads has upstream connections of its own
    let ask = "POST /v1 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n";
    let answers = gateway.raw(format!("{ask}\r\nabc{ask}\r\nabc{ask}Connection: close\r\n\r\nabc").as_bytes());
    assert_eq!(answers.matches("HTTP/1.1 200 OK\r\n").count(), 3, "{answers}");
    assert_eq!(good.connections(), 1, "the upstream's certificate is looked at once, and the connection used again");
    let (expired_ca, expired) = ca("api.example", (2019, 2020));
    let (future_ca, future) = ca("api.example", (2090, 2100));
    let expired = Backend::with(Some(expired), echo);
    let future = Backend::with(Some(future), echo);
    let unencrypted = Backend::echo();
    for (what, address, name, trust) in [
        ("another name", good.address, "other.example", Some(&trust)),
        ("another CA", good.address, "api.example", Some(&other)),
        ("Mozilla's CAs", good.address, "api.example", None),
        ("expired", expired.address, "api.example", Some(&expired_ca)),
        ("not yet valid", future.address, "api.example", Some(&future_ca)),
        ("no TLS", unencrypted.address, "api.example", Some(&trust)),
    ] {
        let gateway = Running::start(&with_tls(address, name, trust.map(String::as_str)));
        let answer = gateway.ask("POST /v1 HTTP/1.1\r\nContent-Length: 3", b"abc");
        assert!(is_error(&answer, 502, "upstream-unreachable"), "{what}: {answer}");
    }
    let requests = [&good, &expired, &future, &unencrypted].map(|backend| backend.requests().len());
    assert_eq!(requests, [3, 0, 0, 0]);
}

/// An upstream that takes the connection, or the request, and then says nothing.
#[test]
fn silence() {
    // the backlog takes connections that nobody accepts
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let limits = "limits = { connect = \"1s\", idle = \"1s\" }";
    let gateway = Running::start(&plain(listener.local_addr().unwrap(), limits));
    let begin = Instant::now();
    let answer = gateway.ask("POST /v1 HTTP/1.1\r\nContent-Length: 3", b"abc");
    assert!(is_error(&answer, 504, "upstream-timeout"), "{answer}");
    assert!(begin.elapsed() < Duration::from_secs(5));
    // no TLS handshake
    let gateway = Running::start(
        &with_tls(listener.local_addr().unwrap(), "api.example", None).replace("routes", &format!("{limits}\nroutes")),
    );
    let answer = gateway.ask("GET /v1 HTTP/1.1", b"");
    assert!(is_error(&answer, 502, "upstream-unreachable"), "{answer}");
}

/// Half an answer and then silence; and an answer that goes on for longer than it may.
#[test]
fn answers_that_do_not_end() {
    let backend = Backend::start(|peer, _| {
        let Some(head) = read_head(peer) else { return };
        say(peer, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        let endless = head.starts_with("GET /v1/endless");
        while say(peer, b"1\r\nx\r\n") {
            std::thread::sleep(if endless { Duration::from_millis(100) } else { Duration::from_secs(30) });
        }
    });
    let gateway = Running::start(&plain(backend.address, "limits = { idle = \"1s\", total = \"3s\" }"));
    for (path, at_least, at_most) in [("/v1/half", 1, 3), ("/v1/endless", 3, 6)] {
        let begin = Instant::now();
        let answer = gateway.ask(&format!("GET {path} HTTP/1.1"), b"");
        assert!(answer.contains("\r\n1\r\nx\r\n") && !answer.ends_with("0\r\n\r\n"), "{answer}");
        assert!((at_least..at_most).contains(&begin.elapsed().as_secs()), "{path} {:?}", begin.elapsed());
    }
}

/// Spare connections are not kept for long.
#[test]
fn spare_connections_end() {
    let gone = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let noticed = gone.clone();
    let backend = Backend::start(move |peer, seen| {
        echo(peer, seen);
        noticed.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    let gateway = Running::start(&plain(backend.address, ""));
    assert_eq!(status(&gateway.ask("GET /v1 HTTP/1.1", b"")), 200);
    std::thread::sleep(Duration::from_secs(10));
    assert!(!gone.load(std::sync::atomic::Ordering::Relaxed));
    soon("it is kept", || gone.load(std::sync::atomic::Ordering::Relaxed));
}
