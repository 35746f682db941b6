//! Reading an archive, which may come from anybody: nothing of it is used before its hash was checked.

use super::header::{header, padding, size, BLOCK, END};
use super::manifest::{Manifest, Member, MANIFEST_LIMIT};
use super::write::{digest, CHUNK};
use super::{compiler, CARGO_LOCK, LOCK, MANIFEST, PACKAGES, PROGRAMS, RECIPE, TOOLCHAIN, TOOLCHAIN_LOCK};
use crate::lock::{Lock, LockedPackage};
use crate::programs;
use crate::recipe::{Memory, Recipe};
use crate::toolchain::{Ingredients, Record, RECORD};
use ring::digest::{Context, SHA256};
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::path::Path;
use vitrine_attest::{Error, Result, Sha256};
use vitrine_initramfs::Program;

pub(super) const HINT: &str = "get the archive again from whoever made it with `vitrine vendor`";

/// For whom a package or crate is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Image,
    Compiler,
}

impl Part {
    pub const ALL: [Self; 2] = [Self::Image, Self::Compiler];
}

/// Where packages and crates are put.
pub trait Shelf {
    /// A file on its way. What is dropped before [`Self::keep`] leaves nothing behind.
    type Slot: Write;
    /// Room for one package.
    fn slot(&self, sha256: &Sha256, size: u64) -> Result<Self::Slot>;
    /// Takes the file in; its hash was checked.
    fn keep(&self, slot: Self::Slot, sha256: &Sha256) -> Result<()>;
    /// A write to a slot failed.
    fn failed(&self, error: &io::Error) -> Error;
}

/// An archive that was read to its end. The packages of the wanted parts are on the shelf.
#[derive(Debug)]
pub struct Vendored {
    pub manifest: Manifest,
    pub lock: Lock,
    /// What the programs can be compiled from, when it is there.
    pub compiler: Option<Ingredients>,
    files: BTreeMap<String, Vec<u8>>,
}

/// Reads an archive; what is stored for a part that is not wanted is checked and goes nowhere. Memory: the members that
/// are neither packages nor crates.
///
/// # Errors
/// Blame Artefact, with the member: an altered byte, a missing or further member, another order, a link, a path that
/// leads outside, a package or crate that no lock names. Input: a newer version. Host: it cannot be read, or the disk is full.
pub fn read<S: Shelf>(from: &mut impl Read, shelf: &S, wanted: &[Part]) -> Result<Vendored> {
    let manifest = read_manifest(from)?;
    let mut files = BTreeMap::new();
    let mut expected = Expected::default();
    for member in &manifest.members {
        expect_header(from, member)?;
        match member.stored() {
            Some(part) => {
                expected.take(member)?;
                store(from, member, shelf, wanted.contains(&part))?;
            }
            None => {
                let mut bytes = Vec::new();
                copy(from, member, &mut bytes, &|e| Error::bug(format!("memory cannot be written: {e}")))?;
                expected.learn(&member.name, &bytes)?;
                files.insert(member.name.clone(), bytes);
            }
        }
    }
    expect_end(from)?;
    if let Some(missing) = expected.files.into_keys().find(|name| !name.starts_with(super::CRATES)) {
        return Err(wrong(&missing, "is missing, though the lock names it"));
    }
    let lock = expected.locks.remove(LOCK).ok_or_else(|| wrong(LOCK, "is missing"))?;
    let compiler = compiler::of(&manifest, &files, expected.locks.remove(TOOLCHAIN_LOCK))?;
    Ok(Vendored { manifest, lock, compiler, files })
}

/// What the locks say is still to come: they stand before what they name.
#[derive(Debug, Default)]
struct Expected {
    locks: BTreeMap<&'static str, Lock>,
    /// `Cargo.lock` gives no size.
    files: BTreeMap<String, (Option<u64>, Sha256)>,
}

impl Expected {
    fn learn(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        for (lock, folder) in [(LOCK, PACKAGES), (TOOLCHAIN_LOCK, TOOLCHAIN)] {
            if name == lock {
                let parsed = read_lock(lock, bytes)?;
                let package = |p| (package_name(folder, p), (Some(p.size), p.sha256));
                self.files.extend(parsed.packages.iter().map(package));
                self.locks.insert(lock, parsed);
            }
        }
        if name == CARGO_LOCK {
            self.files.extend(compiler::crates(bytes)?.into_iter().map(|(name, sha256)| (name, (None, sha256))));
        }
        Ok(())
    }

    fn take(&mut self, member: &Member) -> Result<()> {
        let found = self.files.remove(&member.name);
        let fits = found.is_some_and(|(size, sha256)| sha256 == member.sha256 && size.is_none_or(|s| s == member.size));
        match fits {
            true => Ok(()),
            false => Err(wrong(&member.name, "is no package of the lock, or no crate of Cargo.lock")),
        }
    }
}

fn store<S: Shelf>(from: &mut impl Read, member: &Member, shelf: &S, wanted: bool) -> Result<()> {
    if !wanted {
        return copy(from, member, &mut io::sink(), &|e| Error::bug(format!("nothing cannot be written: {e}")));
    }
    let mut slot = shelf.slot(&member.sha256, member.size)?;
    copy(from, member, &mut slot, &|e| shelf.failed(e))?;
    shelf.keep(slot, &member.sha256)
}

/// `packages/debian/pool/main/g/glibc/libc6_2.41-12_amd64.deb`: unpacked, the folder is a mirror.
pub(super) fn package_name(folder: &str, package: &LockedPackage) -> String {
    format!("{folder}{}/{}", package.archive, package.file)
}

