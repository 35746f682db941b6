//! What `vitrine screen` may be pointed at, besides a recipe: a folder, an image, boot files of any maker.

mod folder;
mod waivers;

pub use folder::Folder;
pub use waivers::Waivers;

use crate::{osrelease, out};
use std::path::Path;
use vitrine_attest::evidence::is_dev_name;
use vitrine_attest::pe::authenticode;
use vitrine_attest::{Error, Result, Sha256};
use vitrine_initramfs::{read_initramfs, read_uki, ForeignLimits, Initramfs, Shape, Subject, Unjudged};

/// Largest boot file that is read, in bytes.
const FILE_LIMIT: u64 = 2 << 30;

/// Something to screen.
pub struct Target {
    pub subject: Box<dyn Subject>,
    pub cmdline: Option<String>,
    pub kernel: Option<Vec<u8>>,
    pub dev: bool,
    pub unjudged: Vec<Unjudged>,
    /// Of an image: what a release statement names it by.
    pub authenticode: Option<Sha256>,
    /// File systems of the running kernel's own that a folder holds, such as `/proc`: not looked into.
    pub skipped: Vec<String>,
}

impl Target {
    /// Things, and nothing more that is known about them.
    fn of(subject: Box<dyn Subject>, unjudged: Vec<Unjudged>) -> Self {
        Self { subject, cmdline: None, kernel: None, dev: false, unjudged, authenticode: None, skipped: Vec::new() }
    }
}

/// Whether the path is a recipe.
pub fn is_recipe(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "toml") && !path.is_dir()
}

/// The image of an output folder, if it is one.
pub fn image_of(folder: &Path) -> Option<std::path::PathBuf> {
    [out::IMAGE, out::UNSIGNED].map(|name| folder.join(name)).into_iter().find(|path| path.is_file())
}

/// Opens a target.
///
/// # Errors
/// When it cannot be read at all, or is nothing that boots.
pub fn open(path: &Path, cross_mounts: bool) -> Result<Target> {
    if path.is_dir() && image_of(path).is_none() {
        return folder(path, cross_mounts);
    }
    let file = if path.is_dir() { image_of(path) } else { None };
    let file = file.as_deref().unwrap_or(path);
    let bytes = read(file)?;
    from_bytes(&bytes).map_err(|e| e.within(file.display()))
}

/// A file that the user named.
///
/// # Errors
/// Blame Host, with the path; Input when it is too long.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    crate::bounded::read(path, FILE_LIMIT).map_err(|e| out::cannot("read", path, &e))
}

fn folder(path: &Path, cross_mounts: bool) -> Result<Target> {
    let folder = Folder::open(path, cross_mounts)?;
    let (unjudged, skipped) = (folder.unjudged().to_vec(), folder.skipped().to_vec());
    Ok(Target { skipped, ..Target::of(Box::new(folder), unjudged) })
}

/// An image, initramfs or kernel.
///
/// # Errors
/// Blame Input when it is none of these.
pub fn from_bytes(bytes: &[u8]) -> Result<Target> {
    match Shape::detect(bytes) {
        Shape::Pe => uki(bytes),
        Shape::Initramfs => Ok(archive(bytes)),
        Shape::Kernel => Ok(Target { kernel: Some(bytes.to_vec()), ..archive_of(Initramfs::default()) }),
        Shape::Unknown => Err(unknown("it begins like none of them")),
    }
}

fn uki(bytes: &[u8]) -> Result<Target> {
    let uki = read_uki(bytes).map_err(|why| unknown(&why))?;
    let initramfs = match uki.initramfs.is_empty() {
        true => Initramfs::default(),
        false => read_initramfs(&uki.initramfs, ForeignLimits::default()),
    };
    let id = uki.os_release.as_deref().and_then(|text| osrelease::read(text).ok());
    let mut target = archive_of(initramfs);
    target.unjudged.extend(uki.unjudged);
    Ok(Target {
        cmdline: uki.cmdline,
        kernel: uki.kernel,
        dev: id.is_some_and(|id| is_dev_name(&id.name)),
        authenticode: authenticode(bytes).ok(),
        ..target
    })
}

fn archive(bytes: &[u8]) -> Target {
    archive_of(read_initramfs(bytes, ForeignLimits::default()))
}

fn archive_of(mut initramfs: Initramfs) -> Target {
    let unjudged = std::mem::take(&mut initramfs.unjudged);
    Target::of(Box::new(initramfs), unjudged)
}

fn unknown(why: &str) -> Error {
    Error::input(
        format!("this is no unified kernel image, initramfs or kernel: {why}"),
        "give a recipe (.toml), an output folder, an image, an initramfs, a kernel, or a folder with a root file system",
    )
}

#[cfg(test)]
mod tests;
