//! What an entry can be found by.

use crate::digest::Sha256;
use crate::dsse::Envelope;
use crate::entry::Entry;
use crate::merkle::leaf;
use crate::statement::{Statement, PAYLOAD_TYPE};
use serde_json::Value;
use std::collections::BTreeSet;

/// Goes before every key's hash, so that no other digest is one.
const DOMAIN: &[u8] = b"vitrine log index v1\0";

/// Something that names entries.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// Leaf hash in the log's tree.
    Leaf(Sha256),
    /// Any digest that the entry names, and that of the entry.
    Digest(Sha256),
    /// Name of a release's image.
    Name(String),
    /// Name and version of a release's image.
    Version(String, String),
}

impl Key {
    /// Under which it stands in the index: `SHA-256("vitrine log index v1\0" ‖ kind ‖ 0 ‖ key)`, where a key is 32 bytes or a text, and
    /// a version is `length of the name, u32 ‖ name ‖ version`.
    pub fn hash(&self) -> Sha256 {
        match self {
            Self::Leaf(hash) => Sha256::of_parts(&[DOMAIN, b"leaf\0", &hash.0]),
            Self::Digest(digest) => Sha256::of_parts(&[DOMAIN, b"digest\0", &digest.0]),
            Self::Name(name) => Sha256::of_parts(&[DOMAIN, b"name\0", name.as_bytes()]),
            Self::Version(name, version) => {
                // both are parts of an entry, which is shorter
                let length = u32::try_from(name.len()).unwrap_or(u32::MAX).to_be_bytes();
                Sha256::of_parts(&[DOMAIN, b"version\0", &length, name.as_bytes(), version.as_bytes()])
            }
        }
    }
}

/// The keys of an entry: its leaf hash and its SHA-256. Of a statement in canonical form also the SHA-256 of its payload, its subjects'
/// digests, and what its kind names beside them.
///
/// Does **not** look at any signature: anybody who may append can name any digest.
pub fn keys(entry: &[u8]) -> BTreeSet<Key> {
    let mut keys = BTreeSet::from([Key::Leaf(leaf(entry)), Key::Digest(Sha256::of(entry))]);
    let Some((envelope, statement)) = statement(entry) else { return keys };
    let subjects = statement.subject.iter().flat_map(|subject| subject.digest.values().copied());
    let mut digests: Vec<Sha256> = subjects.chain([Sha256::of(&envelope.payload)]).collect();
    match Entry::of(&envelope) {
        Ok(Entry::Release(release)) => {
            let (release, image) = (&release.predicate, &release.predicate.image);
            digests.extend([release.fingerprint.0, release.config_digest, image.authenticode]);
            keys.extend([Key::Name(image.name.clone()), Key::Version(image.name.clone(), image.version.clone())]);
        }
        Ok(Entry::ZeroLog(zero_log)) => digests.extend([zero_log.predicate.hash, zero_log.predicate.authenticode]),
        Ok(Entry::FleetEpoch(epoch)) => digests.push(epoch.predicate.root),
        Ok(Entry::Revocation(revocation)) => {
            digests.extend(revocation.predicate.fingerprint.iter().map(|fingerprint| fingerprint.0));
            digests.extend(revocation.predicate.statement);
        }
        Ok(Entry::RebuildVerdict(verdict)) => {
            digests.extend([verdict.predicate.statement, verdict.predicate.image.got]);
        }
        // kinds that are known later must not change the index: it is the same for all versions of this program
        Ok(Entry::ZeroLogReport(_) | Entry::Unknown(_)) | Err(_) => {}
    }
    keys.extend(digests.into_iter().map(Key::Digest));
    keys
}

/// A statement of any kind, when this is the canonical envelope of one.
fn statement(entry: &[u8]) -> Option<(Envelope, Statement<Value>)> {
    // most entries of a log of other things end here
    if entry.first() != Some(&b'{') {
        return None;
    }
    let envelope = Envelope::from_json(entry).ok()?;
    if envelope.payload_type != PAYLOAD_TYPE || envelope.to_json().ok()? != entry {
        return None;
    }
    let any: Statement<Value> = serde_json::from_slice(&envelope.payload).ok()?;
    // of this kind or that: it only has to be one
    let statement = Statement::<Value>::from_payload(&envelope.payload, &any.predicate_type).ok()?;
    Some((envelope, statement))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dsse;
    use ed25519_dalek::SigningKey;

    #[test]
    fn a_release_is_found_by_all_that_it_names() {
        let statement = dsse::tests::statement();
        let envelope = dsse::sign(&statement, &SigningKey::from_bytes(&[1; 32])).unwrap();
        let entry = envelope.to_json().unwrap();
        let (release, image) = (&statement.predicate, &statement.predicate.image);
        let digest = |digest: Sha256| Key::Digest(digest);
        let expected = BTreeSet::from([
            Key::Leaf(leaf(&entry)),
            digest(Sha256::of(&entry)),
            digest(Sha256::of(&envelope.payload)),
            digest(statement.subject[0].sha256().unwrap()),
            digest(release.fingerprint.0),
            digest(release.config_digest),
            digest(image.authenticode),
            Key::Name(image.name.clone()),
            Key::Version(image.name.clone(), image.version.clone()),
        ]);
        assert_eq!(keys(&entry), expected);
        // spelt otherwise it is some bytes
        let spaced = [&entry[..], b"\n"].concat();
        assert_eq!(keys(&spaced), BTreeSet::from([Key::Leaf(leaf(&spaced)), digest(Sha256::of(&spaced))]));
        assert_eq!(keys(b"").len(), 2);
    }

    /// Of each kind another hash, and no two names and versions that run together.
    #[test]
    fn hashes_differ() {
        let text = |text: &str| text.to_owned();
        let keys = [
            Key::Leaf(Sha256::ZERO),
            Key::Digest(Sha256::ZERO),
            Key::Name(text("ab")),
            Key::Name(text("a")),
            Key::Version(text("a"), text("b")),
            Key::Version(text("ab"), text("")),
            Key::Version(text(""), text("ab")),
        ];
        assert_eq!(keys.iter().map(Key::hash).collect::<BTreeSet<_>>().len(), keys.len());
        assert_eq!(
            Key::Name(text("gateway")).hash().to_string(),
            Sha256::of(b"vitrine log index v1\0name\0gateway").to_string()
        );
    }
}
