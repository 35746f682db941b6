//! The head of an HTTP/1.1 request as it comes (RFC 9112 §2–§6), before hyper sees it: forms that hyper would mend, and that
//! another server might read differently, are refused. That is what request smuggling is made of.
//!
//! hyper takes bare LF as the end of a line, a Content-Length beside Transfer-Encoding (and drops it), several equal
//! Content-Lengths, `Transfer-Encoding: gzip, chunked`, fragments, empty lines before a request, HTTP/1.0.

use crate::limits::{HEAD, HEADERS};
use hyper::Uri;

/// Where the body ends (RFC 9112 §6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// Bytes; 0 without a body.
    Length(u64),
    Chunked,
}

/// Why a head is not passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bad {
    Malformed,
    TooLarge,
}

/// How far a head has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    More,
    /// Its length.
    Whole(usize),
    Bad(Bad),
}

/// Looks for the empty line, in what has come so far; the first `seen` bytes have been looked at before.
pub fn progress(bytes: &[u8], seen: usize) -> Progress {
    // the byte before, and the three before the last one of an empty line, belong to what is looked at now
    for n in seen..bytes.len().min(HEAD) {
        match bytes[n] {
            b'\n' if n == 0 || bytes[n - 1] != b'\r' => return Progress::Bad(Bad::Malformed),
            b'\n' if n >= 3 && bytes[n - 3..n - 1] == *b"\r\n" => return Progress::Whole(n + 1),
            b'\n' => {}
            _ if n > 0 && bytes[n - 1] == b'\r' => return Progress::Bad(Bad::Malformed),
            b'\r' | b'\t' => {}
            byte if byte.is_ascii_control() => return Progress::Bad(Bad::Malformed),
            _ => {}
        }
    }
    if bytes.len() >= HEAD {
        return Progress::Bad(Bad::TooLarge);
    }
    Progress::More
}

/// Reads a whole head, with its empty line.
///
/// # Errors
/// For everything that is not exactly RFC 9112's grammar for HTTP/1.1, and for what it warns of: see the module. `TooLarge` for too
/// many headers.
pub fn check(head: &[u8]) -> Result<Framing, Bad> {
    let mut lines = Lines(head.strip_suffix(b"\r\n\r\n"));
    request_line(lines.next().ok_or(Bad::Malformed)?).ok_or(Bad::Malformed)?;
    let mut fields = Fields::default();
    for (n, line) in lines.enumerate() {
        if n == HEADERS {
            return Err(Bad::TooLarge);
        }
        fields.take(line).ok_or(Bad::Malformed)?;
    }
    fields.framing().ok_or(Bad::Malformed)
}

/// Lines between CRLFs; a bare CR or LF stays in its line, where no rule allows it.
struct Lines<'a>(Option<&'a [u8]>);

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.0?;
        let end = rest.windows(2).position(|two| two == b"\r\n");
        self.0 = end.map(|end| &rest[end + 2..]);
        Some(end.map_or(rest, |end| &rest[..end]))
    }
}

/// `method SP target SP HTTP/1.1` (RFC 9112 §3): one space each, no fragment.
fn request_line(line: &[u8]) -> Option<()> {
    let mut words = line.split(|byte| *byte == b' ');
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    let letters = (1..=16).contains(&method.len()) && method.iter().all(u8::is_ascii_uppercase);
    let graphic = target.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'#');
    let right = words.next().is_none() && letters && graphic && version == b"HTTP/1.1" && Uri::try_from(target).is_ok();
    right.then_some(())
}

/// RFC 9110 §5.6.2.
fn token(bytes: &[u8]) -> bool {
    let mark = |byte: &u8| b"!#$%&'*+-.^_`|~".contains(byte);
    !bytes.is_empty() && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || mark(byte))
}

/// The headers that say where a message ends, and to whom it goes.
#[derive(Default)]
struct Fields {
    length: Option<u64>,
    chunked: bool,
    host: bool,
}

impl Fields {
    /// One line: a name, a colon right after it, a value without control characters. A line that begins with white space
    /// (obs-fold, RFC 9112 §5.2) has no name.
    fn take(&mut self, line: &[u8]) -> Option<()> {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        let text = |byte: &u8| *byte == b'\t' || !byte.is_ascii_control();
        (token(name) && line[colon + 1..].iter().all(text)).then_some(())?;
        if name.eq_ignore_ascii_case(b"content-length") {
            let digits = (1..=18).contains(&value.len()) && value.iter().all(u8::is_ascii_digit);
            (digits && self.length.is_none()).then_some(())?;
            self.length = std::str::from_utf8(value).ok()?.parse().ok();
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            (value.eq_ignore_ascii_case(b"chunked") && !self.chunked).then_some(())?;
            self.chunked = true;
        } else if name.eq_ignore_ascii_case(b"host") {
            (!self.host).then_some(())?;
            self.host = true;
        } else if name.eq_ignore_ascii_case(b"upgrade") || name.eq_ignore_ascii_case(b"http2-settings") {
            return None;
        }
        Some(())
    }

    /// RFC 9112 §6.3, and §3.2: exactly one Host.
    fn framing(&self) -> Option<Framing> {
        match (self.host, self.length, self.chunked) {
            (true, None, true) => Some(Framing::Chunked),
            (true, length, false) => Some(Framing::Length(length.unwrap_or(0))),
            _ => None,
        }
    }
}

#[cfg(test)]
#[path = "head_tests.rs"]
mod tests;
