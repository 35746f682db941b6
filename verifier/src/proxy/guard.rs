//! Who may use the proxy: programs on this machine, and web pages only when the person says so.
//!
//! A page can make a browser send requests to a loopback address. Under a name of its own that it points there (DNS rebinding) it
//! could even read the answers: the Host header shows that. Otherwise the browser says so in Origin or Sec-Fetch-Site.

use super::forward::Answer;
use super::refusal::Refusal;
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::header::{
    HeaderMap, HeaderName, HeaderValue, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, HOST, ORIGIN, VARY,
};
use hyper::{Method, Request, Response, StatusCode};
use std::net::SocketAddr;
use vitrine_attest::config::METHODS;

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

#[derive(Debug)]
pub struct Guard {
    hosts: Vec<String>,
    origins: Vec<String>,
}

impl Guard {
    /// For the address that is listened on, and pages of these origins.
    pub fn new(address: SocketAddr, origins: Vec<String>) -> Self {
        let (port, mut hosts) = (address.port(), vec![address.to_string(), format!("localhost:{}", address.port())]);
        if port == 80 {
            hosts.extend([address.to_string().trim_end_matches(":80").to_owned(), "localhost".into()]);
        }
        Self { hosts, origins }
    }

    /// The page's origin, when it is a page that may.
    ///
    /// # Errors
    /// When it may not be passed on.
    pub fn admit<B>(&self, request: &Request<B>) -> Result<Option<HeaderValue>, Refusal> {
        let headers = request.headers();
        let ours = |host: &[u8]| self.hosts.iter().any(|our| our.as_bytes().eq_ignore_ascii_case(host));
        if !one(headers, &HOST).is_some_and(|host| ours(host.as_bytes())) {
            return Err(Refusal::Host);
        }
        // RFC 9112 §3.2.2: a whole address in the request's line counts more than Host
        if request.uri().authority().is_some_and(|authority| !ours(authority.as_str().as_bytes())) {
            return Err(Refusal::Host);
        }
        let page = self.page(headers)?;
        if *request.method() == Method::CONNECT || !request.uri().path().starts_with('/') {
            return Err(Refusal::Request);
        }
        Ok(page)
    }

    fn page(&self, headers: &HeaderMap) -> Result<Option<HeaderValue>, Refusal> {
        if headers.contains_key(ORIGIN) {
            let named = |origin: &&HeaderValue| self.origins.iter().any(|ours| ours.as_bytes() == origin.as_bytes());
            return one(headers, &ORIGIN).filter(named).cloned().map(Some).ok_or(Refusal::Origin);
        }
        // a page's image or link: without Origin, and its answer is not the page's to read
        let from_page = |site: &HeaderValue| site != "none" && site != "same-origin";
        if headers.get_all(FETCH_SITE).iter().any(from_page) {
            return Err(Refusal::Origin);
        }
        Ok(None)
    }
}

/// None, too, when there are several.
fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

/// The answer to what a browser asks before a page's request (Fetch standard, "CORS-preflight"); None: this is no such question.
pub(super) fn preflight(page: &HeaderValue, request: &Request<Incoming>) -> Option<Response<Answer>> {
    if *request.method() != Method::OPTIONS || !request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
        return None;
    }
    let mut answer = Response::new(Either::Right(Full::default()));
    *answer.status_mut() = StatusCode::NO_CONTENT;
    let headers = answer.headers_mut();
    let_read(page.clone(), headers);
    if let Ok(methods) = HeaderValue::try_from(METHODS.join(", ")) {
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
    }
    if let Some(asked) = request.headers().get(ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
    }
    Some(answer)
}

/// The page may read this answer. What the gateway says of that is about its own pages.
pub(super) fn let_read(page: HeaderValue, headers: &mut HeaderMap) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, page);
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("*"));
    headers.append(VARY, HeaderValue::from_static("origin"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admit(
        listen: &str,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
    ) -> Result<Option<HeaderValue>, Refusal> {
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let guard = Guard::new(listen.parse().unwrap(), vec!["http://localhost:3000".into()]);
        guard.admit(&request.body(()).unwrap())
    }

    #[test]
    fn hosts() {
        let at = "127.0.0.1:8788";
        for host in ["127.0.0.1:8788", "localhost:8788", "LocalHost:8788"] {
            assert_eq!(admit(at, "GET", "/", &[("host", host)]), Ok(None), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "evil.example:8788",
            "127.0.0.1",
            "127.0.0.1:80",
            "localhost:8788.",
            "a@localhost:8788",
        ] {
            assert_eq!(admit(at, "GET", "/", &[("host", host)]), Err(Refusal::Host), "{host:?}");
        }
        assert_eq!(admit(at, "GET", "/", &[]), Err(Refusal::Host));
        let twice = [("host", "localhost:8788"), ("host", "localhost:8788")];
        assert_eq!(admit(at, "GET", "/", &twice), Err(Refusal::Host), "twice");
        assert_eq!(admit("[::1]:9", "GET", "/", &[("host", "[::1]:9")]), Ok(None));
        assert_eq!(admit("127.0.0.1:80", "GET", "/", &[("host", "localhost")]), Ok(None));
        let absolute = |target| admit(at, "GET", target, &[("host", "localhost:8788")]);
        assert_eq!(absolute("http://localhost:8788/x"), Ok(None));
        assert_eq!(absolute("http://evil.example/x"), Err(Refusal::Host), "the line's address counts more");
    }

    #[test]
    fn pages() {
        let with = |name, value| admit("127.0.0.1:8788", "POST", "/", &[("host", "localhost:8788"), (name, value)]);
        assert_eq!(
            with("origin", "http://localhost:3000"),
            Ok(Some(HeaderValue::from_static("http://localhost:3000")))
        );
        for origin in ["http://localhost:3001", "null", "", "http://localhost:3000.evil", "http://localhost:3000, x"] {
            assert_eq!(with("origin", origin), Err(Refusal::Origin), "{origin:?}");
        }
        for (site, result) in [
            ("none", Ok(None)),
            ("same-origin", Ok(None)),
            ("same-site", Err(Refusal::Origin)),
            ("cross-site", Err(Refusal::Origin)),
        ] {
            assert_eq!(with("sec-fetch-site", site), result, "{site}");
        }
    }

    #[test]
    fn other_forms() {
        let table = [
            ("CONNECT", "localhost:8788", Err(Refusal::Request)),
            ("OPTIONS", "*", Err(Refusal::Request)),
            ("TRACE", "/", Ok(None)),
        ];
        for (method, target, result) in table {
            assert_eq!(
                admit("127.0.0.1:8788", method, target, &[("host", "localhost:8788")]),
                result,
                "{method} {target}"
            );
        }
    }
}
