//! The little of HTTP/1.1 (RFC 9112) that four POST requests and one GET need. Parsing only: bytes in, values out.
//!
//! Stricter than the standard asks for: no chunked bodies, no folded lines, no bare line feeds, one
//! `Content-Length` in plain digits. What is not understood is refused, with a fixed code.

use serde::Serialize;

/// Bytes of request line and headers together. Clients of ours send about 150.
pub const HEAD_LIMIT: usize = 8 << 10;

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Not HTTP as we take it.
    Malformed,
    NotFound,
    /// Neither POST nor GET.
    Method,
    /// GET of what is only asked by POST.
    OnlyPost,
    /// The client was too slow.
    Timeout,
    /// No `Content-Length`.
    NoLength,
    BodyTooLarge,
    HeadTooLarge,
    /// `Transfer-Encoding` of any kind.
    Chunked,
    /// `Expect` of any kind; a client then sends the request again without (RFC 9110 §10.1.1).
    Expectation,
    /// Another major or minor version than HTTP/1.1.
    Version,
    /// Not the bytes that the owner has ordered, or none were.
    NotOrdered,
    /// The body is not the message this path takes.
    Message,
    /// A message of another version.
    MessageVersion,
    /// The credential was not made for the keys of this TPM, or is damaged.
    Credential,
    /// The TPM, or init, is occupied until after the deadline.
    Busy,
    /// The TPM failed.
    Tpm,
}

impl Refusal {
    /// Status and code.
    pub fn words(self) -> (u16, &'static str) {
        match self {
            Self::Malformed => (400, "malformed"),
            Self::NotFound => (404, "not-found"),
            Self::Method | Self::OnlyPost => (405, "method"),
            Self::Timeout => (408, "timeout"),
            Self::NoLength => (411, "no-length"),
            Self::BodyTooLarge => (413, "body-too-large"),
            Self::HeadTooLarge => (431, "head-too-large"),
            Self::Chunked => (501, "chunked"),
            Self::Expectation => (417, "expectation"),
            Self::Version => (505, "http-version"),
            Self::NotOrdered => (403, "attachments-not-ordered"),
            Self::Message => (400, "message"),
            Self::MessageVersion => (400, "message-version"),
            Self::Credential => (400, "credential"),
            Self::Busy => (503, "busy"),
            Self::Tpm => (503, "tpm"),
        }
    }
}

/// How something is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Get,
    Post,
}

/// Request line and headers, as far as they matter here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub method: Method,
    pub path: String,
    /// Bytes of the body; none of a GET.
    pub length: usize,
}

/// Where the headers end: the offset behind the first empty line at or after `from`.
pub fn head_end(bytes: &[u8], from: usize) -> Option<usize> {
    let start = from.saturating_sub(3);
    bytes.get(start..)?.windows(4).position(|w| w == b"\r\n\r\n").map(|at| start + at + 4)
}

/// Reads everything up to and including the empty line.
///
/// # Errors
/// The first thing that is wrong. Paths and sizes of bodies are judged by the caller.
pub fn parse_head(bytes: &[u8]) -> Result<Head, Refusal> {
    if bytes.len() > HEAD_LIMIT {
        return Err(Refusal::HeadTooLarge);
    }
    let text = bytes.strip_suffix(b"\r\n\r\n").ok_or(Refusal::Malformed)?;
    let text = std::str::from_utf8(text).map_err(|_| Refusal::Malformed)?;
    let mut lines = text.split("\r\n");
    let (method, path) = request_line(lines.next().unwrap_or_default())?;
    let fields = lines.map(field).collect::<Result<Vec<_>, _>>()?;
    if find(&fields, "transfer-encoding")?.is_some() {
        return Err(Refusal::Chunked);
    }
    if find(&fields, "expect")?.is_some() {
        return Err(Refusal::Expectation);
    }
    find(&fields, "host")?.ok_or(Refusal::Malformed)?;
    let length = match (method, find(&fields, "content-length")?.map(content_length).transpose()?) {
        (Method::Post, None) => return Err(Refusal::NoLength),
        // its body would have no meaning (RFC 9110 §9.3.1)
        (Method::Get, Some(1..)) => return Err(Refusal::BodyTooLarge),
        (_, length) => length.unwrap_or(0),
    };
    Ok(Head { method, path: path.to_owned(), length })
}

