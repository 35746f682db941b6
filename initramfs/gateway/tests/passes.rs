//! What is passed on, and what not.
#![allow(clippy::disallowed_macros)]
mod common;

use common::backend::{read, say, Backend};
use common::two::{block_on, connect, request, whole};
use common::{is_error, plain, status, Running};
use std::io::{Read as _, Write as _};

const DRESSED: &str = "GET /v1/models?a=../b&c=%2f HTTP/1.1\r\nAccept: */*\r\nAuthorization: Bearer secret\r\nUser-Agent: me\r\n\
     X-Forwarded-For: 192.0.2.7\r\nForwarded: for=192.0.2.7\r\nVia: 1.1 me\r\nCookie: who=me\r\nX-Real-IP: 192.0.2.7\r\nReferer: https://me\r\n\
     Accept-Language: en\r\nOrigin: https://me\r\nTE: trailers\r\nKeep-Alive: 1\r\nDate: now";

#[test]
fn headers_both_ways() {
    let backend = Backend::echo();
    let gateway = Running::start(&plain(backend.address, ""));
    let answer = gateway.ask(DRESSED, b"");
    let requests = backend.requests();
    let mut lines: Vec<&str> = requests[0].head.trim_end().split("\r\n").collect();
    assert_eq!(lines.remove(0), "GET /v1/models?a=../b&c=%2f HTTP/1.1");
    lines.sort_unstable();
    assert_eq!(lines, ["accept: */*", "authorization: Bearer secret", "host: api.example"]);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert_eq!(body, requests[0].head);
    let mut lines: Vec<&str> = head.split("\r\n").collect();
    assert_eq!(lines.remove(0), "HTTP/1.1 200 OK");
    lines.sort_unstable();
    let length = format!("content-length: {}", body.len());
    assert_eq!(lines, ["cache-control: no-store", "connection: close", length.as_str(), "content-type: text/plain"]);
}

#[test]
fn the_configuration_decides() {
    let backend = Backend::echo();
    let headers = "headers = { request = [\"user-agent\", \"cookie\"], response = [\"server\", \"set-cookie\"] }";
    let gateway = Running::start(&plain(backend.address, headers));
    let answer = gateway.ask(DRESSED, b"");
    let requests = backend.requests();
    let passed: Vec<_> =
        ["user-agent", "cookie", "accept", "authorization", "via"].map(|name| requests[0].header(name)).into();
    assert_eq!(passed, [Some("me"), Some("who=me"), None, None, None]);
    assert!(
        answer.contains("server: secret/1\r\n")
            && answer.contains("set-cookie: a=b\r\n")
            && !answer.contains("cache-control")
    );
}

