//! Pack: the screened tree as compressed layers, read back and compared before anybody gets it.

use crate::cache::{Cache, Content};
use crate::compress::Compression;
use crate::newc::{layers, Measure, RawLayer};
use crate::path::ImagePath;
use crate::read_back::{read_pieces, Limits, Piece, ReadBack, Unpacked, UnpackedEntry};
use crate::screen::Screened;
use crate::tree::{Entry, Layer, Node, Tree};
use std::sync::Arc;
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
/// `maker` differs between programs that could pack or read differently. A layer that this program has read back and compared is
/// not unpacked again as long as its bytes have their hash; without a name for the program, all are read back.
///
/// # Errors
/// A level that the compressor does not have, or an archive that reads back as something else: our own defect,
/// or a damaged cache.
pub fn pack(tree: &Screened, compression: Compression, cache: &dyn Cache, maker: Option<Sha256>) -> Result<Archive> {
    let layers = layers(tree.tree());
    let (packed, measured) = std::thread::scope(|scope| {
        let measured = scope.spawn(|| measure(&layers));
        let packed = pack_all(&layers, compression, cache, maker)?;
        Ok::<_, Error>((packed, measured.join().map_err(|_| Error::bug("the hash of the archive was not finished"))??))
    })?;
    let (lengths, uncompressed_sha256) = measured;
    compare(tree.tree(), &layers, &packed)?;
    for layer in packed.iter().filter(|layer| !layer.read_before) {
        if let Some(note) = layer.note {
            cache.put(READ_BACK, note, &Content::new(note.0.to_vec()));
        }
    }
    let sizes = layers.iter().zip(&packed).zip(lengths).map(|((layer, packed), raw)| LayerSize {
        name: layer.layer.name(),
        raw,
        packed: packed.bytes.len(),
        files: layer.entries().len(),
    });
    let layers = sizes.collect();
    let bytes: Vec<&[u8]> = packed.iter().map(|layer| layer.bytes.as_slice()).collect();
    Ok(Archive { layers, bytes: bytes.concat(), uncompressed_sha256 })
}

/// Folder of the cache: which packed layers were read back, by which program.
const READ_BACK: &str = "read-back";

/// A layer as it goes into the archive.
#[derive(Default)]
struct Packed {
    bytes: Arc<Vec<u8>>,
    /// Name of the note that these bytes were read back; none when nobody can say by whom.
    note: Option<Sha256>,
    /// There was such a note.
    read_before: bool,
}

