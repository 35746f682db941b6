//! Reads a fleet's file: strictly, and with the line of each mistake.

use super::{
    Fleet, Member, Place, PublishedPaths, Sources, CONCURRENCY_LIMIT, FLEET_LIMIT, NAME_LIMIT, SERVERS_LIMIT,
    STATEMENTS_LIMIT,
};
use crate::files;
use crate::lines::{self, Lines, Problem};
use crate::server;
use crate::verdict::Level;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use toml::{Spanned, Value};
use vitrine_attest::config::Span;
use vitrine_attest::event_log::printable;
use vitrine_attest::Result;

const VERSION: i64 = 1;
const INTERVAL: Span = Span::seconds(300);
const TIMEOUT: Span = Span::seconds(30);
const CONCURRENCY: u64 = 16;
/// Longest wait for one answer, as with `--timeout`.
const TIMEOUT_LIMIT: Span = Span::seconds(600);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "version")]
    _version: i64,
    #[serde(default)]
    defaults: Defaults,
    #[serde(default)]
    server: Vec<Server>,
}

/// What can be said of all servers, and of one.
macro_rules! table {
    ($name:ident { $($field:ident: $kind:ty),* $(,)? }) => {
        #[derive(Default, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        struct $name {
            statement: Option<Spanned<Value>>,
            proof: Option<Spanned<Value>>,
            log_policy: Option<Spanned<String>>,
            key: Option<Spanned<String>>,
            policy: Option<Spanned<String>>,
            ek_roots: Option<Spanned<String>>,
            revocations: Option<Spanned<String>>,
            rebuild_verdicts: Option<Spanned<String>>,
            accept_level: Option<Spanned<String>>,
            interval: Option<Spanned<String>>,
            timeout: Option<Spanned<String>>,
            $($field: $kind,)*
        }

        impl $name {
            fn said(&self) -> Said<'_> {
                Said {
                    statement: self.statement.as_ref(),
                    proof: self.proof.as_ref(),
                    log_policy: self.log_policy.as_ref(),
                    key: self.key.as_ref(),
                    policy: self.policy.as_ref(),
                    ek_roots: self.ek_roots.as_ref(),
                    revocations: self.revocations.as_ref(),
                    rebuild_verdicts: self.rebuild_verdicts.as_ref(),
                    accept_level: self.accept_level.as_ref(),
                    interval: self.interval.as_ref(),
                    timeout: self.timeout.as_ref(),
                }
            }
        }
    };
}

table!(Defaults {
    concurrency: Option<Spanned<u64>>,
    state: Option<Spanned<String>>,
    no_state: Option<Spanned<bool>>,
});
table!(Server { name: Option<Spanned<String>>, url: Option<Spanned<String>> });

#[derive(Clone, Copy)]
struct Said<'f> {
    statement: Option<&'f Spanned<Value>>,
    proof: Option<&'f Spanned<Value>>,
    log_policy: Option<&'f Spanned<String>>,
    key: Option<&'f Spanned<String>>,
    policy: Option<&'f Spanned<String>>,
    ek_roots: Option<&'f Spanned<String>>,
    revocations: Option<&'f Spanned<String>>,
    rebuild_verdicts: Option<&'f Spanned<String>>,
    accept_level: Option<&'f Spanned<String>>,
    interval: Option<&'f Spanned<String>>,
    timeout: Option<&'f Spanned<String>>,
}

/// The same, understood; none where nothing is said.
#[derive(Clone, Default)]
struct Understood {
    statements: Option<Vec<PathBuf>>,
    proofs: Option<Vec<PathBuf>>,
    log_policy: Option<PathBuf>,
    key: Option<PathBuf>,
    policy: Option<PathBuf>,
    ek_roots: Option<PathBuf>,
    published: PublishedPaths,
    accept_level: Option<Level>,
    interval: Option<Span>,
    timeout: Option<Span>,
}

/// Reads a file.
///
/// # Errors
/// One, with all mistakes and their lines.
pub fn read(path: &Path) -> Result<Fleet> {
    let bytes = files::read(path, FLEET_LIMIT)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    parse(lines::text(path, &bytes)?, folder).map_err(|problems| {
        lines::error(path, problems, "correct the fleet; docs/verify.md has one, \"Watching a fleet\"")
    })
}

