//! As much of HTTP/1.1 (RFC 9112) as one page needs: the request line is read, the rest of the head only has to end.

/// Bytes of a request's head. Prometheus sends some 300.
pub const HEAD_LIMIT: usize = 4096;
const PATH: &str = "/metrics";

/// How a request is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Page,
    BadRequest,
    NotFound,
    Method,
    HeadTooLarge,
    /// There is no page yet.
    Unavailable,
    Version,
}

/// What to do with the bytes that have come so far; None: wait for more.
pub fn judge(bytes: &[u8]) -> Option<Answer> {
    match bytes.windows(4).position(|part| part == b"\r\n\r\n") {
        Some(_) => Some(answer_to(bytes)),
        None if bytes.len() >= HEAD_LIMIT => Some(Answer::HeadTooLarge),
        None => None,
    }
}

/// `GET /metrics HTTP/1.1`, RFC 9112 §3. A query, as Prometheus can be told to send, changes nothing.
fn answer_to(head: &[u8]) -> Answer {
    let line = head.split(|&c| c == b'\r').next().unwrap_or_default();
    let Ok(line) = std::str::from_utf8(line) else {
        return Answer::BadRequest;
    };
    let mut words = line.split(' ');
    let (Some(method), Some(target), Some(version), None) = (words.next(), words.next(), words.next(), words.next())
    else {
        return Answer::BadRequest;
    };
    if method.is_empty() || !method.bytes().all(|c| c.is_ascii_alphabetic()) || !target.starts_with('/') {
        return Answer::BadRequest;
    }
    if !["HTTP/1.0", "HTTP/1.1"].contains(&version) {
        return if version.starts_with("HTTP/") { Answer::Version } else { Answer::BadRequest };
    }
    if target.split('?').next() != Some(PATH) {
        return Answer::NotFound;
    }
    if method == "GET" {
        Answer::Page
    } else {
        Answer::Method
    }
}

impl Answer {
    /// RFC 9110 §15.
    fn status(self) -> &'static str {
        match self {
            Self::Page => "200 OK",
            Self::BadRequest => "400 Bad Request",
            Self::NotFound => "404 Not Found",
            Self::Method => "405 Method Not Allowed",
            Self::HeadTooLarge => "431 Request Header Fields Too Large",
            Self::Unavailable => "503 Service Unavailable",
            Self::Version => "505 HTTP Version Not Supported",
        }
    }

    /// The bytes on the wire. No date, no name of a program: the same page is the same bytes.
    pub fn bytes(self, page: Option<&str>) -> Vec<u8> {
        let (answer, body) = match (self, page) {
            (Self::Page, Some(page)) => (Self::Page, page),
            (Self::Page, None) => (Self::Unavailable, ""),
            (other, _) => (other, ""),
        };
        let allow = if answer == Self::Method { "Allow: GET\r\n" } else { "" };
        let length = body.len().to_string();
        let kind = "\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: ";
        let end = "\r\nCache-Control: no-store\r\nConnection: close\r\n";
        ["HTTP/1.1 ", answer.status(), kind, &length, end, allow, "\r\n", body].concat().into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Option<Answer> {
        judge(format!("{line}\r\nHost: x\r\n\r\n").as_bytes())
    }

    #[test]
    fn requests() {
        assert_eq!(of("GET /metrics HTTP/1.1"), Some(Answer::Page));
        assert_eq!(of("GET /metrics?x=1 HTTP/1.0"), Some(Answer::Page));
        assert_eq!(of("GET / HTTP/1.1"), Some(Answer::NotFound));
        assert_eq!(of("GET /metrics/ HTTP/1.1"), Some(Answer::NotFound));
        assert_eq!(of("POST /metrics HTTP/1.1"), Some(Answer::Method));
        assert_eq!(of("GET /metrics HTTP/2"), Some(Answer::Version));
        for bad in ["", "GET", "GET /metrics", "GET  /metrics HTTP/1.1", "GET metrics HTTP/1.1", "G\u{0}T / HTTP/1.1"] {
            assert_eq!(of(bad), Some(Answer::BadRequest), "{bad:?}");
        }
        assert_eq!(judge(b"\xff\xff / HTTP/1.1\r\n\r\n"), Some(Answer::BadRequest));
    }

    #[test]
    fn unfinished_and_endless_heads() {
        assert_eq!(judge(b"GET /metrics HTTP/1.1\r\nHost: x\r\n"), None);
        assert_eq!(judge(&[b'x'; HEAD_LIMIT - 1]), None);
        assert_eq!(judge(&[b'x'; HEAD_LIMIT]), Some(Answer::HeadTooLarge));
    }

    #[test]
    fn answers() {
        let text = |answer: Answer, page| String::from_utf8(answer.bytes(page)).unwrap();
        let page = text(Answer::Page, Some("a 1\n"));
        assert!(page.starts_with("HTTP/1.1 200 OK\r\n") && page.ends_with("\r\n\r\na 1\n"), "{page}");
        assert!(page.contains("Content-Length: 4\r\n"));
        assert!(text(Answer::Page, None).starts_with("HTTP/1.1 503 "));
        assert!(text(Answer::Method, Some("a 1\n")).contains("Allow: GET\r\n\r\n"));
        assert!(!text(Answer::NotFound, Some("a 1\n")).contains("a 1"));
    }
}
