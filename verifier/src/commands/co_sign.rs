//! `vitrine-verify co-sign`

use super::{signing, Done};
use crate::cli::CoSign;
use crate::files;
use vitrine_attest::dsse::add_signature;
use vitrine_attest::entry::Entry;
use vitrine_attest::event_log::printable;
use vitrine_attest::tile::ENTRY_LIMIT;
use vitrine_attest::{Error, Result, Sha256};

pub fn run(args: &CoSign) -> Result<Done> {
    let envelope = signing::envelope(&args.file)?;
    let entry = Entry::of(&envelope).map_err(|e| e.within(args.file.display()))?;
    if let Entry::Unknown(kind) = &entry {
        let what = format!("{}: nobody here knows what a \"{}\" says", args.file.display(), printable(kind));
        return Err(Error::input(what, "sign it with a program that does"));
    }
    let key = signing::key(&args.key_file)?;
    let signed = add_signature(&envelope, &key).map_err(|e| e.within(args.file.display()))?;
    let bytes = signed.to_json()?;
    if bytes.len() > ENTRY_LIMIT {
        let what = format!("{}: {} bytes with this signature, more than a log takes", args.file.display(), bytes.len());
        return Err(Error::input(what, "fewer signers, or a shorter statement"));
    }
    files::publish(&args.file, &bytes, "make the file's folder writable")?;
    let payload = Sha256::of(&signed.payload);
    Ok(Done::ok(format!(
        "{}: signed {}, now {} signatures\npayload {payload}\n",
        args.file.display(),
        words(&entry),
        signed.signatures.len()
    )))
}

/// What a signer compares with what was looked at.
fn words(entry: &Entry) -> String {
    match entry {
        Entry::Release(statement) => {
            let release = &statement.predicate;
            let image = printable(&format!("{} {}", release.image.name, release.image.version));
            format!("the release {image}, sequence number {}, {}", release.seq, release.fingerprint)
        }
        other => format!("a {}", other.kind()),
    }
}
