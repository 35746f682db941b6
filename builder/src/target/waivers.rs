//! The published exceptions that belong to an image.

use super::Target;
use crate::out;
use crate::recipe::Recipe;
use std::path::Path;
use vitrine_attest::dsse::{self, Envelope, ENVELOPE_LIMIT};
use vitrine_attest::statement::{Statement, Waiver};
use vitrine_attest::vkey::NoteKey;
use vitrine_attest::{Error, Result};

/// Waivers, and what has to be said about where they come from.
#[derive(Debug, Default)]
pub struct Waivers {
    pub waivers: Vec<Waiver>,
    pub note: Option<String>,
}

impl Waivers {
    /// From the statement that the user names; else from what lies beside the image in an output folder.
    ///
    /// # Errors
    /// When the statement cannot be read, is not signed by the key, or is about another image.
    pub fn find(path: &Path, target: &Target, statement: Option<&Path>, key: Option<&Path>) -> Result<Self> {
        let beside = path.join(out::STATEMENT);
        let recipe = path.join(out::RECIPE);
        match statement {
            Some(file) => Self::of_statement(file, target, key),
            None if beside.is_file() => Self::of_statement(&beside, target, key),
            // a build that stopped before signing
            None if recipe.is_file() => Ok(Self { waivers: Recipe::read_merged(&recipe)?.waivers, note: None }),
            None => Ok(Self::default()),
        }
    }

    fn of_statement(file: &Path, target: &Target, key: Option<&Path>) -> Result<Self> {
        let bytes = out::read(file, ENVELOPE_LIMIT as u64)?;
        let envelope = Envelope::from_json(&bytes).map_err(|e| e.within(file.display()))?;
        let (statement, note) = match key {
            Some(key) => {
                let key = NoteKey::from_file(&out::read(key, 1024)?).map_err(|e| e.within(key.display()))?;
                (dsse::verify(&envelope, key.key())?, None)
            }
            None => (dsse::read_unverified(&envelope)?, Some(UNSIGNED_NOTE.to_string())),
        };
        fits(&statement, target).map_err(|e| e.within(file.display()))?;
        Ok(Self { waivers: statement.predicate.waivers, note })
    }
}

const UNSIGNED_NOTE: &str = "the statement's signature was not checked: add --key release.pub";

fn fits(statement: &Statement, target: &Target) -> Result<()> {
    let expected = statement.predicate.image.authenticode;
    match target.authenticode {
        Some(actual) if actual == expected => Ok(()),
        Some(actual) => Err(Error::input(
            format!("it is about another image: it names {expected}, this one is {actual}"),
            "give the image and the statement of one release",
        )),
        None => Err(Error::input("a release statement is about an image, and this is none", "leave --statement out")),
    }
}
