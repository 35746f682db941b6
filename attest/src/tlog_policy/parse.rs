//! Reads the file: strictly, and with the line of each mistake.

use super::{LogEntry, Mistake, Policy, Rule, WitnessEntry, ENTRIES_LIMIT, TLOG_POLICY_LIMIT};
use crate::vkey::{Kind, NoteKey};
use std::collections::BTreeMap;

/// Predefined; nothing else can have this name.
const NONE: &[u8] = b"none";

pub fn policy(bytes: &[u8]) -> Result<Policy, Vec<Mistake>> {
    if bytes.len() > TLOG_POLICY_LIMIT {
        return Err(vec![Mistake { line: 1, text: format!("the file has more than {TLOG_POLICY_LIMIT} bytes") }]);
    }
    let mut reader = Reader::default();
    let mut rest = bytes;
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        reader.line += 1;
        reader.read(&rest[..end]);
        rest = &rest[end + 1..];
    }
    if !rest.is_empty() {
        reader.line += 1;
        // half a line could be half a name
        reader.wrong("the last line has no line end: part of the file is missing, perhaps");
    }
    reader.finish()
}

#[derive(Default)]
struct Reader {
    /// Of the line that is read, from 1.
    line: usize,
    mistakes: Vec<Mistake>,
    logs: Vec<LogEntry>,
    witnesses: Vec<WitnessEntry>,
    groups: usize,
    names: BTreeMap<Vec<u8>, Named>,
    /// By the line that says it.
    quorum: Option<(usize, Option<Rule>)>,
}

/// What a name stands for.
struct Named {
    /// None: its own line has a mistake.
    rule: Option<Rule>,
    /// It is a member of a group already.
    used: bool,
}

impl Reader {
    fn wrong(&mut self, text: impl Into<String>) {
        self.mistakes.push(Mistake { line: self.line, text: text.into() });
    }

    fn read(&mut self, line: &[u8]) {
        if let Some(byte) = line.iter().find(|byte| (**byte < b' ' && **byte != b'\t') || **byte == 0x7f) {
            return self.wrong(format!("control byte {byte:#04x}: only tab and newline may stand here"));
        }
        let items: Vec<&[u8]> =
            line.split(|byte| matches!(byte, b' ' | b'\t')).filter(|item| !item.is_empty()).collect();
        match items.as_slice() {
            [] => {}
            [first, ..] if first.starts_with(b"#") => {}
            [b"log", key] => self.log(key, None),
            [b"log", key, url] => self.log(key, Some(url)),
            [b"witness", name, key] => self.witness(name, key, None),
            [b"witness", name, key, url] => self.witness(name, key, Some(url)),
            [b"group", name, least, members @ ..] if !members.is_empty() => self.group(name, least, members),
            [b"quorum", name] => self.set_quorum(name),
            [b"log", ..] => self.wrong("write: log <vkey> [<url>]"),
            [b"witness", ..] => self.wrong("write: witness <name> <vkey> [<url>]"),
            [b"group", ..] => self.wrong("write: group <name> all|any|<k> <member>…"),
            [b"quorum", ..] => self.wrong("write: quorum <name>|none"),
            [first, ..] => self.wrong(format!("\"{}\" is not log, witness, group or quorum", shown(first))),
        }
    }

    fn log(&mut self, key: &[u8], url: Option<&[u8]>) {
        if self.logs.len() == ENTRIES_LIMIT {
            return self.wrong(format!("more than {ENTRIES_LIMIT} logs"));
        }
        let Some(key) = self.key(key, |kind| kind == Kind::Note, "a log's key is of type 0x01 (Ed25519)") else {
            return;
        };
        self.logs.push(LogEntry { key, url: url.map(shown) });
    }

    fn witness(&mut self, name: &[u8], key: &[u8], url: Option<&[u8]>) {
        if self.witnesses.len() == ENTRIES_LIMIT {
            return self.wrong(format!("more than {ENTRIES_LIMIT} witnesses"));
        }
        let key = self.key(
            key,
            Kind::is_witness,
            "a witness's key is of type 0x04 (Ed25519 with a time) or 0x06 (ML-DSA-44)",
        );
        let rule = key.map(|key| {
            self.witnesses.push(WitnessEntry { name: shown(name), key, url: url.map(shown) });
            Rule::Witness(self.witnesses.len() - 1)
        });
        self.define(name, rule);
    }

