//! The rules as data: `recipes/policy/source/*.toml`, compiled in.
//!
//! ```toml
//! [[rule]]
//! id = "python.print"
//! level = "error"
//! why = "what a program prints is kept by whoever reads its output"
//! mend = "take the call out"
//! calls = ["print"]
//! ```
//! The fields are explained in `docs/source-audit.md`.

use crate::pattern::Pattern;
use serde::{Deserialize, Serialize};
use vitrine_attest::{Error, Result, Sha256};
use vitrine_initramfs::RuleText;

const FILES: [(&str, &str); 6] = [
    ("any.toml", include_str!("../../../recipes/policy/source/any.toml")),
    ("go.toml", include_str!("../../../recipes/policy/source/go.toml")),
    ("javascript.toml", include_str!("../../../recipes/policy/source/javascript.toml")),
    ("python.toml", include_str!("../../../recipes/policy/source/python.toml")),
    ("rust.toml", include_str!("../../../recipes/policy/source/rust.toml")),
    ("shell.toml", include_str!("../../../recipes/policy/source/shell.toml")),
];

/// What a finding of a rule means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// It logs, stores or hands on.
    Error,
    /// It may: a person has to look, and say in a waiver what they saw.
    Review,
}

/// One rule. A fact of the code is a finding when one of `calls` … `dependencies` matches it and all conditions hold.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    pub id: String,
    pub level: Level,
    pub why: String,
    pub mend: String,
    /// Functions that are called, passed on or inherited from, by their resolved name.
    #[serde(default)]
    pub calls: Vec<Pattern>,
    /// Imported modules.
    #[serde(default)]
    pub imports: Vec<Pattern>,
    #[serde(default)]
    pub decorators: Vec<Pattern>,
    /// Values given to a name: `path=value`.
    #[serde(default)]
    pub assigns: Vec<Pattern>,
    /// What a function gives back, by the name of the function, or of the call that it is handed to.
    #[serde(default)]
    pub returns: Vec<Pattern>,
    /// Commands of a shell, by their file name.
    #[serde(default)]
    pub commands: Vec<Pattern>,
    /// Where a shell's output goes.
    #[serde(default)]
    pub redirects: Vec<Pattern>,
    /// Packages that a manifest asks for.
    #[serde(default)]
    pub dependencies: Vec<Pattern>,
    /// With `receivers`: methods, by name.
    #[serde(default)]
    pub methods: Vec<Pattern>,
    /// In lower case; matched against the resolved name and the name in the text.
    #[serde(default)]
    pub receivers: Vec<Pattern>,
    /// One of these arguments is there: `name=text`, or `0=text` by position.
    #[serde(default)]
    pub args: Vec<Pattern>,
    /// None of these arguments is there.
    #[serde(default)]
    pub no_args: Vec<Pattern>,
    /// One of these names stands in the arguments; `{error}` is a caught error.
    #[serde(default)]
    pub mentions: Vec<Pattern>,
    /// Not these, although a pattern above matches.
    #[serde(default)]
    pub except: Vec<Pattern>,
    /// Only in, or on, a function that answers requests.
    #[serde(default)]
    pub handler: bool,
    /// What switches it off, anywhere in the tree outside of vendored folders and tests.
    #[serde(default)]
    pub unless: Vec<Switch>,
}

/// A fact that makes a default harmless.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Switch {
    #[serde(default)]
    pub call: Option<Pattern>,
    #[serde(default)]
    pub assign: Option<Pattern>,
    /// A function of this name is defined.
    #[serde(default)]
    pub define: Option<Pattern>,
    #[serde(default)]
    pub command: Option<Pattern>,
    /// All of these arguments are there.
    #[serde(default)]
    pub args: Vec<Pattern>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    rule: Vec<Rule>,
}

/// All rules, and the hash of their files: a report names the rules it was made by.
#[derive(Debug, Clone)]
pub struct Rules {
    pub rules: Vec<Rule>,
    pub sha256: Sha256,
}

impl Rules {
    /// The rules of this version of Vitrine.
    pub fn standard() -> Self {
        Self::parse(&FILES).expect("the rule files are compiled in, and a test reads them")
    }

    /// Reads rules from texts. A rule's id begins with the name of its file: `python.print` of `python.toml`.
    ///
    /// # Errors
    /// When a file is no TOML, has unknown fields, an id twice, or a rule that nothing can match.
    pub fn parse(files: &[(&str, &str)]) -> Result<Self> {
        let mut rules = Vec::new();
        let mut digests = Vec::new();
        for (name, text) in files {
            let refuse = |what: String| Error::input(format!("{name}: {what}"), "correct the rule file");
            let File { rule } = toml::from_str(text).map_err(|e| refuse(e.to_string()))?;
            let stem = name.trim_end_matches(".toml");
            for rule in &rule {
                if rule.id.split('.').next() != Some(stem) {
                    return Err(refuse(format!("rule {} has to begin with {stem}.", rule.id)));
                }
                if rule.looks_for_nothing() {
                    return Err(refuse(format!("rule {} matches nothing", rule.id)));
                }
            }
            rules.extend(rule);
            digests.push(Sha256::of(text.as_bytes()));
        }
        rules.sort_by(|a: &Rule, b| a.id.cmp(&b.id));
        if let Some(pair) = rules.windows(2).find(|pair| pair[0].id == pair[1].id) {
            return Err(Error::input(format!("rule {} is there twice", pair[0].id), "give each rule an id of its own"));
        }
        let parts: Vec<&[u8]> = digests.iter().map(|digest| digest.0.as_slice()).collect();
        Ok(Self { rules, sha256: Sha256::of_parts(&parts) })
    }

    /// Each rule in words, sorted by id.
    pub fn table(&self) -> Vec<RuleText<'_>> {
        self.rules.iter().map(Rule::words).collect()
    }
}

impl Rule {
    pub fn words(&self) -> RuleText<'_> {
        RuleText { id: &self.id, why: &self.why, mend: &self.mend }
    }

    fn looks_for_nothing(&self) -> bool {
        [
            &self.calls,
            &self.imports,
            &self.decorators,
            &self.assigns,
            &self.returns,
            &self.commands,
            &self.redirects,
            &self.dependencies,
            &self.methods,
        ]
        .iter()
        .all(|patterns| patterns.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_rules_can_be_read() {
        let rules = Rules::standard();
        let table = rules.table();
        assert!(table.len() >= 60, "{}", table.len());
        assert!(table.iter().all(|row| !row.why.is_empty() && !row.mend.is_empty()));
    }

    #[test]
    fn wrong_rules_are_refused() {
        let rule = "[[rule]]\nid = \"go.a\"\nlevel = \"error\"\nwhy = \"w\"\nmend = \"m\"\n";
        let good = format!("{rule}calls = [\"x\"]\n");
        assert!(Rules::parse(&[("go.toml", &good)]).is_ok());
        assert!(Rules::parse(&[("go.toml", rule)]).is_err());
        assert!(Rules::parse(&[("rust.toml", &good)]).is_err());
        assert!(Rules::parse(&[("go.toml", &format!("{good}typo = 1\n"))]).is_err());
        assert!(Rules::parse(&[("go.toml", &format!("{good}{good}"))]).is_err());
    }
}
