//! A server that was accepted a moment ago: what every command that acts on one begins with.

use super::judging::Prepared;
use super::Done;
use crate::cli::Trust;
use crate::report::{Keys, Report};
use crate::server::Server;
use crate::session;
use std::time::Duration;
use vitrine_attest::config::Config;
use vitrine_attest::Result;

/// There is no other way to one of these than a check that accepted.
pub struct Accepted {
    pub server: Server,
    pub keys: Keys,
    /// The measured one, from the signed statement.
    pub config: Config,
    pub report: Report,
}

/// Where statement and proof come from when the person has not given them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lacking {
    /// Nobody but the person is asked.
    Refuse,
    AskServer,
}

/// Asks the server and judges it. The inner error is the finished report of a server that was not accepted.
///
/// # Errors
/// When nothing could be judged: a file is unusable, or the server does not answer.
pub fn ask(server: &str, trust: &Trust, lacking: Lacking, json: bool) -> Result<std::result::Result<Accepted, Done>> {
    let prepared = Prepared::read(trust, true)?;
    let server = Server::new(server, Duration::from_secs(trust.timeout))?;
    let judging = match lacking {
        Lacking::Refuse => prepared.alone()?,
        Lacking::AskServer => prepared.and_from(&server)?,
    };
    let exchange = session::converse(&server)?;
    let (case, report) = judging.judge(exchange)?;
    match (&report.keys, case.release()) {
        (Some(keys), Ok(release)) => {
            Ok(Ok(Accepted { server, keys: keys.clone(), config: release.config.clone(), report }))
        }
        _ => {
            let stdout = if json { report.json()? } else { report.text() };
            Ok(Err(Done { stdout, exit_code: report.verdict.exit_code() }))
        }
    }
}
