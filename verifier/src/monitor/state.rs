//! What a monitor remembers. One file, replaced as a whole; beside it a lock, and what a person has taken note of.

use super::alert::Alert;
use super::release::ReleaseSeen;
use crate::files;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{DirBuilder, File};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use vitrine_attest::canonical::to_canonical_json;
use vitrine_attest::merkle::root_of_nothing;
use vitrine_attest::{Error, Result, Sha256};

/// First line of the file, before its SHA-256: a flipped bit would otherwise be taken for a lie of the log.
const HEAD: &str = "vitrine-monitor-state v1 ";
/// Largest file in bytes: twenty thousand releases with their changes.
pub const STATE_LIMIT: usize = 256 << 20;
/// Most alerts that are remembered.
pub const ALERTS_LIMIT: usize = 2_000;
/// Most releases of one log, most revocations, most verdicts, and most reports.
pub const RELEASES_LIMIT: usize = 20_000;
/// Releases of one log of which it is remembered what has changed.
const CHANGES_KEPT: usize = 200;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    pub v: u32,
    /// By their names.
    pub logs: BTreeMap<String, LogState>,
    pub servers: BTreeMap<String, ServerState>,
    /// In the order in which they were found.
    pub alerts: Vec<Alert>,
    /// Alerts that there was no room for.
    pub dropped: u64,
}

