//! What goes into an archive, gathered from the recipe's files, the store and the programs.

use super::manifest::{Manifest, Member};
use super::read::{package_name, Part};
use super::{compiler, intake, read, save, Vendored, LOCK, PACKAGES, PROGRAMS, README, RECIPE};
use crate::lock::Locked;
use crate::recipe::{Memory, Recipe};
use crate::store::{failed, Store};
use crate::toolchain::{Ingredients, Record, RECORD};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use vitrine_attest::{Blame, Error, Result, Sha256};
use vitrine_initramfs::Program;

const README_TEXT: &str = include_str!("readme.txt");

/// The programs, what they were compiled from, and all of that, when it is to be carried along: it is in the store.
#[derive(Debug, Clone, Copy)]
pub struct Programs<'a> {
    pub programs: &'a [Program],
    pub record: Option<&'a Record>,
    pub compiler: Option<(&'a Ingredients, &'a Store)>,
}

/// A manifest, and where the bytes of its members are.
#[derive(Debug)]
pub struct Contents {
    pub manifest: Manifest,
    /// All but packages and crates.
    small: BTreeMap<String, Vec<u8>>,
}

impl Contents {
    /// `files` is what reading the recipe read, by absolute path; `set` what `--set` said.
    ///
    /// # Errors
    /// Blame Input when the recipe's files would not be found again inside the archive: named by absolute paths, by way
    /// of links, or by `--set`.
    pub fn gather(
        locked: &Locked,
        files: BTreeMap<PathBuf, Vec<u8>>,
        set: &[(String, String)],
        programs: Programs,
    ) -> Result<Self> {
        let (recipe, mut small) = place(&locked.recipe().file, files)?;
        find_again(locked.recipe(), &recipe, set, &small)?;
        small.insert(README.into(), README_TEXT.into());
        small.insert(LOCK.into(), locked.lock().to_toml()?.into_bytes());
        let file = |program: &Program| (format!("{PROGRAMS}{}", program.name), program.content.bytes.to_vec());
        small.extend(programs.programs.iter().map(file));
        if let Some(record) = programs.record {
            small.insert(format!("{PROGRAMS}{RECORD}"), record.to_json()?);
        }
        let package = |p| Member { name: package_name(PACKAGES, p), size: p.size, sha256: p.sha256 };
        let mut members: Vec<Member> = locked.lock().packages.iter().map(package).collect();
        if let Some((ingredients, store)) = programs.compiler {
            compiler::refuse_others(ingredients, programs.record)?;
            small.extend(compiler::files(ingredients)?);
            members.extend(compiler::stored(ingredients, store)?);
        }
        members.extend(small.iter().map(|(name, bytes)| Member::of(name, bytes)));
        let manifest = Manifest::of(recipe, set, members);
        Ok(Self { manifest, small })
    }

    /// Writes the archive, whole or not at all. Gives its size in bytes and its SHA-256.
    pub fn save(&self, path: &Path, store: &Store) -> Result<(u64, Sha256)> {
        let saved =
            save(path, |out, failed| super::write(out, &self.manifest, &|member| self.open(member, store), failed));
        if saved.as_ref().is_err_and(|e| e.blame == Blame::Artefact) {
            // reading sets aside what has other bytes, and what is set aside is fetched again
            self.manifest.members.iter().filter(|m| m.stored().is_some()).for_each(|m| drop(store.read(&m.sha256)));
        }
        saved
    }

    fn open<'a>(&'a self, member: &Member, store: &Store) -> Result<Box<dyn Read + 'a>> {
        if let Some(bytes) = self.small.get(&member.name) {
            return Ok(Box::new(&bytes[..]));
        }
        let path = store.path(&member.sha256).ok_or_else(|| {
            Error::host(format!("{} is no longer in the store", member.name), "run the same command again")
        })?;
        let file = File::open(&path).map_err(|e| failed("stored file cannot be read", &path, &e))?;
        Ok(Box::new(file))
    }
}

/// Names in the archive: below the deepest folder that holds all the recipe's files. Also the recipe's own.
fn place(recipe: &Path, files: BTreeMap<PathBuf, Vec<u8>>) -> Result<(String, BTreeMap<String, Vec<u8>>)> {
    let unreadable = |e: std::io::Error| Error::input(format!("recipe {}: {e}", recipe.display()), "check the path");
    let own = crate::recipe::plain(&std::path::absolute(recipe).map_err(unreadable)?).map_err(unreadable)?;
    let mut root = own.parent().unwrap_or(Path::new("/")).to_path_buf();
    while files.keys().any(|path| !path.starts_with(&root)) {
        root.pop();
    }
    let name = |path: &Path| {
        let below = path.strip_prefix(&root).ok().and_then(Path::to_str);
        let hint = "use file names in UTF-8";
        below
            .map(|below| format!("{RECIPE}{below}"))
            .ok_or_else(|| Error::input(format!("{} has a name that is no text", path.display()), hint))
    };
    let placed = files.into_iter().map(|(path, bytes)| Ok((name(&path)?, bytes)));
    Ok((name(&own)?, placed.collect::<Result<_>>()?))
}

/// The recipe, read from the archive's files alone, has to be the one that was read from the disk.
fn find_again(recipe: &Recipe, name: &str, set: &[(String, String)], files: &BTreeMap<String, Vec<u8>>) -> Result<()> {
    let hint = "name files relative to the recipe file that names them, without links to folders, and not with --set";
    let memory = Memory(files.iter().map(|(name, bytes)| (name.into(), bytes.clone())).collect());
    let again = Recipe::load_from(&memory, Path::new(name), set)
        .map_err(|e| Error::input(format!("this recipe cannot be carried away: {}", e.what), hint))?;
    match (Recipe { file: recipe.file.clone(), ..again }) == *recipe {
        true => Ok(()),
        false => Err(Error::input("this recipe cannot be carried away: it would be another one", hint)),
    }
}

/// Reads the archive in `path`; the packages and crates of the wanted part go into the store.
pub fn open(path: &Path, store: &Store, wanted: Part) -> Result<Vendored> {
    intake::clear_up(store);
    let unreadable = |e| Error::host(format!("{} cannot be read: {e}", path.display()), "check the path");
    let mut file = File::open(path).map_err(unreadable)?;
    read(&mut file, store, &[wanted]).map_err(|e| e.within(path.display()))
}
