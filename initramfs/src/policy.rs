//! The rules as data: `recipes/policy/*.toml`, compiled in. The head of `screen.toml` explains their form.

mod rules;
mod words;

pub use rules::{
    ConfigRule, ContentCheck, FileRule, JudgeRule, KernelRule, LineRule, MaskRule, Secret, Syntax, WordRule,
};

pub use words::RuleText;

use crate::texts::Texts;
use serde::Deserialize;
use std::sync::{Arc, OnceLock};
use vitrine_attest::{Error, Result, Sha256};

const MASK: &str = include_str!("../../recipes/policy/mask.toml");
/// The screen's rule files, in the order of the rule table.
const SCREEN: [(&str, &str); 6] = [
    ("screen.toml", include_str!("../../recipes/policy/screen.toml")),
    ("services.toml", include_str!("../../recipes/policy/services.toml")),
    ("settings.toml", include_str!("../../recipes/policy/settings.toml")),
    ("network.toml", include_str!("../../recipes/policy/network.toml")),
    ("secrets.toml", include_str!("../../recipes/policy/secrets.toml")),
    ("kernel.toml", include_str!("../../recipes/policy/kernel.toml")),
];

/// What is masked and what is refused.
#[derive(Debug, Clone)]
pub struct Policy {
    pub masks: Vec<MaskRule>,
    pub files: Vec<FileRule>,
    pub lines: Vec<LineRule>,
    pub words: Vec<WordRule>,
    pub configs: Vec<ConfigRule>,
    pub kernels: Vec<KernelRule>,
    pub judges: Vec<JudgeRule>,
    pub(crate) texts: Arc<Texts>,
    /// Of all rule files: a report names the rules it was made by.
    pub sha256: Sha256,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MaskFile {
    mask: Vec<MaskRule>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ScreenFile {
    file: Vec<FileRule>,
    line: Vec<LineRule>,
    word: Vec<WordRule>,
    config: Vec<ConfigRule>,
    kernel: Vec<KernelRule>,
    judge: Vec<JudgeRule>,
}

impl Policy {
    /// The rules of this version of Vitrine.
    pub fn standard() -> Self {
        static STANDARD: OnceLock<Policy> = OnceLock::new();
        let read = || Self::parse(MASK, &SCREEN).expect("the rule files are compiled in, and a test reads them");
        STANDARD.get_or_init(read).clone()
    }

    /// Reads rules from text: the masks, and the screen's files by name.
    ///
    /// # Errors
    /// When a file is no TOML, has unknown fields, or two rules have one id.
    pub fn parse(mask: &str, screen: &[(&str, &str)]) -> Result<Self> {
        let refuse = |file: &str, e: toml::de::Error| Error::input(format!("{file}: {e}"), "correct the rule file");
        let masks = toml::from_str::<MaskFile>(mask).map_err(|e| refuse("mask.toml", e))?.mask;
        let mut all = ScreenFile::default();
        let mut digests = vec![Sha256::of(mask.as_bytes())];
        for (name, text) in screen {
            let ScreenFile { file, line, word, config, kernel, judge } =
                toml::from_str(text).map_err(|e| refuse(name, e))?;
            all.file.extend(file);
            all.line.extend(line);
            all.word.extend(word);
            all.config.extend(config);
            all.kernel.extend(kernel);
            all.judge.extend(judge);
            digests.push(Sha256::of(text.as_bytes()));
        }
        let parts: Vec<&[u8]> = digests.iter().map(|digest| digest.0.as_slice()).collect();
        let sha256 = Sha256::of_parts(&parts);
        let ScreenFile { file: files, line: lines, word: words, config: configs, kernel: kernels, judge: judges } = all;
        let texts = Arc::new(Texts::of(&files)?);
        let policy = Self { masks, files, lines, words, configs, kernels, judges, texts, sha256 };
        policy.check_ids()?;
        Ok(policy)
    }

    fn check_ids(&self) -> Result<()> {
        let mut ids: Vec<&str> = self.masks.iter().map(|r| r.id.as_str()).collect();
        ids.extend(self.rules().iter().map(|rule| rule.id));
        ids.sort_unstable();
        match ids.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => {
                Err(Error::input(format!("rule {} is there twice", pair[0]), "give each rule an id of its own"))
            }
            None => Ok(()),
        }
    }

    /// Every rule of the screen in words, by file and in its order.
    pub fn rules(&self) -> Vec<RuleText<'_>> {
        let mut all: Vec<RuleText<'_>> = self.files.iter().map(FileRule::words).collect();
        all.extend(self.lines.iter().map(LineRule::words));
        all.extend(self.words.iter().map(WordRule::words));
        all.extend(self.configs.iter().map(ConfigRule::words));
        all.extend(self.kernels.iter().map(KernelRule::words));
        all.extend(self.judges.iter().map(JudgeRule::words));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_rules_can_be_read() {
        let policy = Policy::standard();
        assert!(policy.masks.len() >= 8 && policy.files.len() >= 15 && policy.words.len() >= 8);
        assert!(policy.lines.len() >= 15 && policy.configs.len() >= 2 && policy.kernels.len() >= 2);
    }

    /// If it differs, run with `VITRINE_UPDATE_GOLDEN=1` and look at the difference.
    #[test]
    fn the_table_in_the_documentation_is_the_rules() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/screen.md");
        let text = std::fs::read_to_string(&path).unwrap();
        let (head, rest) = text.split_once("<!-- rules -->\n").unwrap();
        let (table, tail) = rest.split_once("<!-- end of rules -->").unwrap();
        let policy = Policy::standard();
        let row = |rule: &RuleText<'_>| format!("| `{}` | {} | {} |\n", rule.id, rule.why, rule.mend);
        let rows: String = policy.rules().iter().map(row).collect();
        let wanted = format!("| rule | why | how to mend |\n|---|---|---|\n{rows}");
        if std::env::var_os("VITRINE_UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, format!("{head}<!-- rules -->\n{wanted}<!-- end of rules -->{tail}")).unwrap();
            return;
        }
        assert_eq!(table, wanted, "docs/screen.md: if that is meant, set VITRINE_UPDATE_GOLDEN=1");
    }

    #[test]
    fn wrong_rules_are_refused() {
        let rule = "[[mask]]\nid = \"a\"\nwhy = \"w\"\n";
        assert!(Policy::parse(rule, &[]).is_ok());
        assert!(Policy::parse(&format!("{rule}typo = 1\n"), &[]).is_err());
        assert!(Policy::parse(&format!("{rule}{rule}"), &[]).is_err());
        assert!(Policy::parse("[[mask]]\n", &[]).is_err());
        let file = "[[file]]\nid=\"b\"\nwhy=\"\"\nmend=\"\"\n";
        assert!(Policy::parse(rule, &[("a.toml", file)]).is_ok());
        assert!(Policy::parse(rule, &[("a.toml", file), ("b.toml", file)]).is_err());
        assert!(Policy::parse(rule, &[("a.toml", &format!("{file}content=\"magic\"\n"))]).is_err());
    }
}
