//! Pack: the screened tree as compressed layers, read back and compared before anybody gets it.

use crate::cache::{self, Cache, Content};
use crate::compress::Compression;
use crate::newc::write_layers;
use crate::read_back::{read_back, Limits, ReadBack, Unpacked};
use crate::screen::Screened;
use crate::tree::{Layer, Node, Tree};
use vitrine_attest::{Error, Result, Sha256};

/// A finished initramfs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    /// The layers, each compressed on its own, one after the other.
    pub bytes: Vec<u8>,
    /// Of the joined layers before compression: does not depend on the compressor.
    pub uncompressed_sha256: Sha256,
    pub layers: Vec<LayerSize>,
}

/// Sizes in bytes, and how many entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerSize {
    pub name: &'static str,
    pub raw: usize,
    pub packed: usize,
    pub files: usize,
}

/// Packs the tree. Layers that the cache knows are not compressed again.
///
/// # Errors
/// A level that the compressor does not have, or an archive that reads back as something else: our own defect,
/// or a damaged cache.
pub fn pack(tree: &Screened, compression: Compression, cache: &dyn Cache) -> Result<Archive> {
    let layers = write_layers(tree.tree())?;
    let raw: Vec<&[u8]> = layers.iter().map(|(_, bytes)| bytes.as_slice()).collect();
    let uncompressed_sha256 = Sha256::of_parts(&raw);
    let packed = compress_all(&raw, compression, cache)?;
    let sizes = layers.iter().zip(&packed).map(|((layer, raw), packed)| LayerSize {
        name: layer.name(),
        raw: raw.len(),
        packed: packed.len(),
        files: count(tree.tree(), *layer),
    });
    let archive = Archive { layers: sizes.collect(), bytes: packed.concat(), uncompressed_sha256 };
    compare(tree.tree(), &read_back(&archive.bytes, Limits { unpacked: 4 << 30, ..Limits::default() })?)?;
    Ok(archive)
}

fn count(tree: &Tree, layer: Layer) -> usize {
    tree.iter().filter(|(_, entry)| entry.layer == layer).count()
}

/// Compresses the layers side by side.
fn compress_all(layers: &[&[u8]], compression: Compression, cache: &dyn Cache) -> Result<Vec<Vec<u8>>> {
    std::thread::scope(|scope| {
        let workers: Vec<_> =
            layers.iter().map(|layer| scope.spawn(move || compress_one(layer, compression, cache))).collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap_or_else(|_| Err(Error::bug("the compressor stopped"))))
            .collect()
    })
}

fn compress_one(layer: &[u8], compression: Compression, cache: &dyn Cache) -> Result<Vec<u8>> {
    if layer.is_empty() {
        return Ok(Vec::new());
    }
    let digest = Sha256::of(layer);
    let key = Sha256::of_parts(&[b"vitrine layer v1\0", &digest.0, compression.describe().as_bytes()]);
    if let Some(content) = cache::get(cache, "layer", key) {
        return Ok(content.bytes);
    }
    let content = Content::new(compression.compress(layer)?);
    cache::put(cache, "layer", key, &content);
    Ok(content.bytes)
}

/// What was read back has to be the tree, entry for entry, and end in the only trailer.
fn compare(tree: &Tree, read: &ReadBack) -> Result<()> {
    let differs = |what: String| Err(Error::bug(format!("the packed archive differs from the tree: {what}")));
    if read.trailers != 1 || !read.ends_in_trailer {
        return differs(format!("{} trailers", read.trailers));
    }
    if read.entries.len() != tree.len() {
        return differs(format!("{} entries, expected {}", read.entries.len(), tree.len()));
    }
    for (path, entry) in tree.iter() {
        let Some(back) = read.entries.get(path) else { return differs(format!("{path} is missing")) };
        let node = match (&entry.node, &back.node) {
            (Node::Directory, Unpacked::Directory) => true,
            (Node::Link(target), Unpacked::Link(read)) => target == read,
            (Node::File(content), Unpacked::File(_)) => read.bytes(path) == Some(&content.bytes),
            _ => false,
        };
        if !node || (back.mode, back.uid, back.gid, back.mtime) != (entry.full_mode(), 0, 0, 0) {
            return differs(format!("{path}"));
        }
    }
    Ok(())
}
