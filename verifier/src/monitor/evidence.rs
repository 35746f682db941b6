//! Evidence files: everything that somebody else needs to judge an alert, without us and without the log.
//!
//! ```json
//! {"about":"log.example/vitrine","at":1763600000,"kind":"split-view","shown":{"fork":{"larger":"log.example/vitrine\n…",
//!  "prefix":{"proof":["ab…"],"root":"cd…"},"smaller":"log.example/vitrine\n…"}},"v":1,"what":"…"}
//! ```

use super::alert::Kind;
use serde::{Deserialize, Serialize};
use vitrine_attest::canonical::to_canonical_json;
use vitrine_attest::digest::base64_bytes;
use vitrine_attest::entry::{signers, Entry};
use vitrine_attest::merkle::consistent;
use vitrine_attest::note::Checkpoint;
use vitrine_attest::tlog_proof::Proof;
use vitrine_attest::vkey::NoteKey;
use vitrine_attest::{Error, Result, Sha256};

const VERSION: u32 = 1;
/// Largest file in bytes: a server's messages in base64, and what stands around them.
pub const EVIDENCE_LIMIT: usize = 16 << 20;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    pub v: u32,
    pub kind: Kind,
    /// The log, or the server.
    pub about: String,
    /// For people; [`Evidence::judge`] does not believe it.
    pub what: String,
    /// When it was found, seconds since 1970, by the monitor's clock.
    pub at: u64,
    pub shown: Shown,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Shown {
    /// Two signed checkpoints of one log that cannot both be true. Proves it to everybody who has the log's key.
    Fork {
        smaller: String,
        larger: String,
        /// None: they are of one size, and nothing else is needed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        prefix: Option<Prefix>,
    },
    /// Entries, each with its proof that it stands in the log (c2sp.org/tlog-proof). That they are there it proves.
    Entries(Vec<Proven>),
    /// Checkpoints as they were served. When and where they were, only the monitor says.
    Checkpoints(Vec<String>),
    /// Messages of a server, as `check --save` keeps them, and the log's checkpoint at that time. Whoever made such a file can
    /// have made it up: it convinces the one who saved it, and says what to look at.
    Server {
        #[serde(with = "base64_bytes")]
        record: Vec<u8>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        checkpoint: Option<String>,
    },
    /// A signed statement from a file, not from a log.
    Statement {
        #[serde(with = "base64_bytes")]
        envelope: Vec<u8>,
    },
    /// Nothing that can be handed on.
    Words,
}

/// What the larger tree begins with, instead of the smaller one: its root, and the proof that the larger tree contains it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prefix {
    pub root: Sha256,
    pub proof: Vec<Sha256>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proven {
    #[serde(with = "base64_bytes")]
    pub entry: Vec<u8>,
    pub proof: String,
}

/// What a file is worth to who has nothing but the log's keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judged {
    /// It shows what it says; in words.
    Proven(String),
    /// What of it is shown, and that the rest is somebody's word.
    Told(String),
}

impl Evidence {
    pub fn new(kind: Kind, about: &str, what: &str, at: u64, shown: Shown) -> Self {
        Self { v: VERSION, kind, about: about.into(), what: what.into(), at, shown }
    }

    /// The file's bytes.
    ///
    /// # Errors
    /// When it is larger than one may be.
    pub fn to_file(&self) -> Result<Vec<u8>> {
        let bytes = to_canonical_json(self)?;
        if bytes.len() > EVIDENCE_LIMIT {
            return Err(Error::host(format!("an evidence file would have {} bytes", bytes.len()), ""));
        }
        Ok(bytes)
    }

    /// # Errors
    /// What is wrong with its form.
    pub fn from_file(bytes: &[u8]) -> std::result::Result<Self, String> {
        if bytes.len() > EVIDENCE_LIMIT {
            return Err(format!("it has more than {EVIDENCE_LIMIT} bytes"));
        }
        let evidence: Self = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
        if evidence.v != VERSION {
            return Err(format!("version {} is unknown", evidence.v));
        }
        let canonical = to_canonical_json(&evidence).map_err(|e| e.what)?;
        (canonical == bytes).then_some(evidence).ok_or_else(|| "it is not in canonical form".into())
    }

