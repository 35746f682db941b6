//! What a client is told instead of an answer of the gateway: a fixed word, and nothing else.

use super::forward::Answer;
use http_body_util::{Either, Full};
use hyper::body::Bytes;
use hyper::header::{HeaderValue, CACHE_CONTROL, CONTENT_TYPE};
use hyper::{Response, StatusCode};

/// `{"error":"server-rejected"}`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The Host header is not this proxy's address.
    Host,
    /// A web page that `--origin` does not name.
    Origin,
    /// CONNECT, or a target that is no path.
    Request,
    /// The last check has rejected the server.
    Rejected,
    /// The last check could not judge it, or nobody answered.
    NotJudged,
    /// The server is accepted, and who answers at the gateway's address does not hold its key.
    Key,
    Unreachable,
    /// The gateway was sent a part of the request, or all of it, and gave no answer.
    BrokeOff,
}

impl Refusal {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Host => "host-not-allowed",
            Self::Origin => "origin-not-allowed",
            Self::Request => "request-not-allowed",
            Self::Rejected => "server-rejected",
            Self::NotJudged => "server-not-judged",
            Self::Key => "tls-key-differs",
            Self::Unreachable => "gateway-unreachable",
            Self::BrokeOff => "gateway-broke-off",
        }
    }

    pub const fn status(self) -> StatusCode {
        match self {
            Self::Host | Self::Origin => StatusCode::FORBIDDEN,
            Self::Request => StatusCode::BAD_REQUEST,
            _ => StatusCode::BAD_GATEWAY,
        }
    }

    pub(super) fn answer(self) -> Response<Answer> {
        let body = format!("{{\"error\":\"{}\"}}\n", self.word());
        let mut response = Response::new(Either::Right(Full::new(Bytes::from(body))));
        *response.status_mut() = self.status();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}