/// A tree's beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    pub size: u64,
    pub root: Sha256,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogState {
    /// The newest checkpoint that follows on all before, as it was signed. Empty: none was seen.
    pub note: String,
    /// Entries before this were read and judged.
    pub read: Head,
    /// When a quorum of witnesses signed last, and when we looked with success; seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
    pub looked: u64,
    /// Names of witnesses of the policy under the newest checkpoint.
    pub witnesses: Vec<String>,
    pub releases: Vec<ReleaseSeen>,
    pub revocations: Vec<RevocationSeen>,
    pub verdicts: Vec<VerdictSeen>,
    /// By the image's digest: the screen's statements.
    pub screens: BTreeMap<Sha256, ScreenSeen>,
    /// By the Authenticode digest: verdicts of the behavioural proof.
    pub reports: BTreeMap<Sha256, String>,
    /// Entries by kind; texts of the log, as many as are told apart.
    pub kinds: BTreeMap<String, u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevocationSeen {
    pub index: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement: Option<Sha256>,
    pub reason: String,
    pub text: String,
    pub date: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerdictSeen {
    pub index: u64,
    /// SHA-256 of the unsigned image that the release promises.
    pub image: Sha256,
    pub equal: bool,
    pub date: String,
    /// Names of those rebuilders that the operator listed and that have signed.
    pub signers: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScreenSeen {
    pub index: u64,
    pub hash: Sha256,
    pub rules: u64,
    pub accepted: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerState {
    /// `accepted`, `rejected`, `unlogged`, `could-not-judge`.
    pub seen: String,
    /// Which image it says it runs, or why nobody knows; safe to print.
    pub words: String,
    /// Entry of the release that it was accepted by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<u64>,
    pub looked: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<u64>,
}

impl Default for Head {
    fn default() -> Self {
        Self { size: 0, root: root_of_nothing() }
    }
}

impl LogState {
    /// Forgets what has changed in releases of long ago; the releases themselves stay.
    pub fn trim(&mut self) {
        let old = self.releases.len().saturating_sub(CHANGES_KEPT);
        self.releases[..old].iter_mut().for_each(|release| release.changes = None);
    }
}

impl State {
    /// The file's bytes.
    ///
    /// # Errors
    /// When it would be too large to be read again.
    pub fn to_file(&self) -> Result<Vec<u8>> {
        let body = to_canonical_json(self)?;
        let file = [format!("{HEAD}{}\n", Sha256::of(&body)).into_bytes(), body].concat();
        if file.len() > STATE_LIMIT {
            let what = format!("the state has {} bytes, more than {STATE_LIMIT}", file.len());
            return Err(Error::host(what, "follow fewer logs with one monitor"));
        }
        Ok(file)
    }

    /// # Errors
    /// What is wrong with it.
    pub fn from_file(bytes: &[u8]) -> std::result::Result<Self, String> {
        let end = bytes.iter().position(|byte| *byte == b'\n').ok_or("it has no first line")?;
        let (head, body) = (&bytes[..end], &bytes[end + 1..]);
        let digest = std::str::from_utf8(head).ok().and_then(|head| head.strip_prefix(HEAD));
        let digest: Sha256 = digest.ok_or("it is of another form or version")?.parse()?;
        if Sha256::of(body) != digest {
            return Err("it has another SHA-256 than its first line says".into());
        }
        serde_json::from_slice(body).map_err(|e| e.to_string())
    }
}

/// A folder that one monitor holds as long as it runs.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    _lock: File,
}

impl Store {
    /// # Errors
    /// When the folder cannot be used, or another monitor holds it.
    pub fn open(folder: &Path) -> Result<Self> {
        let failed = |e: std::io::Error| {
            Error::host(format!("{}: {e}", folder.display()), "name another folder with --state or `state`")
        };
        DirBuilder::new().recursive(true).mode(0o700).create(folder.join("acknowledged")).map_err(failed)?;
        let lock = files::try_lock(&folder.join("lock")).map_err(failed)?.ok_or_else(|| {
            Error::input(
                format!("another monitor holds {}", folder.display()),
                "end it, or give this one another folder with --state",
            )
        })?;
        Ok(Self { folder: folder.to_owned(), _lock: lock })
    }

    /// As it was written last; nothing yet is no error, anything else that cannot be read is.
    ///
    /// # Errors
    /// When it is damaged: what is unknown must not be taken for what was never seen.
    pub fn read(&self) -> Result<State> {
        let path = self.folder.join("state.json");
        if matches!(path.try_exists(), Ok(false)) {
            return Ok(State { v: 1, ..State::default() });
        }
        State::from_file(&files::read(&path, STATE_LIMIT)?).map_err(|why| {
            Error::input(
                format!("{} is damaged: {why}", path.display()),
                "put a copy of it back. If there is none, move it away: the monitor reads the logs anew, and a rollback since then is not seen",
            )
        })
    }

    /// # Errors
    /// When it cannot be written; the old one is there then.
    pub fn write(&self, state: &State) -> Result<()> {
        files::write_state(&self.folder.join("state.json"), &state.to_file()?)
    }

    /// Whether a person has taken note of this alert.
    pub fn acknowledged(&self, id: &str) -> bool {
        acknowledgement(&self.folder, id).is_some_and(|path| path.exists())
    }

    /// Of an alert that is open again.
    ///
    /// # Errors
    /// When the file cannot be removed.
    pub fn forget(&self, id: &str) -> Result<()> {
        let Some(path) = acknowledgement(&self.folder, id) else { return Ok(()) };
        match std::fs::remove_file(&path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::host(format!("{}: {e}", path.display()), "check the folder of the monitor's state"))
            }
            _ => Ok(()),
        }
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

/// Takes note of an alert, also while a monitor runs: it sees the file in its next round.
///
/// # Errors
/// When this is no alert's name, or the folder cannot be written.
pub fn acknowledge(folder: &Path, id: &str) -> Result<()> {
    let path = acknowledgement(folder, id).ok_or_else(|| {
        Error::input(format!("\"{}\" is no alert", id.escape_debug()), "name it by the 16 hex digits of its line")
    })?;
    if !folder.join("acknowledged").is_dir() {
        return Err(Error::input(
            format!("{} is no monitor's state", folder.display()),
            "name the monitor's folder with --state",
        ));
    }
    files::publish(&path, b"", "check the folder of the monitor's state")
}

fn acknowledgement(folder: &Path, id: &str) -> Option<PathBuf> {
    let digits = id.len() == 16 && id.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    digits.then(|| folder.join("acknowledged").join(id))
}
