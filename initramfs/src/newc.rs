//! Writes a layer of the tree as newc cpio (Documentation/driver-api/early-userspace/buffer-format.rst).
//!
//! Deterministic: sorted by raw path bytes, owner 0:0, time 0, device 0, inodes numbered in order.

use crate::path::ImagePath;
use crate::tree::{Entry, Layer, Node, Tree};
use std::fmt::Write as _;
use std::io::Write;
use vitrine_attest::{Error, Result, Sha256};

/// One layer before compression.
pub struct RawLayer {
    pub layer: Layer,
    pub bytes: Vec<u8>,
    /// Of everything that the bytes follow from, with the files' hashes in place of their bytes: layers with equal
    /// digests have equal bytes, and nothing has to be hashed again to know it.
    pub digest: Sha256,
    pub entries: usize,
}

/// All layers in [`Layer::ALL`]'s order. Joined they are one cpio archive; the trailer closes the last one alone, because
/// a trailer anywhere else would make the kernel forget hard links.
pub fn write_layers(tree: &Tree) -> Result<Vec<RawLayer>> {
    let mut inode = 0;
    let mut layers = Vec::new();
    for layer in Layer::ALL {
        let own: Vec<_> = tree.iter().filter(|(_, entry)| entry.layer == layer).collect();
        let mut bytes = Vec::with_capacity(own.iter().map(|(path, entry)| room(path, entry)).sum());
        let mut recipe = format!("{layer}, inodes after {inode}\n");
        for (path, entry) in &own {
            inode += 1;
            write_entry(&mut bytes, inode, path, entry)?;
            describe(&mut recipe, path, entry);
        }
        layers.push(RawLayer { layer, bytes, digest: Sha256::of(recipe.as_bytes()), entries: own.len() });
    }
    if let Some(last) = layers.last_mut() {
        cpio::newc::trailer(&mut last.bytes).map_err(unwritable)?;
    }
    Ok(layers)
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

fn write_entry(out: &mut Vec<u8>, inode: u32, path: &ImagePath, entry: &Entry) -> Result<()> {
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
