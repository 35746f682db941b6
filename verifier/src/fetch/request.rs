//! The request as a person gives it.

use crate::files;
use crate::gateway::Address;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Empty, Full};
use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::header::{HeaderMap, HeaderName, HeaderValue, CONTENT_TYPE, HOST};
use hyper::{Method, Request};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::mpsc;
use vitrine_attest::{Error, Result};

/// Bytes of a file of headers.
const HEADERS_LIMIT: usize = 64 << 10;
/// Bytes that are read at a time, and pieces that wait until the gateway takes them.
const PIECE: usize = 64 << 10;
const WAITING: usize = 2;
/// How curl names text that is given without a type.
const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");
/// They frame the message or belong to one connection (RFC 9110 §7.6.1, RFC 9112 §6): this program writes them, or nobody.
const OURS: [&str; 10] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

pub type Outgoing = UnsyncBoxBody<Bytes, io::Error>;

/// The body of a request.
#[derive(Debug)]
pub enum Data {
    None,
    Text(Bytes),
    File(File),
    Stdin,
}

impl Data {
    /// `DATA`, `@FILE` or `@-`.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn of(given: Option<&str>) -> Result<Self> {
        Ok(match given.map(|given| given.strip_prefix('@').ok_or(given)) {
            None => Self::None,
            Some(Err(text)) => Self::Text(Bytes::copy_from_slice(text.as_bytes())),
            Some(Ok("-")) => Self::Stdin,
            Some(Ok(path)) => {
                let failed = |e: io::Error| Error::input(format!("{path}: {e}"), "check the name behind --data @");
                let file = File::open(path).map_err(failed)?;
                if file.metadata().map_err(failed)?.is_dir() {
                    return Err(failed(io::ErrorKind::IsADirectory.into()));
                }
                Self::File(file)
            }
        })
    }

    fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    fn body(self) -> Result<Outgoing> {
        let never = |e: std::convert::Infallible| match e {};
        Ok(match self {
            Self::None => Empty::new().map_err(never).boxed_unsync(),
            Self::Text(bytes) => Full::new(bytes).map_err(never).boxed_unsync(),
            Self::File(file) => {
                let metadata = file.metadata().map_err(|e| Error::input(format!("--data: {e}"), "check the file"))?;
                // of what is no plain file nobody knows the length
                let length = metadata.is_file().then_some(metadata.len());
                Piped::begin(file.take(length.unwrap_or(u64::MAX)), length).boxed_unsync()
            }
            Self::Stdin => Piped::begin(io::stdin(), None).boxed_unsync(),
        })
    }
}

/// A request that is ready, but for the address.
#[derive(Debug)]
pub struct Parts {
    method: Method,
    headers: HeaderMap,
    data: Data,
}

impl Parts {
    /// # Errors
    /// When a header or the method is none, or is not the person's to give.
    pub fn new(method: Option<&str>, headers: &[String], data: Data) -> Result<Self> {
        let method = match method {
            Some(given) => read_method(given)?,
            None if data.is_none() => Method::GET,
            None => Method::POST,
        };
        let mut read = HeaderMap::new();
        for given in headers {
            match given.strip_prefix('@') {
                Some(path) => read_file(path, &mut read)?,
                None => read_header(given, &mut read)?,
            }
        }
        if !data.is_none() {
            read.entry(CONTENT_TYPE).or_insert(FORM);
        }
        Ok(Self { method, headers: read, data })
    }

    /// # Errors
    /// When the body's file is gone.
    pub fn request(self, address: &Address) -> Result<Request<Outgoing>> {
        let mut request = Request::new(self.data.body()?);
        *request.method_mut() = self.method;
        *request.uri_mut() = address.target().clone();
        *request.headers_mut() = self.headers;
        let host =
            HeaderValue::try_from(address.authority()).map_err(|_| Error::bug("an address is no Host header"))?;
        request.headers_mut().insert(HOST, host);
        Ok(request)
    }
}

fn read_method(given: &str) -> Result<Method> {
    match Method::from_bytes(given.as_bytes()) {
        Ok(method) if method != Method::CONNECT => Ok(method),
        _ => {
            Err(Error::input(format!("-X {given}: this is no method of a request"), "write GET, POST, PUT or another"))
        }
    }
}

fn read_file(path: &str, headers: &mut HeaderMap) -> Result<()> {
    let bytes = files::read(Path::new(path), HEADERS_LIMIT)?;
    let text =
        String::from_utf8(bytes).map_err(|_| Error::input(format!("{path} is no text"), "write one header a line"))?;
    text.lines().filter(|line| !line.trim().is_empty()).try_for_each(|line| read_header(line, headers))
}

