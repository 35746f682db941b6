//! `vitrine-verify bundle`

use super::trust::Papers;
use super::Done;
use crate::bundle::Bundle;
use crate::cli;
use crate::exchange::FILE_LIMIT;
use crate::files;
use vitrine_attest::merkle;
use vitrine_attest::tlog_proof::Proof;
use vitrine_attest::{Error, Result};

pub fn run(args: &cli::Bundle) -> Result<Done> {
    let Papers { envelope, proof } = Papers::read(&args.statement, args.proof.as_deref())?;
    if let Some(proof) = &proof {
        fits(proof, &envelope.to_json()?)?;
    }
    let evidence = files::read(&args.evidence, FILE_LIMIT)?;
    let bundle = Bundle::new(&args.evidence.display().to_string(), &evidence, envelope, proof)?.to_file()?;
    files::publish(&args.out, &bundle, "choose another place with --out")?;
    Ok(Done::ok(format!("{} written, {} bytes; nothing was judged\n", args.out.display(), bundle.len())))
}

/// A mistake that would only show at the one who checks it. Who has signed the proof is judged there.
fn fits(proof: &[u8], entry: &[u8]) -> Result<()> {
    let hint = "give the release.tlog-proof of this statement";
    let proof = Proof::parse(proof).map_err(|why| Error::input(why, hint))?;
    let root = merkle::root_of_path(merkle::leaf(entry), proof.index, proof.checkpoint.size, &proof.path);
    match root == Some(proof.checkpoint.root) {
        true => Ok(()),
        false => Err(Error::input("the proof is not for this statement", hint)),
    }
}
