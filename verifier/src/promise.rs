//! A release statement with the key it has to be signed with: verified once, however many servers are judged by it.

use crate::outcome::Failure;
use serde::Serialize;
use vitrine_attest::dsse::{self, Envelope};
use vitrine_attest::fingerprint::Fingerprint;
use vitrine_attest::statement::{Release, Statement};
use vitrine_attest::vkey::NoteKey;
use vitrine_attest::Error;

/// Who has handed on what the operator publishes. It decides nothing: signatures do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Giver {
    /// The person has it from somewhere, as a file.
    File,
    Bundle,
    /// The very server that is judged by it.
    Server,
}

/// For statement and proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Givers {
    pub statement: Giver,
    /// None: there is no proof.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proof: Option<Giver>,
}

impl Givers {
    /// Both by one.
    pub fn of(giver: Giver, proof: Option<&[u8]>) -> Self {
        Self { statement: giver, proof: proof.map(|_| giver) }
    }
}

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
    givers: Givers,
}

impl Promise {
    /// Verifies the signature; one that does not hold is kept as such, for V21 to say.
    pub fn new(envelope: Envelope, key: NoteKey) -> Self {
        let statement = dsse::verify(&envelope, key.key());
        let contradiction = statement.as_ref().ok().and_then(|statement| agrees(&statement.predicate).err());
        let givers = Givers::of(Giver::File, None);
        Self { envelope, key, statement, contradiction, proof: None, givers }
    }

    /// With a proof of a log beside it, if there is one.
    #[must_use]
    pub fn with_proof(self, proof: Option<Vec<u8>>) -> Self {
        let givers = Givers::of(Giver::File, proof.as_deref());
        Self { proof, givers, ..self }
    }

    /// Says who has handed on the two; files, unless this is called.
    #[must_use]
    pub fn given_by(self, givers: Givers) -> Self {
        Self { givers, ..self }
    }

    pub fn givers(&self) -> Givers {
        self.givers
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
