//! Requests that two servers could read differently: refused with 400, the connection closed, and nothing of them at the upstream.
//!
//! The forms are those of RFC 9112 §11.2 and of public lists: "HTTP Desync Attacks" (Kettle 2019, CL.TE, TE.CL and TE.TE), "HTTP/2: The
//! Sequel is Always Worse" (Kettle 2021), the header mutations of `smuggler` (defparam) and http-garden (Kallus et al. 2024), CWE-444.
#![allow(clippy::disallowed_macros)]
mod common;

use common::backend::Backend;
use common::two::{block_on, stream};
use common::{is_error, plain, status, Running};
use std::io::{Read as _, Write as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// What would be a second request if the first one ended too early.
const HIDDEN: &str = "GET /v1/hidden HTTP/1.1\r\nHost: x\r\n\r\n";

fn refused(gateway: &Running, request: &str) {
    let answer = gateway.raw(request.as_bytes());
    assert!(is_error(&answer, 400, "malformed"), "{request:?}: {answer:?}");
    assert!(answer.contains("connection: close\r\n"), "{request:?}: {answer:?}");
}

#[test]
fn framings() {
    let backend = Backend::echo();
    let gateway = Running::start(&plain(backend.address, ""));
    let te = |value: &str| format!("{value}\r\n");
    let mut headers: Vec<String> = vec![
        // CL.TE, TE.CL, and two of one kind
        "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n".into(),
        "Transfer-Encoding: chunked\r\nContent-Length: 6\r\n".into(),
        "Content-Length: 5\r\nContent-Length: 5\r\n".into(),
        "Content-Length: 5\r\nContent-Length: 0\r\n".into(),
    ];
    for length in [
        "5, 5",
        "+5",
        "-0",
        "5 ",
        "0x5",
        "5_0",
        "5.0",
        "\"5\"",
        "",
        "5\u{a0}",
        "5a",
        "99999999999999999999",
        "18446744073709551616",
    ] {
        // white space after a number is not part of it
        if length != "5 " {
            headers.push(format!("Content-Length: {length}\r\n"));
        }
    }
    // TE.TE: one server does not know the spelling
    for line in [
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding\t: chunked",
        "Transfer-Encoding:\u{b}chunked",
        "Transfer-Encoding:\u{c}chunked",
        "Transfer-Encoding: \0chunked",
        "Transfer-Encoding: chunked\0",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: identity, chunked",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: gzip",
        "Transfer-Encoding: cow",
        "Transfer-Encoding: 'chunked'",
        "Transfer-Encoding: \"chunked\"",
        "Transfer-Encoding: chunked;a=b",
        "Transfer-Encoding: chunk",
        "Transfer-Encoding:",
        "Transfer-Encoding: ,chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: cow",
        "Transfer-Encoding: cow\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\ntransfer-encoding: chunked",
        "Transfer-Encoding:\r\n chunked",
        "Transfer-Encoding\r\n: chunked",
        " Transfer-Encoding: chunked",
        "\tTransfer-Encoding: chunked",
        "X: y\r\n Transfer-Encoding: chunked",
        "X: y\rTransfer-Encoding: chunked",
        "X: y\nTransfer-Encoding: chunked",
        "X: y\r\n\nTransfer-Encoding: chunked",
        "X: y\r\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\n",
        "Transfer-Encoding: chunked\r",
        "Upgrade: websocket\r\nConnection: Upgrade",
        "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk",
        "Host: y",
        "X : y",
        "(X): y",
        ": y",
        "XY",
    ] {
        headers.push(te(line));
    }
    for headers in headers {
        refused(&gateway, &format!("POST /v1 HTTP/1.1\r\nHost: x\r\n{headers}\r\n0\r\n\r\n{HIDDEN}"));
    }
    assert_eq!(backend.connections(), 0, "{:?}", backend.requests());
}

#[test]
fn request_lines() {
    let backend = Backend::echo();
    let gateway = Running::start(&plain(backend.address, ""));
    for line in [
        "GET  /v1 HTTP/1.1",
        "GET /v1  HTTP/1.1",
        "GET\t/v1 HTTP/1.1",
        " GET /v1 HTTP/1.1",
        "GET /v1 HTTP/1.1 ",
        "GET /v1",
        "GET /v1 HTTP/1.0",
        "GET /v1 HTTP/0.9",
        "GET /v1 HTTP/1.2",
        "GET /v1 HTTP/2.0",
        "GET /v1 http/1.1",
        "GET /v1 HTTP/1.1\r",
        "get /v1 HTTP/1.1",
        "~ /v1 HTTP/1.1",
        "GET /v1 /v1 HTTP/1.1",
        "PRI * HTTP/2.0",
        "GET v1 HTTP/1.1",
        "GET http://x/v1 HTTP/1.1",
        "GET https://y/v1 HTTP/1.1",
        "GET https://x@x/v1 HTTP/1.1",
        "GET //v1 HTTP/1.1",
        "GET /v1//a HTTP/1.1",
        "GET /v1/../v1 HTTP/1.1",
        "GET /v1/. HTTP/1.1",
        "GET /v1/%2e%2E/v1 HTTP/1.1",
        "GET /v1%2fa HTTP/1.1",
        "GET /v1%5ca HTTP/1.1",
        "GET /v1\\a HTTP/1.1",
        "GET /v1/%00 HTTP/1.1",
        "GET /v1/%0d%0a HTTP/1.1",
        "GET /v1/%ff HTTP/1.1",
        "GET /v1/%c0%af HTTP/1.1",
        "GET /v1/%252e HTTP/1.1",
        "GET /v1/%61 HTTP/1.1",
        "GET /v1/..;/a HTTP/1.1",
        "GET /v1/a#b HTTP/1.1",
        "GET /v1?a#b HTTP/1.1",
        "GET /v1/\u{e4} HTTP/1.1",
        "GET /v1/\u{7f} HTTP/1.1",
        "GET /v1/% HTTP/1.1",
        "GET /v1/%zz HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "\u{0}GET /v1 HTTP/1.1",
    ] {
        refused(&gateway, &format!("{line}\r\nHost: x\r\n\r\n"));
    }
    for start in ["\r\n", "\n", "\r\n\r\n"] {
        refused(&gateway, &format!("{start}GET /v1 HTTP/1.1\r\nHost: x\r\n\r\n"));
    }
    refused(&gateway, "GET /v1 HTTP/1.1\r\n\r\n");
    refused(&gateway, "GET /v1 HTTP/1.1\nHost: x\n\n");
    refused(&gateway, "GET /v1 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc");
    // no body, as in every answer to HEAD
    let head = gateway.raw(b"HEAD /v1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n");
    assert!(status(&head) == 400 && head.contains("connection: close\r\n"), "{head}");
    refused(
        &gateway,
        "POST /v1 HTTP/1.1\r\nHost: x\r\nAuthorization: a\r\nAuthorization: b\r\nContent-Length: 0\r\n\r\n",
    );
    assert_eq!(backend.connections(), 0, "{:?}", backend.requests());
    // the twin: what is right is answered
    assert_eq!(status(&gateway.ask("GET https://x/v1/a%20b?c HTTP/1.1", b"")), 200);
    assert_eq!(backend.requests()[0].line(), "GET /v1/a%20b?c HTTP/1.1");
}

/// The first request is in order, and what follows it is not.
#[test]
fn the_second_request_of_a_connection() {
    let backend = Backend::echo();
    let gateway = Running::start(&plain(backend.address, ""));
    let mut stream = gateway.connect();
    let first = "POST /v1/first HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab";
    write!(
        stream,
        "{first}POST /v1 HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n{HIDDEN}"
    )
    .unwrap();
    let mut answers = String::new();
    let _ = stream.read_to_string(&mut answers);
    let (one, two) = answers.split_at(answers.rfind("HTTP/1.1 400").unwrap());
    assert!(one.starts_with("HTTP/1.1 200 ") && is_error(two, 400, "malformed"), "{answers}");
    assert_eq!(backend.requests().len(), 1);
}

/// Chunks are followed as strictly; the upstream's request is broken off, not ended.
#[test]
fn chunks() {
    let backend = Backend::echo();
    let gateway = Running::start(&plain(backend.address, ""));
    let head = "POST /v1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    for body in [
        "5;x=y\r\nhello\r\n0\r\n\r\n",
        "5 \r\nhello\r\n0\r\n\r\n",
        " 5\r\nhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "+5\r\nhello\r\n0\r\n\r\n",
        "5\nhello\r\n0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "5\r\nhelloXX0\r\n\r\n",
        "5\rX\nhello\r\n0\r\n\r\n",
        "ffffffffffffffff\r\nhello",
        "10000000000000005\r\nhello\r\n0\r\n\r\n",
        "\r\n5\r\nhello\r\n",
        "0\r\n\n",
        "0\n\r\n",
        "0\r\nx: y\n\r\n",
        "0\r\n x: y\r\n\r\n",
        "g\r\n",
        "5\r\nhello\r\n-1\r\n",
    ] {
        refused(&gateway, &format!("{head}{body}{HIDDEN}"));
    }
    assert!(backend.requests().is_empty(), "{:?}", backend.requests());
}