impl Vendored {
    /// The bytes of a member that is no package.
    pub fn file(&self, name: &str) -> Option<&[u8]> {
        self.files.get(name).map(Vec::as_slice)
    }

    /// The recipe with what `--set` said when the archive was made, and `more` over it.
    pub fn recipe(&self, more: &[(String, String)]) -> Result<Recipe> {
        let recipe = |(name, _): &(&String, &Vec<u8>)| name.starts_with(RECIPE);
        let files = self.files.iter().filter(recipe).map(|(name, bytes)| (name.into(), bytes.clone()));
        let set: Vec<_> = self.manifest.set.iter().chain(more).cloned().collect();
        Recipe::load_from(&Memory(files.collect()), Path::new(&self.manifest.recipe), &set)
    }

    /// What the programs were compiled from, as `vitrine compile` wrote it beside them.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn record(&mut self) -> Result<Option<Record>> {
        self.files.remove(&format!("{PROGRAMS}{RECORD}")).map(|bytes| Record::parse(&bytes)).transpose()
    }

    /// The programs that the recipe names; after [`Self::record`].
    ///
    /// # Errors
    /// When one is missing, or there is one more than named.
    pub fn programs(&mut self, names: &[String]) -> Result<Vec<Program>> {
        let taken = names.iter().map(|name| {
            let bytes = self.files.remove(&format!("{PROGRAMS}{name}"));
            programs::of_bytes(name, bytes.ok_or_else(|| wrong(name, "is missing, though the recipe needs it"))?)
        });
        let taken = taken.collect::<Result<Vec<_>>>()?;
        match self.files.keys().find(|name| name.starts_with(PROGRAMS)) {
            Some(name) => Err(wrong(name, "is no program that the recipe needs")),
            None => Ok(taken),
        }
    }
}

fn read_lock(name: &str, bytes: &[u8]) -> Result<Lock> {
    let lock = Lock::parse(bytes).map_err(|e| e.within(name))?;
    match lock.to_toml()?.as_bytes() == bytes {
        true => Ok(lock),
        false => Err(wrong(name, "is not spelled as `vitrine lock` spells it")),
    }
}

fn read_manifest(from: &mut impl Read) -> Result<Manifest> {
    let mut block = [0; BLOCK];
    fill(from, &mut block, MANIFEST)?;
    let no_archive = || Error::artefact("this is no vendor archive: it does not begin with a manifest", HINT);
    let size = size(&block).filter(|&size| size <= MANIFEST_LIMIT).ok_or_else(no_archive)?;
    if header(MANIFEST, size)? != block {
        return Err(no_archive());
    }
    let mut bytes = vec![0; size as usize];
    fill(from, &mut bytes, MANIFEST)?;
    expect_zeros(from, padding(size), MANIFEST)?;
    Manifest::parse(&bytes)
}

/// The header has to be what [`super::write()`] writes, byte by byte.
fn expect_header(from: &mut impl Read, member: &Member) -> Result<()> {
    let mut block = [0; BLOCK];
    fill(from, &mut block, &member.name)?;
    match header(&member.name, member.size)? == block {
        true => Ok(()),
        false => Err(wrong(&member.name, "is not the next member, as the manifest says it should be")),
    }
}

fn copy(
    from: &mut impl Read,
    member: &Member,
    to: &mut impl Write,
    failed: &dyn Fn(&io::Error) -> Error,
) -> Result<()> {
    let mut hash = Context::new(&SHA256);
    let mut chunk = vec![0; CHUNK];
    let mut rest = member.size;
    while rest > 0 {
        let part = &mut chunk[..rest.min(CHUNK as u64) as usize];
        fill(from, part, &member.name)?;
        hash.update(part);
        to.write_all(part).map_err(|e| failed(&e))?;
        rest -= part.len() as u64;
    }
    expect_zeros(from, padding(member.size), &member.name)?;
    let found = digest(hash);
    match found == member.sha256 {
        true => Ok(()),
        false => Err(wrong(&member.name, &format!("was altered: expected {}, got {found}", member.sha256))),
    }
}

fn fill(from: &mut impl Read, bytes: &mut [u8], name: &str) -> Result<()> {
    from.read_exact(bytes).map_err(|e| match e.kind() {
        io::ErrorKind::UnexpectedEof => wrong(name, "is cut off: the archive ends before it"),
        _ => Error::host(format!("the archive cannot be read: {e}"), "check the file and the disk"),
    })
}

fn expect_zeros(from: &mut impl Read, count: usize, name: &str) -> Result<()> {
    let mut bytes = [0; BLOCK];
    fill(from, &mut bytes[..count], name)?;
    match bytes.iter().all(|&b| b == 0) {
        true => Ok(()),
        false => Err(wrong(name, "is followed by bytes that do not belong there")),
    }
}

/// Two blocks of zeros, then nothing.
fn expect_end(from: &mut impl Read) -> Result<()> {
    let mut bytes = Vec::new();
    let more = from.take(END.len() as u64 + 1).read_to_end(&mut bytes);
    more.map_err(|e| Error::host(format!("the archive cannot be read: {e}"), "check the file and the disk"))?;
    match bytes == END {
        true => Ok(()),
        false => Err(wrong("the end", "is not where the manifest says: there are further members, or it is cut off")),
    }
}

pub(super) fn wrong(name: &str, why: &str) -> Error {
    Error::artefact(format!("{name} {why}"), HINT)
}
