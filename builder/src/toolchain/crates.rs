//! The crates that `Cargo.lock` pins: which of them the programs may need, and their files in the store by checksum.

use crate::bounded;
use crate::progress::Progress;
use crate::store::Store;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use vitrine_attest::{Error, Result, Sha256};

/// Bytes of one `.crate` file; the largest of ours has 13 MB.
pub const CRATE_LIMIT: u64 = 256 << 20;
/// Lines of cargo's errors that are shown.
const LINES: usize = 5;
/// How the source of a crate of a registry begins; git and other folders have no checksum.
const REGISTRY: &str = "registry+";

/// One crate of a registry. Ordered by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Crate {
    pub name: String,
    pub version: String,
    pub sha256: Sha256,
}

impl Crate {
    /// `serde-1.0.228`: also its folder.
    pub fn label(&self) -> String {
        format!("{}-{}", self.name, self.version)
    }
}

/// `Cargo.lock`, versions 3 and 4.
#[derive(Debug, Deserialize)]
pub struct CargoLock {
    package: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
struct Entry {
    name: String,
    version: String,
    source: Option<String>,
    checksum: Option<Sha256>,
    #[serde(default)]
    dependencies: Vec<String>,
}

impl CargoLock {
    /// # Errors
    /// [`vitrine_attest::Blame::Input`] when it is no lock file of Cargo.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let wrong = |why: String| Error::input(format!("Cargo.lock: {why}"), "restore the file from the sources");
        let text = std::str::from_utf8(bytes).map_err(|_| wrong("not UTF-8 text".into()))?;
        toml::from_str(text).map_err(|e| wrong(e.message().trim_end().replace('\n', ": ")))
    }

    /// Everything that `members` may need, for any platform, as far as the lock knows, sorted; members are left out.
    ///
    /// # Errors
    /// When the lock is not whole, or has a crate that no registry checksum pins.
    pub fn closure<'a>(&self, members: impl Iterator<Item = &'a str>) -> Result<Vec<Crate>> {
        let mut todo: Vec<&Entry> = members.map(|name| self.find(name)).collect::<Result<_>>()?;
        let (mut seen, mut crates) = (BTreeSet::new(), BTreeSet::new());
        while let Some(entry) = todo.pop() {
            if !seen.insert((&entry.name, &entry.version)) {
                continue;
            }
            if let Some(found) = entry.registered()? {
                crates.insert(found);
            }
            for dependency in &entry.dependencies {
                todo.push(self.find(dependency)?);
            }
        }
        Ok(crates.into_iter().collect())
    }

    /// All crates, sorted.
    pub fn all(&self) -> Result<BTreeSet<Crate>> {
        self.package.iter().filter_map(|entry| entry.registered().transpose()).collect()
    }

    /// A dependency as Cargo writes it: `name`, or `name version` where there are several, or with ` (source)`.
    fn find(&self, dependency: &str) -> Result<&Entry> {
        let mut words = dependency.split(' ');
        let (name, version) = (words.next().unwrap_or_default(), words.next());
        let fits = |entry: &&Entry| entry.name == name && version.is_none_or(|version| entry.version == version);
        let mut found = self.package.iter().filter(fits);
        match (found.next(), found.next()) {
            (Some(entry), None) => Ok(entry),
            _ => Err(Error::input(format!("Cargo.lock names {dependency:?} not exactly once"), "restore the file")),
        }
    }
}

impl Entry {
    /// `None` for a member of the workspace.
    fn registered(&self) -> Result<Option<Crate>> {
        let plain =
            |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.+".contains(&b));
        match (&self.source, self.checksum) {
            (None, _) => Ok(None),
            (Some(source), Some(sha256))
                if source.starts_with(REGISTRY) && plain(&self.name) && plain(&self.version) =>
            {
                Ok(Some(Crate { name: self.name.clone(), version: self.version.clone(), sha256 }))
            }
            _ => Err(Error::input(
                format!("{} {} in Cargo.lock has no registry checksum", self.name, self.version),
                "take dependencies from the registry only",
            )),
        }
    }
}

/// Brings all `.crate` files into the store: from Cargo's own cache, and what it lacks by `cargo fetch --locked` in the
/// folder `source`; without one nothing is fetched. Whatever comes has to have the checksum.
pub fn gather(crates: &[Crate], source: Option<&Path>, store: &Store, progress: &Progress) -> Result<()> {
    let mut missing = missing(crates, store)?;
    if let Some(source) = source.filter(|_| !missing.is_empty()) {
        progress.step(&format!("fetch {} crates with cargo", missing.len()));
        fetch(source)?;
        missing = self::missing(crates, store)?;
    }
    let Some(first) = missing.first() else { return Ok(()) };
    let what = format!("{} crates of Cargo.lock are missing, such as {}", missing.len(), first.label());
    Err(Error::host(what, "run the same command without `--offline` once, or `cargo fetch --locked` in the sources"))
}

