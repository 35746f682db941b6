//! `vitrine-verify bundle`

use super::trust::{read_envelope, read_proof, Papers};
use super::Done;
use crate::bundle::Bundle;
use crate::cli;
use crate::exchange::FILE_LIMIT;
use crate::server::{Server, DEADLINE};
use crate::{files, session};
use std::path::Path;
use vitrine_attest::{Error, Result};

pub fn run(args: &cli::Bundle) -> Result<Done> {
    let (papers, evidence) = if args.evidence.contains("://") { live(args)? } else { saved(args)? };
    papers.belong_together()?;
    let bundle = Bundle::new(&args.evidence, &evidence, papers.envelope, papers.proof)?.to_file()?;
    files::publish(&args.out, &bundle, "choose another place with --out")?;
    Ok(Done::ok(format!("{} written, {} bytes; nothing was judged\n", args.out.display(), bundle.len())))
}

fn saved(args: &cli::Bundle) -> Result<(Papers, Vec<u8>)> {
    let statement = args.statement.as_deref().ok_or_else(|| {
        Error::input("a file has no statement beside it", "give --statement FILE; a server may hand out its own")
    })?;
    let papers = Papers::read(statement, args.proof.as_deref())?;
    Ok((papers, files::read(Path::new(&args.evidence), FILE_LIMIT)?))
}

/// What the person has not given, the server hands out.
fn live(args: &cli::Bundle) -> Result<(Papers, Vec<u8>)> {
    let server = Server::new(&args.evidence, DEADLINE)?;
    let envelope = args.statement.as_deref().map(read_envelope).transpose()?;
    let proof = args.proof.as_deref().map(read_proof).transpose()?;
    let handed = match envelope.is_some() && proof.is_some() {
        true => None,
        false => session::attachments(&server)?,
    };
    let papers = Papers::complete(server.name(), envelope, proof, handed.as_ref(), true)?;
    Ok((papers, session::converse(&server)?.to_record()?))
}
