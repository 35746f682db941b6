//! Writes a layer of the tree as newc cpio (Documentation/driver-api/early-userspace/buffer-format.rst).
//!
//! Deterministic: sorted by raw path bytes, owner 0:0, time 0, device 0, inodes numbered in order.

use crate::path::ImagePath;
use crate::tree::{Entry, Layer, Node, Tree};
use std::fmt::Write as _;
use std::io::{self, Write};
use vitrine_attest::digest::Hasher;
use vitrine_attest::{Error, Result, Sha256};

/// One layer before compression. Its bytes are made when they are asked for: of a layer whose packed form is known,
/// nobody needs them in one piece.
pub struct RawLayer<'t> {
    pub layer: Layer,
    /// Of everything that the bytes follow from, with the files' hashes in place of their bytes: layers with equal
    /// digests have equal bytes, and nothing has to be hashed again to know it.
    pub digest: Sha256,
    entries: Vec<(&'t ImagePath, &'t Entry)>,
    /// Number of the inode before its first one.
    inodes_after: u32,
    trailer: bool,
}

/// All layers in [`Layer::ALL`]'s order. Joined they are one cpio archive; the trailer closes the last one alone, because
/// a trailer anywhere else would make the kernel forget hard links.
pub fn layers(tree: &Tree) -> Vec<RawLayer<'_>> {
    let mut inode = 0;
    let mut layers = Vec::new();
    for layer in Layer::ALL {
        let entries: Vec<_> = tree.iter().filter(|(_, entry)| entry.layer == layer).collect();
        let mut recipe = format!("{layer}, inodes after {inode}\n");
        entries.iter().for_each(|(path, entry)| describe(&mut recipe, path, entry));
        let (digest, inodes_after) = (Sha256::of(recipe.as_bytes()), inode);
        inode += entries.len() as u32; // a tree ends far below 2³² entries: its paths alone would exceed 2 GiB
        layers.push(RawLayer { layer, digest, entries, inodes_after, trailer: false });
    }
    if let Some(last) = layers.last_mut() {
        last.trailer = true;
    }
    layers
}

impl<'t> RawLayer<'t> {
    pub fn entries(&self) -> &[(&'t ImagePath, &'t Entry)] {
        &self.entries
    }

    /// Whether the archive ends with it.
    pub fn has_trailer(&self) -> bool {
        self.trailer
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && !self.trailer
    }

    /// # Errors
    /// A file that is too large for this format.
    pub fn write(&self, out: &mut impl Write) -> Result<()> {
        for ((path, entry), inode) in self.entries.iter().zip(self.inodes_after + 1..) {
            write_entry(out, inode, path, entry)?;
        }
        if self.trailer {
            cpio::newc::trailer(out).map_err(unwritable)?;
        }
        Ok(())
    }

    /// # Errors
    /// As [`Self::write`].
    pub fn bytes(&self) -> Result<Vec<u8>> {
        const TRAILER: usize = 512;
        let room: usize = self.entries.iter().map(|(path, entry)| room(path, entry)).sum();
        let mut bytes = Vec::with_capacity(room + TRAILER);
        self.write(&mut bytes)?;
        Ok(bytes)
    }
}

/// Hashes and counts what is written to it.
#[derive(Default)]
pub struct Measure {
    hasher: Hasher,
    pub length: usize,
}

impl Measure {
    pub fn finish(self) -> Sha256 {
        self.hasher.finish()
    }
}

impl Write for Measure {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.hasher.update(bytes);
        self.length += bytes.len();
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// About what an entry takes: header, name and padding, then its bytes.
fn room(path: &ImagePath, entry: &Entry) -> usize {
    const HEADER_AND_PADDING: usize = 120;
    HEADER_AND_PADDING + path.as_str().len() + entry.bytes().len()
}

/// One line that no other entry has. Debug forms escape what could end a text or a line.
fn describe(recipe: &mut String, path: &ImagePath, entry: &Entry) {
    let node = match &entry.node {
        Node::Directory => "-".to_string(),
        Node::File(content) => format!("{} {}", content.bytes.len(), content.sha256),
        Node::Link(target) => format!("{target:?}"),
    };
    // writing to a String cannot fail
    let _ = writeln!(recipe, "{:o} {:?} {node}", entry.full_mode(), path.as_str());
}

fn write_entry(out: &mut impl Write, inode: u32, path: &ImagePath, entry: &Entry) -> Result<()> {
    let body: &[u8] = match &entry.node {
        Node::Directory => &[],
        Node::File(content) => &content.bytes,
        Node::Link(target) => target.as_bytes(),
    };
    // the crate would wrap a larger size around
    let size = u32::try_from(body.len())
        .map_err(|_| Error::input(format!("{path} is larger than 4 GiB, which cpio cannot hold"), "leave it out"))?;
    let builder = cpio::newc::Builder::new(path.relative()).ino(inode).mode(entry.full_mode()).nlink(1).mtime(0);
    let mut writer = builder.write(out, size);
    writer.write_all(body).map_err(unwritable)?;
    writer.finish().map_err(unwritable)?;
    Ok(())
}

/// Writing into memory fails only when the archive writer finds its own sizes wrong.
fn unwritable(error: std::io::Error) -> Error {
    Error::bug(format!("the archive could not be written: {error}"))
}
