//! One image and its statement: what they say, and everything that speaks against starting the image.

use super::refusal::Refusal;
use super::trust::Trust;
use crate::authenticode::attach::detach;
use crate::export::{netboot, Image};
use crate::out;
use std::path::Path;
use vitrine_attest::dsse::{self, Envelope, ENVELOPE_LIMIT};
use vitrine_attest::expected::Platform;
use vitrine_attest::fingerprint::Fingerprint;
use vitrine_attest::pcr::Pcr;
use vitrine_attest::predict::predict;
use vitrine_attest::secure_boot::{signatures, Variables};
use vitrine_attest::statement::{Release, Statement};
use vitrine_attest::vkey::NoteKey;
use vitrine_attest::{Result, Sha256};

/// Largest image that is read, in bytes: firmware loads it into memory whole.
const IMAGE_LIMIT: u64 = 2 << 30;

/// The bytes of both; either may be missing.
#[derive(Debug, Default)]
pub struct Source {
    pub image: Option<Vec<u8>>,
    pub statement: Option<Vec<u8>>,
}

impl Source {
    /// # Errors
    /// When a file is there and cannot be read, or is longer than such a file may be.
    pub fn read(image: &Path, statement: &Path) -> Result<Self> {
        Ok(Self { image: there(image, IMAGE_LIMIT)?, statement: there(statement, ENVELOPE_LIMIT as u64)? })
    }

    pub fn is_empty(&self) -> bool {
        self.image.is_none() && self.statement.is_none()
    }
}

/// A file that may be missing.
pub fn there(path: &Path, limit: u64) -> Result<Option<Vec<u8>>> {
    // a link to nothing is nothing
    if path.exists() {
        out::read(path, limit).map(Some)
    } else {
        Ok(None)
    }
}

/// What the file that machines start holds.
pub fn started(path: &Path) -> Result<Option<Vec<u8>>> {
    there(path, IMAGE_LIMIT)
}

/// A statement that one of the keys has signed.
#[derive(Debug, Clone)]
pub struct Said {
    pub envelope: Envelope,
    pub statement: Statement,
    /// The key's name.
    pub signer: String,
}

impl Said {
    pub fn release(&self) -> &Release {
        &self.statement.predicate
    }

    fn read(bytes: &[u8], keys: &[NoteKey]) -> std::result::Result<Self, Refusal> {
        let envelope = Envelope::from_json(bytes).map_err(|e| Refusal::new("statement-unreadable", e.what))?;
        let mut refused = Refusal::new("statement-signature-invalid", "no key was given");
        for key in keys {
            match dsse::verify(&envelope, key.key()) {
                Ok(statement) => return Ok(Self { envelope, statement, signer: key.name().into() }),
                Err(e) => refused.detail = e.what,
            }
        }
        Err(refused)
    }
}

/// What came out. Nothing is refused: the image may be started.
#[derive(Debug)]
pub struct Judged {
    pub image: Option<Vec<u8>>,
    pub said: Option<Said>,
    pub refused: Vec<Refusal>,
}

impl Judged {
    /// Of files that are not both there, it says so.
    pub fn of(source: Source, trust: &Trust) -> Self {
        let Source { image, statement } = source;
        let (said, mut refused) = match statement.map(|bytes| Said::read(&bytes, &trust.keys)) {
            Some(Ok(said)) => (Some(said), vec![]),
            Some(Err(refusal)) => (None, vec![refusal]),
            None => (None, vec![Refusal::new("statement-missing", "there is no statement of it")]),
        };
        match (&image, &said) {
            (None, _) => refused.push(Refusal::new("image-missing", "there is no image, only a statement of one")),
            (Some(image), Some(said)) => {
                refused.extend(agrees(said.release()).err());
                refused.extend(is_meant(image, said).err());
                refused.extend(trust.enrolled.as_ref().and_then(|enrolled| starts(image, said, enrolled).err()));
            }
            (Some(_), None) => {}
        }
        if let Some(said) = &said {
            refused.extend(trust.against(said.release(), &said.envelope));
        }
        Self { image, said, refused }
    }

    pub fn release(&self) -> Option<&Release> {
        self.said.as_ref().map(Said::release)
    }

    /// `exit 1.0.0, sequence number 3`
    pub fn title(&self) -> String {
        match self.release() {
            Some(release) => title(release),
            None => "what is there".into(),
        }
    }
}

pub fn title(release: &Release) -> String {
    format!("{} {}, sequence number {}", release.image.name, release.image.version, release.seq)
}

/// Configuration, its digest and the fingerprint stand in the statement side by side; the verifier looks at it, too (V21).
fn agrees(release: &Release) -> std::result::Result<(), Refusal> {
    let inconsistent = |detail: &str| Refusal::new("statement-inconsistent", detail);
    let digest = release.config.digest().map_err(|e| inconsistent(&e.what))?;
    if release.config_digest != digest {
        return Err(inconsistent("the digest of the configuration is that of another one"));
    }
    match release.fingerprint == Fingerprint::new(release.image.authenticode, digest) {
        true => Ok(()),
        false => Err(inconsistent("the fingerprint is that of another image or configuration")),
    }
}

/// Whether the statement is about this image, and firmware with the operator's key in db could start it.
fn is_meant(bytes: &[u8], said: &Said) -> std::result::Result<(), Refusal> {
    let unreadable = |e: vitrine_attest::Error| Refusal::new("image-unreadable", e.what);
    let differs = |what: &str| Refusal::new("image-differs", format!("{what} is not what the statement says"));
    let (image, release) = (Image::check(bytes).map_err(unreadable)?, said.release());
    if image.authenticode != release.image.authenticode {
        return Err(differs("its Authenticode digest"));
    }
    let unsigned = Sha256::of(&detach(bytes).map_err(unreadable)?);
    if !said.statement.subject.iter().any(|subject| subject.sha256() == Some(unsigned)) {
        return Err(differs("the SHA-256 of the unsigned image"));
    }
    let id = netboot::id(bytes).map_err(unreadable)?;
    if (&id.name, &id.version) != (&release.image.name, &release.image.version) {
        return Err(differs("its name or version"));
    }
    match image.signatures {
        0 => Err(Refusal::new("image-unsigned", "nobody has signed it: Secure Boot does not start it")),
        _ => Ok(()),
    }
}

/// Whether machines with these variables start it, and PCR 7 will be what the statement says.
fn starts(bytes: &[u8], said: &Said, enrolled: &Variables) -> std::result::Result<(), Refusal> {
    let refuses = |e: vitrine_attest::Error| Refusal::new("firmware-refuses", e.what);
    let digest = said.release().image.authenticode;
    if signatures(&enrolled.dbx).map_err(refuses)?.iter().any(|entry| entry.data == digest.0) {
        return Err(Refusal::new("firmware-refuses", "its Authenticode digest stands in dbx"));
    }
    let prediction = predict(bytes, Some(enrolled)).map_err(refuses)?;
    match prediction.platforms.get(&Platform::SecureBoot) {
        Some(boot) if boot.pcrs.get(Pcr::SECURE_BOOT) == said.release().boot.pcrs.get(Pcr::SECURE_BOOT) => Ok(()),
        _ => Err(Refusal::new("pcr-7-differs", "with these variables PCR 7 is not what the statement says")),
    }
}