/// HTTP/2 frames by hand: what h2 lets through has still to pass our rules, and its head is written anew for the upstream.
#[test]
fn http2_heads() {
    let backend = Backend::echo();
    let gateway = Running::start(&plain(backend.address, ""));
    for (extra, target) in [
        (vec![("transfer-encoding", "chunked")], "/v1"),
        (vec![("connection", "close")], "/v1"),
        (vec![("upgrade", "h2c")], "/v1"),
        (vec![("content-length", "5")], "/v1"),
        (vec![("content-length", "0"), ("content-length", "5")], "/v1"),
        (vec![("host", "y")], "/v1"),
        (vec![("accept", "a\r\nx: y")], "/v1"),
        (vec![("accept\r\nx", "y")], "/v1"),
        (vec![("Accept", "y")], "/v1"),
        (vec![("te", "gzip")], "/v1"),
        (vec![], "/v1/../x"),
        (vec![], "/v1 HTTP/1.1\r\nx: y"),
        (vec![], "v1"),
        (vec![], ""),
        (vec![(":path", "/v1/b")], "/v1"),
        (vec![(":method", "GET")], "/v1"),
    ] {
        let answer = block_on(by_hand(&gateway, target, &extra));
        assert!(
            !answer.windows(3).any(|bytes| bytes == b"200") && !backend.requests().iter().any(|_| true),
            "{target:?} {extra:?}"
        );
    }
    // the twin
    let answer = block_on(by_hand(&gateway, "/v1/right", &[("accept", "a")]));
    assert!(String::from_utf8_lossy(&answer).contains("GET /v1/right HTTP/1.1"));
    // hyper and h2 take the fragment off before anybody can see it: the upstream gets what is left
    block_on(by_hand(&gateway, "/v1/left#gone", &[]));
    let lines: Vec<String> = backend.requests().iter().map(|request| request.line().to_owned()).collect();
    assert_eq!(lines, ["GET /v1/right HTTP/1.1", "GET /v1/left HTTP/1.1"]);
}