#[test]
fn bodies_and_framings() {
    let backend = Backend::echo();
    let gateway = Running::start(&plain(backend.address, ""));
    assert_eq!(status(&gateway.ask("POST /v1 HTTP/1.1\r\nContent-Length: 5", b"hello")), 200);
    assert_eq!(
        status(
            &gateway
                .ask("POST /v1 HTTP/1.1\r\nTransfer-Encoding: chunked", b"2\r\nhe\r\n3\r\nllo\r\n0\r\nx: y\r\n\r\n")
        ),
        200
    );
    assert_eq!(status(&gateway.ask("POST /v1 HTTP/1.1", b"")), 200);
    assert_eq!(status(&gateway.ask("DELETE /v1 HTTP/1.1\r\nContent-Length: 5", b"hello")), 200);
    let expect = gateway.ask("PUT /v1 HTTP/1.1\r\nContent-Length: 5\r\nExpect: 100-continue", b"hello");
    assert!(expect.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK"), "{expect}");
    let requests = backend.requests();
    let bodies: Vec<&[u8]> = requests.iter().map(|request| request.body.as_slice()).collect();
    assert_eq!(bodies, [b"hello" as &[u8], b"hello", b"", b"hello", b"hello"]);
    let framings =
        requests.iter().map(|request| (request.header("content-length"), request.header("transfer-encoding")));
    let five = (Some("5"), None);
    let framings: Vec<_> = framings.collect();
    assert_eq!(framings[..2], [five, (None, Some("chunked"))]);
    assert!(framings[2] == (None, None) || framings[2] == (Some("0"), None), "{:?}", framings[2]);
    assert_eq!(framings[3..], [five, five]);
    assert!(requests.iter().all(|request| request.header("expect").is_none() && request.header("x").is_none()));
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(4);
    let connections = backend.connections();
    assert!((1..=threads).contains(&connections), "each thread has one, and uses it again: {connections}");
}

#[test]
fn one_connection_many_requests() {
    let backend = Backend::echo();
    let gateway = Running::start(&plain(backend.address, ""));
    let mut stream = gateway.connect();
    // all at once: answered one after the other, in their order
    let requests: String =
        (0..50).map(|n| format!("POST /v1/{n} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab")).collect();
    stream.write_all(requests.as_bytes()).unwrap();
    stream.write_all(b"HEAD /v1/last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answers = String::new();
    let _ = stream.read_to_string(&mut answers);
    let places: Vec<usize> =
        (0..50).map(|n| answers.find(&format!("\r\n\r\nPOST /v1/{n} HTTP/1.1\r\n")).unwrap()).collect();
    assert!(places.is_sorted());
    let last = &answers[answers.rfind("HTTP/1.1 200 OK").unwrap()..];
    let length = backend.requests()[50].head.len();
    assert!(last.ends_with("\r\n\r\n") && last.contains(&format!("content-length: {length}\r\n")), "{last}");
    assert_eq!((backend.requests().len(), backend.connections()), (51, 1));
}

#[test]
fn http2() {
    let backend = Backend::echo();
    let gateway = Running::start(&plain(backend.address, ""));
    block_on(async {
        let mut client = connect(&gateway).await;
        let mut get = request("GET", "/v1/a?b", b"");
        for (name, value) in [("accept", "a"), ("user-agent", "me"), ("x-forwarded-for", "192.0.2.7"), ("cookie", "c")]
        {
            get.headers_mut().insert(name, value.parse().unwrap());
        }
        let (status, headers, body) = whole(client.send_request(get).await.unwrap()).await;
        assert_eq!((status, body.as_str()), (200, "GET /v1/a?b HTTP/1.1\r\naccept: a\r\nhost: api.example\r\n\r\n"));
        let mut names: Vec<&str> = headers.keys().map(hyper::header::HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["cache-control", "content-length", "content-type"]);
        let post = client.send_request(request("POST", "/v1/b", b"hello")).await.unwrap();
        assert_eq!(whole(post).await.0, 200);
        for (method, path, code, word) in [
            ("GET", "/", 404, "not-found"),
            ("GET", "/v10", 404, "not-found"),
            ("GET", "/v1/../x", 400, "malformed"),
            ("GET", "/v1//x", 400, "malformed"),
            ("GET", "/v1/%2e%2e/x", 400, "malformed"),
            ("TRACE", "/v1", 405, "method-not-allowed"),
            ("~", "/v1", 400, "malformed"),
            ("get", "/v1", 405, "method-not-allowed"),
        ] {
            let (status, headers, body) = whole(client.send_request(request(method, path, b"")).await.unwrap()).await;
            assert_eq!((status, body), (code, format!("{{\"error\":\"{word}\"}}")), "{method} {path}");
            assert_eq!(headers.len(), 2, "{headers:?}");
        }
    });
    let requests = backend.requests();
    assert_eq!((requests.len(), requests[1].body.as_slice()), (2, b"hello" as &[u8]));
}

#[test]
fn errors_of_our_own() {
    let backend = Backend::echo();
    let config = plain(backend.address, "limits = { body = 10 }")
        .replace("routes = [", "routes = [{ prefix = \"/v1/read\", upstream = \"u\", methods = [\"GET\"] }, ");
    let gateway = Running::start(&config);
    for (head, body, code, word) in [
        ("GET / HTTP/1.1", &b""[..], 404, "not-found"),
        ("GET /v10 HTTP/1.1", b"", 404, "not-found"),
        ("POST /v1/read HTTP/1.1", b"", 405, "method-not-allowed"),
        ("TRACE /v1 HTTP/1.1", b"", 405, "method-not-allowed"),
        ("FOO /v1 HTTP/1.1", b"", 405, "method-not-allowed"),
        ("CONNECT x:443 HTTP/1.1", b"", 405, "method-not-allowed"),
        ("POST /v1 HTTP/1.1\r\nContent-Length: 11", b"12345678901", 413, "body-too-large"),
        ("POST /v1 HTTP/1.1\r\nContent-Length: 11\r\nExpect: 100-continue", b"", 413, "body-too-large"),
        (
            "POST /v1 HTTP/1.1\r\nTransfer-Encoding: chunked",
            b"5\r\n12345\r\n6\r\n123456\r\n0\r\n\r\n",
            413,
            "body-too-large",
        ),
        ("POST /v1 HTTP/1.1\r\nContent-Length: 1\r\nExpect: the-worst", b"1", 417, "expectation-failed"),
    ] {
        let answer = gateway.ask(head, body);
        assert!(is_error(&answer, code, word), "{head}: {answer}");
    }
    assert_eq!(status(&gateway.ask("POST /v1 HTTP/1.1\r\nContent-Length: 10", b"1234567890")), 200);
    assert_eq!(backend.requests().len(), 1);
}

/// An upstream's error is its answer, a compressed body stays as it is, and a body without a length ends where it ends.
#[test]
fn answers_as_they_are() {
    let backend = Backend::start(|peer, seen| {
        while let Some(request) = read(peer, seen) {
            let answer: &[u8] = match request.line().split(' ').nth(1).unwrap() {
                "/v1/error" => b"HTTP/1.1 418 Teapot\r\nContent-Length: 6\r\nRetry-After: 3\r\n\r\nteapot",
                "/v1/none" => b"HTTP/1.1 204 No Content\r\n\r\n",
                "/v1/moved" => b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n",
                "/v1/gzip" => {
                    b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\n\x1f\x8b\x08\xff\0"
                }
                "/v1/early" => {
                    b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\ne"
                }
                "/v1/trailers" => {
                    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nsecret: x\r\n\r\n"
                }
                _ => {
                    say(peer, b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nto the end");
                    return;
                }
            };
            say(peer, answer);
        }
    });
    let gateway = Running::start(&plain(backend.address, ""));
    let ask = |path: &str| gateway.ask(&format!("GET {path} HTTP/1.1"), b"");
    let error = ask("/v1/error");
    assert!(
        error.starts_with("HTTP/1.1 418 ") && error.contains("retry-after: 3\r\n") && error.ends_with("\r\n\r\nteapot"),
        "{error}"
    );
    assert!(ask("/v1/none").starts_with("HTTP/1.1 204 No Content\r\n"));
    assert!(!ask("/v1/moved").contains("ocation"), "not among the allowed ones");
    let gzip = ask("/v1/gzip");
    assert!(gzip.contains("content-encoding: gzip\r\n") && gzip.contains("content-length: 5\r\n"), "{gzip}");
    let early = ask("/v1/early");
    assert!(early.starts_with("HTTP/1.1 200 OK") && early.ends_with("\r\n\r\ne"), "{early}");
    let trailers = ask("/v1/trailers");
    assert!(trailers.contains("\r\n\r\n2\r\nok\r\n0\r\n\r\n") && !trailers.contains("secret"), "{trailers}");
    assert!(ask("/v1/close").contains("to the end"));
}
