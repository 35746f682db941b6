//! Everything that the programs are compiled from, from a folder or from an archive: the bytes of packages and crates,
//! which their hashes name, are in the store.

use super::crates::{self, CargoLock, Crate};
use super::key::{Inputs, TARGET};
use super::members::Members;
use super::record::Record;
use super::source::Sources;
use crate::archive::{fetch_packages, Mirrors};
use crate::bounded;
use crate::lock::Lock;
use crate::progress::Progress;
use crate::store::{failed, Store};
use std::collections::BTreeMap;
use std::path::Path;
use vitrine_attest::{Error, Result, Sha256};

/// Bytes of `Cargo.lock`.
pub const CARGO_LOCK_LIMIT: u64 = 16 << 20;
/// Packages that have /usr/bin/cargo.
const CARGO: [&str; 2] = ["cargo-web", "cargo"];

/// Toolchain, sources and crates.
#[derive(Debug)]
pub struct Ingredients {
    /// The toolchain's.
    pub lock: Lock,
    pub sources: Sources,
    /// `Cargo.lock`, as it is.
    pub pinned: Vec<u8>,
    /// Sorted.
    pub crates: Vec<Crate>,
}

impl Ingredients {
    /// From the folder of the workspace.
    ///
    /// # Errors
    /// Blame Input when the lock is no toolchain's, or the folder does not hold the sources of the programs.
    pub fn read(lock: Lock, source: &Path) -> Result<Self> {
        compiles(&lock)?;
        let members = Members::of(source)?;
        let sources = Sources::read(source, &members)?;
        let path = source.join("Cargo.lock");
        let pinned = bounded::read(&path, CARGO_LOCK_LIMIT).map_err(|e| failed("file cannot be read", &path, &e))?;
        Self::of(lock, sources, pinned, &members)
    }

    /// From the files that `Sources::read` gives for a workspace, and its `Cargo.lock`.
    ///
    /// # Errors
    /// As for [`Self::read`]; and when a file is not of these sources.
    pub fn of_files(lock: Lock, files: BTreeMap<String, Vec<u8>>, pinned: Vec<u8>) -> Result<Self> {
        compiles(&lock)?;
        let members = Members::of_files(&files)?;
        let sources = Sources::of_files(files, &members)?;
        Self::of(lock, sources, pinned, &members)
    }

    fn of(lock: Lock, sources: Sources, pinned: Vec<u8>, members: &Members) -> Result<Self> {
        let crates = CargoLock::parse(&pinned)?.closure(members.folders.keys().map(String::as_str))?;
        Ok(Self { lock, sources, pinned, crates })
    }

    /// SHA-256 of the toolchain's lock.
    pub fn toolchain(&self) -> Result<Sha256> {
        Ok(Sha256::of(self.lock.to_toml()?.as_bytes()))
    }

    pub(super) fn inputs(&self) -> Result<Inputs<'_>> {
        Ok(Inputs { toolchain: self.toolchain()?, source: self.sources.digest(), crates: &self.crates })
    }

    /// # Errors
    /// Blame Input when the record's programs were compiled from something else.
    pub fn check(&self, record: &Record) -> Result<()> {
        let inputs = self.inputs()?;
        let own = Record::new(inputs.toolchain, inputs.source, inputs.crates_digest(), TARGET);
        for (what, recorded, found) in [
            ("another toolchain", record.toolchain, own.toolchain),
            ("other sources", record.source, own.source),
            ("other crates", record.crates, own.crates),
        ] {
            if recorded != found {
                let what = format!("the programs were compiled from {what}: expected {recorded}, got {found}");
                let hint = "name the toolchain and the sources that they are from, or compile them again with `vitrine compile`";
                return Err(Error::input(what, hint));
            }
        }
        Ok(())
    }

    /// Brings packages and crates into the store. Without mirrors everything has to be there, or in Cargo's cache; what
    /// is not there is fetched by cargo in the folder `source`.
    pub fn gather(
        &self,
        source: Option<&Path>,
        mirrors: Option<&Mirrors>,
        store: &Store,
        progress: &Progress,
    ) -> Result<()> {
        fetch_packages(&self.lock.packages, mirrors, store, progress)?;
        crates::gather(&self.crates, source.filter(|_| mirrors.is_some()), store, progress)
    }
}

/// An image's lock would be found out after a long download only.
fn compiles(lock: &Lock) -> Result<()> {
    if lock.packages.iter().any(|package| CARGO.contains(&package.name.as_str())) {
        return Ok(());
    }
    let hint = "give a toolchain's, such as recipes/toolchain.lock.toml";
    Err(Error::input(format!("the lock has neither {}: it is no toolchain's", CARGO.join(" nor ")), hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workspace() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
    }

    fn toolchain() -> Lock {
        let mut lock = crate::lock::tests::sample();
        lock.packages[0].name = "cargo-web".into();
        lock
    }

    #[test]
    fn an_images_lock_is_no_toolchains() {
        assert!(compiles(&crate::lock::tests::sample()).unwrap_err().what.contains("no toolchain's"));
        compiles(&toolchain()).unwrap();
    }

    /// What was carried away is what was read: the cut-down workspace, cut down again, is the same.
    #[test]
    fn the_same_from_a_folder_and_from_its_files() {
        let read = Ingredients::read(toolchain(), workspace()).unwrap();
        let again = Ingredients::of_files(toolchain(), read.sources.files.clone(), read.pinned.clone()).unwrap();
        assert_eq!(again.sources.digest(), read.sources.digest());
        assert_eq!(again.crates, read.crates);
        let inputs = read.inputs().unwrap();
        let record = Record::new(inputs.toolchain, inputs.source, inputs.crates_digest(), TARGET);
        again.check(&record).unwrap();
        let other = Record { source: Sha256::ZERO, ..record };
        assert!(again.check(&other).unwrap_err().what.contains("from other sources: expected 0000"));
    }

    #[test]
    fn files_that_are_not_of_the_sources() {
        let read = Ingredients::read(toolchain(), workspace()).unwrap();
        for name in [".cargo/config.toml", "builder/src/main.rs", "attest/tests/x.rs", "README.md", "attest/src"] {
            let mut files = read.sources.files.clone();
            files.insert(name.into(), b"x".to_vec());
            let error = Ingredients::of_files(toolchain(), files, read.pinned.clone()).unwrap_err();
            assert!(error.what.contains(name) && error.what.contains("no source of the programs"), "{error}");
        }
        let mut files = read.sources.files.clone();
        files.get_mut("Cargo.toml").unwrap().extend(b"\n# more");
        let error = Ingredients::of_files(toolchain(), files, read.pinned.clone()).unwrap_err();
        assert!(error.what.contains("Cargo.toml is not the cut-down one"), "{error}");
    }
}
