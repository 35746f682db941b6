//! What a request has to be like, over HTTP/1.1 and HTTP/2, whatever the routes say.

use crate::path::is_plain;
use hyper::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HOST, UPGRADE};
use hyper::http::request::Parts;
use hyper::http::uri::{Authority, Scheme};
use hyper::{HeaderMap, Method};

/// Headers that a message has once; where there are two, servers differ in which one they take.
const ONCE: [hyper::header::HeaderName; 5] = [AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HOST];

/// How a request breaks the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breach {
    Malformed,
    Expectation,
}

/// `bare`: it has no body.
///
/// # Errors
/// `Malformed` for a target with more than one reading ([`is_plain`]), two headers where one belongs, an absolute form or `:authority`
/// that is not what Host says, a scheme that is not https, an upgrade, a value with white space around it, a GET or HEAD with a body (RFC 9110 §9.3.1 knows it as a
/// means of smuggling). `Expectation` for one other than `100-continue` (RFC 9110 §10.1.1).
pub fn check(request: &Parts, bare: bool) -> Result<(), Breach> {
    let target = request.uri.path_and_query().map_or("", |target| target.as_str());
    let asks = matches!(request.method, Method::GET | Method::HEAD);
    let once = ONCE.iter().all(|name| request.headers.get_all(name).iter().nth(1).is_none());
    let upgrades = request.headers.contains_key(UPGRADE);
    let trimmed = request.headers.values().all(|value| is_trimmed(value.as_bytes()));
    if !is_plain(target) || !host(request) || !once || !trimmed || upgrades || (asks && !bare) {
        return Err(Breach::Malformed);
    }
    match request.headers.get(EXPECT) {
        Some(word) if !word.as_bytes().eq_ignore_ascii_case(b"100-continue") => Err(Breach::Expectation),
        _ => Ok(()),
    }
}

/// RFC 9113 §8.2.1; over HTTP/1.1 such white space is none of the value, and hyper has taken it off.
fn is_trimmed(value: &[u8]) -> bool {
    value.trim_ascii().len() == value.len()
}

/// There is one name of the server, and where there are two they are the same (RFC 9112 §3.2.2, RFC 9113 §8.3.1).
fn host(request: &Parts) -> bool {
    let name = |bytes: &[u8]| Authority::try_from(bytes).is_ok() && !bytes.contains(&b'@');
    let header = request.headers.get(HOST).map(|value| value.as_bytes());
    let scheme = request.uri.scheme().is_none_or(|scheme| *scheme == Scheme::HTTPS);
    let named = match (request.uri.authority(), header) {
        (Some(authority), Some(header)) => name(header) && authority.as_str().as_bytes().eq_ignore_ascii_case(header),
        (Some(authority), None) => name(authority.as_str().as_bytes()),
        (None, Some(header)) => name(header),
        (None, None) => false,
    };
    scheme && named
}

/// Bytes of the body as the request says; hyper has judged the number.
pub fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::Request;

    fn judge(method: &str, uri: &str, headers: &[(&str, &str)], bare: bool) -> Result<(), Breach> {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        check(&request.body(()).unwrap().into_parts().0, bare)
    }

    #[test]
    fn right_ones() {
        for (method, uri, headers, bare) in [
            ("GET", "/v1", &[("host", "x")][..], true),
            ("GET", "https://x/v1?a", &[("host", "X")], true),
            ("GET", "https://x:8443/v1", &[], true),
            ("POST", "/v1", &[("host", "[::1]:443"), ("expect", "100-Continue"), ("content-length", "3")], false),
            ("POST", "/v1", &[("host", "x"), ("accept", "a"), ("accept", "b")], false),
        ] {
            assert_eq!(judge(method, uri, headers, bare), Ok(()), "{method} {uri} {headers:?}");
        }
    }

    #[test]
    fn wrong_ones() {
        for (method, uri, headers, bare) in [
            ("GET", "/v1", &[][..], true),
            ("GET", "/v1/../x", &[("host", "x")], true),
            ("OPTIONS", "*", &[("host", "x")], true),
            ("CONNECT", "x:443", &[("host", "x")], true),
            ("GET", "https://x/v1", &[("host", "y")], true),
            ("GET", "http://x/v1", &[("host", "x")], true),
            ("GET", "https://u@x/v1", &[("host", "u@x")], true),
            ("GET", "https://u@x/v1", &[], true),
            ("GET", "/v1", &[("host", "x"), ("host", "x")], true),
            ("GET", "/v1", &[("host", "")], true),
            ("GET", "/v1", &[("host", "x/y")], true),
            ("GET", "/v1", &[("host", "x")], false),
            ("HEAD", "/v1", &[("host", "x")], false),
            ("POST", "/v1", &[("host", "x"), ("content-length", "1"), ("content-length", "1")], false),
            ("POST", "/v1", &[("host", "x"), ("authorization", "1"), ("authorization", "2")], false),
            ("POST", "/v1", &[("host", "x"), ("upgrade", "websocket")], true),
            ("POST", "/v1", &[("host", "x"), ("accept", " a")], true),
            ("POST", "/v1", &[("host", "x"), ("accept", "a\t")], true),
        ] {
            assert_eq!(judge(method, uri, headers, bare), Err(Breach::Malformed), "{method} {uri} {headers:?}");
        }
        assert_eq!(judge("POST", "/", &[("host", "x"), ("expect", "200-ok")], false), Err(Breach::Expectation));
    }
}