    /// A key of this kind that no other line has, whatever name it goes by there.
    fn key(&mut self, text: &[u8], fits: fn(Kind) -> bool, wanted: &str) -> Option<NoteKey> {
        let key = std::str::from_utf8(text).map_err(|_| "it is no UTF-8".into()).and_then(|text| {
            // the rest of an error's words is for a file of one key
            NoteKey::of_log(text).map_err(|e| e.what.strip_prefix("release key: ").unwrap_or(&e.what).to_owned())
        });
        let key = match key {
            Ok(key) if fits(key.kind()) => key,
            Ok(key) => {
                self.wrong(format!("{wanted}, and this one of type {:#04x}", key.kind() as u8));
                return None;
            }
            Err(why) => {
                self.wrong(format!("the vkey cannot be used: {why}"));
                return None;
            }
        };
        let same = |other: &NoteKey| other.key() == key.key();
        let known = self.logs.iter().map(|log| &log.key).chain(self.witnesses.iter().map(|witness| &witness.key));
        if known.into_iter().any(same) {
            self.wrong(format!("the public key of {} stands here twice", key.name()));
            return None;
        }
        Some(key)
    }

    fn group(&mut self, name: &[u8], least: &[u8], members: &[&[u8]]) {
        if self.groups == ENTRIES_LIMIT {
            return self.wrong(format!("more than {ENTRIES_LIMIT} groups"));
        }
        self.groups += 1;
        let least = match least {
            b"all" => Some(members.len()),
            b"any" => Some(1),
            digits => number(digits).filter(|least| (1..=members.len()).contains(least)),
        };
        if least.is_none() {
            self.wrong(format!("the threshold is \"all\", \"any\", or a number from 1 to {}", members.len()));
        }
        // all of them, so that each mistake is told
        let members: Vec<Option<Rule>> = members.iter().map(|member| self.member(member)).collect();
        let members: Option<Vec<Rule>> = members.into_iter().collect();
        let rule = least.zip(members).map(|(least, members)| Rule::Group { name: shown(name), least, members });
        self.define(name, rule);
    }

    fn member(&mut self, name: &[u8]) -> Option<Rule> {
        match self.names.get_mut(name) {
            Some(named) if !named.used => {
                named.used = true;
                named.rule.clone()
            }
            Some(_) => {
                self.wrong(format!("\"{}\" is a member twice: each witness counts in one way", shown(name)));
                None
            }
            None if name == NONE => {
                self.wrong("\"none\" is no member: it is for quorum only");
                None
            }
            None => {
                self.wrong(format!("\"{}\" is not defined on a line before", shown(name)));
                None
            }
        }
    }

    fn define(&mut self, name: &[u8], rule: Option<Rule>) {
        if name == NONE {
            return self.wrong("\"none\" cannot be a name: it is for quorum only");
        }
        if self.names.contains_key(name) {
            return self.wrong(format!("\"{}\" is defined twice", shown(name)));
        }
        self.names.insert(name.to_vec(), Named { rule, used: false });
    }

    fn set_quorum(&mut self, name: &[u8]) {
        if let Some((line, _)) = &self.quorum {
            return self.wrong(format!("there is a quorum already, in line {line}"));
        }
        let rule = match self.names.get(name) {
            Some(named) => named.rule.clone(),
            None if name == NONE => Some(Rule::Nobody),
            None => {
                self.wrong(format!("\"{}\" is not defined on a line before", shown(name)));
                None
            }
        };
        self.quorum = Some((self.line, rule));
    }

    fn finish(mut self) -> Result<Policy, Vec<Mistake>> {
        self.line = self.line.max(1);
        match self.quorum.take() {
            Some((_, Some(quorum))) if self.mistakes.is_empty() => {
                return Ok(Policy { logs: self.logs, witnesses: self.witnesses, quorum });
            }
            None => self.wrong("there is no quorum line; write \"quorum none\" to do without witnesses"),
            // a rule that is not there has its mistake in the line of its own
            Some(_) => {}
        }
        Err(self.mistakes)
    }
}

/// Decimal, without zeros before it.
fn number(digits: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(digits).ok()?;
    text.parse::<usize>().ok().filter(|number| number.to_string() == text)
}

/// For people.
fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
