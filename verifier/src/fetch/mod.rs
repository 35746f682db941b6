//! One request to a gateway that was accepted a moment ago, and its answer: pieces go on as they come.

mod output;
mod request;

pub use output::Output;
pub use request::{Data, Outgoing, Parts};

use crate::gateway::{connect, Address, Tls};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::header::{HeaderMap, LOCATION};
use hyper::{Response, Version};
use std::error::Error as _;
use vitrine_attest::event_log::printable;
use vitrine_attest::{Error, Result};

/// What is done with the answer.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// Status and headers are written, too.
    pub include: bool,
    /// The status from which on nothing is written, and there is an error instead.
    pub fail: Option<u16>,
}

/// Sends it, and writes the answer as it comes.
///
/// # Errors
/// [`vitrine_attest::Blame::Artefact`] when the other end does not hold the key: nothing was sent then. Others when no answer comes, or
/// not whole, or cannot be written.
pub async fn exchange(address: &Address, tls: &Tls, parts: Parts, output: Output, wanted: Wanted) -> Result<()> {
    let (mut sender, connection) = connect(address, tls).await.map_err(|e| e.error(address))?;
    let driver = tokio::spawn(connection);
    let sent = sender.send_request(parts.request(address)?).await;
    let broken = |what: &str, e: &hyper::Error| {
        Error::host(
            format!("{} {what}: {}", address.shown(), causes(e)),
            "nothing is sent again by itself: run it again",
        )
    };
    let answer = sent.map_err(|e| broken("gave no answer", &e))?;
    let written = receive(answer, output, wanted).await;
    driver.abort();
    match written? {
        Ok(()) => Ok(()),
        Err(e) => Err(broken("did not end its answer", &e)),
    }
}

/// The inner error: the answer has broken off.
async fn receive(
    answer: Response<Incoming>,
    output: Output,
    wanted: Wanted,
) -> Result<std::result::Result<(), hyper::Error>> {
    let status = answer.status();
    if wanted.fail.is_some_and(|least| status.as_u16() >= least) {
        let what = format!("the gateway answers with status {status}");
        return Err(Error::host(what, "leave --fail out to read its answer"));
    }
    if let (true, Some(place)) = (status.is_redirection(), answer.headers().get(LOCATION)) {
        eprintln!("status {status}, not followed, to {}", printable(&String::from_utf8_lossy(place.as_bytes())));
    }
    let mut output = output;
    if wanted.include {
        output = output.write(head(&answer).into()).await?;
    }
    let mut body = answer.into_body();
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => {
                // trailers are for nobody here
                if let Ok(piece) = frame.into_data() {
                    output = output.write(piece).await?;
                }
            }
            Err(e) => return Ok(Err(e)),
        }
    }
    output.finish()?;
    Ok(Ok(()))
}

/// As HTTP/1.1 writes it (RFC 9112 §3); without control characters, which no header can have.
fn head(answer: &Response<Incoming>) -> Vec<u8> {
    let version = if answer.version() == Version::HTTP_10 { "HTTP/1.0" } else { "HTTP/1.1" };
    let mut out = format!("{version} {}\r\n", answer.status()).into_bytes();
    fields(answer.headers(), &mut out);
    out.extend(b"\r\n");
    out
}

fn fields(headers: &HeaderMap, out: &mut Vec<u8>) {
    for (name, value) in headers {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            out.extend(part);
        }
    }
}

/// hyper says what failed; why is behind that.
fn causes(error: &hyper::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text += &format!(": {inner}");
        cause = inner.source();
    }
    printable(&text)
}
