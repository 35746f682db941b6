//! What commands that sign begin with.

use crate::clock::{date, now};
use crate::{files, secret_key};
use ed25519_dalek::SigningKey;
use std::path::Path;
use vitrine_attest::calendar::Date;
use vitrine_attest::dsse::{self, Envelope, ENVELOPE_LIMIT};
use vitrine_attest::statement::Statement;
use vitrine_attest::{Error, Result};

/// Of a file that nobody else can read.
pub fn key(path: &Path) -> Result<SigningKey> {
    secret_key::read(path, "give a key of `vitrine keygen`, such as release.key")
}

pub fn envelope(path: &Path) -> Result<Envelope> {
    Envelope::from_json(&files::read(path, ENVELOPE_LIMIT)?).map_err(|e| e.within(path.display()))
}

/// A release, without a look at its signature.
pub fn release(path: &Path) -> Result<(Envelope, Statement)> {
    let envelope = envelope(path)?;
    let statement = dsse::read_unverified(&envelope).map_err(|e| {
        Error::input(format!("{}: {}", path.display(), e.what), "give the operator's `release.dsse.json`")
    })?;
    Ok((envelope, statement))
}

/// By this computer's clock, UTC.
pub fn today() -> Result<Date> {
    date(now()?.as_secs()).parse().map_err(|why| Error::host(why, "set the clock"))
}
