//! The Debian archive, read without apt and dpkg: release file, signature, indices, packages.
//!
//! ```text
//! InRelease ──signature──▶ SHA-256 of Packages.xz ──▶ SHA-256 of each package ──▶ lock ──▶ store
//! ```
//! A mirror is only a carrier: whatever it sends has to fit the chain.

mod closure;
mod date;
mod download;
mod fetch;
mod find;
#[cfg(fuzzing)]
pub mod fuzzing;
mod keyring;
mod mirror;
mod packages;
mod release;
mod snapshot;
mod story;
mod version;

#[cfg(test)]
mod tests;

pub use find::older_release;
pub use keyring::Keyring;
pub use mirror::{Mirrors, ARCHIVES, MIRROR_VARIABLE};
pub use release::Release;
pub use snapshot::{named_snapshots, SNAPSHOT_VARIABLE};
pub use story::GONE;
pub use version::Version;

use crate::lock::{Lock, Locked, LockedPackage, LockedRelease, LOCK_VERSION};
use crate::progress::Progress;
use crate::recipe::{Debian, MAIN_ARCHIVE};
use crate::store::Store;
use closure::Universe;
use fetch::{fetch_all, Wanted};
use find::find_release;
use packages::parse_packages;
use std::io::Read as _;
use std::path::Path;
use vitrine_attest::{Blame, Error, Result};

/// The keyring that Debian's package of the same name installs.
pub const DEFAULT_KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
/// Bytes of an unpacked index; Debian 13's main has 56 MB.
const INDEX_LIMIT: u64 = 512 << 20;
/// Memory that unpacking an index may take: xz's dictionaries have up to 64 MiB (`xz -9`).
const XZ_MEMORY: u64 = 128 << 20;

/// Resolves the packages of a recipe's `[debian]` table against the archive as it is now.
///
/// `keyring` is a file of keys, binary or armored, see [`DEFAULT_KEYRING`]. Indices go into the store, so the next
/// lock of the same archive state fetches the release file only.
pub fn make_lock(
    debian: &Debian,
    mirrors: &Mirrors,
    store: &Store,
    keyring: &Path,
    progress: &Progress,
) -> Result<Lock> {
    let keyring = Keyring::load(keyring)?;
    let suites = suites(debian);
    let mut releases = Vec::new();
    for (archive, suite) in &suites {
        progress.step(&format!("read the release file of {suite}"));
        releases.push(find_release(archive, suite, mirrors, &keyring, progress)?);
    }
    let texts = indices(debian, &suites, &releases, mirrors, store, progress)?;
    progress.step("resolve dependencies");
    let packages = resolve(debian, &texts, progress)?;
    let releases = suites.iter().zip(releases).map(|((archive, suite), release)| LockedRelease {
        archive: archive.clone(),
        suite: suite.clone(),
        inrelease_sha256: release.sha256,
        signed_by: release.signed_by,
        date: release.date,
    });
    let lock = Lock { version: LOCK_VERSION, recipe: debian.digest()?, releases: releases.collect(), packages };
    // what an index may say is wider than what a lock may say
    let checked = Lock::parse(lock.to_toml()?.as_bytes());
    checked.map_err(|e| Error::new(Blame::Artefact, e.what, "the archive's index is unusable: try --mirror URL"))
}

/// Brings all locked packages into the store. Without mirrors nothing is asked of the network.
///
/// # Errors
/// [`Blame::Host`] with [`GONE`] in the message when the mirrors have dropped a version;
/// [`Blame::Artefact`] when all they offer are other bytes.
pub fn fetch(locked: &Locked, mirrors: Option<&Mirrors>, store: &Store, progress: &Progress) -> Result<()> {
    fetch_packages(&locked.lock().packages, mirrors, store, progress)
}

/// [`fetch()`] for packages of any lock.
pub fn fetch_packages(
    packages: &[LockedPackage],
    mirrors: Option<&Mirrors>,
    store: &Store,
    progress: &Progress,
) -> Result<()> {
    if let Some(mirrors) = mirrors {
        return fetch_all("packages", packages.iter().map(Wanted::from).collect(), mirrors, store, progress);
    }
    let missing: Vec<String> =
        packages.iter().filter(|p| store.path(&p.sha256).is_none()).map(LockedPackage::label).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let first: Vec<&str> = missing.iter().take(5).map(String::as_str).collect();
    let rest = if missing.len() > 5 { format!(" and {} more", missing.len() - 5) } else { String::new() };
    Err(Error::host(
        format!("the store {} lacks {}{rest}", store.root().display(), first.join(", ")),
        "run the same command without `--offline` once",
    ))
}

