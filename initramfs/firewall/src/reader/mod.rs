//! Reads a batch back into text in the manner of `nft list ruleset`. It shares no code with the encoder, takes foreign
//! bytes, and refuses what it does not know: nothing in a batch can hide from it.

mod fields;
mod message;
mod names;
mod rule;
mod table;

pub use message::acknowledgements;
pub use table::{decode, ReadChain, Table};

use vitrine_attest::{Error, Result};

const HINT: &str = "build the image again with `vitrine build`; if it is somebody else's, do not trust it";

fn refuse<T>(what: impl std::fmt::Display) -> Result<T> {
    Err(Error::artefact(format!("firewall: {what}"), HINT))
}
