//! `MONITOR.toml`: which logs are followed, what is expected of them, and which servers are held against them.
//!
//! ```toml
//! version = 1
//! state = "monitor-state"                  # a folder; paths are relative to this file
//! every = "10m"                            # between two rounds
//!
//! [[log]]
//! place = "http://log.example/vitrine"     # or a folder
//! policy = "log-policy"                    # C2SP tlog-policy: the log's keys, witnesses, and what clients demand
//! more_witnesses = "more-witnesses"        # another one, whose witnesses are asked, too
//! max_age = "26h"                          # of a quorum's cosignatures
//! release_keys = ["release.pub"]           # who signs releases
//! threshold = 1                            # how many of them
//! images = ["exit"]                        # names of images that are theirs; left out: all
//! rebuilders = ["rebuilder.pub"]           # whose verdicts count; left out: everybody's
//! rebuild_verdicts = "verdicts"            # a file or a folder, beside those in the log
//! mirrors = ["http://other.example/log"]   # where the same log is shown to others
//! time = "10m"                             # for one round of this log
//!
//! [[server]]
//! name = "zurich-1"
//! url = "http://203.0.113.7:8787"          # or a file: a beacon, or what `check --save` wrote
//! log = "log.example/vitrine"              # left out: the only one there is
//! ek_roots = "tpm-roots.pem"
//! ```

use crate::beacon;
use crate::files;
use crate::lines::{self, Lines, Problem};
use crate::log::Place;
use crate::policy::read_log_policy;
use crate::server;
use crate::verdict::Level;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use toml::Spanned;
use vitrine_attest::config::Span;
use vitrine_attest::event_log::printable;
use vitrine_attest::tlog_policy::{Policy, WitnessEntry, TLOG_POLICY_LIMIT};
use vitrine_attest::vkey::{NoteKey, TEXT_LIMIT};
use vitrine_attest::{Error, Result};

const VERSION: i64 = 1;
/// Largest file in bytes.
pub const CONFIG_LIMIT: usize = 1 << 20;
/// Most logs, and most servers: they are looked at one after the other.
const LOGS_LIMIT: usize = 64;
const SERVERS_LIMIT: usize = 1_000;
/// Most mirrors, keys and names of one log.
const LIST_LIMIT: usize = 64;
const NAME_LIMIT: usize = 64;
const EVERY: Span = Span::seconds(600);
const TIME: Span = Span::seconds(600);
const TIMEOUT: Span = Span::seconds(30);
const TIMEOUT_LIMIT: Span = Span::seconds(600);
const HINT: &str = "correct the monitor's file; docs/monitor.md has one";

