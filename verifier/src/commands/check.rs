//! `vitrine-verify check`

use super::beacon::read_keys;
use super::judging::{Judging, Prepared};
use super::trust::Papers;
use super::Done;
use crate::bundle::{self, Bundle};
use crate::cli::Check;
use crate::exchange::{Exchange, FILE_LIMIT};
use crate::policy::LogPolicy;
use crate::promise::Giver;
use crate::server::Server;
use crate::verdict::Verdict;
use crate::{beacon, explanation, files, grounds, session};
use std::path::Path;
use std::time::Duration;
use vitrine_attest::tlog_proof::PROOF_LIMIT;
use vitrine_attest::{Error, Result};

pub fn run(args: &Check) -> Result<Done> {
    let (judging, exchange) = if args.target.contains("://") { live(args)? } else { saved(args)? };
    if let Some(path) = &args.save {
        files::write(path, &exchange.to_record()?)?;
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
    if args.log_keys.is_some() {
        return Err(Error::input("a server dates nothing by a log", "leave --log-keys out; it is for beacons"));
    }
    if args.beacon_proof.is_some() {
        return Err(Error::input("a server is no beacon", "leave --beacon-proof out; it is for beacons"));
    }
    #[cfg(feature = "cpu-evidence")]
    if args.cpu.cpu_evidence.is_some() {
        return Err(Error::input(
            "a processor's report is made for one quote: none can be given before the server is asked",
            "save the messages with --save FILE, then check that file with --cpu-evidence",
        ));
    }
    let server = Server::new(&args.target, Duration::from_secs(args.trust.timeout))?;
    let judging = Prepared::read(&args.trust, true)?.and_from(&server)?;
    Ok((judging, session::converse(&server)?))
}

fn saved(args: &Check) -> Result<(Judging, Exchange)> {
    let bytes = files::read(Path::new(&args.target), FILE_LIMIT)?;
    let (judging, bytes) = if bundle::is_one(&bytes) {
        let bundle = Bundle::from_file(&args.target, &bytes)?;
        let proof = bundle.proof().map(<[u8]>::to_vec);
        let papers = Papers::by(Giver::Bundle, bundle.statement().clone(), proof);
        (Judging::begin_bundle(&args.trust, &papers)?, bundle.evidence()?)
    } else {
        (Judging::begin(&args.trust, false)?, bytes)
    };
    #[cfg(feature = "cpu-evidence")]
    let judging = judging.with_cpu(args.cpu.read()?);
    let keys = args.log_keys.as_deref().map(read_keys).transpose()?;
    let mut exchange = Exchange::from_file(&args.target, &bytes, args.nonce, keys.as_deref())?;
    if let Some(path) = &args.beacon_proof {
        date(&mut exchange, &bytes, &files::read(path, PROOF_LIMIT)?, judging.log_policy())?;
    }
    Ok((judging, exchange))
}

/// Says of a beacon that it was made before a log had it.
fn date(exchange: &mut Exchange, file: &[u8], proof: &[u8], policy: Option<&LogPolicy>) -> Result<()> {
    let Some(checked) = &mut exchange.beacon else {
        return Err(Error::input("only a beacon stands in a log by itself", "leave --beacon-proof out"));
    };
    let policy = policy.ok_or_else(|| {
        let hint =
            "give --log-policy FILE, or a table [log] in your policy; with required = false it is for the beacon alone";
        Error::input("there is a proof of the beacon, and nobody said which logs and witnesses count", hint)
    })?;
    let not_after = beacon::not_after(file, proof, &policy.trust)?;
    // a checkpoint that nobody has signed dates nothing; V11 says so
    if let Ok(checked) = checked {
        checked.not_after = Some(not_after);
    }
    Ok(())
}
