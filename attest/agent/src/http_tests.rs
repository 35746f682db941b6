//! Bad requests, one defect each.

use super::*;

const GOOD: &str = "POST /v1/evidence HTTP/1.1\r\nHost: [::1]:8787\r\nContent-Length: 12\r\n\r\n";

#[test]
fn good_requests() {
    let head = Head { method: Method::Post, path: "/v1/evidence".into(), length: 12 };
    let same = [
        GOOD.to_owned(),
        GOOD.replace("Content-Length", "content-LENGTH"),
        GOOD.replace(": 12", ":\t 12 "),
        GOOD.replace("Host: [::1]:8787", "host:"),
        GOOD.replace("Host", "X-Other: a\r\nX-Other: b\r\nAccept: */*\r\nHost"),
        GOOD.replace(": 12", ": 000012"),
    ];
    for text in same {
        assert_eq!(parse_head(text.as_bytes()), Ok(head.clone()), "{text:?}");
    }
    let get = GOOD.replace("POST", "GET");
    let read = Head { method: Method::Get, length: 0, ..head };
    for text in [get.replace(": 12", ": 0"), get.replace("Content-Length: 12\r\n", "")] {
        assert_eq!(parse_head(text.as_bytes()), Ok(read.clone()), "{text:?}");
    }
    // a path we do not have, and a query, are still HTTP
    assert_eq!(parse_head(GOOD.replace("/v1/evidence", "/?a=%20").as_bytes()).unwrap().path, "/?a=%20");
}

#[test]
fn bad_requests() {
    let length = |value: &str| GOOD.replace(": 12", &format!(": {value}"));
    let line = |line: &str| GOOD.replace("POST /v1/evidence HTTP/1.1", line);
    let with = |field: &str| GOOD.replace("Host", &format!("{field}\r\nHost"));
    let table = [
        ("empty", String::new(), Refusal::Malformed),
        ("only the empty line", "\r\n\r\n".into(), Refusal::Malformed),
        ("no empty line", GOOD.trim_end().into(), Refusal::Malformed),
        ("something behind", format!("{GOOD}x"), Refusal::Malformed),
        ("bare line feeds", GOOD.replace("\r\n", "\n"), Refusal::Malformed),
        ("one bare line feed", GOOD.replacen("\r\n", "\n", 1), Refusal::Malformed),
        ("GET with a body", line("GET /v1/evidence HTTP/1.1"), Refusal::BodyTooLarge),
        ("GET of HTTP/1.0", line("GET /v1/evidence HTTP/1.0"), Refusal::Version),
        ("PUT", line("PUT /v1/attachments HTTP/1.1"), Refusal::Method),
        ("lower-case GET", line("get /v1/attachments HTTP/1.1"), Refusal::Method),
        ("HEAD", line("HEAD /v1/evidence HTTP/1.1"), Refusal::Method),
        ("CONNECT", line("CONNECT example.org:80 HTTP/1.1"), Refusal::Malformed),
        ("OPTIONS *", line("OPTIONS * HTTP/1.1"), Refusal::Malformed),
        ("lower-case method", line("post /v1/evidence HTTP/1.1"), Refusal::Method),
        ("method that is no token", line("PO(ST /v1/evidence HTTP/1.1"), Refusal::Malformed),
        ("no path", line("POST  HTTP/1.1"), Refusal::Malformed),
        ("absolute form", line("POST http://a/v1/evidence HTTP/1.1"), Refusal::Malformed),
        ("path not ASCII", line("POST /é HTTP/1.1"), Refusal::Malformed),
        ("path with NUL", line("POST /\0 HTTP/1.1"), Refusal::Malformed),
        ("four words", line("POST /v1/evidence x HTTP/1.1"), Refusal::Malformed),
        ("no version", line("POST /v1/evidence"), Refusal::Malformed),
        ("HTTP/1.0", line("POST /v1/evidence HTTP/1.0"), Refusal::Version),
        ("HTTP/2", line("POST /v1/evidence HTTP/2"), Refusal::Version),
        ("another protocol", line("POST /v1/evidence RTSP/1.1"), Refusal::Malformed),
        ("TLS", "\u{16}\u{3}\u{1}\u{2}\0\r\n\r\n".into(), Refusal::Malformed),
        ("no colon", with("X-Other"), Refusal::Malformed),
        ("empty name", with(": x"), Refusal::Malformed),
        ("space before the colon", with("X-Other : x"), Refusal::Malformed),
        ("folded line", with("X-Other: a\r\n b"), Refusal::Malformed),
        ("NUL in a value", with("X-Other: \0"), Refusal::Malformed),
        ("carriage return in a value", with("X-Other: a\rb"), Refusal::Malformed),
        ("no host", GOOD.replace("Host", "Hast"), Refusal::Malformed),
        ("two hosts", with("Host: b"), Refusal::Malformed),
        ("chunked", with("Transfer-Encoding: chunked"), Refusal::Chunked),
        ("identity", with("transfer-encoding: identity"), Refusal::Chunked),
        ("Expect", with("Expect: 100-continue"), Refusal::Expectation),
        ("no length", GOOD.replace("Content-Length", "Content-Width"), Refusal::NoLength),
        ("two lengths", with("Content-Length: 12"), Refusal::Malformed),
        ("list of lengths", length("12, 12"), Refusal::Malformed),
        ("negative length", length("-1"), Refusal::Malformed),
        ("signed length", length("+12"), Refusal::Malformed),
        ("hex length", length("0xc"), Refusal::Malformed),
        ("empty length", length(""), Refusal::Malformed),
        ("length over 64 bits", length("99999999999999999999999"), Refusal::BodyTooLarge),
        ("header flood", with(&"a:b\r\n".repeat(HEAD_LIMIT / 5)), Refusal::HeadTooLarge),
        ("one long header", with(&format!("a: {}", "b".repeat(HEAD_LIMIT))), Refusal::HeadTooLarge),
    ];
    for (defect, text, refusal) in table {
        assert_eq!(parse_head(text.as_bytes()), Err(refusal), "{defect}");
    }
    assert_eq!(parse_head(b"POST /v1/\xff HTTP/1.1\r\n\r\n"), Err(Refusal::Malformed), "not UTF-8");
}

