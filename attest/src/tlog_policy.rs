//! Which logs count, and which witnesses have to stand beside them (C2SP tlog-policy, a draft: the forms of ours that hold one
//! have a version).
//!
//! ```text
//! log log.example/vitrine+3f1c…+AQ…            whose checkpoints count
//! witness A witness.example/w1+77aa…+BA…       name of this file, key, and perhaps an address
//! witness B other.example/w7+09bd…+BA…
//! group both all A B                           or any, or a number
//! quorum both                                  or a witness, or none
//! ```
//! A policy says what a signed checkpoint has to show. It does not say that witnesses are independent of each other: who
//! writes it judges that.

use crate::note::{Checkpoint, Note, Signer};
use crate::vkey::NoteKey;
use std::fmt;

mod parse;
#[cfg(test)]
mod tests;

/// Largest file in bytes: the lines below with 300 bytes each, and 1.8 KiB more for each witness whose key is ML-DSA-44.
pub const TLOG_POLICY_LIMIT: usize = 256 << 10;
/// Most logs, most witnesses, and most groups; the standard asks for at least 32 of each.
pub const ENTRIES_LIMIT: usize = 64;

/// A policy whose form is right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// May be empty, by the standard: then no checkpoint is enough.
    pub logs: Vec<LogEntry>,
    pub witnesses: Vec<WitnessEntry>,
    quorum: Rule,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    pub key: NoteKey,
    pub url: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessEntry {
    /// Only of this file; bytes that are no UTF-8 are replaced, for it is shown and never compared.
    pub name: String,
    pub key: NoteKey,
    pub url: Option<String>,
}

/// What has to have cosigned. Each name is member of one group at most, so this is a tree and each witness counts once.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Rule {
    /// `quorum none`.
    Nobody,
    /// Its place among the witnesses.
    Witness(usize),
    /// At least so many of them.
    Group { name: String, least: usize, members: Vec<Rule> },
}

/// Who made a checkpoint enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Met {
    /// The log's name.
    pub log: String,
    /// The policy's names of the witnesses in the quorum's rule that have signed, more than needed perhaps.
    pub witnesses: Vec<String>,
    /// The latest time such that a quorum signed then or later, seconds since 1970: how fresh it is. None: `quorum none`.
    pub since: Option<u64>,
    /// The earliest time by which a quorum had signed: the checkpoint, and all in it, is not younger.
    pub by: Option<u64>,
}

/// Why a checkpoint is not enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missing {
    /// A signature in the name of one of the keys does not hold: such a note is not used at all.
    Signature(String),
    /// The log that it is of, by its own word: none that is listed has signed it under that name.
    Log(String),
    /// The rule, in words, and who has signed.
    Quorum { rule: String, signed: Vec<String> },
}

/// A mistake in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// From 1.
    pub line: usize,
    pub text: String,
}

impl Policy {
    /// # Errors
    /// All mistakes, in the order of lines. Nothing is repaired.
    pub fn parse(bytes: &[u8]) -> Result<Self, Vec<Mistake>> {
        parse::policy(bytes)
    }

    /// Of the logs, then of the witnesses.
    pub fn keys(&self) -> Vec<NoteKey> {
        let logs = self.logs.iter().map(|log| &log.key);
        logs.chain(self.witnesses.iter().map(|witness| &witness.key)).cloned().collect()
    }

    /// Whether a quorum needs anybody; without one nobody says when a checkpoint was there.
    pub fn wants_witnesses(&self) -> bool {
        self.quorum != Rule::Nobody
    }

    /// The quorum in words: `2 of (X1, X2, any of (Y1, Y2))`.
    pub fn words(&self) -> String {
        Words(&self.quorum, self).to_string()
    }

    /// Whether a checkpoint is enough: see [`Self::satisfied`].
    ///
    /// # Errors
    /// Why not.
    pub fn judge(&self, note: &Note, checkpoint: &Checkpoint) -> Result<Met, Missing> {
        let keys = self.keys();
        self.satisfied(&checkpoint.origin, &note.signers(&keys).map_err(Missing::Signature)?)
    }

    /// Whether one of the logs has signed under its own name, and the witnesses as the quorum wants it. Signers that are not of
    /// this policy do not count.
    ///
    /// # Errors
    /// What is missing.
    pub fn satisfied(&self, origin: &str, signers: &[Signer<'_>]) -> Result<Met, Missing> {
        let by_log = |signer: &&Signer<'_>| {
            let listed = self.logs.iter().any(|log| log.key == *signer.key);
            listed && signer.key.is_of(origin)
        };
        if !signers.iter().any(|signer| by_log(&signer)) {
            return Err(Missing::Log(origin.into()));
        }
        let time = |witness: usize| {
            let key = &self.witnesses[witness].key;
            signers.iter().find(|signer| signer.key == key).and_then(|signer| signer.time)
        };
        let mut signed = vec![];
        self.quorum.each(&mut |witness| {
            if time(witness).is_some() {
                signed.push(self.witnesses[witness].name.clone());
            }
        });
        let (since, by) = match &self.quorum {
            Rule::Nobody => (None, None),
            // both are there or none is
            rule => match (rule.time(&time, Which::Latest), rule.time(&time, Which::Earliest)) {
                (Some(since), Some(by)) => (Some(since), Some(by)),
                _ => return Err(Missing::Quorum { rule: self.words(), signed }),
            },
        };
        Ok(Met { log: origin.into(), witnesses: signed, since, by })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    Latest,
    Earliest,
}

impl Rule {
    /// The latest time since which, or the earliest by which, this rule is met: of a group with threshold k, that of the k-th
    /// member, from the latest or from the earliest. None: it is not met.
    fn time(&self, of: &impl Fn(usize) -> Option<u64>, which: Which) -> Option<u64> {
        match self {
            Self::Nobody => None,
            Self::Witness(witness) => of(*witness),
            Self::Group { least, members, .. } => {
                let mut times: Vec<u64> = members.iter().filter_map(|member| member.time(of, which)).collect();
                times.sort_unstable();
                if which == Which::Latest {
                    times.reverse();
                }
                times.get(least.checked_sub(1)?).copied()
            }
        }
    }

    fn each(&self, tell: &mut impl FnMut(usize)) {
        match self {
            Self::Nobody => {}
            Self::Witness(witness) => tell(*witness),
            Self::Group { members, .. } => members.iter().for_each(|member| member.each(tell)),
        }
    }
}

struct Words<'p>(&'p Rule, &'p Policy);

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Rule::Nobody => f.write_str("no witness"),
            Rule::Witness(witness) => f.write_str(&self.1.witnesses[*witness].name),
            Rule::Group { name, least, members } => {
                write!(f, "{name}: {least} of (")?;
                for (at, member) in members.iter().enumerate() {
                    write!(f, "{}{}", if at > 0 { ", " } else { "" }, Words(member, self.1))?;
                }
                f.write_str(")")
            }
        }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signature(why) => f.write_str(why),
            Self::Log(origin) => write!(f, "no log of the policy has signed a checkpoint of {origin}"),
            Self::Quorum { rule, signed } if signed.is_empty() => write!(f, "wanted {rule}; nobody of them has signed"),
            Self::Quorum { rule, signed } => write!(f, "wanted {rule}; signed by {}", signed.join(", ")),
        }
    }
}
