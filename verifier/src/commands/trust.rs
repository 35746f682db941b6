//! Reads what the person trusts: statement, key, roots.

use crate::case::Inputs;
use crate::cli::Trust;
use crate::exchange::Exchange;
use crate::files;
use std::time::{SystemTime, UNIX_EPOCH};
use vitrine_attest::dsse::{Envelope, ENVELOPE_LIMIT};
use vitrine_attest::ek::{Roots, ROOTS_LIMIT};
use vitrine_attest::vkey::{NoteKey, TEXT_LIMIT};
use vitrine_attest::{Error, Result};

/// The files, read before anybody is asked, so that a mistake costs no conversation.
pub struct Trusted {
    envelope: Envelope,
    key: NoteKey,
    roots: Option<Roots>,
}

impl Trusted {
    pub fn read(args: &Trust) -> Result<Self> {
        let within = |path: &std::path::Path| {
            let path = path.display().to_string();
            move |e: Error| e.within(path)
        };
        Ok(Self {
            envelope: Envelope::from_json(&files::read(&args.statement, ENVELOPE_LIMIT)?)
                .map_err(within(&args.statement))?,
            key: NoteKey::from_file(&files::read(&args.key, TEXT_LIMIT)?).map_err(within(&args.key))?,
            roots: match &args.ek_roots {
                Some(path) => Some(Roots::parse(&files::read(path, ROOTS_LIMIT)?).map_err(within(path))?),
                None => None,
            },
        })
    }

    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    pub fn key(&self) -> &NoteKey {
        &self.key
    }

    pub fn inputs(self, exchange: Exchange) -> Result<Inputs> {
        let now = now()?.as_secs();
        Ok(Inputs { exchange, envelope: self.envelope, key: self.key, roots: self.roots, now })
    }
}

/// Time since 1970.
pub fn now() -> Result<std::time::Duration> {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_err(|_| Error::host("this computer's clock stands before 1970", "set the clock"))
}
