//! Plain HTTP to a server's agent. What it sends is signed by its TPM, so TLS would add nothing here; everything is
//! bounded: time, bytes, no redirects, no proxy.

use std::time::Duration;
use ureq::http::Uri;
use ureq::Agent;
use vitrine_attest::{Error, Result};

/// Until a connection stands.
const CONNECT: Duration = Duration::from_secs(10);
/// For one whole request. Hardware TPMs take about a second for a quote, and the agent may have others to serve.
pub const DEADLINE: Duration = Duration::from_secs(60);
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

/// An answer with its status.
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

impl Answer {
    /// The code in `{"code":"…"}`, or the status; safe to print.
    pub fn code(&self) -> String {
        let code = serde_json::from_slice::<serde_json::Value>(&self.body)
            .ok()
            .and_then(|value| value.get("code").and_then(|code| code.as_str()).map(String::from))
            .filter(|code| code.len() <= CODE_LIMIT && code.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'));
        match code {
            Some(code) => format!("{code} (status {})", self.status),
            None => format!("status {}", self.status),
        }
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
        let url = format!("{}{path}", self.base);
        let request = self
            .agent
            .post(&url)
            .config()
            .timeout_connect(Some(CONNECT.min(self.deadline)))
            .timeout_global(Some(self.deadline))
            .build()
            .header("content-type", content_type);
        let mut response = request.send(body).map_err(|e| self.failed(&e))?;
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(limit as u64).read_to_vec().map_err(|e| self.failed(&e))?;
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
