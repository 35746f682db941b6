//! The rules as data: `recipes/policy/mask.toml` and `screen.toml`, compiled in.

use serde::Deserialize;
use vitrine_attest::{Error, Result, Sha256};

const MASK: &str = include_str!("../../recipes/policy/mask.toml");
const SCREEN: &str = include_str!("../../recipes/policy/screen.toml");

/// What is masked and what is refused.
#[derive(Debug, Clone)]
pub struct Policy {
    pub masks: Vec<MaskRule>,
    pub files: Vec<FileRule>,
    pub words: Vec<WordRule>,
    /// Of both rule files: a report names the rules it was made by.
    pub sha256: Sha256,
}

/// What is taken out of a tree.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaskRule {
    pub id: String,
    pub why: String,
    #[serde(default)]
    pub remove: Vec<String>,
    /// Patterns of systemd unit names.
    #[serde(default)]
    pub null: Vec<String>,
}

/// What a file may not be. See the head of `screen.toml`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileRule {
    pub id: String,
    pub why: String,
    pub mend: String,
    /// Accepted in a development image.
    #[serde(default)]
    pub dev: bool,
    #[serde(default)]
    pub names: Vec<String>,
    #[serde(default)]
    pub paths: Vec<String>,
    #[serde(default)]
    pub text: Vec<String>,
    #[serde(default)]
    pub imports: Vec<String>,
    #[serde(default)]
    pub modules: Vec<String>,
    #[serde(default)]
    pub module_imports: Vec<String>,
    #[serde(default)]
    pub content: Option<ContentCheck>,
}

/// Checks that patterns cannot say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ContentCheck {
    /// A private key in PEM or OpenSSH form, with its body.
    PrivateKey,
    /// Set-user-ID, set-group-ID, sticky.
    SpecialMode,
    /// A kernel module without an appended signature.
    UnsignedModule,
    /// An ELF file that cannot be parsed.
    Unreadable,
}

/// What the kernel command line has to have and may not have.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WordRule {
    pub id: String,
    pub why: String,
    pub mend: String,
    #[serde(default)]
    pub dev: bool,
    #[serde(default)]
    pub required: Vec<String>,
    #[serde(default)]
    pub forbidden: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MaskFile {
    mask: Vec<MaskRule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScreenFile {
    #[serde(default)]
    file: Vec<FileRule>,
    #[serde(default)]
    word: Vec<WordRule>,
}

impl Policy {
    /// The rules of this version of Vitrine.
    pub fn standard() -> Self {
        Self::parse(MASK, SCREEN).expect("both rule files are compiled in, and a test reads them")
    }

    /// Reads rules from text.
    ///
    /// # Errors
    /// When a file is no TOML, has unknown fields, or two rules have one id.
    pub fn parse(mask: &str, screen: &str) -> Result<Self> {
        let refuse = |file: &str, e: toml::de::Error| Error::input(format!("{file}: {e}"), "correct the rule file");
        let masks = toml::from_str::<MaskFile>(mask).map_err(|e| refuse("mask.toml", e))?.mask;
        let ScreenFile { file: files, word: words } = toml::from_str(screen).map_err(|e| refuse("screen.toml", e))?;
        let mut ids: Vec<&str> = masks.iter().map(|r| r.id.as_str()).collect();
        ids.extend(files.iter().map(|r| r.id.as_str()).chain(words.iter().map(|r| r.id.as_str())));
        ids.sort_unstable();
        if let Some(pair) = ids.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(Error::input(format!("rule {} is there twice", pair[0]), "give each rule an id of its own"));
        }
        let (mask_digest, screen_digest) = (Sha256::of(mask.as_bytes()), Sha256::of(screen.as_bytes()));
        let sha256 = Sha256::of_parts(&[&mask_digest.0, &screen_digest.0]);
        Ok(Self { masks, files, words, sha256 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_rules_can_be_read() {
        let policy = Policy::standard();
        assert!(policy.masks.len() >= 8 && policy.files.len() >= 15 && policy.words.len() >= 8);
    }

    #[test]
    fn wrong_rules_are_refused() {
        let rule = "[[mask]]\nid = \"a\"\nwhy = \"w\"\n";
        assert!(Policy::parse(rule, "").is_ok());
        assert!(Policy::parse(&format!("{rule}typo = 1\n"), "").is_err());
        assert!(Policy::parse(&format!("{rule}{rule}"), "").is_err());
        assert!(Policy::parse("[[mask]]\n", "").is_err());
        assert!(Policy::parse(rule, "[[file]]\nid=\"b\"\nwhy=\"\"\nmend=\"\"\ncontent=\"magic\"\n").is_err());
    }
}
