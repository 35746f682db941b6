//! Plain HTTP to a server's agent. What it sends is signed by its TPM, so TLS would add nothing here; everything is
//! bounded: time, bytes, no redirects, no proxy.

use std::time::{Duration, Instant};
use ureq::http::{Response, Uri};
use ureq::{Agent, Body, RequestBuilder};
use vitrine_attest::{Error, Result};

/// Until a connection stands.
const CONNECT: Duration = Duration::from_secs(10);
/// For one whole request. Hardware TPMs take about a second for a quote, and the agent may have others to serve.
pub const DEADLINE: Duration = Duration::from_secs(60);
/// Before a busy server is asked once more; twice as long each time, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(4);
/// Longest code in an error answer that is shown.
const CODE_LIMIT: usize = 64;

/// A server's address: `http://host:port`.
#[derive(Debug, Clone)]
pub struct Server {
    base: String,
    /// IPv6 addresses in brackets.
    host: String,
    agent: Agent,
    deadline: Duration,
}

/// Connections that several [`Server`]s share: bounded in number, and nothing else is kept.
pub fn agent() -> Agent {
    Agent::new_with_config(
        Agent::config_builder()
            .max_redirects(0)
            .http_status_as_error(false)
            .proxy(None)
            .user_agent("vitrine-verify")
            .build(),
    )
}

/// Whether TLS is what failed: rustls says through the socket what it thinks of a certificate.
#[cfg(feature = "https")]
pub fn of_tls(error: &ureq::Error) -> bool {
    matches!(error, ureq::Error::Tls(_) | ureq::Error::Rustls(_) | ureq::Error::Pem(_))
        || matches!(error, ureq::Error::Io(e) if e.kind() == std::io::ErrorKind::InvalidData)
}

#[cfg(not(feature = "https"))]
pub const fn of_tls(_: &ureq::Error) -> bool {
    false
}

/// The whole body of an answer, of at most `limit` bytes: ureq itself refuses one of exactly its limit, too.
///
/// # Errors
/// [`ureq::Error::BodyExceedsLimit`], with this limit, when it is longer; any other when it does not come.
pub fn body(response: &mut Response<Body>, limit: usize) -> std::result::Result<Vec<u8>, ureq::Error> {
    let limit = limit as u64;
    response.body_mut().with_config().limit(limit + 1).read_to_vec().map_err(|e| match e {
        ureq::Error::BodyExceedsLimit(_) => ureq::Error::BodyExceedsLimit(limit),
        other => other,
    })
}

/// An answer with its status.
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

impl Answer {
    /// The code in `{"code":"…"}`, or the status; safe to print.
    pub fn code(&self) -> String {
        match self.given() {
            Some(code) => format!("{code} (status {})", self.status),
            None => format!("status {}", self.status),
        }
    }

    fn given(&self) -> Option<String> {
        serde_json::from_slice::<serde_json::Value>(&self.body)
            .ok()
            .and_then(|value| value.get("code").and_then(|code| code.as_str()).map(String::from))
            .filter(|code| code.len() <= CODE_LIMIT && code.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'))
    }

    /// The TPM has others to serve, or is slow. One that fails has the same status, and is not to be asked again: the agent gives it
    /// up after a few failures.
    fn is_busy(&self) -> bool {
        self.status == 503 && self.given().as_deref() == Some("busy")
    }
}

impl Server {
    /// # Errors
    /// When the address is not `http://host:port`, possibly with a final slash.
    pub fn new(url: &str, deadline: Duration) -> Result<Self> {
        Self::over(&agent(), url, deadline)
    }

    /// The same over shared connections.
    ///
    /// # Errors
    /// As there.
    pub fn over(agent: &Agent, url: &str, deadline: Duration) -> Result<Self> {
        let (base, host) = address(url)?;
        Ok(Self { base, host, agent: agent.clone(), deadline })
    }

    /// As in the address, without the port.
    pub fn host(&self) -> &str {
        &self.host
    }

    pub fn name(&self) -> &str {
        &self.base
    }

    /// Sends `body` and reads an answer of at most `limit` bytes.
    ///
    /// # Errors
    /// [`vitrine_attest::Blame::Host`] when the server cannot be reached, does not answer in time, or answers more.
    pub fn post(&self, path: &str, content_type: &str, body: &[u8], limit: usize) -> Result<Answer> {
        self.post_within(self.deadline, path, content_type, body, limit)
    }

