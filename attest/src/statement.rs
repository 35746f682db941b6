//! Statements: in-toto Statement v1 in a DSSE envelope, signed with Ed25519. That of a release, and the form of all.

use crate::app_facts::AppFacts;
use crate::canonical::to_canonical_json;
use crate::config::Config;
use crate::expected::ExpectedBoot;
use crate::fingerprint::Fingerprint;
use crate::Sha256;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `_type` of every statement (in-toto Attestation Framework, Statement v1).
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
/// `predicateType` of a release.
pub const RELEASE_TYPE: &str = "urn:vitrine:release:v1";
/// DSSE `payloadType`.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// `kind` of the input that is the lock of the toolchain which the programs were compiled with.
pub const TOOLCHAIN: &str = "toolchain";
/// `kind` of the input that is the sources of the programs.
pub const SOURCE: &str = "source";

/// in-toto Statement v1 with a predicate of one kind; a release's unless another is named. The subject of a release is
/// the unsigned image, so that anybody can rebuild it without a signing key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement<P = Release> {
    #[serde(rename = "_type")]
    pub kind: String,
    pub subject: Vec<Subject>,
    #[serde(rename = "predicateType")]
    pub predicate_type: String,
    pub predicate: P,
}

impl<P> Statement<P> {
    /// A statement of version 1 about `subject`.
    pub fn about(subject: Vec<Subject>, predicate_type: &str, predicate: P) -> Self {
        Self { kind: STATEMENT_TYPE.into(), subject, predicate_type: predicate_type.into(), predicate }
    }
}

impl<P: Serialize + DeserializeOwned> Statement<P> {
    /// Reads a payload. Whose it is shows the envelope's signature, see [`crate::dsse::verify_payload`].
    ///
    /// # Errors
    /// Why, in words: it is of another form or kind, or not in canonical JSON.
    pub fn from_payload(payload: &[u8], predicate_type: &str) -> Result<Self, String> {
        let statement: Self = serde_json::from_slice(payload).map_err(|e| e.to_string())?;
        if to_canonical_json(&statement).map_err(|e| e.what)? != payload {
            return Err("its payload is not in canonical form".into());
        }
        if statement.kind != STATEMENT_TYPE || statement.predicate_type != predicate_type {
            return Err(format!("it is a \"{}\", not a \"{predicate_type}\"", statement.predicate_type));
        }
        Ok(statement)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    pub name: String,
    /// `{"sha256": …}`
    pub digest: BTreeMap<String, Sha256>,
}

impl Subject {
    pub fn new(name: &str, sha256: Sha256) -> Self {
        Self { name: name.into(), digest: [("sha256".into(), sha256)].into() }
    }

    pub fn sha256(&self) -> Option<Sha256> {
        self.digest.get("sha256").copied()
    }
}

/// What a release promises about one image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    pub fingerprint: Fingerprint,
    pub image: Image,
    /// The whole effective configuration, and its digest.
    pub config: Config,
    pub config_digest: Sha256,
    /// The boot on a machine with Secure Boot and the operator's keys.
    pub boot: ExpectedBoot,
    /// The kernel command line, for people and for `--explain`.
    pub cmdline: String,
    /// Debian packages and own programs that the image is made of.
    pub inputs: Vec<Input>,
    /// Exceptions to screen rules, with their reasons.
    pub waivers: Vec<Waiver>,
    /// Of the program of the operator's own, when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<AppFacts>,
    /// Sequence number: later releases of one name have greater ones.
    pub seq: u64,
    /// Last day the release may be used, RFC 3339 date (`2027-11-20`), or none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<String>,
}

impl Release {
    /// Whether the operator says that the programs were compiled in a toolchain root, so that others can compile the same
    /// bytes. That it is true shows only who does so.
    pub fn programs_are_locked(&self) -> bool {
        [TOOLCHAIN, SOURCE].iter().all(|kind| self.inputs.iter().any(|input| input.kind == *kind))
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Image {
    pub name: String,
    pub version: String,
    /// SHA-256 of `2-lock.toml`.
    pub lock: Sha256,
    /// Authenticode SHA-256 of the image.
    pub authenticode: Sha256,
    /// SHA-256 and length of the uncompressed initramfs.
    pub initramfs: Sha256,
    /// Version of the systemd-stub.
    pub stub_version: u32,
}

/// One input.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// `deb`, `program`, `file`; [`TOOLCHAIN`], [`SOURCE`] and `crates` of programs that were compiled in a root made from a lock.
    pub kind: String,
    pub name: String,
    pub version: String,
    pub sha256: Sha256,
}

/// An exception to a screen rule, published with the image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Waiver {
    pub rule: String,
    pub path: String,
    pub reason: String,
}
