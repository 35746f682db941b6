//! Everything that is needed to judge a server without asking anybody, in one small file: evidence, statement, proof.
//!
//! ```json
//! {"bundle":"eNqN…","v":1}
//! ```
//! `bundle` is base64 of a zlib stream (RFC 1950) of canonical JSON; `evidence` is a file of `check --save` or a beacon, as it is,
//! and `proof` may be missing:
//! ```json
//! {"evidence":{"beacon":"…","m2":"…","v":1},"proof":"c2sp.org/tlog-proof@v1\n…","statement":{"payload":"…",…}}
//! ```
//! Packed, because evidence holds base64 within base64: a firmware's log of 30 KiB would fill the file alone. Nothing in it is
//! trusted for standing here: keys, roots and log policy are the person's.

use crate::exchange::{Exchange, FILE_LIMIT};
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use flate2::Compression;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::io::{Read as _, Write as _};
use vitrine_attest::canonical::to_canonical_json;
use vitrine_attest::digest::base64_bytes;
use vitrine_attest::dsse::Envelope;
use vitrine_attest::tlog_proof::PROOF_LIMIT;
use vitrine_attest::{Error, Result};

const VERSION: u32 = 1;
/// Largest file in bytes, so that it can be mailed, printed as a few codes, or kept on a chain.
pub const BUNDLE_LIMIT: usize = 64 << 10;
/// Most bytes of what is packed: twenty times that, and less than saved messages may have.
const UNPACKED_LIMIT: usize = 1 << 20;

/// What stands in one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// Saved messages or a beacon, as JSON.
    evidence: Value,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    proof: Option<String>,
    statement: Envelope,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(with = "base64_bytes")]
    bundle: Vec<u8>,
    v: u32,
}

/// Whether a file means to be a bundle, so that its mistakes are told as such.
pub fn is_one(bytes: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct What {
        bundle: Option<IgnoredAny>,
    }
    serde_json::from_slice::<What>(bytes).is_ok_and(|what| what.bundle.is_some())
}

impl Bundle {
    /// # Errors
    /// When the evidence is neither saved messages nor a beacon, or the proof is no text.
    pub fn new(name: &str, evidence: &[u8], statement: Envelope, proof: Option<Vec<u8>>) -> Result<Self> {
        // whose checkpoint dates a beacon is asked when it is checked
        Exchange::from_file(name, evidence, None, Some(&[]))?;
        let evidence = serde_json::from_slice(evidence).map_err(|e| unusable(name, &e.to_string()))?;
        let proof = proof.map(String::from_utf8).transpose();
        let proof = proof.map_err(|_| Error::input("the proof is no text", "give the release.tlog-proof as it is"))?;
        Ok(Self { evidence, proof, statement })
    }

    /// The file's bytes.
    ///
    /// # Errors
    /// When it would be too large; the words say what is how large.
    pub fn to_file(&self) -> Result<Vec<u8>> {
        let inside = to_canonical_json(self)?;
        let packed = |e: std::io::Error| Error::bug(format!("bytes cannot be packed: {e}"));
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&inside).map_err(packed)?;
        let file = to_canonical_json(&File { bundle: encoder.finish().map_err(packed)?, v: VERSION })?;
        if file.len() > BUNDLE_LIMIT || inside.len() > UNPACKED_LIMIT {
            let sizes = [to_canonical_json(&self.evidence)?.len(), self.statement.to_json()?.len()];
            let proof = self.proof.as_ref().map_or(0, String::len);
            let what = format!(
                "the bundle would have {} bytes, more than {BUNDLE_LIMIT}: evidence {}, statement {}, proof {proof} before packing",
                file.len(),
                sizes[0],
                sizes[1],
            );
            return Err(Error::input(what, "hand the files on one by one; `check` takes them so, too"));
        }
        Ok(file)
    }

    /// Reads a file: one spelling only.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn from_file(name: &str, bytes: &[u8]) -> Result<Self> {
        let wrong = |what: &str| unusable(name, what);
        if bytes.len() > BUNDLE_LIMIT {
            return Err(wrong(&format!("it has more than {BUNDLE_LIMIT} bytes")));
        }
        let file: File = canonical(bytes).map_err(|why| wrong(&why))?;
        if file.v != VERSION {
            return Err(wrong(&format!("version {} is unknown", file.v)));
        }
        let bundle: Self = canonical(&unpack(&file.bundle).map_err(|why| wrong(&why))?).map_err(|why| wrong(&why))?;
        if bundle.proof.as_ref().is_some_and(|proof| proof.len() > PROOF_LIMIT) {
            return Err(wrong(&format!("its proof has more than {PROOF_LIMIT} bytes")));
        }
        Ok(bundle)
    }

    /// As a file by itself.
    ///
    /// # Errors
    /// Never for one that was read.
    pub fn evidence(&self) -> Result<Vec<u8>> {
        to_canonical_json(&self.evidence)
    }

    pub fn statement(&self) -> &Envelope {
        &self.statement
    }

    pub fn proof(&self) -> Option<&[u8]> {
        self.proof.as_deref().map(str::as_bytes)
    }
}

/// One stream, whole, and nothing behind it.
fn unpack(packed: &[u8]) -> std::result::Result<Vec<u8>, String> {
    const _: () = assert!(UNPACKED_LIMIT < FILE_LIMIT);
    let mut decoder = ZlibDecoder::new(packed);
    let mut inside = Vec::new();
    decoder.by_ref().take(UNPACKED_LIMIT as u64 + 1).read_to_end(&mut inside).map_err(|e| e.to_string())?;
    if inside.len() > UNPACKED_LIMIT {
        return Err(format!("it holds more than {UNPACKED_LIMIT} bytes"));
    }
    if decoder.total_in() != packed.len() as u64 {
        return Err("there is something behind its packed part".into());
    }
    Ok(inside)
}

fn canonical<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> std::result::Result<T, String> {
    let value: T = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
    let again = to_canonical_json(&value).map_err(|e| e.what)?;
    (again == bytes).then_some(value).ok_or_else(|| "it is not in canonical form".into())
}

fn unusable(name: &str, what: &str) -> Error {
    Error::input(format!("{name} is no usable bundle: {what}"), "give a file made by `vitrine-verify bundle`")
}