/// `folder`: where relative paths begin.
///
/// # Errors
/// All mistakes; of TOML itself and of unknown fields, the first.
pub fn parse(text: &str, folder: &Path) -> std::result::Result<Fleet, Vec<Problem>> {
    let (lines, file) = lines::toml::<File>(text, VERSION)?;
    let mut reader = Reader { lines, folder, problems: vec![], sources: BTreeMap::new() };
    let fleet = reader.fleet(&file);
    match fleet {
        Some(fleet) if reader.problems.is_empty() => Ok(fleet),
        _ => Err(reader.problems),
    }
}

struct Reader<'t> {
    lines: Lines,
    folder: &'t Path,
    problems: Vec<Problem>,
    sources: BTreeMap<Sources, usize>,
}

impl Reader<'_> {
    fn fleet(&mut self, file: &File) -> Option<Fleet> {
        let (concurrency, memory) = (self.concurrency(&file.defaults), self.memory(&file.defaults));
        let defaults = self.understand(file.defaults.said());
        let mut names = BTreeSet::new();
        let members: Vec<Option<Member>> =
            file.server.iter().zip(1..).map(|(server, n)| self.member(server, n, &defaults, &mut names)).collect();
        if members.is_empty() {
            self.problems.push(Problem { line: 1, text: "there is no [[server]]".into() });
        }
        if members.len() > SERVERS_LIMIT {
            let text = format!("{} servers, at most {SERVERS_LIMIT} are watched by one program", members.len());
            self.problems.push(Problem { line: 1, text });
        }
        let mut sources: Vec<(Sources, usize)> = std::mem::take(&mut self.sources).into_iter().collect();
        sources.sort_by_key(|(_, index)| *index);
        let sources = sources.into_iter().map(|(sources, _)| sources).collect();
        Some(Fleet { concurrency, memory, members: members.into_iter().collect::<Option<_>>()?, sources })
    }

    fn member<'f>(
        &mut self,
        server: &'f Server,
        number: usize,
        defaults: &Understood,
        names: &mut BTreeSet<&'f str>,
    ) -> Option<Member> {
        let own = self.understand(server.said());
        let (Some(name), Some(url)) = (&server.name, &server.url) else {
            let at = server.name.as_ref().or(server.url.as_ref()).map_or(0..0, Spanned::span);
            let missing = if server.name.is_none() { "name" } else { "url" };
            self.problems.push(self.lines.problem(at, format!("server {number} has no {missing}")));
            return None;
        };
        self.name(name, names);
        if let Err(error) = server::address(url.get_ref()) {
            self.wrong(url, format!("url: {}", error.what));
        }
        let statements = own.statements.or_else(|| defaults.statements.clone());
        let sources = Sources {
            // a server with statements of its own needs proofs of its own
            proofs: own
                .proofs
                .or_else(|| defaults.proofs.clone().filter(|_| server.statement.is_none()))
                .unwrap_or_default(),
            log_policy: own.log_policy.or_else(|| defaults.log_policy.clone()),
            statements: statements.unwrap_or_default(),
            key: own.key.or_else(|| defaults.key.clone()),
            policy: own.policy.or_else(|| defaults.policy.clone()),
            ek_roots: own.ek_roots.or_else(|| defaults.ek_roots.clone()),
            published: PublishedPaths {
                revocations: own.published.revocations.or_else(|| defaults.published.revocations.clone()),
                rebuild_verdicts: own
                    .published
                    .rebuild_verdicts
                    .or_else(|| defaults.published.rebuild_verdicts.clone()),
            },
            accept_level: own.accept_level.or(defaults.accept_level),
        };
        if sources.statements.is_empty() && server.statement.is_none() {
            self.wrong(name, format!("\"{}\" has no statement; give one here or in [defaults]", name.get_ref()));
        }
        if sources.key.is_none() && sources.policy.is_none() {
            self.wrong(name, format!("\"{}\" has neither key nor policy: who may sign its statement?", name.get_ref()));
        }
        let (proofs, statements) = (sources.proofs.len(), sources.statements.len());
        if proofs != 0 && proofs != statements {
            self.wrong(
                name,
                format!("\"{}\" has {statements} statements and {proofs} proofs: give one for each", name.get_ref()),
            );
        }
        let next = self.sources.len();
        Some(Member {
            name: name.get_ref().clone(),
            url: url.get_ref().clone(),
            sources: *self.sources.entry(sources).or_insert(next),
            interval: own.interval.or(defaults.interval).unwrap_or(INTERVAL),
            timeout: own.timeout.or(defaults.timeout).unwrap_or(TIMEOUT),
        })
    }

    fn name<'f>(&mut self, name: &'f Spanned<String>, names: &mut BTreeSet<&'f str>) {
        let text = name.get_ref();
        if text.trim() != text || text.is_empty() || text.chars().count() > NAME_LIMIT || printable(text) != *text {
            self.wrong(name, format!("name: write 1 to {NAME_LIMIT} visible characters, and no space at the ends"));
        }
        if !names.insert(text) {
            self.wrong(name, format!("name: \"{text}\" is listed twice"));
        }
    }

    fn understand(&mut self, said: Said<'_>) -> Understood {
        Understood {
            statements: said.statement.map(|value| self.some_files(value, "statement")),
            proofs: said.proof.map(|value| self.some_files(value, "proof")),
            log_policy: self.path(said.log_policy, "log_policy"),
            key: self.path(said.key, "key"),
            policy: self.path(said.policy, "policy"),
            ek_roots: self.path(said.ek_roots, "ek_roots"),
            published: PublishedPaths {
                revocations: self.path(said.revocations, "revocations"),
                rebuild_verdicts: self.path(said.rebuild_verdicts, "rebuild_verdicts"),
            },
            accept_level: said.accept_level.and_then(|level| self.level(level)),
            interval: self.span(said.interval, "interval", None),
            timeout: self.span(said.timeout, "timeout", Some(TIMEOUT_LIMIT)),
        }
    }

    fn some_files(&mut self, value: &Spanned<Value>, field: &str) -> Vec<PathBuf> {
        let texts: Option<Vec<&str>> = match value.get_ref() {
            Value::String(one) => Some(vec![one]),
            Value::Array(many) => many.iter().map(Value::as_str).collect(),
            _ => None,
        };
        let texts = texts.filter(|texts| (1..=STATEMENTS_LIMIT).contains(&texts.len()) && !texts.contains(&""));
        if texts.is_none() {
            self.wrong(value, format!("{field}: name one file, or a list of 1 to {STATEMENTS_LIMIT}"));
        }
        texts.unwrap_or_default().into_iter().map(|text| self.folder.join(text)).collect()
    }

    fn path(&mut self, text: Option<&Spanned<String>>, name: &str) -> Option<PathBuf> {
        let text = text?;
        if text.get_ref().is_empty() {
            self.wrong(text, format!("{name}: it is empty"));
        }
        Some(self.folder.join(text.get_ref()))
    }

    fn level(&mut self, text: &Spanned<String>) -> Option<Level> {
        let level = [("L1", Level::L1), ("L2", Level::L2)].into_iter().find(|(word, _)| word == text.get_ref());
        if level.is_none() {
            self.wrong(text, format!("accept_level: \"{}\" is not \"L1\" or \"L2\"", text.get_ref()));
        }
        level.map(|(_, level)| level)
    }

    fn span(&mut self, text: Option<&Spanned<String>>, name: &str, most: Option<Span>) -> Option<Span> {
        let text = text?;
        match text.get_ref().parse::<Span>() {
            Ok(span) if span.as_seconds() == 0 => self.wrong(text, format!("{name}: at least 1s")),
            Ok(span) if most.is_some_and(|most| span > most) => {
                self.wrong(text, format!("{name}: at most {}s", most.unwrap_or(span).as_seconds()));
            }
            Ok(span) => return Some(span),
            Err(why) => self.wrong(text, format!("{name}: {why}")),
        }
        None
    }

    fn concurrency(&mut self, defaults: &Defaults) -> usize {
        let Some(said) = &defaults.concurrency else { return CONCURRENCY as usize };
        if !(1..=CONCURRENCY_LIMIT).contains(said.get_ref()) {
            self.wrong(said, format!("concurrency: from 1 to {CONCURRENCY_LIMIT}"));
        }
        usize::try_from(*said.get_ref()).unwrap_or(1)
    }

    fn memory(&mut self, defaults: &Defaults) -> Place {
        let off = defaults.no_state.as_ref().is_some_and(|no_state| *no_state.get_ref());
        match &defaults.state {
            Some(state) if off => {
                self.wrong(state, "state: a file is named, and no_state says that nothing is remembered");
                Place::Off
            }
            state => match self.path(state.as_ref(), "state") {
                Some(path) => Place::Named(path),
                None if off => Place::Off,
                None => Place::Default,
            },
        }
    }

    fn wrong<T>(&mut self, at: &Spanned<T>, text: impl Into<String>) {
        self.problems.push(self.lines.problem(at.span(), text));
    }
}
