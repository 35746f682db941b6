//! `vitrine-verify revoke`

use super::{signing, Done};
use crate::cli::Revoke;
use crate::files;
use vitrine_attest::dsse::verify_payload;
use vitrine_attest::event_log::printable;
use vitrine_attest::predicate;
use vitrine_attest::revocation::Revocation;
use vitrine_attest::{Result, Sha256};

pub fn run(args: &Revoke) -> Result<Done> {
    let (envelope, statement) = signing::release(&args.statement)?;
    let key = signing::key(&args.key_file)?;
    let release = &statement.predicate;
    let digest = Sha256::of(&envelope.to_json()?);
    let revocation = Revocation {
        fingerprint: (!args.this_statement_only).then_some(release.fingerprint),
        statement: args.this_statement_only.then_some(digest),
        reason: args.reason,
        text: args.text.clone(),
        date: args.date.clone().map_or_else(signing::today, Ok)?,
        seq: args.seq,
    };
    let signed = predicate::sign(statement.subject.clone(), revocation, &key)?;
    files::publish(&args.out, &signed.to_json()?, "choose another place with --out")?;
    let image = printable(&format!("{} {}", release.image.name, release.image.version));
    let what = match args.this_statement_only {
        true => format!("statement {digest} about {image}"),
        false => format!("{image}, {}", release.fingerprint),
    };
    let mut words = format!("{}: revokes {what}\n", args.out.display());
    if verify_payload(&envelope, &key.verifying_key()).is_err() {
        words += "this key has not signed the release: it counts for those only whose policy names it\n";
    }
    Ok(Done::ok(words))
}
