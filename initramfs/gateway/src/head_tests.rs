use super::*;

fn with(headers: &str) -> Result<Framing, Bad> {
    check(format!("POST /v1 HTTP/1.1\r\nHost: x\r\n{headers}\r\n").as_bytes())
}

#[test]
fn framings() {
    for (headers, framing) in [
        ("", Framing::Length(0)),
        ("Content-Length: 0\r\n", Framing::Length(0)),
        ("content-length:12\r\n", Framing::Length(12)),
        ("CONTENT-LENGTH: \t 12 \r\n", Framing::Length(12)),
        ("Transfer-Encoding: chunked\r\n", Framing::Chunked),
        ("transfer-encoding: CHUNKED\r\nX: a:b\r\nY:\r\n", Framing::Chunked),
    ] {
        assert_eq!(with(headers), Ok(framing), "{headers:?}");
    }
}

#[test]
fn smuggling_forms() {
    for headers in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5, 5\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: -5\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length: 5 5\r\n",
        "Content-Length: \r\n",
        "Content-Length: 9999999999999999999\r\n",
        "Content-Length : 5\r\n",
        "Content-Length\t: 5\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: chunked;q=1\r\n",
        "Transfer-Encoding: \"chunked\"\r\n",
        "Transfer-Encoding: \x0bchunked\r\n",
        "Transfer-Encoding:\r\n chunked\r\n",
        "Transfer-Encoding : chunked\r\n",
        " Transfer-Encoding: chunked\r\n",
        "X: y\r\n folded\r\n",
        "X: y\r\n\tfolded\r\n",
        "X: a\rTransfer-Encoding: chunked\r\n",
        "X: a\nTransfer-Encoding: chunked\r\n",
        "X: a\0b\r\n",
        "no colon\r\n",
        ": empty\r\n",
        "X(y): z\r\n",
        "Host: y\r\n",
        "Upgrade: h2c\r\n",
        "HTTP2-Settings: x\r\n",
    ] {
        assert_eq!(with(headers), Err(Bad::Malformed), "{headers:?}");
    }
}

#[test]
fn request_lines() {
    for line in [
        "GET / HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "GET https://x/y HTTP/1.1",
        "CONNECT x:443 HTTP/1.1",
        "FOO /?a#b HTTP/1.1",
    ] {
        let found = check(format!("{line}\r\nHost: x\r\n\r\n").as_bytes());
        assert_eq!(found.is_ok(), !line.contains('#'), "{line}");
    }
    for line in [
        "",
        " ",
        "GET",
        "GET /",
        "GET / HTTP/1.0",
        "GET / HTTP/2.0",
        "GET / http/1.1",
        "GET / HTTP/1.1 ",
        " GET / HTTP/1.1",
        "GET  / HTTP/1.1",
        "GET\t/ HTTP/1.1",
        "get / HTTP/1.1",
        "G-T / HTTP/1.1",
        "GET /\u{e4} HTTP/1.1",
        "GET /a b HTTP/1.1",
        "PRI * HTTP/2.0",
        "~ / HTTP/1.1",
        "GET /\x7f HTTP/1.1",
    ] {
        assert_eq!(check(format!("{line}\r\nHost: x\r\n\r\n").as_bytes()), Err(Bad::Malformed), "{line:?}");
    }
    assert_eq!(check(b"GET / HTTP/1.1\r\n\r\n"), Err(Bad::Malformed), "no Host");
    assert_eq!(check(b"GET / HTTP/1.1\r\nHost: x\r\n"), Err(Bad::Malformed), "no end");
}

#[test]
fn many_headers() {
    let headers = |n: usize| with(&(1..n).map(|n| format!("x{n}: y\r\n")).collect::<String>());
    assert!(headers(HEADERS).is_ok());
    assert_eq!(headers(HEADERS + 1), Err(Bad::TooLarge));
}

#[test]
fn progress_byte_by_byte() {
    let head = b"GET / HTTP/1.1\r\nHost: x\r\n\r\nrest";
    for end in 0..head.len() - 4 {
        assert_eq!(progress(&head[..end], end.saturating_sub(1)), Progress::More, "{end}");
    }
    assert_eq!(progress(head, 0), Progress::Whole(head.len() - 4));
    assert_eq!(progress(head, 20), Progress::Whole(head.len() - 4));
    for bad in ["\nGET", "G\0", "GET /\r/", "a\rb", "a\r\nb\nc", "a\r\r\n"] {
        assert_eq!(progress(bad.as_bytes(), 0), Progress::Bad(Bad::Malformed), "{bad:?}");
    }
    assert_eq!(progress(&[b'a'; HEAD], HEAD - 1), Progress::Bad(Bad::TooLarge));
    // an empty line first: no request line will be found in it
    assert_eq!(progress(b"\r\n\r\n", 0), Progress::Whole(4));
    assert_eq!(check(b"\r\n\r\n"), Err(Bad::Malformed));
}
