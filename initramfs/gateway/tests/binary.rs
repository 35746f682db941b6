//! What the program is: it holds no words that only a log could want, and it refuses to run without its start line.
//!
//! Checks the binary that cargo built beside the test, or the one VITRINE_GATEWAY_BINARY names, such as the image's.
#![allow(clippy::disallowed_macros, clippy::disallowed_methods)]
mod common;

use common::backend::Backend;
use common::{plain, spawn, tls_key, Running};
use std::io::Write as _;
use std::path::PathBuf;
use vitrine_attest::inside::GatewayStart;

fn path() -> PathBuf {
    std::env::var_os("VITRINE_GATEWAY_BINARY")
        .map_or_else(|| env!("CARGO_BIN_EXE_vitrine-gateway").into(), PathBuf::from)
}

/// hyper, h2 and rustls log through `tracing` and `log`, whose features compile that to nothing.
#[test]
fn no_log_formats() {
    let binary = std::fs::read(path()).unwrap();
    let binary = String::from_utf8_lossy(&binary);
    // the twin: words that are there show that the search finds something
    assert!(binary.contains("invalid HTTP version parsed"), "an error text of hyper");
    for words in [
        "incoming body decode error",
        " bytes on an idle connection",
        "found unexpected EOF on busy connection",
        "HTTP/1.0 cannot have Transfer-Encoding header",
        "multiple Content-Length headers with different values",
        "read_keep_alive; is_mid_message=",
        "stream error PROTOCOL_ERROR -- ",
        "connection error PROTOCOL_ERROR -- ",
        "malformed headers: ",
        "received frame=",
        "Using ciphersuite",
        "ALPN protocol is",
        "decided upon suite",
        "Illegal SNI",
    ] {
        assert!(!binary.contains(words), "the binary holds {words:?}");
    }
}

/// Without init there is nothing to do, and nothing to say about it.
#[test]
fn bad_start_lines_end_it_in_silence() {
    let (key, _) = tls_key();
    let gateway: vitrine_attest::config::Gateway = toml::from_str(&plain("127.0.0.1:1".parse().unwrap(), "")).unwrap();
    let start = GatewayStart { gateway, addresses: vec![], tls_key: key, quiet_after: None };
    let bad = |change: fn(&mut GatewayStart)| {
        let mut start = start.clone();
        change(&mut start);
        format!("{}\n", serde_json::to_string(&start).unwrap())
    };
    for line in [
        String::new(),
        "\n".to_owned(),
        "{\"gateway\":{}}\n".to_owned(),
        "x".repeat(100_000),
        bad(|start| start.tls_key.0 = vec![1, 2, 3]),
        bad(|start| start.gateway.routes[0].upstream = "other".into()),
        bad(|start| start.gateway.headers.request = vec!["a b".into()]),
        bad(|start| start.gateway.upstreams.get_mut("u").unwrap().name = "a\nb".into()),
        bad(|start| {
            let upstream = start.gateway.upstreams.get_mut("u").unwrap();
            (upstream.protocol, upstream.trust) = (vitrine_attest::config::UpstreamProtocol::Tls, Some("AAAA".into()));
        }),
    ] {
        let (init, child) = spawn();
        // it may have ended before it has read all
        let _ = (&init).write_all(line.as_bytes());
        drop(init);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", &line[..line.len().min(80)]);
        assert!(output.stdout.is_empty() && output.stderr.is_empty());
    }
}

/// [`Running`] looks at its end and at what it has said.
#[test]
fn it_ends_with_init() {
    let backend = Backend::echo();
    let gateway = Running::start(&plain(backend.address, ""));
    let mut open = gateway.connect();
    open.write_all(b"GET /v1 HTTP/1.1\r\nHost: x\r\n").unwrap();
    drop(gateway);
    // and when init says something that nobody expects
    let gateway = Running::start(&plain(backend.address, ""));
    gateway.init.as_ref().unwrap().write_all(b"{}\n").unwrap();
    common::soon("it runs on", || std::net::TcpStream::connect(gateway.address).is_err());
}
