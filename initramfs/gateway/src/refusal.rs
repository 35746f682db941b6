//! What a client hears when the gateway itself cannot answer: a status and one fixed word.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{HeaderValue, CONNECTION, CONTENT_TYPE};
use hyper::{Response, StatusCode};
use vitrine_attest::inside::Outcome;

/// Why there is no answer from an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Something that two servers could read differently, or no HTTP at all.
    Malformed,
    HeadTooLarge,
    /// The client has sent nothing for too long.
    TooSlow,
    NotFound,
    Method,
    BodyTooLarge,
    Expectation,
    Overload,
    Unreachable,
    Broken,
    NoAnswer,
    /// The client has gone; nobody hears this.
    Left,
}

impl Refusal {
    const fn status(self) -> StatusCode {
        match self {
            Self::Malformed | Self::Left => StatusCode::BAD_REQUEST,
            Self::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Expectation => StatusCode::EXPECTATION_FAILED,
            Self::Overload => StatusCode::SERVICE_UNAVAILABLE,
            Self::Unreachable | Self::Broken => StatusCode::BAD_GATEWAY,
            Self::NoAnswer => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    const fn body(self) -> &'static str {
        match self {
            Self::Malformed | Self::Left => r#"{"error":"malformed"}"#,
            Self::HeadTooLarge => r#"{"error":"headers-too-large"}"#,
            Self::TooSlow => r#"{"error":"request-timeout"}"#,
            Self::NotFound => r#"{"error":"not-found"}"#,
            Self::Method => r#"{"error":"method-not-allowed"}"#,
            Self::BodyTooLarge => r#"{"error":"body-too-large"}"#,
            Self::Expectation => r#"{"error":"expectation-failed"}"#,
            Self::Overload => r#"{"error":"overload"}"#,
            Self::Unreachable => r#"{"error":"upstream-unreachable"}"#,
            Self::Broken => r#"{"error":"upstream-broken"}"#,
            Self::NoAnswer => r#"{"error":"upstream-timeout"}"#,
        }
    }

    /// Nothing more is read from an HTTP/1.1 connection after it.
    pub const fn closes(self) -> bool {
        matches!(self, Self::Malformed | Self::HeadTooLarge | Self::TooSlow | Self::BodyTooLarge | Self::Left)
    }

    /// The class that it is counted in.
    pub const fn outcome(self) -> Outcome {
        match self {
            Self::Overload => Outcome::Overload,
            Self::Unreachable => Outcome::Unreachable,
            Self::Broken => Outcome::UpstreamBroke,
            Self::NoAnswer => Outcome::Timeout,
            Self::Left | Self::TooSlow => Outcome::ClientLeft,
            Self::Malformed
            | Self::HeadTooLarge
            | Self::NotFound
            | Self::Method
            | Self::BodyTooLarge
            | Self::Expectation => Outcome::Refused,
        }
    }

    /// `close`: the connection is HTTP/1.1 and nothing more is read from it.
    pub fn response(self, close: bool) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(Bytes::from_static(self.body().as_bytes())));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if close {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    /// A request that no client can send over HTTP/1.1, since [`crate::head::check`] lets only letters be a method: it tells the
    /// service, in the place of a request that was stopped before hyper saw it, what to answer. Over HTTP/2 anybody can send it,
    /// and gets what he asked for.
    pub const fn stand_in(self) -> &'static [u8] {
        match self {
            Self::HeadTooLarge => b"~ /large HTTP/1.1\r\nhost: -\r\n\r\n",
            Self::TooSlow => b"~ /slow HTTP/1.1\r\nhost: -\r\n\r\n",
            _ => b"~ /malformed HTTP/1.1\r\nhost: -\r\n\r\n",
        }
    }

    /// What a [`Self::stand_in`] stands for.
    pub fn of_stand_in(method: &str, path: &str) -> Option<Self> {
        (method == "~").then_some(match path {
            "/large" => Self::HeadTooLarge,
            "/slow" => Self::TooSlow,
            _ => Self::Malformed,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stand_ins_are_understood_and_cannot_be_sent() {
        for refusal in [Refusal::HeadTooLarge, Refusal::TooSlow, Refusal::Malformed] {
            let head = refusal.stand_in();
            let text = std::str::from_utf8(head).unwrap();
            let words: Vec<&str> = text.split(' ').collect();
            assert_eq!(Refusal::of_stand_in(words[0], words[1]), Some(refusal));
            assert!(crate::head::check(head).is_err());
        }
        assert_eq!(Refusal::of_stand_in("GET", "/slow"), None);
    }
}
