//! `proxy`

use super::Trust;
use clap::Args;
use std::net::SocketAddr;
use vitrine_attest::config::Span;

/// Check a gateway, and let any HTTP client on this machine talk to it
///
/// Serves plain HTTP/1.1 on a loopback address and passes each request on,
/// over TLS 1.3 with the very key that the server's TPM has vouched for. The
/// server is judged as by `check` before anything is served (a rejected one
/// ends the command, exit code 1), again and again while it runs, and whenever
/// its key has changed. While it is not accepted, nothing is sent and each
/// request gets 502 with {"error":"…"}.
///
/// Prints a line when it is ready and at each change, as `watch` does, and
/// nothing about requests. Ends with exit code 0 on SIGTERM and Ctrl-C.
#[derive(Debug, Args)]
#[command(
    override_usage = "vitrine-verify proxy [OPTIONS] --to <URL>",
    mut_arg("statement", |arg| arg.required(false)),
    after_help = "\
Example:
  vitrine-verify proxy --to https://203.0.113.7 \\
      --policy policy.toml --ek-roots tpm-ca.pem &
  curl http://127.0.0.1:8788/v1/models"
)]
pub struct Proxy {
    #[allow(rustdoc::broken_intra_doc_links)] // what may be left out is in brackets
    /// The gateway, https://HOST[:PORT]
    #[arg(long, value_name = "URL")]
    pub to: String,
    /// Where to listen: a loopback address
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8788")]
    pub listen: SocketAddr,
    /// Where the server is asked for evidence, http://HOST:PORT [default: the
    /// gateway's host, port 8787]
    #[arg(long, value_name = "URL")]
    pub server: Option<String>,
    #[command(flatten)]
    pub trust: Trust,
    /// Time between two checks, such as 30s, 5m, 1h
    #[arg(long, value_name = "SPAN", default_value = "5m", value_parser = super::interval)]
    pub every: Span,
    /// Web pages of this origin may send requests, such as http://localhost:3000;
    /// may be given several times [default: no web page]
    #[arg(long, value_name = "ORIGIN", value_parser = origin)]
    pub origin: Vec<String>,
    /// Print each line as JSON
    #[arg(long)]
    pub json: bool,
}

/// As browsers write it (RFC 6454 §6.2): scheme, host, port, in lower case, nothing behind.
fn origin(text: &str) -> Result<String, String> {
    let (scheme, host) = text.split_once("://").ok_or("write it as http://HOST:PORT or https://HOST")?;
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.+:[]_".contains(c);
    if scheme.is_empty() || host.is_empty() || !text.replace("://", "").chars().all(plain) {
        return Err("an origin is a scheme, a host and maybe a port, in lower case, with nothing behind".into());
    }
    Ok(text.to_owned())
}
