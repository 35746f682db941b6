//! All texts that any rule looks for, found in one pass over a file.

use crate::policy::{FileRule, Secret};
use crate::secrets::is_secret;
use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use std::collections::{BTreeMap, BTreeSet};
use vitrine_attest::{Error, Result};

/// A text's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TextId(usize);

#[derive(Debug)]
pub struct Texts {
    ids: BTreeMap<String, TextId>,
    secrets: Vec<(TextId, Secret)>,
    machine: AhoCorasick,
}

impl Texts {
    /// # Errors
    /// When the rules hold more texts than the search machine takes.
    pub fn of(rules: &[FileRule]) -> Result<Self> {
        let plain = rules.iter().flat_map(|rule| rule.text.iter().chain(&rule.with));
        let secrets: Vec<&Secret> = rules.iter().flat_map(|rule| &rule.secrets).collect();
        let begins = secrets.iter().map(|secret| &secret.begin);
        let all: BTreeSet<&String> = plain.chain(begins).filter(|text| !text.is_empty()).collect();
        let ids: BTreeMap<String, TextId> = all.iter().zip(0..).map(|(text, n)| ((*text).clone(), TextId(n))).collect();
        let secrets = secrets.into_iter().filter_map(|s| Some((*ids.get(&s.begin)?, s.clone()))).collect();
        let machine = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::DFA))
            .build(all.iter().map(|text| text.as_bytes()))
            .map_err(|e| Error::input(format!("the rules' texts cannot be searched for: {e}"), "use fewer texts"))?;
        Ok(Self { ids, secrets, machine })
    }

    /// What a file holds. Takes time proportional to its length.
    pub fn find(&self, bytes: &[u8]) -> Found {
        let mut found = Found { texts: vec![false; self.ids.len()], secrets: vec![false; self.secrets.len()] };
        for hit in self.machine.find_overlapping_iter(bytes) {
            let id = hit.pattern().as_usize();
            found.texts[id] = true;
            for (number, (of, secret)) in self.secrets.iter().enumerate() {
                if of.0 == id && !found.secrets[number] {
                    found.secrets[number] = is_secret(bytes, hit.start(), secret);
                }
            }
        }
        found
    }
}

/// Which texts and secrets a file holds.
#[derive(Debug, Default)]
pub struct Found {
    texts: Vec<bool>,
    secrets: Vec<bool>,
}

impl Found {
    pub fn has(&self, texts: &Texts, text: &str) -> bool {
        texts.ids.get(text).is_some_and(|id| self.texts.get(id.0) == Some(&true))
    }

    pub fn has_secret(&self, texts: &Texts, secret: &Secret) -> bool {
        let number = texts.secrets.iter().position(|(_, other)| other == secret);
        number.is_some_and(|number| self.secrets.get(number) == Some(&true))
    }
}
