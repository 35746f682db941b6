//! A recipe: what goes into an image, in TOML, with everything its parents say merged in.
//!
//! Sample (`recipes/exit.toml`):
//! ```toml
//! name = "exit"
//! inherits = ["base.toml"]          # read first, in this order; what stands here wins
//!
//! [image]
//! modules.add = ["tun"]             # the parent's list and this; without `.add` the list is replaced
//! cmdline.add = "mitigations=auto"  # the parent's text, a space, and this
//!
//! [config]
//! wireguard.addresses = ["10.66.0.1/24", "fd66::1/64"]
//! ```
//! Merging: tables deep, values and lists replaced by the later one unless the key is written with `.add`;
//! `[[waiver]]` entries add up. Unknown fields are refused with file and line.

mod app;
mod app_program;
mod complete;
mod folder;
mod inherit;
mod mend;
mod problems;
mod source;
mod toolchain;
mod tree;

pub use app::{AppInput, AppSpec, SRV};
pub(crate) use source::plain;
pub use source::{Disk, Memory, Recorder, Source};
pub use toolchain::Toolchain;

use crate::budget::Budget;
use crate::recipe::problems::Problems;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use vitrine_attest::canonical::to_canonical_json;
use vitrine_attest::config::Config;
use vitrine_attest::statement::Waiver;
use vitrine_attest::{Error, Result, Sha256};

/// The archive that [`Debian::suite`] belongs to.
pub const MAIN_ARCHIVE: &str = "debian";

/// A merged and checked recipe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// `exit`; `dev` and `dev-…` are refused by verifiers.
    pub name: String,
    pub version: String,
    pub debian: Debian,
    #[serde(default)]
    pub image: ImageSpec,
    pub config: Config,
    /// A program of the operator's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<AppSpec>,
    #[serde(default)]
    pub release: ReleaseSpec,
    /// Exceptions to screen rules, published with the image.
    #[serde(default, rename = "waiver", skip_serializing_if = "Vec::is_empty")]
    pub waivers: Vec<Waiver>,
    /// Where it was read from, for messages. Not part of the recipe.
    #[serde(skip)]
    pub file: PathBuf,
    /// The file of `image.blocklist` in the form of the image, see [`crate::blocklist`].
    #[serde(skip)]
    pub blocklist: Option<Vec<u8>>,
    /// The bytes of `image.files`, by path in the image.
    #[serde(skip)]
    pub files: BTreeMap<String, Vec<u8>>,
    /// What the folders of `[app]` hold.
    #[serde(skip)]
    pub app_input: Option<AppInput>,
}

/// Which Debian packages the image's files come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Debian {
    /// A suite or codename, such as `trixie`. Not a host: see [`crate::archive::Mirrors`].
    pub suite: String,
    #[serde(default = "default_components")]
    pub components: Vec<String>,
    #[serde(default = "default_architecture")]
    pub architecture: String,
    pub packages: Vec<String>,
    /// Suites that are read besides, such as `trixie-security` of the archive `debian-security`.
    /// The highest version wins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extra: Vec<ExtraSuite>,
    /// Dependencies that are not followed, each with its reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub without: BTreeMap<String, String>,
}

impl Debian {
    /// What a lock was made for: SHA-256 of this table's canonical JSON.
    pub fn digest(&self) -> Result<Sha256> {
        Ok(Sha256::of(&to_canonical_json(self)?))
    }
}

/// One more suite, with the same components.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExtraSuite {
    pub suite: String,
    /// `debian` or `debian-security`: the folder on a mirror.
    #[serde(default = "default_archive")]
    pub archive: String,
}

/// What is taken out of the packages, and how it is packed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ImageSpec {
    /// Absolute paths in the packages, `*` allowed, besides what the programs link to.
    pub include: Vec<String>,
    /// Packages of [`Debian::packages`] that are taken with all their files, before the mask.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub whole: Vec<String>,
    /// What PID 1 becomes once the server runs.
    #[serde(skip_serializing_if = "Pid1::is_ours")]
    pub pid1: Pid1,
    /// Kernel modules by name; what they depend on follows.
    pub modules: Vec<String>,
    /// The kernel command line, measured.
    pub cmdline: String,
    pub compression: Compression,
    /// zstd 1–22, gzip 0–9.
    pub level: i32,
    /// Our own programs; empty: those that the configuration needs.
    pub programs: Vec<String>,
    /// Bytes that the unsigned image may have; the build of a larger one fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
    /// A file of names that the resolver refuses, relative to the recipe that says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocklist: Option<String>,
    /// Files that the recipe brings along: path in the image → file, relative to the recipe that says so.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, String>,
    /// Path of the kernel in the packages.
    pub kernel: String,
    /// Path of the systemd-stub in the packages.
    pub stub: String,
}

