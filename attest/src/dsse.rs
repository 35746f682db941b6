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
use crate::vkey::{MaybeEd25519, NoteKey};
use crate::{Error, Result, Sha256};
use ed25519_dalek::{Signature, Signer as _, SigningKey};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

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

/// Adds the signature of one more signer to what others have signed. Signatures stand in the order in which they were
/// made; a canonical envelope with another signature is another entry of a log.
///
/// What the others wrote is neither judged nor changed: whoever signs has to look at the statement first.
///
/// # Errors
/// When this key has signed it already, the payload is of another type, or there are as many signatures as are read.
pub fn add_signature(envelope: &Envelope, key: &SigningKey) -> Result<Envelope> {
    if envelope.payload_type != PAYLOAD_TYPE {
        return Err(refused(format!("payload type is \"{}\", expected \"{PAYLOAD_TYPE}\"", envelope.payload_type)));
    }
    if envelope.signatures.len() >= SIGNATURES_LIMIT {
        return Err(refused(format!("it has {} signatures already", envelope.signatures.len())));
    }
    if verify_payload(envelope, &key.verifying_key()).is_ok() {
        return Err(Error::input("statement: this key has signed it already", "give the key of another signer"));
    }
    let mut both = envelope.clone();
    both.signatures.extend(sign_payload(envelope.payload.clone(), key).signatures);
    Ok(both)
}

/// Those of `keys` that have signed it, in the order of `keys`; one key under several names counts once, under the first.
///
/// Proves that they signed exactly these bytes, and nothing about anybody who is not in `keys`.
pub fn signers<'k>(envelope: &Envelope, keys: &'k [NoteKey]) -> Vec<&'k NoteKey> {
    let mut found: Vec<&NoteKey> = vec![];
    for key in keys {
        let known = found.iter().any(|other| other.key() == key.key());
        if !known && verify_payload(envelope, key.key()).is_ok() {
            found.push(key);
        }
    }
    found
}

/// The names of those of `keys` that have signed, when they are `k` different keys or more.
///
/// # Errors
/// [`crate::Blame::Artefact`] when they are fewer; [`crate::Blame::Input`] when `keys` are not that many, or `k` is 0.
pub fn k_of_n(envelope: &Envelope, keys: &[NoteKey], k: usize) -> Result<Vec<String>> {
    let different: BTreeSet<&[u8]> = keys.iter().map(|key| key.key().as_bytes()).collect();
    if k == 0 || k > different.len() {
        let what = format!("{k} of {} different keys cannot be asked for", different.len());
        return Err(Error::input(what, "ask for one signer at least, and for no more than there are keys"));
    }
    let names: Vec<String> = signers(envelope, keys).into_iter().map(|key| key.name().into()).collect();
    if names.len() < k {
        let who = if names.is_empty() { "nobody".into() } else { names.join(", ") };
        return Err(refused(format!("{k} of {} keys have to have signed it, it is signed by {who}", different.len())));
    }
    Ok(names)
}

/// Checks the signature, then reads the statement out of the signed bytes.
///
/// Proves that the holder of `key` signed exactly this statement; it does not prove that the statement is true,
/// current, or published anywhere.
///
/// # Errors
/// [`crate::Blame::Artefact`] when no signature is by this key, or the payload is not a release statement in
/// canonical form.
pub fn verify(envelope: &Envelope, key: &impl MaybeEd25519) -> Result<Statement> {
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
pub fn verify_payload<'e>(envelope: &'e Envelope, key: &impl MaybeEd25519) -> Result<&'e [u8]> {
    if envelope.payload_type != PAYLOAD_TYPE {
        return Err(refused(format!("payload type is \"{}\", expected \"{PAYLOAD_TYPE}\"", envelope.payload_type)));
    }
    if envelope.signatures.len() > SIGNATURES_LIMIT {
        return Err(refused(format!("it has more than {SIGNATURES_LIMIT} signatures")));
    }
    let signed = pae(&envelope.payload_type, &envelope.payload);
    let by_key = |s: &EnvelopeSignature| {
        let (key, signature) = (key.ed25519(), Signature::from_slice(&s.sig).ok());
        key.zip(signature).is_some_and(|(key, signature)| key.verify_strict(&signed, &signature).is_ok())
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
pub(crate) mod tests {
    use super::*;
    use crate::config::Config;
    use crate::expected::ExpectedBoot;
    use crate::fingerprint::Fingerprint;
    use crate::pcr::PcrValues;
    use crate::statement::{Image, Release, Subject};
    use crate::Blame;

    pub(crate) fn statement() -> Statement {
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
            app: None,
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

    fn note_key(name: &str, byte: u8) -> NoteKey {
        NoteKey::new(name, key(byte).verifying_key()).unwrap()
    }

    #[test]
    fn several_sign_one_after_the_other() {
        let one = sign(&statement(), &key(1)).unwrap();
        let two = add_signature(&one, &key(2)).unwrap();
        assert_eq!((two.payload.clone(), two.signatures.len()), (one.payload.clone(), 2));
        assert!(verify(&two, &key(1).verifying_key()).is_ok() && verify(&two, &key(2).verifying_key()).is_ok());
        for byte in [1, 2] {
            assert_eq!(add_signature(&two, &key(byte)).unwrap_err().blame, Blame::Input, "it signed twice");
        }
        let mut full = one.clone();
        for byte in 2..=SIGNATURES_LIMIT as u8 {
            full = add_signature(&full, &key(byte)).unwrap();
        }
        assert!(verify(&full, &key(1).verifying_key()).is_ok());
        assert!(add_signature(&full, &key(99)).is_err());
        let mut other = one;
        other.payload_type = "text/plain".into();
        assert!(add_signature(&other, &key(2)).is_err());
    }

    #[test]
    fn k_of_n_counts_keys_and_not_signatures() {
        let keys = [note_key("a", 1), note_key("a-again", 1), note_key("b", 2), note_key("c", 3)];
        let one = sign(&statement(), &key(1)).unwrap();
        let mut twice = one.clone();
        twice.signatures.push(one.signatures[0].clone());
        let two = add_signature(&one, &key(3)).unwrap();
        assert_eq!(k_of_n(&one, &keys, 1).unwrap(), ["a"]);
        assert_eq!(k_of_n(&two, &keys, 2).unwrap(), ["a", "c"]);
        assert_eq!(k_of_n(&two, &keys, 1).unwrap(), ["a", "c"], "all who signed are named");
        for (envelope, k) in [(&one, 2), (&twice, 2), (&two, 3)] {
            assert_eq!(k_of_n(envelope, &keys, k).unwrap_err().blame, Blame::Artefact);
        }
        assert_eq!(k_of_n(&two, &keys[2..3], 1).unwrap_err().blame, Blame::Artefact, "a stranger counted");
        for (keys, k) in [(&keys[..], 0), (&keys[..], 4), (&keys[..2], 2), (&keys[..0], 1)] {
            assert_eq!(k_of_n(&two, keys, k).unwrap_err().blame, Blame::Input);
        }
        let mut altered = two;
        altered.payload[20] ^= 1;
        assert!(signers(&altered, &keys).is_empty());
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