/// Length of each layer before compression, and the hash of all.
fn measure(layers: &[RawLayer<'_>]) -> Result<(Vec<usize>, Sha256)> {
    let mut measure = Measure::default();
    let mut lengths = Vec::new();
    for layer in layers {
        let before = measure.length;
        layer.write(&mut measure)?;
        lengths.push(measure.length - before);
    }
    Ok((lengths, measure.finish()))
}

/// Packs the layers side by side.
fn pack_all(
    layers: &[RawLayer<'_>],
    compression: Compression,
    cache: &dyn Cache,
    maker: Option<Sha256>,
) -> Result<Vec<Packed>> {
    std::thread::scope(|scope| {
        let workers: Vec<_> =
            layers.iter().map(|layer| scope.spawn(move || pack_one(layer, compression, cache, maker))).collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap_or_else(|_| Err(Error::bug("the compressor stopped"))))
            .collect()
    })
}

fn pack_one(
    layer: &RawLayer<'_>,
    compression: Compression,
    cache: &dyn Cache,
    maker: Option<Sha256>,
) -> Result<Packed> {
    if layer.is_empty() {
        return Ok(Packed::default());
    }
    let key = Sha256::of_parts(&[b"vitrine layer v2\0", &layer.digest.0, compression.describe().as_bytes()]);
    let content = match cache.get("layer", key) {
        Some(content) => content,
        None => {
            let content = Content::new(compression.compress(&layer.bytes()?)?);
            cache.put("layer", key, &content);
            content
        }
    };
    let of_maker = |maker: Sha256| {
        Sha256::of_parts(&[b"vitrine layer read back v1\0", &maker.0, &layer.digest.0, &content.sha256.0])
    };
    let note = maker.map(of_maker);
    let read_before = note.is_some_and(|note| cache.get(READ_BACK, note).is_some_and(|found| *found.bytes == note.0));
    Ok(Packed { bytes: content.bytes, note, read_before })
}

/// Reads back what no earlier build has read, in its place among the rest.
fn compare(tree: &Tree, layers: &[RawLayer<'_>], packed: &[Packed]) -> Result<()> {
    let pieces = layers.iter().zip(packed).map(|(layer, packed)| match packed.read_before {
        true => Piece::Known { entries: known(layer), trailer: layer.has_trailer() },
        false => Piece::Bytes(&packed.bytes),
    });
    let read = read_pieces(pieces.collect(), Limits { unpacked: 4 << 30, ..Limits::default() })?;
    let before: Vec<Layer> =
        layers.iter().zip(packed).filter(|(_, packed)| packed.read_before).map(|(layer, _)| layer.layer).collect();
    compare_entries(tree, &read, &before)
}

/// A layer's entries as they were read; of the files it is known that they are right.
fn known(layer: &RawLayer<'_>) -> Vec<(ImagePath, UnpackedEntry)> {
    let entry = |(path, entry): &(&ImagePath, &Entry)| {
        let node = match &entry.node {
            Node::Directory => Unpacked::Directory,
            Node::Link(target) => Unpacked::Link(target.clone()),
            Node::File(_) => Unpacked::File(usize::MAX), // the number of no content
        };
        ((*path).clone(), UnpackedEntry { node, mode: entry.full_mode(), uid: 0, gid: 0, mtime: 0 })
    };
    layer.entries().iter().map(entry).collect()
}

/// What was read back has to be the tree, entry for entry, and end in the only trailer.
fn compare_entries(tree: &Tree, read: &ReadBack, before: &[Layer]) -> Result<()> {
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
            (Node::File(content), Unpacked::File(_)) => {
                before.contains(&entry.layer) || read.bytes(path) == Some(&content.bytes)
            }
            _ => false,
        };
        if !node || (back.mode, back.uid, back.gid, back.mtime) != (entry.full_mode(), 0, 0, 0) {
            return differs(format!("{path}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::{MemoryCache, NoCache};
    use crate::policy::Policy;
    use crate::screen::{screen, Context};
    use std::io::Write;
    use std::process::{Command, Stdio};

    fn tiny(config: &[u8]) -> Screened {
        let mut tree = Tree::new();
        let mut file = |path: &str, body: &[u8], mode, layer| {
            let path = ImagePath::parse(path).unwrap();
            tree.add_file(path, Content::new(body.to_vec()), mode, layer, "o").unwrap();
        };
        file("/usr/lib/modules/6.12/notes", b"module", 0o444, Layer::Modules);
        file("/usr/lib/libc.so.6", &b"libc ".repeat(1000), 0o555, Layer::Distribution);
        file("/init", b"init", 0o555, Layer::Programs);
        file("/etc/vitrine/config.json", config, 0o444, Layer::Configuration);
        tree.add_link(ImagePath::parse("/lib").unwrap(), "usr/lib", Layer::Distribution, "o").unwrap();
        tree.add_directory(ImagePath::parse("/proc").unwrap(), Layer::Configuration, "o").unwrap();
        let policy = Policy { words: vec![], ..Policy::standard() };
        screen(tree, &Context { cmdline: Some(String::new()), ..Context::default() }, &policy, &[]).unwrap().0
    }

    /// If you meant to change the format (order, modes, compressor, its version): update these values.
    #[test]
    fn golden_hashes() {
        let zstd = pack(&tiny(b"{}"), Compression::Zstd(9), &NoCache, None).unwrap();
        let gzip = pack(&tiny(b"{}"), Compression::Gzip(6), &NoCache, None).unwrap();
        assert_eq!(zstd.uncompressed_sha256, gzip.uncompressed_sha256);
        let digests = [zstd.uncompressed_sha256, Sha256::of(&zstd.bytes), Sha256::of(&gzip.bytes)];
        assert_eq!(digests.map(|d| d.to_string()), GOLDEN, "if you meant to change the format, update these");
    }

    const GOLDEN: [&str; 3] = [
        "a87a8c899acb1e627de9bff456382d498fc926abd804a47000a7f5bc15f803b5",
        "fe14cdd077b1c33cf56de1c0cfde3195eabf0a290d66f2f3822043439f2682e4",
        "caffe30ab3f9c7a5332d6b323c943fbc87ad9e0c5e76864499e58ad84e2c7508",
    ];

    #[test]
    fn a_changed_configuration_changes_its_layer_alone() {
        let cache = MemoryCache::default();
        let one = pack(&tiny(b"{}"), Compression::Zstd(3), &cache, None).unwrap();
        let two = pack(&tiny(b"{\"a\":1}"), Compression::Zstd(3), &cache, None).unwrap();
        let kept: usize = one.layers[..3].iter().map(|layer| layer.packed).sum();
        assert_eq!(one.bytes[..kept], two.bytes[..kept]);
        assert_ne!(one.bytes, two.bytes);
        // from the cache, without it, and from a damaged one: the same bytes
        assert_eq!(pack(&tiny(b"{}"), Compression::Zstd(3), &cache, None).unwrap(), one);
        assert_eq!(pack(&tiny(b"{}"), Compression::Zstd(3), &NoCache, None).unwrap(), one);
    }

    /// Compressed layers are found by their digest: it has to differ wherever the bytes do.
    #[test]
    fn digests_of_layers_differ_where_their_bytes_do() {
        let written = |before: &str, path: &str, bytes: &[u8], mode: u32, link: &str| {
            let mut tree = Tree::new();
            let at = |text: &str| ImagePath::parse(text).unwrap();
            tree.add_file(at(before), Content::new(vec![]), 0o444, Layer::Modules, "o").unwrap();
            tree.add_file(at(path), Content::new(bytes.to_vec()), mode, Layer::Distribution, "o").unwrap();
            tree.add_link(at("/z"), link, Layer::Distribution, "o").unwrap();
            let distribution = &layers(&tree)[1];
            (distribution.digest, distribution.bytes().unwrap())
        };
        let layers = [
            written("/m", "/a", b"1", 0o444, "a"),
            written("/n", "/a", b"1", 0o444, "a"),
            written("/m/n", "/a", b"1", 0o444, "a"),
            written("/m", "/b", b"1", 0o444, "a"),
            written("/m", "/a", b"2", 0o444, "a"),
            written("/m", "/a", b"1", 0o555, "a"),
            written("/m", "/a", b"1", 0o444, "b"),
            written("/m", "/a b", b"1", 0o444, "a"),
        ];
        for (n, (digest, bytes)) in layers.iter().enumerate() {
            for (m, (other_digest, other_bytes)) in layers.iter().enumerate() {
                assert_eq!(digest == other_digest, bytes == other_bytes, "trees {n} and {m}");
            }
        }
    }

    #[test]
    fn a_cache_that_lies_is_found_out() {
        struct Liar;
        impl Cache for Liar {
            fn get(&self, _: &str, _: Sha256) -> Option<Content> {
                Some(Content::new(Compression::Zstd(3).compress(b"not a layer").ok()?))
            }
            fn put(&self, _: &str, _: Sha256, _: &Content) {}
        }
        for maker in [None, Some(Sha256::of(b"maker"))] {
            assert!(pack(&tiny(b"{}"), Compression::Zstd(3), &Liar, maker).is_err());
        }
    }

    /// What was read back once is not unpacked again, but only its own bytes, and only by the same program.
    #[test]
    fn layers_that_were_read_back() {
        let (cache, maker) = (MemoryCache::default(), Some(Sha256::of(b"maker")));
        let pack = |config: &[u8], maker| super::pack(&tiny(config), Compression::Zstd(3), &cache, maker);
        let one = pack(b"{}", maker).unwrap();
        let (count, two) = (cache.count(), pack(b"{}", maker).unwrap());
        assert_eq!((one, cache.count()), (two, count), "nothing new to remember");
        let changed = pack(b"{\"a\":1}", maker).unwrap();
        assert_eq!(changed, pack(b"{\"a\":1}", None).unwrap());
        assert_eq!(cache.count(), count + 2, "a layer and its note");

        // the same layers in the cache with other bytes, whose hash is right
        let wrong = Content::new(Compression::Zstd(3).compress(b"not a layer").unwrap());
        cache.replace("layer", &wrong);
        for maker in [maker, Some(Sha256::of(b"another")), None] {
            assert!(pack(b"{}", maker).is_err());
        }
    }

    /// Another program reads the archive: GNU cpio lists exactly the tree.
    #[test]
    fn gnu_cpio_lists_the_tree() {
        let screened = tiny(b"{}");
        let raw: Vec<u8> = layers(screened.tree()).iter().flat_map(|layer| layer.bytes().unwrap()).collect();
        let child =
            Command::new("cpio").arg("-t").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let Ok(mut child) = child else {
            eprintln!("skipped: no cpio on this machine");
            return;
        };
        child.stdin.take().unwrap().write_all(&raw).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        let mut listed: Vec<String> =
            String::from_utf8(output.stdout).unwrap().lines().map(|l| format!("/{l}")).collect();
        listed.sort();
        assert_eq!(listed, screened.tree().iter().map(|(path, _)| path.to_string()).collect::<Vec<_>>());
    }
}