/// Takes what Cargo's cache has into the store, and says what is missing then.
fn missing<'a>(crates: &'a [Crate], store: &Store) -> Result<Vec<&'a Crate>> {
    let folders = cargo_cache();
    let mut missing = Vec::new();
    for wanted in crates {
        if store.path(&wanted.sha256).is_none() && !import(wanted, &folders, store)? {
            missing.push(wanted);
        }
    }
    Ok(missing)
}

fn import(wanted: &Crate, folders: &[PathBuf], store: &Store) -> Result<bool> {
    let name = format!("{}.crate", wanted.label());
    for folder in folders {
        let Ok(bytes) = bounded::read(&folder.join(&name), CRATE_LIMIT) else { continue };
        if Sha256::of(&bytes) == wanted.sha256 {
            store.put(&bytes)?;
            return Ok(true);
        }
    }
    Ok(false)
}

/// `registry/cache/*` of Cargo's home; none when there is no Cargo.
fn cargo_cache() -> Vec<PathBuf> {
    let named = std::env::var_os("CARGO_HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    let home = named.or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo")));
    let Some(home) = home else { return vec![] };
    let entries = std::fs::read_dir(home.join("registry/cache"));
    entries.into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

fn fetch(source: &Path) -> Result<()> {
    let hint =
        "install Rust's cargo on this machine, check the network, or bring the crates with `cargo fetch --locked`";
    let mut command = Command::new("cargo");
    command.args(["fetch", "--locked", "--quiet", "--manifest-path"]).arg(source.join("Cargo.toml"));
    let output = command.output().map_err(|e| Error::host(format!("cargo cannot be run: {e}"), hint))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = said.trim_end().lines().collect();
    let last = &lines[lines.len().saturating_sub(LINES)..];
    Err(Error::host(format!("cargo fetch --locked: {}", last.join("\n")), hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, version: &str, more: &str) -> String {
        format!("[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n{more}\n")
    }

    fn registered(name: &str, version: &str, more: &str) -> String {
        let sum = Sha256::of(format!("{name}{version}").as_bytes());
        entry(name, version, &format!("source = \"{REGISTRY}https://index\"\nchecksum = \"{sum}\"\n{more}"))
    }

    fn lock() -> String {
        [
            "version = 4\n".to_string(),
            entry("own", "0.1.0", "dependencies = [\"a\", \"b 2.0.0\"]"),
            entry("other", "0.1.0", "dependencies = [\"c\"]"),
            registered("a", "1.0.0", "dependencies = [\"b 1.0.0\"]"),
            registered("b", "1.0.0", ""),
            registered("b", "2.0.0", "dependencies = [\"a\"]"),
            registered("c", "1.0.0", ""),
        ]
        .concat()
    }

    #[test]
    fn closure_follows_versions_and_ends() {
        let lock = CargoLock::parse(lock().as_bytes()).unwrap();
        let labels: Vec<_> = lock.closure(["own"].into_iter()).unwrap().iter().map(Crate::label).collect();
        assert_eq!(labels, ["a-1.0.0", "b-1.0.0", "b-2.0.0"]);
        assert_eq!(lock.all().unwrap().len(), 4);
    }

    #[test]
    fn refusals() {
        for (from, to, why) in [
            (REGISTRY, "git+", "no registry checksum"),
            ("\"b 2.0.0\"", "\"b\"", "not exactly once"),
            ("\"b 2.0.0\"", "\"d\"", "not exactly once"),
            ("name = \"a\"", "name = \"../a\"", "not exactly once"),
        ] {
            let changed = lock().replacen(from, to, 1);
            let error = CargoLock::parse(changed.as_bytes()).unwrap().closure(["own"].into_iter()).unwrap_err();
            assert!(error.what.contains(why), "{error}");
        }
        assert!(CargoLock::parse(b"package = 1").is_err());
    }

    #[test]
    fn another_file_of_the_same_name_is_not_taken() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(Some(&dir.path().join("store"))).unwrap();
        let wanted = Crate { name: "a".into(), version: "1.0.0".into(), sha256: Sha256::of(b"good") };
        let cache = dir.path().to_path_buf();
        std::fs::write(cache.join("a-1.0.0.crate"), "bad").unwrap();
        assert!(!import(&wanted, std::slice::from_ref(&cache), &store).unwrap());
        std::fs::write(cache.join("a-1.0.0.crate"), "good").unwrap();
        assert!(import(&wanted, &[cache], &store).unwrap());
        assert_eq!(store.read(&wanted.sha256).unwrap(), b"good");
    }
}
