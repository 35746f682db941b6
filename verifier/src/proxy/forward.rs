//! A request on its way to the gateway, and the connection that takes it there.

use super::refusal::Refusal;
use super::Proxy;
use crate::gateway::{connect, Address, Failure};
use http_body_util::{Either, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::SendRequest;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue, CONNECTION, HOST};
use hyper::{Request, Response, Uri, Version};
use std::time::{Duration, Instant};
use vitrine_attest::Sha256;

/// The gateway's, as it comes, or one of this proxy.
pub type Answer = Either<Incoming, Full<Bytes>>;

/// They belong to one connection, or frame the message there (RFC 9110 §7.6.1, RFC 9112 §6).
const OF_THE_CONNECTION: [HeaderName; 9] = [
    CONNECTION,
    header::EXPECT,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
];
/// They tell where on this machine a request comes from.
const OF_THE_PAGE: [HeaderName; 6] = [
    header::ORIGIN,
    header::REFERER,
    HeaderName::from_static("sec-fetch-dest"),
    HeaderName::from_static("sec-fetch-mode"),
    HeaderName::from_static("sec-fetch-site"),
    HeaderName::from_static("sec-fetch-user"),
];
/// After so long a connection is not used again: a gateway closes those on which nothing comes (`limits.idle`, a minute by default), and
/// a request that meets this half-way is lost.
const KEPT: Duration = Duration::from_secs(30);
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// Makes a client's request the gateway's.
pub(super) fn clean<B>(request: &mut Request<B>, gateway: &Address) {
    // a path of its own, whatever form the request's line had
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    *request.uri_mut() = target.parse().unwrap_or_else(|_| Uri::from_static("/"));
    *request.version_mut() = Version::HTTP_11;
    let headers = request.headers_mut();
    // RFC 9112 §6.3: with both, the length does not count
    if headers.contains_key(header::TRANSFER_ENCODING) {
        headers.remove(header::CONTENT_LENGTH);
    }
    of_one_connection(headers);
    OF_THE_PAGE.iter().for_each(|name| drop(headers.remove(name)));
    if let Ok(host) = HeaderValue::try_from(gateway.authority()) {
        headers.insert(HOST, host);
    }
}

fn of_one_connection(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        // the length frames the body: no client names it away
        .filter(|name| *name != header::CONTENT_LENGTH)
        .collect();
    for name in named.iter().chain(&OF_THE_CONNECTION).chain([&PROXY_CONNECTION]) {
        headers.remove(name);
    }
}

/// A connection to the gateway, or none yet.
#[derive(Debug, Default)]
pub struct Link(Option<Open>);

#[derive(Debug)]
struct Open {
    spki: Sha256,
    /// By its last request.
    used: Instant,
    sender: SendRequest<Incoming>,
}

impl Link {
    /// Sends it once. It is offered to a second connection only if the first had closed before a byte of it was taken.
    pub(super) async fn send(
        &mut self,
        proxy: &Proxy,
        request: Request<Incoming>,
    ) -> Result<Response<Answer>, Refusal> {
        let mut request = request;
        for _ in 0..2 {
            let mut open = self.open(proxy).await?;
            match open.sender.try_send_request(request).await {
                Ok(mut answer) => {
                    open.used = Instant::now();
                    of_one_connection(answer.headers_mut());
                    self.0 = Some(open);
                    return Ok(answer.map(Either::Left));
                }
                Err(mut failed) => match failed.take_message() {
                    Some(untouched) => request = untouched,
                    None => return Err(proxy.standing.current().await.err().unwrap_or(Refusal::BrokeOff)),
                },
            }
        }
        Err(Refusal::Unreachable)
    }

    /// One that stands, with the key that is accepted now. A key that differs is asked about once: the server may be another boot.
    async fn open(&mut self, proxy: &Proxy) -> Result<Open, Refusal> {
        let mut asked = false;
        loop {
            let (spki, tls, checks) = proxy.standing.current().await?;
            if let Some(mut open) = self.0.take().filter(|open| open.spki == spki && open.used.elapsed() < KEPT) {
                if open.sender.ready().await.is_ok() {
                    return Ok(open);
                }
            }
            match connect(&proxy.gateway, &tls).await {
                Ok((sender, connection)) => {
                    let standing = proxy.standing.clone();
                    tokio::spawn(async move {
                        tokio::select! {
                            _ = connection => {}
                            () = standing.lost(spki) => {}
                        }
                    });
                    return Ok(Open { spki, used: Instant::now(), sender });
                }
                Err(Failure::Unreachable(_)) => return Err(Refusal::Unreachable),
                Err(Failure::Key(_)) if asked => return Err(Refusal::Key),
                Err(Failure::Key(_)) => {
                    asked = true;
                    proxy.standing.after(checks).await;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cleaned(target: &str, headers: &[(&str, &str)]) -> Request<()> {
        let mut request = Request::builder().method("POST").uri(target).version(Version::HTTP_10);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(()).unwrap();
        clean(&mut request, &Address::parse("https://a.example:1").unwrap());
        request
    }

    #[test]
    fn what_is_passed_on() {
        let request = cleaned(
            "http://localhost:8788/x?y",
            &[
                ("host", "localhost:8788"),
                ("connection", "close, X-Hop,  keep-alive, host, content-length"),
                ("x-hop", "1"),
                ("keep-alive", "timeout=5"),
                ("proxy-connection", "x"),
                ("te", "trailers"),
                ("upgrade", "websocket"),
                ("expect", "100-continue"),
                ("origin", "http://localhost:3000"),
                ("referer", "http://localhost:3000/private"),
                ("sec-fetch-mode", "cors"),
                ("content-length", "3"),
                ("authorization", "Bearer x"),
                ("x-other", "kept"),
            ],
        );
        let mut left: Vec<_> =
            request.headers().iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        left.sort_unstable();
        let expected =
            [("authorization", "Bearer x"), ("content-length", "3"), ("host", "a.example:1"), ("x-other", "kept")];
        assert_eq!(left, expected);
        assert_eq!((request.uri().to_string(), request.version()), ("/x?y".into(), Version::HTTP_11));
    }

    #[test]
    fn two_lengths() {
        let request = cleaned("/", &[("transfer-encoding", "chunked"), ("content-length", "3")]);
        assert!(
            !request.headers().contains_key("content-length") && !request.headers().contains_key("transfer-encoding")
        );
    }
}
