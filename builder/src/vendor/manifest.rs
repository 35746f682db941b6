//! The manifest: what is in a vendor archive, by name, size and SHA-256.

use super::read::Part;
use super::{
    CARGO_LOCK, COMPILER, CRATES, LOCK, MANIFEST, PACKAGES, PROGRAMS, README, RECIPE, SOURCE, TOOLCHAIN, TOOLCHAIN_LOCK,
};
use crate::lock::PACKAGE_LIMIT;
use crate::programs::PROGRAM_LIMIT;
use crate::toolchain::{CARGO_LOCK_LIMIT, CRATE_LIMIT};
use serde::{Deserialize, Serialize};
use vitrine_attest::{Error, Result, Sha256};

/// Version of the form without a compiler.
const VERSION: u32 = 1;
/// With one: programs that know only the first refuse it by its version, not for members that they do not know.
const COMPILER_VERSION: u32 = 2;
/// Bytes of the manifest: about forty thousand members.
pub const MANIFEST_LIMIT: u64 = 8 << 20;
/// Members; an image has some hundred.
const COUNT_LIMIT: usize = 25_000;
/// Bytes of a member that is no package nor crate; the largest is a blocklist.
const SMALL_LIMIT: u64 = 128 << 20;
/// Bytes of a file of the sources.
const SOURCE_LIMIT: u64 = 16 << 20;
/// Bytes of all members that are neither packages nor crates: they are held in memory.
const MEMORY_LIMIT: u64 = 256 << 20;
/// Bytes of all members.
const TOTAL_LIMIT: u64 = 64 << 30;
/// Pairs of `--set`.
const SET_LIMIT: usize = 256;
/// Begin of the first line; the SHA-256 of all lines below ends it, so that no bit can turn unnoticed.
const HEADER: &str = "# Made by `vitrine vendor`. SHA-256 of the lines below: ";

/// `manifest.toml`. Sample:
/// ```toml
/// # Made by `vitrine vendor`. SHA-256 of the lines below: 91ab…
/// version = 1
/// vitrine = "0.1.0"
/// recipe = "recipe/exit.toml"
/// set = [["config.owner", "…="]]
///
/// [[member]]
/// name = "README.txt"
/// size = 631
/// sha256 = "5f70…"
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// 1, or 2 when the programs can be compiled from the archive.
    pub version: u32,
    /// Version of the program that wrote it. Another one may make other bytes.
    pub vitrine: String,
    /// The member that is the image's recipe.
    pub recipe: String,
    /// What `--set` said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<(String, String)>,
    /// In rising order of names, which is the order in the archive.
    #[serde(rename = "member")]
    pub members: Vec<Member>,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    pub name: String,
    /// Bytes.
    pub size: u64,
    pub sha256: Sha256,
}

impl Member {
    pub fn of(name: impl Into<String>, bytes: &[u8]) -> Self {
        Self { name: name.into(), size: bytes.len() as u64, sha256: Sha256::of(bytes) }
    }

    /// What is put into the store, for whom; the others are held in memory.
    pub(super) fn stored(&self) -> Option<Part> {
        match &self.name {
            name if name.starts_with(PACKAGES) => Some(Part::Image),
            name if name.starts_with(TOOLCHAIN) || name.starts_with(CRATES) => Some(Part::Compiler),
            _ => None,
        }
    }
}

impl Manifest {
    /// Of these members, in any order.
    pub fn of(recipe: String, set: &[(String, String)], mut members: Vec<Member>) -> Self {
        members.sort();
        let vitrine = env!("CARGO_PKG_VERSION").to_string();
        Self { version: version(&members), vitrine, recipe, set: set.to_vec(), members }
    }

    /// The file's text.
    pub fn to_toml(&self) -> Result<String> {
        let text = toml::to_string(self).map_err(|e| Error::bug(format!("manifest has no TOML form: {e}")))?;
        Ok(format!("{HEADER}{}\n{text}", Sha256::of(text.as_bytes())))
    }

