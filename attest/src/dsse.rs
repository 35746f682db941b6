//! DSSE envelopes (Dead Simple Signing Envelope v1.0.2): how a release statement is signed.
//!
//! Sample (`release.dsse.json`, canonical JSON):
//! ```json
//! {"payload":"eyJfdHlwZSI6…","payloadType":"application/vnd.in-toto+json",
//!  "signatures":[{"keyid":"29b5bed2…","sig":"kZ3…=="}]}
//! ```
//! We are stricter than the specification: the payload has to be the canonical JSON of a [`Statement`], so that
//! one statement has one spelling, and signatures are checked with `verify_strict`.

use crate::canonical::to_canonical_json;
use crate::digest::{base64_bytes, hex};
use crate::statement::{Statement, PAYLOAD_TYPE, RELEASE_TYPE};
use crate::{Error, Result, Sha256};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

/// Largest envelope that is read, in bytes. A statement with its list of packages has a few tens of KiB.
pub const ENVELOPE_LIMIT: usize = 1 << 20;
/// Most signatures in one envelope that are looked at; more are refused, not ignored.
const SIGNATURES_LIMIT: usize = 16;

/// The envelope as it stands in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Envelope {
    #[serde(rename = "payloadType")]
    pub payload_type: String,
    #[serde(with = "base64_bytes")]
    pub payload: Vec<u8>,
    pub signatures: Vec<EnvelopeSignature>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnvelopeSignature {
    /// SHA-256 of the public key in hex: a hint for people, never used to decide.
    #[serde(default)]
    pub keyid: String,
    #[serde(with = "base64_bytes")]
    pub sig: Vec<u8>,
}

impl Envelope {
    /// The bytes of the file.
    pub fn to_json(&self) -> Result<Vec<u8>> {
        to_canonical_json(self)
    }

    /// Reads a file. Its spelling does not matter, only the payload's does, which is signed.
    pub fn from_json(bytes: &[u8]) -> Result<Self> {
        if bytes.len() > ENVELOPE_LIMIT {
            return Err(unusable(format!("it has {} bytes, more than {ENVELOPE_LIMIT}", bytes.len())));
        }
        serde_json::from_slice(bytes).map_err(|e| unusable(e.to_string()))
    }
}

/// Pre-authentication encoding: the bytes that are signed.
/// `"DSSEv1" SP LEN(type) SP type SP LEN(body) SP body`, lengths in decimal (DSSE protocol, "Signature Definition").
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut out = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    out.extend_from_slice(payload);
    out
}

/// Signs a statement. Ed25519 is deterministic: one statement and one key give one envelope.
pub fn sign<P: Serialize>(statement: &Statement<P>, key: &SigningKey) -> Result<Envelope> {
    Ok(sign_payload(to_canonical_json(statement)?, key))
}

/// Signs these bytes: the canonical JSON of any in-toto statement.
pub fn sign_payload(payload: Vec<u8>, key: &SigningKey) -> Envelope {
    let sig = key.sign(&pae(PAYLOAD_TYPE, &payload)).to_bytes().to_vec();
    let keyid = hex(&Sha256::of(key.verifying_key().as_bytes()).0);
    Envelope { payload_type: PAYLOAD_TYPE.into(), payload, signatures: vec![EnvelopeSignature { keyid, sig }] }
}

/// Checks the signature, then reads the statement out of the signed bytes.
///
/// Proves that the holder of `key` signed exactly this statement; it does not prove that the statement is true,
/// current, or published anywhere.
///
/// # Errors
/// [`crate::Blame::Artefact`] when no signature is by this key, or the payload is not a release statement in
/// canonical form.
pub fn verify(envelope: &Envelope, key: &VerifyingKey) -> Result<Statement> {
    read_payload(verify_payload(envelope, key)?)
}

/// Reads the release statement without any look at its signature: for those who check what it says by themselves.
///
/// # Errors
/// [`crate::Blame::Artefact`] when the payload is not a release statement in canonical form.
pub fn read_unverified(envelope: &Envelope) -> Result<Statement> {
    read_payload(&envelope.payload)
}

