//! A release statement with the key it has to be signed with: verified once, however many servers are judged by it.

use crate::outcome::Failure;
use vitrine_attest::dsse::{self, Envelope};
use vitrine_attest::fingerprint::Fingerprint;
use vitrine_attest::statement::{Release, Statement};
use vitrine_attest::vkey::NoteKey;
use vitrine_attest::Error;

/// What comes out of the two stands from the beginning and cannot be changed: a reader of it needs no signature.
#[derive(Debug)]
pub struct Promise {
    envelope: Envelope,
    key: NoteKey,
    /// When its signature holds.
    statement: Result<Statement, Error>,
    /// What in it contradicts itself, if its signature holds.
    contradiction: Option<Failure>,
    /// That it stands in a transparency log, as the person has it: for V29 to read.
    proof: Option<Vec<u8>>,
}

impl Promise {
    /// Verifies the signature; one that does not hold is kept as such, for V21 to say.
    pub fn new(envelope: Envelope, key: NoteKey) -> Self {
        let statement = dsse::verify(&envelope, key.key());
        let contradiction = statement.as_ref().ok().and_then(|statement| agrees(&statement.predicate).err());
        Self { envelope, key, statement, contradiction, proof: None }
    }

    /// With a proof of a log beside it, if there is one.
    #[must_use]
    pub fn with_proof(self, proof: Option<Vec<u8>>) -> Self {
        Self { proof, ..self }
    }

    pub fn proof(&self) -> Option<&[u8]> {
        self.proof.as_deref()
    }

    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    pub fn key(&self) -> &NoteKey {
        &self.key
    }

    pub fn statement(&self) -> &Result<Statement, Error> {
        &self.statement
    }

    pub fn contradiction(&self) -> Option<&Failure> {
        self.contradiction.as_ref()
    }
}

/// Configuration, its digest and the fingerprint stand in the statement side by side.
fn agrees(release: &Release) -> Result<(), Failure> {
    let digest = release.config.digest().map_err(|e| Failure::new("statement-inconsistent", e.what))?;
    if release.config_digest != digest {
        let detail = "digest of the configuration in the statement";
        return Err(Failure::differs("statement-inconsistent", detail, digest, release.config_digest));
    }
    let fingerprint = Fingerprint::new(release.image.authenticode, digest);
    if release.fingerprint != fingerprint {
        let detail = "fingerprint in the statement";
        return Err(Failure::differs("statement-inconsistent", detail, fingerprint, release.fingerprint));
    }
    Ok(())
}
