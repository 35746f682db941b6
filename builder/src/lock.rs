//! The lock: every input by name, version, size and SHA-256, and the signed release file they were found in.
//!
//! Sample (`exit.lock.toml`, made by `vitrine lock recipes/exit.toml`):
//! ```toml
//! version = 1
//! recipe = "5f70…"                 # SHA-256 of the recipe's merged [debian] table
//!
//! [[release]]
//! archive = "debian"
//! suite = "trixie"
//! inrelease_sha256 = "9c1d…"
//! signed_by = "b8b80b5b623eab6ad8775c45b7c5d7d6350947f8"
//! date = "Sat, 12 Sep 2026 07:55:41 UTC"
//!
//! [[package]]
//! name = "libc6"
//! version = "2.41-12"
//! architecture = "amd64"
//! archive = "debian"
//! file = "pool/main/g/glibc/libc6_2.41-12_amd64.deb"
//! size = 2847888
//! sha256 = "07d3…"
//! ```
//! A lock names no host. Packages are sorted by name, so two locks of one archive state are equal bytes.

use crate::bounded;
use crate::recipe::Recipe;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use vitrine_attest::{Error, Result, Sha256};

/// Version of this form.
pub const LOCK_VERSION: u32 = 1;
/// Bytes of a lock file: about ten thousand packages.
const FILE_LIMIT: u64 = 4 << 20;
/// Bytes of one package: Debian's largest have about 2 GiB, and we read packages into memory.
pub const PACKAGE_LIMIT: u64 = 1 << 30;
const HEADER: &str = "# Made by `vitrine lock`. To change it, change the recipe and lock again.\n";

/// `X.lock.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// [`LOCK_VERSION`].
    pub version: u32,
    /// [`crate::recipe::Debian::digest`] of the recipe it was made for.
    pub recipe: Sha256,
    #[serde(rename = "release")]
    pub releases: Vec<LockedRelease>,
    #[serde(rename = "package")]
    pub packages: Vec<LockedPackage>,
}

/// One signed release file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedRelease {
    pub archive: String,
    pub suite: String,
    pub inrelease_sha256: Sha256,
    /// Fingerprint of the key (or subkey) whose signature was checked, lower-case hex.
    pub signed_by: String,
    /// Its `Date` field.
    pub date: String,
}

/// One package. Ordered by name first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedPackage {
    pub name: String,
    pub version: String,
    pub architecture: String,
    /// Folder on a mirror: `debian`, `debian-security`.
    pub archive: String,
    /// Path below that folder: `pool/…/….deb`.
    pub file: String,
    /// Bytes.
    pub size: u64,
    pub sha256: Sha256,
}

impl LockedPackage {
    /// `libc6 2.41-12`
    pub fn label(&self) -> String {
        format!("{} {}", self.name, self.version)
    }
    /// The last part of [`Self::file`].
    pub fn file_name(&self) -> &str {
        self.file.rsplit('/').next().unwrap_or(&self.file)
    }
}

impl Lock {
    /// The lock beside a recipe: `recipes/exit.toml` → `recipes/exit.lock.toml`.
    pub fn path_for(recipe: &Path) -> PathBuf {
        recipe.with_extension("lock.toml")
    }

    /// Reads and checks a lock file.
    pub fn load(path: &Path) -> Result<Self> {
        let name = path.display();
        let hint = "make a lock with `vitrine lock` and the recipe";
        let unreadable = |e: std::io::Error| Error::input(format!("lock {name} cannot be read: {e}"), hint);
        let bytes = bounded::read(path, FILE_LIMIT).map_err(unreadable)?;
        Self::parse(&bytes).map_err(|e| e.within(format!("lock {name}")))
    }

    /// Parses and checks the bytes of a lock file.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let hint = "make it again with `vitrine lock` and the recipe";
        let text = std::str::from_utf8(bytes).map_err(|_| Error::input("not UTF-8 text", hint))?;
        check_version(text)?;
        let lock: Self = toml::from_str(text).map_err(|e| {
            let line = e.span().map_or(1, |span| 1 + text.bytes().take(span.start).filter(|&b| b == b'\n').count());
            Error::input(format!("line {line}: {}", e.message().trim_end().replace('\n', ": ")), hint)
        })?;
        let mut names = BTreeSet::new();
        for package in &lock.packages {
            check(package).map_err(|why| Error::input(format!("package {}: {why}", package.name), hint))?;
            if !names.insert(&package.name) {
                return Err(Error::input(format!("package {} is listed twice", package.name), hint));
            }
        }
        Ok(lock)
    }

    /// The file's text: sorted, one spelling.
    pub fn to_toml(&self) -> Result<String> {
        let mut sorted = self.clone();
        sorted.packages.sort();
        sorted.releases.sort();
        let text = toml::to_string(&sorted).map_err(|e| Error::bug(format!("lock has no TOML form: {e}")))?;
        Ok(format!("{HEADER}{text}"))
    }

    /// Writes [`Self::to_toml`] beside the target and renames it there: readers see the old lock or the new one.
    pub fn save(&self, path: &Path) -> Result<()> {
        crate::store::write_atomically(path, self.to_toml()?.as_bytes())
    }
}

/// Before anything else is read: a newer form may have fields that this one does not know.
fn check_version(text: &str) -> Result<()> {
    #[derive(Deserialize)]
    struct Versioned {
        version: i64,
    }
    // what is no lock at all gets its message, with the line, from the full reading
    let Ok(Versioned { version }) = toml::from_str(text) else { return Ok(()) };
    let known = i64::from(LOCK_VERSION);
    if version == known {
        return Ok(());
    }
    let hint = match version > known {
        true => "it was made by a newer vitrine: use that one, or make a lock of this form with `vitrine lock`",
        false => "make it again with `vitrine lock` and the recipe",
    };
    Err(Error::input(format!("version {version} of the form, this program knows {known}"), hint))
}