/// Checks the signature and gives the signed bytes, whatever in-toto statement they are.
///
/// # Errors
/// [`crate::Blame::Artefact`] when no signature is by this key.
pub fn verify_payload<'e>(envelope: &'e Envelope, key: &VerifyingKey) -> Result<&'e [u8]> {
    if envelope.payload_type != PAYLOAD_TYPE {
        return Err(refused(format!("payload type is \"{}\", expected \"{PAYLOAD_TYPE}\"", envelope.payload_type)));
    }
    if envelope.signatures.len() > SIGNATURES_LIMIT {
        return Err(refused(format!("it has more than {SIGNATURES_LIMIT} signatures")));
    }
    let signed = pae(&envelope.payload_type, &envelope.payload);
    let by_key = |s: &EnvelopeSignature| {
        Signature::from_slice(&s.sig).is_ok_and(|signature| key.verify_strict(&signed, &signature).is_ok())
    };
    if !envelope.signatures.iter().any(by_key) {
        return Err(refused("no signature is by the given key".into()));
    }
    Ok(&envelope.payload)
}

fn read_payload(payload: &[u8]) -> Result<Statement> {
    Statement::from_payload(payload, RELEASE_TYPE).map_err(refused)
}

fn unusable(what: String) -> Error {
    Error::input(format!("statement: {what}"), "give the operator's `release.dsse.json`")
}

fn refused(what: String) -> Error {
    Error::artefact(format!("statement: {what}"), "get the statement and the key again from the operator, by two ways")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::expected::ExpectedBoot;
    use crate::fingerprint::Fingerprint;
    use crate::pcr::PcrValues;
    use crate::statement::{Image, Release, Subject};
    use crate::Blame;

    fn statement() -> Statement {
        let config: Config = serde_json::from_str(r#"{"wireguard":{"addresses":["10.66.0.1/24"]}}"#).unwrap();
        let (authenticode, config_digest) = (Sha256::of(b"image"), config.digest().unwrap());
        let release = Release {
            fingerprint: Fingerprint::new(authenticode, config_digest),
            image: Image {
                name: "exit".into(),
                version: "1".into(),
                lock: Sha256::ZERO,
                authenticode,
                initramfs: Sha256::ZERO,
                stub_version: 257,
            },
            config,
            config_digest,
            boot: ExpectedBoot { pcrs: PcrValues::default(), events: vec![] },
            cmdline: "quiet".into(),
            inputs: vec![],
            waivers: vec![],
            seq: 1,
            not_after: None,
        };
        Statement::about(vec![Subject::new("image", Sha256::ZERO)], RELEASE_TYPE, release)
    }

    fn key(byte: u8) -> SigningKey {
        SigningKey::from_bytes(&[byte; 32])
    }

    /// The example of the DSSE specification.
    #[test]
    fn pae_of_the_specification() {
        assert_eq!(
            pae("http://example.com/HelloWorld", b"hello world"),
            b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
        );
    }

    #[test]
    fn sign_write_read_verify() {
        let envelope = sign(&statement(), &key(1)).unwrap();
        let read = Envelope::from_json(&envelope.to_json().unwrap()).unwrap();
        assert_eq!(read, envelope);
        assert_eq!(verify(&read, &key(1).verifying_key()).unwrap(), statement());
    }

    #[test]
    fn a_second_signature_by_somebody_else_does_no_harm() {
        let mut envelope = sign(&statement(), &key(2)).unwrap();
        envelope.signatures.extend(sign(&statement(), &key(1)).unwrap().signatures);
        assert!(verify(&envelope, &key(1).verifying_key()).is_ok());
    }

    #[test]
    fn refusals() {
        let good = sign(&statement(), &key(1)).unwrap();
        let mut bad = vec![good.clone(); 5];
        bad[0].payload[20] ^= 1;
        bad[1].signatures[0].sig[3] ^= 1;
        bad[2].signatures.clear();
        bad[3].payload_type = "text/plain".into();
        bad[4].signatures[0].sig.pop();
        for envelope in bad {
            assert_eq!(verify(&envelope, &key(1).verifying_key()).unwrap_err().blame, Blame::Artefact);
        }
        assert!(verify(&good, &key(2).verifying_key()).is_err(), "another key's signature was taken");
    }

    #[test]
    fn a_signed_payload_in_another_spelling_is_refused() {
        let mut envelope = sign(&statement(), &key(1)).unwrap();
        envelope.payload.push(b' ');
        let envelope = sign_payload(envelope.payload, &key(1));
        let error = verify(&envelope, &key(1).verifying_key()).unwrap_err();
        assert!(error.what.contains("canonical"), "{error}");
    }

    #[test]
    fn oversize_and_garbage_files() {
        assert_eq!(Envelope::from_json(&vec![b' '; ENVELOPE_LIMIT + 1]).unwrap_err().blame, Blame::Input);
        assert_eq!(Envelope::from_json(b"{}").unwrap_err().blame, Blame::Input);
    }
}
