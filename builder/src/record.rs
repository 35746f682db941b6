//! What a finished build left in its folder, so that the same build need not be done twice.
//!
//! Kept in the store under a hash over everything that a build follows from. The folder is not believed: each file in it
//! has to have the hash that the record says, and there must be no other file of a build.
//! ```json
//! {"1-recipe.toml":"5f70…","2-lock.toml":"ab…","6-image.unsigned.efi":"07d3…"}
//! ```

use crate::lock::Locked;
use crate::maker;
use crate::out::{self, Out};
use crate::pipeline::Signing;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use vitrine_attest::lengths::prefixed;
use vitrine_attest::statement::Input;
use vitrine_attest::{Error, Result, Sha256};
use vitrine_initramfs::{Cache, Content, Program};

/// Folder of the store's derived data.
const KIND: &str = "build";

/// Hashes of the files, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record(BTreeMap<String, Sha256>);

/// How a folder compares with a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Folder {
    /// Every file is what the build left.
    Same,
    /// There is no file of a build.
    Empty,
    /// The first file, in the order of the stages, that is missing, altered or too many.
    Differs(&'static str),
}

/// A hash over everything that the files of a build follow from: this program, recipe and lock, our programs and
/// what they were compiled from, and the public halves of the keys. `None` when it cannot be said which program this is.
///
/// # Errors
/// When the recipe has no text form.
pub fn key(
    locked: &Locked,
    programs: &[Program],
    compiled_from: &[Input],
    signing: Option<&Signing>,
) -> Result<Option<Sha256>> {
    let Some(maker) = maker::identity() else { return Ok(None) };
    let recipe = locked.recipe();
    let mut parts = vec![
        maker,
        Sha256::of(recipe.to_toml()?.as_bytes()),
        locked.digest(),
        recipe.blocklist.as_deref().map_or(Sha256::ZERO, Sha256::of),
    ];
    for (path, bytes) in &recipe.files {
        parts.extend([Sha256::of(path.as_bytes()), Sha256::of(bytes)]);
    }
    parts.push(recipe.app_input.as_ref().map_or(Sha256::ZERO, |input| input.digest()));
    // between two lists of hashes, so that none can be taken for one of the other list
    parts.push(Sha256::ZERO);
    for program in programs {
        parts.extend([program.name.as_bytes(), program.path.as_bytes()].map(Sha256::of));
        parts.push(program.content.sha256);
    }
    parts.push(Sha256::ZERO);
    for input in compiled_from {
        parts.extend([&input.kind, &input.name, &input.version].map(|text| Sha256::of(text.as_bytes())));
        parts.push(input.sha256);
    }
    parts.push(Sha256::ZERO);
    if let Some(signing) = signing {
        parts.extend(signers(signing));
    }
    let parts: Vec<&[u8]> = parts.iter().map(|part| part.as_bytes().as_slice()).collect();
    Ok(Some(Sha256::of_parts(&[b"vitrine build v1\0", &prefixed(&parts)])))
}

/// RSA PKCS#1 v1.5 and Ed25519 sign the same bytes with the same signature, so public keys are enough.
fn signers(signing: &Signing) -> Vec<Sha256> {
    let enrolled = &signing.enrolled;
    let lists = [&enrolled.pk, &enrolled.kek, &enrolled.db, &enrolled.dbx];
    let release = signing.statement.verifying_key();
    let keys = [signing.image.certificate().der(), release.as_bytes()];
    keys.into_iter().map(Sha256::of).chain(lists.map(|list| Sha256::of(list))).collect()
}

impl Record {
    /// Of the files that a build has just written.
    pub fn of(out: &Out) -> Self {
        Self(out.written())
    }

    /// The record of an earlier build with this key.
    pub fn find(cache: &dyn Cache, key: Sha256) -> Option<Self> {
        serde_json::from_slice(&cache.get(KIND, key)?.bytes).ok()
    }

    pub fn keep(&self, cache: &dyn Cache, key: Sha256) -> Result<()> {
        let json = serde_json::to_vec(self).map_err(|e| Error::bug(format!("a record has no JSON form: {e}")))?;
        cache.put(KIND, key, &Content::new(json));
        Ok(())
    }

    /// Hashes every file of the folder, side by side. One that cannot be read is an altered one.
    pub fn compare(&self, out: &Out) -> Folder {
        let found: Vec<(&'static str, Option<Sha256>)> = std::thread::scope(|scope| {
            let hash = |name: &'static str| (name, scope.spawn(move || out.digest(name)));
            let hashed: Vec<_> = out::FILES.map(hash).into_iter().collect();
            // a thread that panicked has hashed nothing
            hashed.into_iter().map(|(name, thread)| (name, thread.join().ok().flatten())).collect()
        });
        if out::FILES.iter().all(|name| !out.path(name).exists()) {
            return Folder::Empty;
        }
        let differs = |(name, digest): &&(&'static str, Option<Sha256>)| {
            let missing_as_it_should = !self.0.contains_key(*name) && !out.path(name).exists();
            self.0.get(*name).copied() != *digest || (digest.is_none() && !missing_as_it_should)
        };
        match found.iter().find(differs) {
            None => Folder::Same,
            Some((name, _)) => Folder::Differs(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use vitrine_initramfs::MemoryCache;

    #[test]
    fn a_folder_is_believed_file_by_file() {
        let dir = tempfile::tempdir().unwrap();
        let out = Out::begin(dir.path()).unwrap();
        out.write(out::RECIPE, b"recipe").unwrap();
        out.write(out::IMAGE, &[7; 100_000]).unwrap();
        let (cache, key) = (MemoryCache::default(), Sha256::of(b"key"));
        Record::of(&out).keep(&cache, key).unwrap();
        let record = Record::find(&cache, key).unwrap();
        assert_eq!(record.compare(&out), Folder::Same);
        assert_eq!(Record::find(&cache, Sha256::ZERO), None);

        let mut altered = vec![7; 100_000];
        altered[99_999] = 6;
        fs::write(out.path(out::IMAGE), &altered).unwrap();
        assert_eq!(record.compare(&out), Folder::Differs(out::IMAGE));
        fs::write(out.path(out::IMAGE), [7; 100_000]).unwrap();
        fs::write(out.path(out::STATEMENT), "of another build").unwrap();
        assert_eq!(record.compare(&out), Folder::Differs(out::STATEMENT));
        fs::remove_file(out.path(out::STATEMENT)).unwrap();
        fs::create_dir(out.path(out::STATEMENT)).unwrap();
        assert_eq!(record.compare(&out), Folder::Differs(out::STATEMENT));
        fs::remove_dir(out.path(out::STATEMENT)).unwrap();
        assert_eq!(record.compare(&out), Folder::Same);
        fs::remove_file(out.path(out::RECIPE)).unwrap();
        assert_eq!(record.compare(&out), Folder::Differs(out::RECIPE));
        fs::remove_file(out.path(out::IMAGE)).unwrap();
        assert_eq!(record.compare(&out), Folder::Empty);
    }

    /// A link to the right bytes may lead to others a moment later.
    #[test]
    fn a_link_is_no_file_of_a_build() {
        let dir = tempfile::tempdir().unwrap();
        let out = Out::begin(dir.path()).unwrap();
        out.write(out::RECIPE, b"recipe").unwrap();
        let record = Record::of(&out);
        fs::rename(out.path(out::RECIPE), dir.path().join("elsewhere")).unwrap();
        std::os::unix::fs::symlink("elsewhere", out.path(out::RECIPE)).unwrap();
        assert_eq!(record.compare(&out), Folder::Differs(out::RECIPE));
    }
}