impl Default for ImageSpec {
    fn default() -> Self {
        Self {
            include: vec![],
            whole: vec![],
            pid1: Pid1::Vitrine,
            modules: vec![],
            cmdline: String::new(),
            compression: Compression::Zstd,
            level: 9,
            programs: vec![],
            budget: None,
            blocklist: None,
            files: BTreeMap::new(),
            kernel: "/boot/vmlinuz-*".into(),
            stub: "/usr/lib/systemd/boot/efi/linuxx64.efi.stub".into(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    Zstd,
    Gzip,
}

/// The image's first process. Ours always begins; what it becomes is measured with the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pid1 {
    /// It stays what it is: the server.
    Vitrine,
    /// It becomes Debian's systemd, and the server a process of its own; see `docs/decisions/0008-…`.
    Systemd,
}

impl Pid1 {
    fn is_ours(&self) -> bool {
        *self == Self::Vitrine
    }
}

/// What the release statement says about its place among other releases.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReleaseSpec {
    /// Later releases of one name have greater numbers.
    pub seq: u64,
    /// Last day of use: `2027-11-20`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_after: Option<String>,
}

fn default_components() -> Vec<String> {
    vec!["main".into()]
}
fn default_architecture() -> String {
    "amd64".into()
}
fn default_archive() -> String {
    MAIN_ARCHIVE.into()
}

impl Recipe {
    /// Reads a recipe with its parents, then applies `--set key=value` pairs (`("config.wireguard.mtu", "1380")`).
    ///
    /// # Errors
    /// [`vitrine_attest::Blame::Input`], with file and line: unreadable or malformed file, inheritance cycle; and all at
    /// once: unknown fields, wrong types, values that cannot be used.
    pub fn load(path: &Path, set: &[(String, String)]) -> Result<Self> {
        Self::load_from(&Disk, path, set)
    }

    /// What [`Self::to_toml`] has written, without the files that it names: they need not be there any more.
    ///
    /// # Errors
    /// Blame Input, when it cannot be read, or is no such file.
    pub fn read_merged(path: &Path) -> Result<Self> {
        let wrong =
            |why: String| Error::input(format!("recipe {} cannot be read: {why}", path.display()), "build it again");
        let bytes = Disk.read(path, inherit::FILE_LIMIT).map_err(|e| wrong(e.to_string()))?;
        let text = String::from_utf8(bytes).map_err(|_| wrong("it is no UTF-8".into()))?;
        toml::from_str(&text).map_err(|e| wrong(e.message().trim_end().replace('\n', ": ")))
    }

    /// [`Self::load`] with files from elsewhere: a vendor archive.
    pub fn load_from(source: &dyn Source, path: &Path, set: &[(String, String)]) -> Result<Self> {
        let mut merged = inherit::read_with_parents(path, source)?;
        for (key, value) in set {
            merged.set(key, value)?;
        }
        Self::finish(&merged, path, source)
    }

    /// A recipe from its text alone: parents are not read.
    #[cfg(fuzzing)]
    pub fn from_text(text: &str) -> Result<Self> {
        Self::finish(&tree::Placed::parse("recipe.toml", text)?, Path::new("recipe.toml"), &Disk)
    }

    fn finish(merged: &tree::Placed, path: &Path, source: &dyn Source) -> Result<Self> {
        let mut problems = Problems::of(merged);
        let mut recipe = mend::read(merged, &mut problems)?;
        if let Some(recipe) = &mut recipe {
            recipe.file = path.to_path_buf();
            complete::complete(recipe, merged, source, &mut problems);
            problems::collect(recipe, &mut problems);
        }
        problems.refuse()?;
        recipe.ok_or_else(|| Error::bug("a recipe without problems could not be read"))
    }

    /// The merged recipe, always spelled the same way: `1-recipe.toml`. [`Self::load`] reads it back.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).map_err(|e| Error::bug(format!("recipe has no TOML form: {e}")))
    }
}

#[cfg(test)]
mod tests;