/// The value may be a secret: it is in no message.
fn read_header(given: &str, headers: &mut HeaderMap) -> Result<()> {
    let hint = "write -H 'NAME: VALUE', or -H @FILE with one in each line";
    let (name, value) = given.split_once(':').ok_or_else(|| Error::input("a header has no colon", hint))?;
    let bad = |what: &str| Error::input(format!("header {:?}: {what}", name), hint);
    let read = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad("this is no name of a header"))?;
    if OURS.contains(&read.as_str()) {
        return Err(bad("it belongs to the connection, and this program writes it where it is needed"));
    }
    let value = HeaderValue::from_str(value.trim()).map_err(|_| bad("its value has other characters than text"))?;
    let room = headers.try_append(read, value);
    room.map(|_| ()).map_err(|_| bad("these are too many"))
}

/// What a thread reads, a piece at a time, as fast as the gateway takes it: reading may wait for a person.
struct Piped {
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    /// What is still to come, of a file.
    left: Option<u64>,
}

impl Piped {
    fn begin(reader: impl Read + Send + 'static, left: Option<u64>) -> Self {
        let (pieces, received) = mpsc::channel(WAITING);
        std::thread::spawn(move || read(reader, &pieces));
        Self { pieces: received, left }
    }
}

/// Until the end, a failure, or until nobody wants more.
fn read(mut reader: impl Read, pieces: &mpsc::Sender<io::Result<Bytes>>) {
    let mut buffer = vec![0; PIECE];
    loop {
        let piece = match reader.read(&mut buffer) {
            Ok(0) => return,
            Ok(length) => Ok(Bytes::copy_from_slice(&buffer[..length])),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => Err(e),
        };
        let failed = piece.is_err();
        if pieces.blocking_send(piece).is_err() || failed {
            return;
        }
    }
}

impl Body for Piped {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.pieces.poll_recv(cx).map(|piece| match (piece, self.left) {
            (None, Some(1..)) => Some(Err(io::Error::other("the file has become shorter while it was read"))),
            (piece, left) => {
                let length = piece.as_ref().and_then(|piece| piece.as_ref().ok()).map_or(0, |piece| piece.len() as u64);
                self.left = left.map(|left| left.saturating_sub(length));
                piece.map(|piece| piece.map(Frame::data))
            }
        })
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(method: Option<&str>, headers: &[&str], data: Option<&str>) -> Result<Parts> {
        let headers: Vec<String> = headers.iter().map(|header| (*header).to_owned()).collect();
        Parts::new(method, &headers, Data::of(data).unwrap())
    }

    #[test]
    fn as_curl_has_it() {
        let address = Address::parse("https://a.example:1/x?y").unwrap();
        let request = parts(None, &[], None).unwrap().request(&address).unwrap();
        assert_eq!((request.method(), request.uri().to_string()), (&Method::GET, "/x?y".into()));
        assert_eq!(request.headers().len(), 1, "nothing is added but Host: {:?}", request.headers());
        assert_eq!(request.headers()[HOST], "a.example:1");
        let request = parts(None, &[], Some("a=b")).unwrap().request(&address).unwrap();
        assert_eq!((request.method(), &request.headers()[CONTENT_TYPE]), (&Method::POST, &FORM));
        assert_eq!(request.body().size_hint().exact(), Some(3));
        let request = parts(Some("PUT"), &["content-type:text/x", "A:  b ", "a: c"], Some("")).unwrap();
        let request = request.request(&address).unwrap();
        assert_eq!(
            (request.method(), &request.headers()[CONTENT_TYPE]),
            (&Method::PUT, &HeaderValue::from_static("text/x"))
        );
        assert_eq!(request.headers().get_all("a").iter().collect::<Vec<_>>(), ["b", "c"]);
    }

    #[test]
    fn mistakes_name_no_secret() {
        let table =
            ["secret", "a b: secret", "Host: secret", "transfer-encoding: secret", "a: secret\nb: c", ": secret"];
        for header in table {
            let refused = parts(None, &[header], None).map(|_| ()).unwrap_err();
            assert_eq!(refused.exit_code(), 2, "{header}");
            assert!(!refused.to_string().contains("secret"), "{refused}");
        }
        for method in ["", "G T", "CONNECT"] {
            assert!(parts(Some(method), &[], None).is_err(), "{method:?} was taken");
        }
        assert_eq!(Data::of(Some("@/no/such")).map(|_| ()).unwrap_err().exit_code(), 2);
        assert_eq!(Data::of(Some("@/")).map(|_| ()).unwrap_err().exit_code(), 2);
    }
}
