//! `vitrine-verify check`

use super::judging::Judging;
use super::Done;
use crate::cli::Check;
use crate::exchange::{Exchange, FILE_LIMIT};
use crate::server::Server;
use crate::verdict::Verdict;
use crate::{explanation, files, session};
use std::path::Path;
use std::time::Duration;
use vitrine_attest::{Error, Result};

pub fn run(args: &Check) -> Result<Done> {
    let judging = Judging::begin(&args.trust, is_server(&args.target))?;
    let exchange = exchange(args)?;
    if let Some(path) = &args.save {
        files::write(path, &exchange.to_record()?)?;
    }
    let (case, mut report) = judging.judge(&args.trust, exchange)?;
    if args.explain && report.verdict != Verdict::Accepted {
        report.explanation = Some(explanation::explain(&case));
    }
    let stdout = if args.json { report.json()? } else { report.text() };
    Ok(Done { stdout, exit_code: report.verdict.exit_code() })
}

fn is_server(target: &str) -> bool {
    target.contains("://")
}

fn exchange(args: &Check) -> Result<Exchange> {
    if is_server(&args.target) {
        if args.nonce.is_some() {
            return Err(Error::input(
                "a server is always asked with a fresh nonce",
                "leave --nonce out; it is for files of bare evidence",
            ));
        }
        return session::converse(&Server::new(&args.target, Duration::from_secs(args.trust.timeout))?);
    }
    let bytes = files::read(Path::new(&args.target), FILE_LIMIT)?;
    Exchange::from_file(&args.target, &bytes, args.nonce)
}
