//! What a monitor finds, and how long each finding stands.

use super::evidence::Shown;
use serde::{Deserialize, Serialize};
use vitrine_attest::event_log::printable;
use vitrine_attest::Sha256;

/// Longest text of an alert that is kept, in characters: parts of it come from logs and servers.
const WHAT_LIMIT: usize = 600;

/// Stable words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The log has signed two trees that do not agree.
    SplitView,
    /// A witness says, without a signature, that it knows another tree, or a larger one than we are shown.
    WitnessDisagrees,
    /// The log shows fewer entries than it has shown before.
    Rollback,
    /// What stands in the log leads to no tree that it has signed, or is not given.
    LogDamaged,
    /// No quorum of witnesses has signed of late.
    Freeze,
    /// The checkpoint is not signed as the log policy demands.
    TooFewWitnesses,
    /// A server runs what no release of the log predicts.
    UnloggedImage,
    /// Other checks of a server do not hold.
    ServerRejected,
    /// Two releases have one name and one version.
    TwoReleases,
    /// A release does not have a greater sequence number than those before it.
    Sequence,
    /// A release or a revocation is not signed by those who have to.
    UnexpectedKey,
    /// Somebody has built a release again, and got another image.
    RebuildDiffers,
    /// An entry is no statement.
    MalformedEntry,
    /// There is more than a monitor remembers.
    TooMuch,
}

impl Kind {
    /// Worst first.
    pub const ALL: [Self; 14] = [
        Self::SplitView,
        Self::WitnessDisagrees,
        Self::UnloggedImage,
        Self::Rollback,
        Self::TwoReleases,
        Self::UnexpectedKey,
        Self::RebuildDiffers,
        Self::LogDamaged,
        Self::Freeze,
        Self::TooFewWitnesses,
        Self::ServerRejected,
        Self::Sequence,
        Self::MalformedEntry,
        Self::TooMuch,
    ];

    pub fn word(self) -> &'static str {
        match self {
            Self::SplitView => "split-view",
            Self::WitnessDisagrees => "witness-disagrees",
            Self::Rollback => "rollback",
            Self::LogDamaged => "log-damaged",
            Self::Freeze => "freeze",
            Self::TooFewWitnesses => "too-few-witnesses",
            Self::UnloggedImage => "unlogged-image",
            Self::ServerRejected => "server-rejected",
            Self::TwoReleases => "two-releases",
            Self::Sequence => "sequence",
            Self::UnexpectedKey => "unexpected-key",
            Self::RebuildDiffers => "rebuild-differs",
            Self::MalformedEntry => "malformed-entry",
            Self::TooMuch => "too-much",
        }
    }

    /// Whether it stays open until a person takes note: what was done cannot be undone. The others end by themselves when
    /// they do not hold any more.
    pub fn stays(self) -> bool {
        !matches!(
            self,
            Self::Freeze | Self::TooFewWitnesses | Self::LogDamaged | Self::ServerRejected | Self::WitnessDisagrees
        )
    }

    /// What to do, in one sentence.
    pub fn advice(self) -> &'static str {
        match self {
            Self::SplitView => "publish the evidence file: the log cannot be trusted any more, whoever runs it",
            Self::WitnessDisagrees => "get that witness's checkpoint and compare: a split view is proven by both notes",
            Self::Rollback => "ask the log's operator: a restored backup must never be served",
            Self::LogDamaged => "keep a copy of what the log serves, and ask its operator",
            Self::Freeze => "ask the operator why the log is not refreshed, and look from another network",
            Self::TooFewWitnesses => "ask the witnesses whether they see the log",
            Self::UnloggedImage => "use this server no more until its operator has published what it runs",
            Self::ServerRejected => "run `vitrine-verify check` on the evidence file's record for all reasons",
            Self::TwoReleases => "ask the operator which one is meant; one version has to be one image",
            Self::Sequence => "ask the operator: verifiers refuse to go back",
            Self::UnexpectedKey => {
                "ask the operator whether the key is theirs; if not, it may be stolen or the log abused"
            }
            Self::RebuildDiffers => {
                "rebuild it yourself (`vitrine-verify rebuild`); if it differs, do not use the release"
            }
            Self::MalformedEntry => "ask the operator what it is: nobody can judge it",
            Self::TooMuch => "acknowledge what you know, or let one monitor follow fewer logs",
        }
    }
}

/// What one look has found, before it is known whether it is new.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub kind: Kind,
    /// The log's name, or the server's.
    pub about: String,
    /// Tells findings of one kind about one log apart: two with the same are one.
    pub which: String,
    pub what: String,
    pub proving: Proving,
}

/// What its evidence file is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proving {
    Shown(Shown),
    /// Entries of the log, to be fetched with their proofs.
    Entries(Vec<u64>),
}

impl Finding {
    pub fn id(&self) -> String {
        let parts = [self.kind.word(), &self.about, &self.which].map(|part| Sha256::of(part.as_bytes()).0);
        Sha256::of(&parts.concat()).to_string()[..16].into()
    }
}

/// A finding that is remembered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alert {
    /// 16 hex digits, the same for the same finding.
    pub id: String,
    pub kind: Kind,
    pub about: String,
    /// Safe to print.
    pub what: String,
    /// Seconds since 1970.
    pub first: u64,
    pub last: u64,
    /// A line about it was printed.
    pub told: bool,
    /// Since when it does not hold any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mended: Option<u64>,
    #[serde(default)]
    pub acknowledged: bool,
    /// Name of its evidence file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
}

impl Alert {
    pub fn new(finding: &Finding, now: u64) -> Self {
        Self {
            id: finding.id(),
            kind: finding.kind,
            about: printable(&finding.about),
            what: short(&finding.what),
            first: now,
            last: now,
            told: false,
            mended: None,
            acknowledged: false,
            evidence: None,
        }
    }

    /// Nobody has taken note of it, and it holds.
    pub fn is_open(&self) -> bool {
        self.mended.is_none() && !self.acknowledged
    }
}

/// Safe to print, and not longer than is kept.
pub fn short(text: &str) -> String {
    printable(text).chars().take(WHAT_LIMIT).collect()
}