/// `POST <path> HTTP/1.1` (RFC 9112 §3).
fn request_line(line: &str) -> Result<(Method, &str), Refusal> {
    let mut words = line.split(' ');
    let (Some(method), Some(path), Some(version), None) = (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(Refusal::Malformed);
    };
    let printable = path.bytes().all(|b| b.is_ascii_graphic());
    if !is_token(method) || !path.starts_with('/') || !printable {
        return Err(Refusal::Malformed);
    }
    if version != "HTTP/1.1" {
        let known = version.strip_prefix("HTTP/").is_some_and(|v| v.bytes().all(|b| b.is_ascii_digit() || b == b'.'));
        return Err(if known { Refusal::Version } else { Refusal::Malformed });
    }
    match method {
        "POST" => Ok((Method::Post, path)),
        "GET" => Ok((Method::Get, path)),
        _ => Err(Refusal::Method),
    }
}

/// `name: value` (RFC 9112 §5). A folded line begins with white space, which is no token.
fn field(line: &str) -> Result<(&str, &str), Refusal> {
    let (name, value) = line.split_once(':').ok_or(Refusal::Malformed)?;
    let value = value.trim_matches([' ', '\t']);
    if !is_token(name) || value.bytes().any(|b| b.is_ascii_control() && b != b'\t') {
        return Err(Refusal::Malformed);
    }
    Ok((name, value))
}

/// A field that may be there once; twice is refused, because two readers could take different ones.
fn find<'a>(fields: &[(&str, &'a str)], name: &str) -> Result<Option<&'a str>, Refusal> {
    let mut found = fields.iter().filter(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| *value);
    match (found.next(), found.next()) {
        (value, None) => Ok(value),
        _ => Err(Refusal::Malformed),
    }
}

/// Digits only (RFC 9110 §8.6); more than nine of them are too large whatever they say.
fn content_length(value: &str) -> Result<usize, Refusal> {
    if value.is_empty() || !value.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Refusal::Malformed);
    }
    if value.len() > 9 {
        return Err(Refusal::BodyTooLarge);
    }
    value.parse().map_err(|_| Refusal::Malformed)
}

/// RFC 9110 §5.6.2.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// A whole answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    pub kind: Kind,
    pub body: Vec<u8>,
    /// Methods that would be taken (RFC 9110 §10.2.1), with status 405.
    pub allow: Option<&'static str>,
}

/// Media type of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Json,
    /// A sealed answer, or what the owner has brought.
    Bytes,
}

#[derive(Serialize)]
struct Code<'a> {
    code: &'a str,
}

impl Response {
    pub fn json<T: Serialize>(value: &T) -> Self {
        match serde_json::to_vec(value) {
            Ok(body) => Self { status: 200, kind: Kind::Json, body, allow: None },
            Err(_) => Self { status: 500, kind: Kind::Json, body: Vec::new(), allow: None },
        }
    }

    pub fn bytes_of(body: Vec<u8>) -> Self {
        Self { status: 200, kind: Kind::Bytes, body, allow: None }
    }

    /// `{"code":"…"}`.
    pub fn code(status: u16, code: &str) -> Self {
        Self { status, ..Self::json(&Code { code }) }
    }

    /// The bytes on the wire. No date, no name of a program: nothing here tells more than the answer.
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        let kind = match self.kind {
            Kind::Json => "application/json",
            Kind::Bytes => "application/octet-stream",
        };
        out += &format!("Content-Type: {kind}\r\nContent-Length: {}\r\n", self.body.len());
        if let Some(methods) = self.allow {
            out += &format!("Allow: {methods}\r\n");
        }
        out += "Cache-Control: no-store\r\nConnection: close\r\n\r\n";
        let mut out = out.into_bytes();
        out.extend_from_slice(&self.body);
        out
    }
}

impl From<Refusal> for Response {
    fn from(refusal: Refusal) -> Self {
        let (status, code) = refusal.words();
        let allow = match refusal {
            Refusal::Method => Some("GET, POST"),
            Refusal::OnlyPost => Some("POST"),
            _ => None,
        };
        Self { allow, ..Self::code(status, code) }
    }
}

/// RFC 9110 §15.
fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        411 => "Length Required",
        413 => "Content Too Large",
        417 => "Expectation Failed",
        431 => "Request Header Fields Too Large",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "Internal Server Error",
    }
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