/// (archive, suite), the recipe's own first.
fn suites(debian: &Debian) -> Vec<(String, String)> {
    let own = (MAIN_ARCHIVE.to_string(), debian.suite.clone());
    let extra = debian.extra.iter().map(|extra| (extra.archive.clone(), extra.suite.clone()));
    std::iter::once(own).chain(extra).collect()
}

/// The unpacked package indices: one list for each suite, one text for each component.
fn indices(
    debian: &Debian,
    suites: &[(String, String)],
    releases: &[Release],
    mirrors: &Mirrors,
    store: &Store,
    progress: &Progress,
) -> Result<Vec<(String, Vec<Vec<u8>>)>> {
    let mut wanted = Vec::new();
    for ((archive, suite), release) in suites.iter().zip(releases) {
        for component in &debian.components {
            let index = index(debian, archive, suite, component, release)?;
            wanted.push(index);
        }
    }
    fetch_all("package indices", wanted.clone(), mirrors, store, progress)?;
    let mut wanted = wanted.iter();
    let mut texts = Vec::new();
    for (archive, _) in suites {
        let own = wanted.by_ref().take(debian.components.len());
        let unpacked = own.map(|index| {
            let packed = store.read(&index.sha256).map_err(|e| e.within(&index.label))?;
            unpack(&packed).map_err(|e| e.within(&index.label))
        });
        texts.push((archive.clone(), unpacked.collect::<Result<_>>()?));
    }
    Ok(texts)
}

/// `Packages.xz` of one component, by the hash in the release file.
fn index(debian: &Debian, archive: &str, suite: &str, component: &str, release: &Release) -> Result<Wanted> {
    let folder = format!("{component}/binary-{}", debian.architecture);
    let path = format!("{folder}/Packages.xz");
    let entry = release.file(&path).ok_or_else(|| {
        let hint = "check debian.components and debian.architecture in the recipe";
        Error::input(format!("suite {suite} has no {path}"), hint)
    })?;
    let mut paths = vec![format!("dists/{suite}/{path}")];
    if release.by_hash {
        paths.insert(0, format!("dists/{suite}/{folder}/by-hash/SHA256/{}", entry.sha256));
    }
    let label = format!("package index {component} of {suite}");
    Ok(Wanted { label, archive: archive.into(), paths, size: entry.size, sha256: entry.sha256 })
}

fn unpack(packed: &[u8]) -> Result<Vec<u8>> {
    let wrong =
        |why: String| Error::artefact(format!("cannot be unpacked: {why}"), "try another mirror with --mirror URL");
    let stream = liblzma::stream::Stream::new_stream_decoder(XZ_MEMORY, 0).map_err(|e| wrong(e.to_string()))?;
    let mut text = Vec::new();
    let mut reader = liblzma::read::XzDecoder::new_stream(packed, stream).take(INDEX_LIMIT + 1);
    reader.read_to_end(&mut text).map_err(|e| wrong(e.to_string()))?;
    if text.len() as u64 > INDEX_LIMIT {
        return Err(wrong(format!("it has more than {INDEX_LIMIT} bytes")));
    }
    Ok(text)
}

fn resolve(debian: &Debian, texts: &[(String, Vec<Vec<u8>>)], progress: &Progress) -> Result<Vec<LockedPackage>> {
    let mut suites = Vec::new();
    for (archive, components) in texts {
        for text in components {
            suites.push((archive.as_str(), parse_packages(text)?));
        }
    }
    let universe = Universe::new(suites, &debian.architecture)?;
    let closure = universe.close(&debian.packages, &debian.without)?;
    for name in closure.unused {
        progress.note(&format!("nothing depends on {name}, which debian.without leaves out"));
    }
    let locked = closure.chosen.into_values().map(|(archive, package)| LockedPackage {
        name: package.name.into(),
        version: package.version.as_str().into(),
        architecture: package.architecture.into(),
        archive: (*archive).into(),
        file: package.file.into(),
        size: package.size,
        sha256: package.sha256,
    });
    Ok(locked.collect())
}