    /// Parses and checks the bytes of a manifest. Only the spelling of [`Self::to_toml`] is taken.
    ///
    /// # Errors
    /// Blame Input for a newer version; Artefact for everything else.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let text = std::str::from_utf8(bytes).map_err(|_| wrong("it is not UTF-8 text"))?;
        check_version(text)?;
        let manifest: Self = toml::from_str(text).map_err(|e| wrong(e.message().trim_end()))?;
        manifest.check().map_err(|why| wrong(&why))?;
        if manifest.to_toml()? != text {
            return Err(wrong("it was altered: it is not spelled as `vitrine vendor` spells it"));
        }
        Ok(manifest)
    }

    /// What every manifest keeps to, read or about to be written.
    pub fn check(&self) -> std::result::Result<(), String> {
        if self.members.len() > COUNT_LIMIT || self.set.len() > SET_LIMIT {
            return Err(format!("more than {COUNT_LIMIT} members or {SET_LIMIT} changes"));
        }
        if let Some(pair) = self.members.windows(2).find(|pair| pair[0].name >= pair[1].name) {
            return Err(format!("{} is listed twice, or not in order", pair[1].name));
        }
        for member in &self.members {
            check_member(member).map_err(|why| format!("member {:?}: {why}", member.name))?;
        }
        if self.version != version(&self.members) {
            return Err(format!("version {} is not the form of its members", self.version));
        }
        let counted = |small: bool| self.members.iter().filter(move |m| !(small && m.stored().is_some()));
        let sum = |small: bool| -> u64 { counted(small).map(|m| m.size).sum() };
        if sum(false) > TOTAL_LIMIT || sum(true) > MEMORY_LIMIT {
            return Err(format!("more than {TOTAL_LIMIT} bytes, or {MEMORY_LIMIT} besides packages and crates"));
        }
        let has = |name: &str| self.members.binary_search_by(|m| m.name.as_str().cmp(name)).is_ok();
        match self.recipe.starts_with(RECIPE) && has(&self.recipe) && has(LOCK) {
            true => Ok(()),
            false => Err(format!("it lacks {LOCK} or its recipe {:?}", self.recipe)),
        }
    }
}

fn version(members: &[Member]) -> u32 {
    match members.iter().any(|member| member.name.starts_with(COMPILER)) {
        true => COMPILER_VERSION,
        false => VERSION,
    }
}

fn check_version(text: &str) -> Result<()> {
    #[derive(Deserialize)]
    struct Versioned {
        version: u32,
    }
    match toml::from_str(text) {
        Ok(Versioned { version }) if !(VERSION..=COMPILER_VERSION).contains(&version) => {
            let what = format!(
                "{MANIFEST}: version {version} of the form, this program knows {VERSION} and {COMPILER_VERSION}"
            );
            Err(Error::input(what, "use the version of vitrine that made the archive, or a newer one"))
        }
        _ => Ok(()),
    }
}

fn check_member(member: &Member) -> std::result::Result<(), String> {
    let parts_fit = member.name.split('/').all(|part| !matches!(part, "" | "." | ".."));
    if !parts_fit || member.name.chars().any(|c| c.is_control() || c == '\\') || member.name.len() > 255 {
        return Err("no plain relative path".into());
    }
    let limit = limit(&member.name).ok_or("nothing of this name belongs into a vendor archive")?;
    match member.size <= limit {
        true => Ok(()),
        false => Err(format!("has {} bytes, at most {limit} are read", member.size)),
    }
}

/// Most bytes of a member of this name; none when it has no business there.
fn limit(name: &str) -> Option<u64> {
    let begins = |folder: &str| name.starts_with(folder);
    let lies_in = |folder: &str| name.strip_prefix(folder).is_some_and(|file| !file.contains('/'));
    match name {
        README | LOCK | TOOLCHAIN_LOCK => Some(SMALL_LIMIT),
        CARGO_LOCK => Some(CARGO_LOCK_LIMIT),
        _ if begins(PACKAGES) || begins(TOOLCHAIN) => Some(PACKAGE_LIMIT),
        _ if lies_in(PROGRAMS) => Some(PROGRAM_LIMIT),
        _ if lies_in(CRATES) => Some(CRATE_LIMIT),
        _ if begins(SOURCE) => Some(SOURCE_LIMIT),
        _ if begins(RECIPE) => Some(SMALL_LIMIT),
        _ => None,
    }
}

fn wrong(why: &str) -> Error {
    Error::artefact(format!("{MANIFEST}: {}", why.replace('\n', ": ")), super::read::HINT)
}
