//! Step 9: what the operator says about the image, signed.

use super::Predicted;
use crate::out::{self, Leaves, Left};
use crate::sbom;
use crate::statement::{release, statement, zero_log, Facts};
use ed25519_dalek::SigningKey;
use vitrine_attest::dsse::{self, Envelope};
use vitrine_attest::statement::Statement;
use vitrine_attest::Result;

/// The end of a build.
#[derive(Debug)]
pub struct Stated {
    statement: Statement,
    envelope: Envelope,
    /// That the image was screened.
    zero_log: Envelope,
}

impl Stated {
    /// # Errors
    /// When the prediction lacks the Secure Boot platform.
    pub fn new(predicted: Predicted, key: &SigningKey) -> Result<Self> {
        let Predicted { about, subject, prediction } = predicted;
        let recipe = about.origin.locked.recipe();
        let facts = Facts {
            id: &about.origin.id,
            config: &recipe.config,
            initramfs: about.initramfs,
            inputs: about.origin.inputs.clone(),
            waivers: &recipe.waivers,
            app: about.origin.app.clone(),
            seq: recipe.release.seq,
            not_after: recipe.release.not_after.as_deref(),
        };
        let statement = statement(subject, release(&facts, &prediction)?);
        let envelope = dsse::sign(&statement, key)?;
        let zero_log = zero_log(&statement, &about.report)?.sign(key)?;
        Ok(Self { statement, envelope, zero_log })
    }

    pub fn statement(&self) -> &Statement {
        &self.statement
    }
}

impl Leaves for Stated {
    fn files(&self) -> Result<Left<'_>> {
        let release = &self.statement.predicate;
        Ok(vec![
            (out::SBOM, sbom::write(release)?.into()),
            (out::FINGERPRINT, format!("{}\n", release.fingerprint).into_bytes().into()),
            (out::ZERO_LOG, self.zero_log.to_json()?.into()),
            (out::STATEMENT, self.envelope.to_json()?.into()),
        ])
    }
}
