//! `vitrine-verify check`

use super::judging::Judging;
use super::Done;
use crate::cli::Check;
use crate::exchange::{self, Exchange, FILE_LIMIT};
use crate::server::Server;
use crate::verdict::Verdict;
use crate::{explanation, files, grounds, session};
use std::path::Path;
use std::time::Duration;
use vitrine_attest::{Error, Result};

pub fn run(args: &Check) -> Result<Done> {
    let (judging, exchange) = if args.target.contains("://") { live(args)? } else { saved(args)? };
    if let Some(path) = &args.save {
        files::write(path, &exchange.to_record(judging.asked())?)?;
    }
    let (case, mut report) = judging.judge(exchange)?;
    if args.explain && report.verdict != Verdict::Accepted {
        report.explanation = Some(explanation::explain(&case));
    }
    let stdout = if args.json { report.json()? } else { report.text() };
    let exit_code = match report.verdict {
        Verdict::Rejected if args.detailed_exit_code => grounds::exit_code(&report.grounds),
        verdict => verdict.exit_code(),
    };
    Ok(Done { stdout, exit_code })
}

fn live(args: &Check) -> Result<(Judging, Exchange)> {
    if args.nonce.is_some() {
        return Err(Error::input(
            "a server is always asked with a fresh nonce",
            "leave --nonce out; it is for files of bare evidence",
        ));
    }
    let server = Server::new(&args.target, Duration::from_secs(args.trust.timeout))?;
    let judging = Judging::begin(&args.trust, true)?;
    Ok((judging, session::converse(&server)?))
}

fn saved(args: &Check) -> Result<(Judging, Exchange)> {
    let judging = Judging::begin(&args.trust, false)?;
    let bytes = files::read(Path::new(&args.target), FILE_LIMIT)?;
    let exchange = Exchange::from_file(&args.target, &bytes, args.nonce)?;
    Ok((judging.of_file(exchange::asked(&bytes)), exchange))
}