/// A file as it was read. Nothing that it names was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    pub state: Option<PathBuf>,
    pub every: Span,
    /// Never empty.
    pub logs: Vec<LogAt>,
    pub servers: Vec<ServerAt>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogAt {
    pub place: String,
    pub mirrors: Vec<String>,
    pub policy: PathBuf,
    pub more_witnesses: Option<PathBuf>,
    pub max_age: Option<Span>,
    pub release_keys: Vec<PathBuf>,
    pub threshold: usize,
    pub images: Option<BTreeSet<String>>,
    pub rebuilders: Vec<PathBuf>,
    pub rebuild_verdicts: Option<PathBuf>,
    pub time: Span,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerAt {
    pub name: String,
    /// An address or a file.
    pub url: String,
    pub log: Option<String>,
    pub ek_roots: Option<PathBuf>,
    pub accept_level: Option<Level>,
    pub timeout: Span,
}

/// A log with what is expected of it, read from all files.
#[derive(Debug, Clone)]
pub struct Watched {
    /// Its name.
    pub origin: String,
    pub place: Place,
    /// Addresses with where they are.
    pub mirrors: Vec<(String, Place)>,
    pub policy: Policy,
    /// Witnesses with addresses, of the policy and more.
    pub witnesses: Vec<WitnessEntry>,
    pub max_age: Option<Span>,
    pub release_keys: Vec<NoteKey>,
    pub threshold: usize,
    images: Option<BTreeSet<String>>,
    pub rebuilders: Vec<NoteKey>,
    pub rebuild_verdicts: Option<PathBuf>,
    pub time: Span,
}

impl Watched {
    /// Reads the files that are named.
    ///
    /// # Errors
    /// When one cannot be used.
    pub fn open(at: &LogAt) -> Result<Self> {
        let policy = read_log_policy(&at.policy)?.trust;
        let names: BTreeSet<&str> = policy.logs.iter().map(|log| log.key.name()).collect();
        let &[origin] = names.iter().collect::<Vec<_>>().as_slice() else {
            let what = format!("{} names {} logs", at.policy.display(), names.len());
            return Err(Error::input(what, "name the keys of one log in it, and the next log in a [[log]] of its own"));
        };
        let origin = (*origin).to_owned();
        if at.max_age.is_some() && !policy.wants_witnesses() {
            let what = format!("{}: with \"quorum none\" nobody says how old a checkpoint is", at.policy.display());
            return Err(Error::input(what, "leave max_age out, or name witnesses"));
        }
        let mut witnesses = policy.witnesses.clone();
        if let Some(path) = &at.more_witnesses {
            let bytes = files::read(path, TLOG_POLICY_LIMIT)?;
            let more = Policy::parse(&bytes).map_err(|mistakes| {
                let problem = |m: &vitrine_attest::tlog_policy::Mistake| Problem { line: m.line, text: m.text.clone() };
                lines::error(path, mistakes.iter().map(problem).collect(), "write it as a C2SP tlog-policy")
            })?;
            witnesses.extend(more.witnesses);
        }
        witnesses.retain(|witness| witness.url.is_some());
        let mut keys = BTreeSet::new();
        witnesses.retain(|witness| keys.insert(witness.key.to_string()));
        let release_keys = at.release_keys.iter().map(|path| key(path)).collect::<Result<Vec<_>>>()?;
        Ok(Self {
            place: Place::of(&at.place)?,
            mirrors: at.mirrors.iter().map(|text| Ok((text.clone(), Place::of(text)?))).collect::<Result<_>>()?,
            max_age: at.max_age,
            release_keys,
            threshold: at.threshold,
            images: at.images.clone(),
            rebuilders: at.rebuilders.iter().map(|path| key(path)).collect::<Result<_>>()?,
            rebuild_verdicts: at.rebuild_verdicts.clone(),
            time: at.time,
            origin,
            policy,
            witnesses,
        })
    }

    /// Whether releases of this name are those of the expected keys.
    pub fn names(&self, image: &str) -> bool {
        self.images.as_ref().is_none_or(|images| images.contains(image))
    }

    /// The log's own keys, without witnesses.
    pub fn keys(&self) -> Vec<NoteKey> {
        self.policy.logs.iter().map(|log| log.key.clone()).collect()
    }
}

/// A release key as `vitrine keygen` writes it, or any one key in the form of signed notes.
fn key(path: &Path) -> Result<NoteKey> {
    let bytes = files::read(path, TEXT_LIMIT.max(beacon::KEYS_FILE_LIMIT))?;
    NoteKey::from_file(&bytes).map_err(|e| e.within(path.display()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "version")]
    _version: i64,
    state: Option<Spanned<String>>,
    every: Option<Spanned<String>>,
    #[serde(default)]
    log: Vec<Spanned<LogTable>>,
    #[serde(default)]
    server: Vec<Spanned<ServerTable>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LogTable {
    place: Spanned<String>,
    policy: Spanned<String>,
    more_witnesses: Option<Spanned<String>>,
    max_age: Option<Spanned<String>>,
    release_keys: Spanned<Vec<String>>,
    threshold: Option<Spanned<usize>>,
    images: Option<Spanned<Vec<String>>>,
    rebuilders: Option<Spanned<Vec<String>>>,
    rebuild_verdicts: Option<Spanned<String>>,
    mirrors: Option<Spanned<Vec<String>>>,
    time: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ServerTable {
    name: Spanned<String>,
    url: Spanned<String>,
    log: Option<Spanned<String>>,
    ek_roots: Option<Spanned<String>>,
    accept_level: Option<Spanned<String>>,
    timeout: Option<Spanned<String>>,
}

/// Reads a file.
///
/// # Errors
/// One, with all mistakes and their lines.
pub fn read(path: &Path) -> Result<Config> {
    let bytes = files::read(path, CONFIG_LIMIT)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    parse(lines::text(path, &bytes)?, folder).map_err(|problems| lines::error(path, problems, HINT))
}

/// `folder`: where relative paths begin.
///
/// # Errors
/// All mistakes; of TOML itself and of unknown fields, the first.
pub fn parse(text: &str, folder: &Path) -> std::result::Result<Config, Vec<Problem>> {
    let (lines, file) = lines::toml::<File>(text, VERSION)?;
    let mut reader = Reader { lines, folder, problems: vec![] };
    let config = reader.config(&file);
    if reader.problems.is_empty() {
        Ok(config)
    } else {
        Err(reader.problems)
    }
}

struct Reader<'t> {
    lines: Lines,
    folder: &'t Path,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn config(&mut self, file: &File) -> Config {
        let none = Problem { line: 1, text: "there is no [[log]]".into() };
        self.problems.extend(file.log.is_empty().then_some(none));
        for (what, count, most) in [("logs", file.log.len(), LOGS_LIMIT), ("servers", file.server.len(), SERVERS_LIMIT)]
        {
            let many = Problem { line: 1, text: format!("{count} {what}, more than {most}") };
            self.problems.extend((count > most).then_some(many));
        }
        let mut names = BTreeSet::new();
        Config {
            state: file.state.as_ref().map(|state| self.path(state, "state")),
            every: self.span(file.every.as_ref(), "every", None).unwrap_or(EVERY),
            logs: file.log.iter().map(|log| self.log(log.get_ref())).collect(),
            servers: file
                .server
                .iter()
                .map(|server| self.server(server.get_ref(), file.log.len(), &mut names))
                .collect(),
        }
    }

    fn log(&mut self, log: &LogTable) -> LogAt {
        let release_keys = self.list(Some(&log.release_keys), "release_keys");
        if release_keys.is_empty() {
            self.wrong(&log.release_keys, "release_keys: name at least one; without it nobody's release is expected");
        }
        let threshold = log.threshold.as_ref().map_or(1, |threshold| *threshold.get_ref());
        if let Some(at) = log.threshold.as_ref().filter(|_| !(1..=release_keys.len()).contains(&threshold)) {
            self.wrong(at, "threshold: from 1 to the number of release_keys");
        }
        let place = |text: &str, folder: &Path| match text.contains("://") {
            true => text.to_owned(),
            false => folder.join(text).to_string_lossy().into_owned(),
        };
        for at in std::iter::once(log.place.get_ref()).chain(log.mirrors.iter().flat_map(|m| m.get_ref())) {
            if at.is_empty() || (at.contains("://") && !at.starts_with("http://")) {
                self.wrong(&log.place, format!("\"{at}\" is neither an http:// address nor a folder"));
            }
        }
        LogAt {
            place: place(log.place.get_ref(), self.folder),
            mirrors: self.list(log.mirrors.as_ref(), "mirrors").iter().map(|text| place(text, self.folder)).collect(),
            policy: self.path(&log.policy, "policy"),
            more_witnesses: log.more_witnesses.as_ref().map(|path| self.path(path, "more_witnesses")),
            max_age: self.span(log.max_age.as_ref(), "max_age", None),
            release_keys: release_keys.iter().map(|path| self.folder.join(path)).collect(),
            threshold,
            images: log.images.as_ref().map(|images| self.list(Some(images), "images").into_iter().collect()),
            rebuilders: {
                let rebuilders = self.list(log.rebuilders.as_ref(), "rebuilders");
                rebuilders.iter().map(|path| self.folder.join(path)).collect()
            },
            rebuild_verdicts: log.rebuild_verdicts.as_ref().map(|path| self.path(path, "rebuild_verdicts")),
            time: self.span(log.time.as_ref(), "time", None).unwrap_or(TIME),
        }
    }

    fn server<'f>(&mut self, server: &'f ServerTable, logs: usize, names: &mut BTreeSet<&'f str>) -> ServerAt {
        let name = server.name.get_ref();
        if name.trim() != name || name.is_empty() || name.chars().count() > NAME_LIMIT || printable(name) != *name {
            self.wrong(
                &server.name,
                format!("name: write 1 to {NAME_LIMIT} visible characters, and no space at the ends"),
            );
        }
        if !names.insert(name) {
            self.wrong(&server.name, format!("name: \"{name}\" is listed twice"));
        }
        if server.log.is_none() && logs > 1 {
            self.wrong(&server.name, format!("\"{name}\" names no log, and there are {logs}"));
        }
        let url = server.url.get_ref();
        let address = url.contains("://");
        if let Some(error) = address.then(|| server::address(url).err()).flatten() {
            self.wrong(&server.url, format!("url: {}", error.what));
        }
        let level = |text: &String| [("L1", Level::L1), ("L2", Level::L2)].into_iter().find(|(word, _)| word == text);
        if let Some(at) = server.accept_level.as_ref().filter(|text| level(text.get_ref()).is_none()) {
            self.wrong(at, "accept_level: write \"L1\" or \"L2\"");
        }
        ServerAt {
            name: name.clone(),
            url: if address { url.clone() } else { self.path(&server.url, "url").to_string_lossy().into_owned() },
            log: server.log.as_ref().map(|log| log.get_ref().clone()),
            ek_roots: server.ek_roots.as_ref().map(|path| self.path(path, "ek_roots")),
            accept_level: server.accept_level.as_ref().and_then(|text| level(text.get_ref())).map(|(_, level)| level),
            timeout: self.span(server.timeout.as_ref(), "timeout", Some(TIMEOUT_LIMIT)).unwrap_or(TIMEOUT),
        }
    }

    fn list(&mut self, list: Option<&Spanned<Vec<String>>>, name: &str) -> Vec<String> {
        let Some(list) = list else { return vec![] };
        if list.get_ref().len() > LIST_LIMIT || list.get_ref().iter().any(String::is_empty) {
            self.wrong(list, format!("{name}: at most {LIST_LIMIT}, and none of them empty"));
        }
        list.get_ref().clone()
    }

    fn path(&mut self, text: &Spanned<String>, name: &str) -> PathBuf {
        if text.get_ref().is_empty() {
            self.wrong(text, format!("{name}: it is empty"));
        }
        self.folder.join(text.get_ref())
    }

    fn span(&mut self, text: Option<&Spanned<String>>, name: &str, most: Option<Span>) -> Option<Span> {
        let text = text?;
        match text.get_ref().parse::<Span>() {
            Ok(span) if span.as_seconds() == 0 => self.wrong(text, format!("{name}: at least 1s")),
            Ok(span) if most.is_some_and(|most| span > most) => self.wrong(text, format!("{name}: it is too long")),
            Ok(span) => return Some(span),
            Err(why) => self.wrong(text, format!("{name}: {why}")),
        }
        None
    }

    fn wrong<T>(&mut self, at: &Spanned<T>, text: impl Into<String>) {
        self.problems.push(self.lines.problem(at.span(), text));
    }
}
