//! A release of a log, as far as it is remembered.

use super::changes::Changes;
use serde::{Deserialize, Serialize};
use vitrine_attest::evidence::ImageId;
use vitrine_attest::fingerprint::Fingerprint;
use vitrine_attest::statement::Statement;
use vitrine_attest::Sha256;

/// One that is signed by those who have to. Its statement is fetched again, and checked again, whenever it is needed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleaseSeen {
    pub index: u64,
    /// What a server says that runs it; the name is the log's text, and not safe to print.
    pub name: String,
    pub version: String,
    pub lock: Sha256,
    pub seq: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<String>,
    pub fingerprint: Fingerprint,
    /// SHA-256 of the unsigned image.
    pub image: Sha256,
    /// And its Authenticode digest, which is what reports of the behavioural proof are about.
    pub authenticode: Sha256,
    /// SHA-256 of the canonical envelope, which revocations may name.
    pub envelope: Sha256,
    /// SHA-256 of the payload: the same with other signatures is the same release.
    pub payload: Sha256,
    /// Names of the expected keys that have signed.
    pub signers: Vec<String>,
    pub packages: u64,
    pub waivers: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changes: Option<Changes>,
    /// When the monitor read it, seconds since 1970.
    pub seen: u64,
}

impl ReleaseSeen {
    /// None: the statement names no image.
    pub fn of(index: u64, statement: &Statement, envelope: Sha256, payload: &[u8], now: u64) -> Option<Self> {
        let release = &statement.predicate;
        Some(Self {
            index,
            name: release.image.name.clone(),
            version: release.image.version.clone(),
            lock: release.image.lock,
            seq: release.seq,
            not_after: release.not_after.clone(),
            fingerprint: release.fingerprint,
            image: statement.subject.first()?.sha256()?,
            authenticode: release.image.authenticode,
            envelope,
            payload: Sha256::of(payload),
            signers: vec![],
            packages: release.inputs.len() as u64,
            waivers: release.waivers.len() as u64,
            changes: None,
            seen: now,
        })
    }

    pub fn image_id(&self) -> String {
        ImageId { name: self.name.clone(), version: self.version.clone(), lock: self.lock }.to_string()
    }
}