/// A path that stays inside its archive, and a size that fits.
fn check(package: &LockedPackage) -> std::result::Result<(), String> {
    let safe = |c: u8| c.is_ascii_alphanumeric() || b"/._+~%:-".contains(&c);
    let file = &package.file;
    if !file.bytes().all(safe) || file.split('/').any(|part| part.is_empty() || part == "." || part == "..") {
        return Err(format!("file {file:?} is no path inside an archive"));
    }
    if !matches!(package.archive.as_str(), "debian" | "debian-security") {
        return Err(format!("there is no archive {:?}", package.archive));
    }
    if package.size == 0 || package.size > PACKAGE_LIMIT {
        return Err(format!("size {} is not between 1 and {PACKAGE_LIMIT}", package.size));
    }
    Ok(())
}

/// A recipe with the lock that fits it: the only thing that the stage step accepts.
#[derive(Debug, Clone)]
pub struct Locked {
    recipe: Recipe,
    lock: Lock,
    digest: Sha256,
}

impl Locked {
    /// # Errors
    /// [`vitrine_attest::Blame::Input`] when the lock was made for another `[debian]` table.
    pub fn new(recipe: Recipe, lock: Lock) -> Result<Self> {
        let hint = format!("run `vitrine lock {}`", recipe.file.display());
        let wanted = recipe.debian.digest()?;
        if lock.recipe != wanted {
            return Err(Error::input(
                format!(
                    "the lock does not fit recipe {}: made for [debian] {}, which now is {}",
                    recipe.name,
                    lock.recipe.short(),
                    wanted.short()
                ),
                hint,
            ));
        }
        let names: BTreeSet<&str> = lock.packages.iter().map(|p| p.name.as_str()).collect();
        if let Some(missing) = recipe.debian.packages.iter().find(|p| !names.contains(p.as_str())) {
            return Err(Error::input(format!("the lock lacks package {missing} of recipe {}", recipe.name), hint));
        }
        let digest = Sha256::of(lock.to_toml()?.as_bytes());
        Ok(Self { recipe, lock, digest })
    }

    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }
    pub fn lock(&self) -> &Lock {
        &self.lock
    }
    /// SHA-256 of [`Lock::to_toml`]: what the image carries as `VITRINE_LOCK`.
    pub fn digest(&self) -> Sha256 {
        self.digest
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn sample() -> Lock {
        let package = |name: &str| LockedPackage {
            name: name.into(),
            version: "1:2.41-12~deb13u1+b2".into(),
            architecture: "amd64".into(),
            archive: "debian".into(),
            file: format!("pool/main/x/{name}_2.41-12_amd64.deb"),
            size: 7,
            sha256: Sha256::of(name.as_bytes()),
        };
        let release = LockedRelease {
            archive: "debian".into(),
            suite: "trixie".into(),
            inrelease_sha256: Sha256::ZERO,
            signed_by: "ab".into(),
            date: "Sat, 12 Sep 2026 07:55:41 UTC".into(),
        };
        let packages = vec![package("libc6"), package("base")];
        Lock { version: LOCK_VERSION, recipe: Sha256::ZERO, releases: vec![release], packages }
    }

    #[test]
    fn written_sorted_and_read_back() {
        let text = sample().to_toml().unwrap();
        let back = Lock::parse(text.as_bytes()).unwrap();
        assert_eq!(back.packages[0].name, "base");
        assert_eq!(back.to_toml().unwrap(), text);
        assert_eq!(Lock::path_for(Path::new("recipes/exit.toml")), Path::new("recipes/exit.lock.toml"));
    }

    #[test]
    fn saved_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.lock.toml");
        sample().save(&path).unwrap();
        assert_eq!(Lock::load(&path).unwrap().packages.len(), 2);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    /// A newer form may have other fields and tables: the version is what has to be said.
    #[test]
    fn a_lock_of_a_newer_version() {
        let text = sample().to_toml().unwrap().replace("version = 1\n", "version = 2\nnew = { field = 1 }\n");
        let error = Lock::parse(text.replace("recipe = ", "recipes = ").as_bytes()).unwrap_err();
        assert!(error.what.contains("version 2 of the form, this program knows 1"), "{error}");
        assert!(error.hint.contains("newer vitrine") && error.exit_code() == 2, "{error}");
        let old = sample().to_toml().unwrap().replace("version = 1\n", "version = 0\n");
        assert!(Lock::parse(old.as_bytes()).unwrap_err().hint.starts_with("make it again"));
    }

    #[test]
    fn refusals() {
        let text = sample().to_toml().unwrap();
        for (from, to, part) in [
            ("version = 1\n", "version = 2\n", "version 2"),
            ("pool/main/x/base", "pool/../../x/base", "no path inside"),
            ("pool/main/x/base", "/pool/x/base", "no path inside"),
            ("size = 7", "size = 0", "size 0"),
            ("size = 7", "size = 99999999999", "size 99999999999"),
            ("name = \"libc6\"", "name = \"base\"", "twice"),
            ("archive = \"debian\"\nfile", "archive = \"other\"\nfile", "no archive"),
            ("size = 7", "siz = 7", "unknown field"),
            ("suite = ", "host = ", "unknown field"),
        ] {
            assert!(text.contains(from), "{from}");
            let error = Lock::parse(text.replacen(from, to, 1).as_bytes()).expect_err(to);
            assert!(error.what.contains(part), "{error}");
        }
        for end in 0..text.len() {
            let _ = Lock::parse(&text.as_bytes()[..end]);
        }
    }
}
