//! Beacons: evidence for nobody in particular, whose nonce is the checkpoint of a transparency log.
//!
//! Sample of the file (`m2` in base64, the checkpoint's lines shortened):
//! ```json
//! {"v":1,"beacon":"log.example/vitrine\n1482\nZx9…=\n\n— log.example/vitrine bGVy…\n— witness.example/w1 d2l0…\n",
//!  "m2":"eyJha…"}
//! ```
//! The checkpoint cannot be known before it is made, so the quote was made after it: "not before". Anybody can make such
//! a file, nobody has to be trusted for it, and it can lie on any web server. Whether the server still is the same, a
//! beacon tells only as well as it is new.

use crate::exchange::{Exchange, Source};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use vitrine_attest::canonical::to_canonical_json;
use vitrine_attest::digest::base64_bytes;
use vitrine_attest::evidence::beacon_nonce;
use vitrine_attest::note::{Checkpoint, Note};
use vitrine_attest::tile::ENTRY_LIMIT;
use vitrine_attest::tlog_policy;
use vitrine_attest::tlog_proof::Proof;
use vitrine_attest::vkey::{Kind, NoteKey};
use vitrine_attest::{Error, Result, Sha256};

/// Version of the file.
const VERSION: u32 = 1;
/// Most keys of logs and witnesses in a file.
const KEYS_LIMIT: usize = 64;
/// Largest file of keys in bytes.
pub const KEYS_FILE_LIMIT: usize = 64 << 10;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    v: u32,
    /// The signed checkpoint, as it was.
    beacon: String,
    #[serde(with = "base64_bytes")]
    m2: Vec<u8>,
}

/// The file's bytes.
///
/// # Errors
/// Never for a checkpoint that [`Note::parse`] has read.
pub fn to_file(checkpoint: &str, m2: &[u8]) -> Result<Vec<u8>> {
    to_canonical_json(&File { v: VERSION, beacon: checkpoint.into(), m2: m2.to_vec() })
}

/// What the person's keys say about a beacon's checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Checked {
    pub log: String,
    pub size: u64,
    /// Names of the keys that have signed.
    pub signers: Vec<String>,
    /// The earliest time of a witness among them, seconds since 1970: the quote is not older. None: no witness signed.
    pub not_before: Option<u64>,
    /// The earliest time by which a quorum of witnesses had seen the beacon itself in a log. None: nobody gave a proof.
    pub not_after: Option<u64>,
}

/// Reads a beacon's file. What its checkpoint is worth is judged with the evidence (V11).
///
/// # Errors
/// When the file has not the form of one.
pub fn from_file(name: &str, bytes: &[u8], keys: &[NoteKey]) -> Result<Exchange> {
    let unusable = |what: String| {
        Error::input(format!("{name} is no usable beacon: {what}"), "give a file made by `vitrine-verify beacon`")
    };
    let file: File = serde_json::from_slice(bytes).map_err(|e| unusable(e.to_string()))?;
    if file.v != VERSION {
        return Err(unusable(format!("version {} is unknown", file.v)));
    }
    let checked = checked(file.beacon.as_bytes(), keys);
    Ok(Exchange {
        source: Source::Beacon(name.into()),
        // its nonce was there when its checkpoint was
        asked: checked.as_ref().ok().and_then(|checked| checked.not_before),
        nonce: beacon_nonce(file.beacon.as_bytes()),
        evidence: file.m2,
        activation: None,
        beacon: Some(checked),
    })
}

/// Whether a note is a checkpoint, whoever has signed it.
///
/// # Errors
/// What is wrong with it.
pub fn has_form(note: &[u8]) -> std::result::Result<(), String> {
    Checkpoint::parse(Note::parse(note)?.text()).map(|_| ())
}

/// Whether a checkpoint is one, and signed by one of these keys.
pub fn checked(note: &[u8], keys: &[NoteKey]) -> std::result::Result<Checked, String> {
    let note = Note::parse(note)?;
    let checkpoint = Checkpoint::parse(note.text())?;
    let signers = note.signers(keys)?;
    // a log signs for itself only
    let counts = |key: &NoteKey| key.kind() == Kind::Cosignature || key.is_of(&checkpoint.origin);
    let signers: Vec<_> = signers.into_iter().filter(|signer| counts(signer.key)).collect();
    if signers.is_empty() {
        return Err("none of your keys has signed the checkpoint".into());
    }
    Ok(Checked {
        not_before: signers.iter().filter_map(|signer| signer.time).min(),
        signers: signers.iter().map(|signer| signer.key.name().into()).collect(),
        log: checkpoint.origin,
        size: checkpoint.size,
        not_after: None,
    })
}

/// What stands in a log for a beacon: the file's bytes, or, of a file that is larger than an entry can be, the 32 bytes of
/// their SHA-256.
pub fn entry(file: &[u8]) -> Cow<'_, [u8]> {
    if file.len() <= ENTRY_LIMIT {
        Cow::Borrowed(file)
    } else {
        Cow::Owned(Sha256::of(file).0.to_vec())
    }
}

/// When a quorum of witnesses had seen the beacon in a log: it was made before. A proof that does not hold is no verdict on the
/// server, so it is no check; it ends the command.
///
/// # Errors
/// When the proof does not hold, or no witness would say when.
pub fn not_after(file: &[u8], proof: &[u8], policy: &tlog_policy::Policy) -> Result<u64> {
    let refused = |what: String| {
        let hint = "get a new proof for this very file, or leave --beacon-proof out: then nobody says when it was made at the latest";
        Error::artefact(format!("the proof of the beacon: {what}"), hint)
    };
    let proof = Proof::parse(proof).map_err(refused)?;
    proof.check(&entry(file), &policy.keys()).map_err(refused)?;
    let met = policy.judge(&proof.note, &proof.checkpoint).map_err(|missing| refused(missing.to_string()))?;
    let hint = "name witnesses in the log policy, or leave --beacon-proof out";
    met.by.ok_or_else(|| Error::input("the log policy has no witness that could say when a beacon was there", hint))
}

/// Keys of logs and witnesses: one key text a line; empty lines and those that begin with `#` are left out.
///
/// # Errors
/// When there is none, or a line is no key.
pub fn keys(bytes: &[u8]) -> Result<Vec<NoteKey>> {
    let hint = "give one key of a log or witness a line, as <name>+<key id>+<base64>";
    let text = std::str::from_utf8(bytes).map_err(|_| Error::input("the keys are no text", hint))?;
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
    let keys: Vec<NoteKey> = lines
        .map(|(number, line)| {
            NoteKey::of_log(line.trim()).map_err(|e| Error::input(e.within(format!("line {number}")).what, hint))
        })
        .collect::<Result<_>>()?;
    match keys.len() {
        0 => Err(Error::input("there is no key in it", hint)),
        1..=KEYS_LIMIT => Ok(keys),
        more => Err(Error::input(format!("{more} keys, more than {KEYS_LIMIT}"), hint)),
    }
}