    /// [`Self::post`], once more while the server is busy, until the deadline: for questions, which leave nothing behind there.
    /// When there is no time for another, the answer is that the server is busy.
    ///
    /// # Errors
    /// As [`Self::post`].
    pub fn ask(&self, path: &str, content_type: &str, body: &[u8], limit: usize) -> Result<Answer> {
        let end = Instant::now() + self.deadline;
        let mut pause = FIRST_PAUSE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let answer = self.post_within(left, path, content_type, body, limit)?;
            if !answer.is_busy() || Instant::now() + pause >= end {
                return Ok(answer);
            }
            std::thread::sleep(pause);
            pause = LONGEST_PAUSE.min(pause * 2);
        }
    }

    fn post_within(
        &self,
        deadline: Duration,
        path: &str,
        content_type: &str,
        body: &[u8],
        limit: usize,
    ) -> Result<Answer> {
        let request = bounded(deadline, self.agent.post(format!("{}{path}", self.base)));
        self.read(request.header("content-type", content_type).send(body), limit)
    }

    /// Reads what is at a path, at most `limit` bytes.
    ///
    /// # Errors
    /// As [`Self::post`].
    pub fn get(&self, path: &str, limit: usize) -> Result<Answer> {
        self.read(bounded(self.deadline, self.agent.get(format!("{}{path}", self.base))).call(), limit)
    }

    fn read(&self, response: std::result::Result<Response<Body>, ureq::Error>, limit: usize) -> Result<Answer> {
        let mut response = response.map_err(|e| self.failed(&e))?;
        let status = response.status().as_u16();
        let body = body(&mut response, limit).map_err(|e| self.failed(&e))?;
        Ok(Answer { status, body })
    }

    fn failed(&self, error: &ureq::Error) -> Error {
        let (what, hint) = match error {
            ureq::Error::Timeout(_) => ("did not answer in time".into(), "try again, or ask the operator"),
            ureq::Error::BodyExceedsLimit(limit) => {
                (format!("sent more than {limit} bytes"), "do not trust this server: it does not keep to the protocol")
            }
            other => (format!("cannot be asked: {other}"), "check the address and that the server runs"),
        };
        Error::host(format!("{} {what}", self.base), hint)
    }
}

fn bounded<B>(deadline: Duration, request: RequestBuilder<B>) -> RequestBuilder<B> {
    let config = request.config().timeout_connect(Some(CONNECT.min(deadline)));
    config.timeout_global(Some(deadline)).build()
}

/// Base address without a final slash, and the host in it.
///
/// # Errors
/// When it is not `http://host:port`, possibly with a final slash.
pub fn address(url: &str) -> Result<(String, String)> {
    let bad = |why: &str| {
        Error::input(format!("{url}: {why}"), "write the server's address as http://HOST:PORT or http://[IPV6]:PORT")
    };
    let uri: Uri = url.parse().map_err(|_| bad("this is no address"))?;
    match uri.scheme_str() {
        Some("http") => {}
        Some("https") => return Err(bad("evidence is served over plain HTTP; it is signed, not secret")),
        _ => return Err(bad("this is no http:// address")),
    }
    let authority = uri.authority().ok_or_else(|| bad("there is no host in it"))?;
    if authority.as_str().contains('@') || !matches!(uri.path(), "" | "/") || uri.query().is_some() {
        return Err(bad("only host and port can be named"));
    }
    Ok((format!("http://{authority}"), authority.host().to_owned()))
}

/// 32 random bytes.
pub fn random() -> Result<[u8; 32]> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)
        .map_err(|e| Error::host(format!("the system gave no random numbers: {e}"), "try again"))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for good in ["http://10.0.0.1:8787", "http://[2001:db8::1]:8787/", "http://example.org:1"] {
            assert!(Server::new(good, DEADLINE).is_ok(), "{good} was refused");
        }
        for bad in
            ["https://a:1", "http://", "a:1", "ftp://a", "http://u@a:1", "http://a:1/x", "http://a/?q", "http://[::1"]
        {
            assert_eq!(Server::new(bad, DEADLINE).map(|_| ()).unwrap_err().exit_code(), 2, "{bad} was taken");
        }
    }

    #[test]
    fn hosts() {
        for (url, host) in [("http://10.0.0.1:8787", "10.0.0.1"), ("http://[2001:db8::1]:1/", "[2001:db8::1]")] {
            assert_eq!(Server::new(url, DEADLINE).unwrap().host(), host);
        }
    }

    #[test]
    fn codes_are_safe_to_print() {
        let code = |body: &str| Answer { status: 500, body: body.as_bytes().to_vec() }.code();
        assert_eq!(code(r#"{"code":"tpm-failed"}"#), "tpm-failed (status 500)");
        assert_eq!(code(r#"{"code":"\u001b[2J"}"#), "status 500");
        assert_eq!(code("<html>"), "status 500");
    }
}