    /// Checks it with the log's keys alone, without any network.
    ///
    /// # Errors
    /// When it does not show what it says.
    pub fn judge(&self, keys: &[NoteKey]) -> std::result::Result<Judged, String> {
        match &self.shown {
            Shown::Fork { smaller, larger, prefix } => fork(smaller, larger, prefix.as_ref(), keys).map(Judged::Proven),
            Shown::Entries(entries) if entries.is_empty() => Err("there is no entry in it".into()),
            Shown::Entries(entries) => {
                let words: Vec<String> =
                    entries.iter().map(|proven| proven.judge(keys)).collect::<std::result::Result<_, _>>()?;
                let words = words.join("\n");
                Ok(match self.contradicts(entries, keys) {
                    Some(why) => Judged::Proven(format!("{words}\n{why}")),
                    None => Judged::Told(format!("{words}\nwhether that is wrong depends on whom you expect to sign what")),
                })
            }
            Shown::Checkpoints(notes) => {
                let each = notes.iter().map(|note| Checkpoint::signed(note.as_bytes(), keys).map(|c| words_of(&c)));
                let each: Vec<String> = each.collect::<std::result::Result<_, _>>()?;
                Ok(Judged::Told(format!("signed: {}\nwhen it was served is the monitor's word", each.join("; "))))
            }
            Shown::Server { .. } => Ok(Judged::Told(
                "messages of a server: write `record`, which is base64, into a file and give it to `vitrine-verify check`".into(),
            )),
            Shown::Statement { envelope } => {
                let (_, entry) = Entry::read(envelope).map_err(|e| e.what)?;
                Ok(Judged::Told(format!("a {}, which stands in no log", entry.kind())))
            }
            Shown::Words => Ok(Judged::Told("nothing but the monitor's word".into())),
        }
    }

    /// What the entries show to who has these keys, beyond that they stand in the log.
    fn contradicts(&self, entries: &[Proven], keys: &[NoteKey]) -> Option<String> {
        let read: Vec<_> = entries.iter().map(|proven| Entry::read(&proven.entry)).collect();
        if self.kind == Kind::MalformedEntry {
            return read.iter().all(std::result::Result::is_err).then(|| "it is no statement".into());
        }
        let [Ok((a, Entry::Release(first))), Ok((b, Entry::Release(second)))] = &read[..] else { return None };
        let (image, other) = (&first.predicate.image, &second.predicate.image);
        let clash = (&image.name, &image.version) == (&other.name, &other.version) && a.payload != b.payload;
        let both = !signers(a, keys).is_empty() && !signers(b, keys).is_empty();
        (clash && both).then(|| "two different releases, both signed, have one name and one version".into())
    }
}

impl Proven {
    fn judge(&self, keys: &[NoteKey]) -> std::result::Result<String, String> {
        let proof = Proof::parse(self.proof.as_bytes())?;
        proof.check(&self.entry, keys)?;
        let what = match Entry::read(&self.entry) {
            Err(error) => format!("no statement: {}", error.what),
            Ok((envelope, entry)) => {
                let ours = signers(&envelope, keys).len();
                format!(
                    "a {} with {} signatures, {ours} by keys that you gave",
                    entry.kind(),
                    envelope.signatures.len()
                )
            }
        };
        Ok(format!("entry {} of {}: {what}", proof.index, words_of(&proof.checkpoint)))
    }
}

/// Both are signed by one log, and one of them is a lie.
fn fork(smaller: &str, larger: &str, prefix: Option<&Prefix>, keys: &[NoteKey]) -> std::result::Result<String, String> {
    let (old, new) = (Checkpoint::signed(smaller.as_bytes(), keys)?, Checkpoint::signed(larger.as_bytes(), keys)?);
    if old.origin != new.origin {
        return Err(format!("they are of two logs, {} and {}", old.origin, new.origin));
    }
    match prefix {
        None if old.size == new.size && old.root != new.root => {
            Ok(format!("{} has signed two trees of {} entries", old.origin, old.size))
        }
        Some(prefix) if 0 < old.size && old.size < new.size && prefix.root != old.root => {
            if !consistent((old.size, prefix.root), (new.size, new.root), &prefix.proof) {
                return Err("the larger tree does not begin with the one that is named".into());
            }
            let (origin, size) = (&old.origin, old.size);
            Ok(format!("{origin} has signed two trees of which the first {size} of {} entries differ", new.size))
        }
        _ => Err("both checkpoints can be true".into()),
    }
}

fn words_of(checkpoint: &Checkpoint) -> String {
    format!("{} with {} entries", checkpoint.origin, checkpoint.size)
}