/// What becomes a second request, or another head, when a front writes it out for HTTP/1.1 ("HTTP/2: The Sequel is Always Worse": H2.CL,
/// H2.TE, splitting by name, value, method, scheme, path and authority).
#[test]
fn http2_downgrades() {
    let backend = Backend::echo();
    let gateway = Running::start(&plain(backend.address, ""));
    let right = [(":method", "GET"), (":scheme", "https"), (":authority", "x"), (":path", "/v1")];
    let mut heads: Vec<Vec<(&str, &str)>> = Vec::new();
    // in the place of one of the four
    for (name, value) in [
        (":method", "GET /v1/hidden HTTP/1.1\r\nx: y\r\n\r\nGET"),
        (":method", "GET /v1"),
        (":method", "get"),
        (":method", ""),
        (":method", "GET\t"),
        (":scheme", "http"),
        (":scheme", "https://y/v1?"),
        (":scheme", "https\r\nx: y"),
        (":scheme", ""),
        (":authority", "x\r\nx: y"),
        (":authority", "x/v1"),
        (":authority", "y@x"),
        (":authority", "x y"),
        (":authority", "x#y"),
        (":path", "/v1\nx: y"),
        (":path", "/v1\tHTTP/1.1"),
        (":path", "https://y/v1"),
        (":path", "//y/v1"),
        (":path", "*"),
        (":path", "/v1/%0d%0ax:%20y"),
        (":path", "/v1\0"),
    ] {
        heads.push(right.iter().map(|field| if field.0 == name { (name, value) } else { *field }).collect());
    }
    for missing in [":method", ":scheme", ":authority", ":path"] {
        heads.push(right.iter().copied().filter(|field| field.0 != missing).collect());
    }
    for field in [
        ("accept", "a\r\ntransfer-encoding: chunked"),
        ("accept", "a\ntransfer-encoding: chunked"),
        ("accept", "a\rtransfer-encoding: chunked"),
        ("accept", "a\0b"),
        ("accept", "a\r\n\r\nGET /v1/hidden HTTP/1.1\r\nhost: x\r\n\r\n"),
        ("accept: a\r\ntransfer-encoding", "chunked"),
        ("transfer-encoding: chunked", "y"),
        ("accept", " a"),
        ("accept", "a\t"),
        ("accept ", "a"),
        (" accept", "a"),
        ("accept\t", "a"),
        ("accept\0", "a"),
        ("", "a"),
        (":", "a"),
        (":unknown", "a"),
        (":status", "200"),
        (":protocol", "websocket"),
        (":authority", "y"),
        (":scheme", "https"),
        ("host", "y"),
        ("host", "x\r\ny: z"),
        ("content-length", "+0"),
        ("content-length", "0x0"),
        ("content-length", "0, 0"),
        ("content-length", " 1"),
        ("content-length", "18446744073709551616"),
        ("transfer-encoding", "identity"),
        ("transfer-encoding", "xchunked"),
        ("keep-alive", "1"),
        ("proxy-connection", "close"),
    ] {
        heads.push(right.iter().copied().chain([field]).collect());
    }
    // pseudo-headers come first
    heads.push([("accept", "a")].into_iter().chain(right).collect());
    let mut passed = Vec::new();
    for head in heads {
        block_on(frames(&gateway, &head));
        if !backend.requests().is_empty() {
            passed.push((head, backend.requests().remove(0).head));
            backend.seen.lock().unwrap().clear();
        }
    }
    assert!(passed.is_empty(), "{passed:#?}");
    // the twin: what is of the connection alone, and no framing, is dropped like any other header that nobody allowed
    block_on(frames(&gateway, &[&right[..], &[("http2-settings", "AAMAAABk")]].concat()));
    let head = backend.requests().remove(0).head;
    assert_eq!(head, "GET /v1 HTTP/1.1\r\nhost: api.example\r\n\r\n");
}

