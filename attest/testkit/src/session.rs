//! The four messages of one check, and the file that holds them: the form of `vitrine-verify check --save`.

use crate::machine::{Key, Machine};
use base64::{engine::general_purpose::STANDARD, Engine as _};
use serde_json::json;
use std::rc::Rc;
use vitrine_attest::canonical::to_canonical_json;
use vitrine_attest::credential::{make_credential, proof};
use vitrine_attest::evidence::{transcript, ActivationRequest, ActivationResponse, Evidence, EvidenceRequest, VERSION};
use vitrine_attest::tpm::Public;
use vitrine_attest::{Error, Result, Sha256};

/// Who opens the credential of M3.
#[derive(Clone)]
pub enum Opener {
    /// The TPM, with this attestation key.
    Tpm(Rc<Machine>, Key),
    /// Somebody who knows every secret: stands for a TPM of which the adversary has the keys.
    Anybody,
    /// Nobody; the server answers with this code.
    Nobody(&'static str),
}

/// A session before M3: everything that a case may change.
#[derive(Clone)]
pub struct Draft {
    pub nonce: Sha256,
    pub evidence: Evidence,
    pub opener: Opener,
}

impl Draft {
    /// Carries the session through.
    pub fn finish(&self) -> Result<Session> {
        self.finish_with(to_canonical_json(&self.evidence)?)
    }

    /// The same with this M2, which may be no evidence at all.
    pub fn finish_with(&self, m2: Vec<u8>) -> Result<Session> {
        let m1 = to_canonical_json(&EvidenceRequest { v: VERSION, nonce: self.nonce })?;
        let secret = Sha256(crate::forge::random()?);
        let m3 = match challenge(&m1, &m2, &secret) {
            Ok(m3) => m3,
            Err(why) => return Ok(Session { m1, m2, end: End::Refused(why) }),
        };
        let opened = match &self.opener {
            Opener::Tpm(machine, key) => machine.activate(key, &m3)?,
            Opener::Anybody => Some(secret.0),
            Opener::Nobody(_) => None,
        };
        let end = match (opened, &self.opener) {
            (Some(opened), _) => {
                let m4 = to_canonical_json(&ActivationResponse { v: VERSION, proof: proof(&opened, &m3) })?;
                End::Answered { m3, m4, secret }
            }
            (None, Opener::Nobody(code)) => End::Refused(format!("{code} (status 400)")),
            (None, _) => End::Refused("credential (status 400)".into()),
        };
        Ok(Session { m1, m2, end })
    }
}

/// M3, or why the verifier can make none: as `vitrine-verify` says it.
fn challenge(m1: &[u8], m2: &[u8], secret: &Sha256) -> std::result::Result<Vec<u8>, String> {
    let evidence: Evidence = serde_json::from_slice(m2).map_err(|_| "the evidence cannot be read (V02)")?;
    let unreadable = |_| "a key's public area cannot be read (V02)";
    let ek = Public::parse(&evidence.ek_pub).map_err(unreadable)?;
    let name = Public::parse(&evidence.ak_pub).map_err(unreadable)?.name().ok_or("the AK has no SHA-256 name (V05)")?;
    let credential = make_credential(&ek, &name, &secret.0).map_err(|e| e.what)?;
    let request = ActivationRequest {
        v: VERSION,
        transcript: transcript(m1, m2),
        credential: credential.id_object,
        secret: credential.encrypted_secret,
    };
    to_canonical_json(&request).map_err(|e| e.what)
}

/// How the activation ended.
#[derive(Clone)]
pub enum End {
    Answered {
        m3: Vec<u8>,
        m4: Vec<u8>,
        secret: Sha256,
    },
    Refused(String),
    /// The file says nothing of it.
    Untold,
}

/// A whole session.
#[derive(Clone)]
pub struct Session {
    pub m1: Vec<u8>,
    pub m2: Vec<u8>,
    pub end: End,
}

impl Session {
    /// The file's bytes.
    pub fn file(&self) -> Result<Vec<u8>> {
        let mut value = json!({ "v": 1, "m1": STANDARD.encode(&self.m1), "m2": STANDARD.encode(&self.m2) });
        match &self.end {
            End::Untold => {}
            End::Refused(why) => value["refused"] = json!(why),
            End::Answered { m3, m4, secret } => {
                value["activated"] = json!({ "m3": STANDARD.encode(m3), "m4": STANDARD.encode(m4), "secret": secret });
            }
        }
        let mut bytes = serde_json::to_vec(&value).map_err(|e| Error::bug(e.to_string()))?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}
