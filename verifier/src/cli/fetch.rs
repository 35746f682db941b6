//! `fetch`

use super::Trust;
use clap::Args;
use std::path::PathBuf;

/// Check a gateway, then send it a request
///
/// The server is asked for evidence, with a fresh nonce, and judged as by
/// `check`. Only when it is accepted, and only over TLS 1.3 with the very key
/// that its TPM has vouched for, the request is sent. Bodies are streamed both
/// ways; no redirect is followed, no User-Agent and no cookie is added.
///
/// The answer goes to stdout, everything else to stderr. Exit codes: 0 an
/// answer came, whole; 1 the server, or its TLS key, is rejected, and nothing
/// was sent; 2 everything else, with --fail also a status of 400 or more.
#[derive(Debug, Args)]
#[command(
    override_usage = "vitrine-verify fetch [OPTIONS] <URL>",
    mut_arg("statement", |arg| arg.required(false)),
    after_help = "\
Example:
  echo '{\"stream\":true}' | vitrine-verify fetch \\
      https://203.0.113.7/v1/chat/completions --policy policy.toml \\
      --ek-roots tpm-ca.pem -H @secret-headers \\
      -H 'Content-Type: application/json' -d @-"
)]
pub struct Fetch {
    #[allow(rustdoc::broken_intra_doc_links)] // what may be left out is in brackets
    /// What to ask for, https://HOST[:PORT]/PATH
    #[arg(value_name = "URL")]
    pub url: String,
    /// Where the server is asked for evidence, http://HOST:PORT [default: the
    /// URL's host, port 8787]
    #[arg(long, value_name = "URL")]
    pub server: Option<String>,
    #[command(flatten)]
    pub trust: Trust,
    /// Method [default: GET, with --data POST]
    #[arg(short = 'X', long = "request", value_name = "METHOD")]
    pub method: Option<String>,
    /// A header, or a file with one in each line; may be given several times
    #[arg(short = 'H', long = "header", value_name = "'NAME: VALUE'|@FILE")]
    pub headers: Vec<String>,
    /// Body: this text, a file's bytes, or what comes on stdin (@-), as it is
    #[arg(short = 'd', long, value_name = "DATA|@FILE|@-")]
    pub data: Option<String>,
    /// Write the answer to a file, whole or not at all
    #[arg(short = 'o', long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Print status and headers of the answer before its body
    #[arg(short = 'i', long)]
    pub include: bool,
    /// Print no answer with a status of 400 or more; exit code 2
    #[arg(short = 'f', long)]
    pub fail: bool,
    /// Seconds for the whole request, after the check [default: any]
    #[arg(short = 'm', long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub max_time: Option<u64>,
    /// Print the check's report as JSON, to stderr
    #[arg(long)]
    pub json: bool,
}
