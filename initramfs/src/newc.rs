//! Writes a layer of the tree as newc cpio (Documentation/driver-api/early-userspace/buffer-format.rst).
//!
//! Deterministic: sorted by raw path bytes, owner 0:0, time 0, device 0, inodes numbered in order.

use crate::path::ImagePath;
use crate::tree::{Entry, Layer, Node, Tree};
use std::io::Write;
use vitrine_attest::{Error, Result};

/// The raw bytes of all layers, in [`Layer::ALL`]'s order. Joined they are one cpio archive; the trailer closes the
/// last one alone, because a trailer anywhere else would make the kernel forget hard links.
pub fn write_layers(tree: &Tree) -> Result<Vec<(Layer, Vec<u8>)>> {
    let mut inode = 0;
    let mut layers = Vec::new();
    for layer in Layer::ALL {
        let mut out = Vec::new();
        for (path, entry) in tree.iter().filter(|(_, entry)| entry.layer == layer) {
            inode += 1;
            write_entry(&mut out, inode, path, entry)?;
        }
        layers.push((layer, out));
    }
    if let Some((_, last)) = layers.last_mut() {
        cpio::newc::trailer(last).map_err(unwritable)?;
    }
    Ok(layers)
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