/// One GET on a new connection, without end of stream after its head when a length is announced; gives all frames of the answer.
async fn by_hand(gateway: &Running, path: &str, extra: &[(&str, &str)]) -> Vec<u8> {
    let head = [(":method", "GET"), (":scheme", "https"), (":authority", "x"), (":path", path)];
    frames(gateway, &[&head, extra].concat()).await
}

/// The same with any head.
async fn frames(gateway: &Running, head: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in head {
        // RFC 7541 §6.2.2: a literal with a new name, not indexed, without Huffman codes
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).unwrap());
            block.extend_from_slice(text.as_bytes());
        }
    }
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    bytes.extend_from_slice(&u32::try_from(block.len()).unwrap().to_be_bytes()[1..]);
    // HEADERS, END_HEADERS and END_STREAM, stream 1
    bytes.extend_from_slice(&[1, 5, 0, 0, 0, 1]);
    bytes.extend(block);
    let mut stream = stream(gateway, b"h2").await;
    stream.write_all(&bytes).await.unwrap();
    let mut answer = Vec::new();
    let read = async {
        let mut piece = [0; 4096];
        while let Ok(length) = stream.read(&mut piece).await {
            answer.extend_from_slice(&piece[..length]);
            if length == 0 {
                return;
            }
        }
    };
    let _ = tokio::time::timeout(std::time::Duration::from_millis(300), read).await;
    answer
}