/// Every prefix and every single changed byte gives an answer, never a panic.
#[test]
fn no_input_panics() {
    for cut in 0..GOOD.len() {
        assert!(parse_head(&GOOD.as_bytes()[..cut]).is_err());
    }
    for at in 0..GOOD.len() {
        for value in [0, b'\r', b'\n', b' ', b':', 0x7f, 0x80, 0xff] {
            let mut bytes = GOOD.as_bytes().to_vec();
            bytes[at] = value;
            let _ = parse_head(&bytes);
        }
    }
}

#[test]
fn the_end_is_found_wherever_the_pieces_are_cut() {
    let bytes = GOOD.as_bytes();
    for cut in 0..bytes.len() {
        assert_eq!(head_end(&bytes[..cut], 0), None);
        assert_eq!(head_end(bytes, cut.min(bytes.len() - 1)), Some(bytes.len()), "cut at {cut}");
    }
    assert_eq!(head_end(b"a\r\n\r\nb\r\n\r\n", 0), Some(5));
    assert_eq!(head_end(b"", 9), None);
}

#[test]
fn answers() {
    let text = |response: Response| String::from_utf8(response.bytes()).unwrap();
    assert_eq!(
        text(Response::bytes_of(b"sealed".to_vec())),
        "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: 6\r\n\
         Cache-Control: no-store\r\nConnection: close\r\n\r\nsealed"
    );
    assert_eq!(
        text(Refusal::Method.into()),
        "HTTP/1.1 405 Method Not Allowed\r\nContent-Type: application/json\r\nContent-Length: 17\r\n\
         Allow: GET, POST\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n{\"code\":\"method\"}"
    );
    assert!(text(Refusal::OnlyPost.into()).contains("\r\nAllow: POST\r\n"));
}
