//! Pack: the screened tree as compressed layers, read back and compared before anybody gets it.

use crate::cache::{Cache, Content};
use crate::compress::Compression;
use crate::newc::{write_layers, RawLayer};
use crate::read_back::{read_back, Limits, ReadBack, Unpacked};
use crate::screen::Screened;
use crate::tree::{Node, Tree};
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
    let (packed, uncompressed_sha256) = std::thread::scope(|scope| {
        let raw: Vec<&[u8]> = layers.iter().map(|layer| layer.bytes.as_slice()).collect();
        let whole = scope.spawn(move || Sha256::of_parts(&raw));
        let packed = compress_all(&layers, compression, cache)?;
        Ok::<_, Error>((packed, whole.join().map_err(|_| Error::bug("the hash of the archive was not finished"))?))
    })?;
    let sizes = layers.iter().zip(&packed).map(|(layer, packed)| LayerSize {
        name: layer.layer.name(),
        raw: layer.bytes.len(),
        packed: packed.len(),
        files: layer.entries,
    });
    let archive = Archive { layers: sizes.collect(), bytes: packed.concat(), uncompressed_sha256 };
    drop((layers, packed)); // before the same bytes are unpacked once more
    compare(tree.tree(), &read_back(&archive.bytes, Limits { unpacked: 4 << 30, ..Limits::default() })?)?;
    Ok(archive)
}

/// Compresses the layers side by side.
fn compress_all(layers: &[RawLayer], compression: Compression, cache: &dyn Cache) -> Result<Vec<Vec<u8>>> {
    std::thread::scope(|scope| {
        let workers: Vec<_> =
            layers.iter().map(|layer| scope.spawn(move || compress_one(layer, compression, cache))).collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap_or_else(|_| Err(Error::bug("the compressor stopped"))))
            .collect()
    })
}

fn compress_one(layer: &RawLayer, compression: Compression, cache: &dyn Cache) -> Result<Vec<u8>> {
    if layer.bytes.is_empty() {
        return Ok(Vec::new());
    }
    let key = Sha256::of_parts(&[b"vitrine layer v2\0", &layer.digest.0, compression.describe().as_bytes()]);
    if let Some(content) = cache.get("layer", key) {
        return Ok(content.bytes);
    }
    let content = Content::new(compression.compress(&layer.bytes)?);
    cache.put("layer", key, &content);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::{MemoryCache, NoCache};
    use crate::path::ImagePath;
    use crate::policy::Policy;
    use crate::screen::{screen, Context};
    use crate::tree::Layer;
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
        let zstd = pack(&tiny(b"{}"), Compression::Zstd(9), &NoCache).unwrap();
        let gzip = pack(&tiny(b"{}"), Compression::Gzip(6), &NoCache).unwrap();
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
        let one = pack(&tiny(b"{}"), Compression::Zstd(3), &cache).unwrap();
        let two = pack(&tiny(b"{\"a\":1}"), Compression::Zstd(3), &cache).unwrap();
        let kept: usize = one.layers[..3].iter().map(|layer| layer.packed).sum();
        assert_eq!(one.bytes[..kept], two.bytes[..kept]);
        assert_ne!(one.bytes, two.bytes);
        // from the cache, without it, and from a damaged one: the same bytes
        assert_eq!(pack(&tiny(b"{}"), Compression::Zstd(3), &cache).unwrap(), one);
        assert_eq!(pack(&tiny(b"{}"), Compression::Zstd(3), &NoCache).unwrap(), one);
    }

    /// Compressed layers are found by their digest: it has to differ wherever the bytes do.
    #[test]
    fn digests_of_layers_differ_where_their_bytes_do() {
        let tree = |before: &str, path: &str, bytes: &[u8], mode: u32, link: &str| {
            let mut tree = Tree::new();
            let at = |text: &str| ImagePath::parse(text).unwrap();
            tree.add_file(at(before), Content::new(vec![]), 0o444, Layer::Modules, "o").unwrap();
            tree.add_file(at(path), Content::new(bytes.to_vec()), mode, Layer::Distribution, "o").unwrap();
            tree.add_link(at("/z"), link, Layer::Distribution, "o").unwrap();
            write_layers(&tree).unwrap()
        };
        let layers = [
            tree("/m", "/a", b"1", 0o444, "a"),
            tree("/n", "/a", b"1", 0o444, "a"),
            tree("/m/n", "/a", b"1", 0o444, "a"),
            tree("/m", "/b", b"1", 0o444, "a"),
            tree("/m", "/a", b"2", 0o444, "a"),
            tree("/m", "/a", b"1", 0o555, "a"),
            tree("/m", "/a", b"1", 0o444, "b"),
            tree("/m", "/a b", b"1", 0o444, "a"),
        ];
        for (n, one) in layers.iter().enumerate() {
            for (m, other) in layers.iter().enumerate() {
                let (one, other) = (&one[1], &other[1]);
                assert_eq!(one.digest == other.digest, one.bytes == other.bytes, "trees {n} and {m}");
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
        assert!(pack(&tiny(b"{}"), Compression::Zstd(3), &Liar).is_err());
    }

    /// Another program reads the archive: GNU cpio lists exactly the tree.
    #[test]
    fn gnu_cpio_lists_the_tree() {
        let screened = tiny(b"{}");
        let raw: Vec<u8> = write_layers(screened.tree()).unwrap().into_iter().flat_map(|layer| layer.bytes).collect();
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
