//! The image's files before packing: what, with which mode, from where, in which layer.

use crate::cache::Content;
use crate::path::ImagePath;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::ops::Bound;
use vitrine_attest::{Error, Result};

/// Parts of the archive, each packed on its own, in this order. A change in one leaves the others' bytes alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layer {
    /// Kernel modules.
    Modules,
    /// Files of Debian packages.
    Distribution,
    /// Our own programs.
    Programs,
    /// The operator's own program, and what it needs of Debian packages.
    App,
    /// Recipe and configuration, mount points.
    Configuration,
}

impl Layer {
    pub const ALL: [Self; 5] = [Self::Modules, Self::Distribution, Self::Programs, Self::App, Self::Configuration];

    pub fn name(self) -> &'static str {
        match self {
            Self::Modules => "modules",
            Self::Distribution => "distribution",
            Self::Programs => "programs",
            Self::App => "app",
            Self::Configuration => "configuration",
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    Directory,
    File(Content),
    /// Target as written into the image.
    Link(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub node: Node,
    /// Permission bits. Owner and group are always 0.
    pub mode: u32,
    pub layer: Layer,
    /// `libc6 2.41-12`, `program vitrine-agent`, `vitrine`.
    pub origin: String,
}

impl Entry {
    /// File type and permission bits, as in `st_mode` (inode(7)).
    pub fn full_mode(&self) -> u32 {
        self.mode
            | match self.node {
                Node::Directory => 0o040_000,
                Node::File(_) => 0o100_000,
                Node::Link(_) => 0o120_000,
            }
    }

    pub fn is_directory(&self) -> bool {
        self.node == Node::Directory
    }

    /// Bytes of a file; empty for anything else.
    pub fn bytes(&self) -> &[u8] {
        match &self.node {
            Node::File(content) => &content.bytes,
            _ => &[],
        }
    }
}

/// Origin of folders and links that nobody asked for by name, but that something else needs.
pub const OWN: &str = "vitrine";
/// Most a tree's files may hold together, in bytes: the newc format and the kernel's memory end far below 2 GiB.
const MOST_BYTES: u64 = 2 << 30;

/// All entries by path. Every entry's parent folder is an entry, too.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    entries: BTreeMap<ImagePath, Entry>,
    bytes: u64,
}

impl Tree {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one entry and the folders above it. A folder that is there already stays, in the earlier of both layers.
    ///
    /// # Errors
    /// When the path is taken, a parent is no folder, the mode has set-user-ID, set-group-ID or sticky bits,
    /// or the tree becomes larger than an image can be.
    pub fn add(&mut self, path: ImagePath, entry: Entry) -> Result<()> {
        if entry.mode & !0o777 != 0 {
            return Err(Error::artefact(
                format!("{path} ({}) has mode {:o}: set-user-ID, set-group-ID or sticky", entry.origin, entry.mode),
                "no file of an image may change who runs it: leave it out of the recipe",
            ));
        }
        self.bytes += entry.bytes().len() as u64;
        if self.bytes > MOST_BYTES {
            return Err(Error::input("the image's files exceed 2 GiB", "include less"));
        }
        self.add_parents(&path, entry.layer)?;
        match self.entries.get_mut(&path) {
            Some(old) if old.node == Node::Directory && entry.node == Node::Directory => {
                old.layer = old.layer.min(entry.layer);
            }
            Some(old) => return Err(taken(&path, old, &entry)),
            None => {
                self.entries.insert(path, entry);
            }
        }
        Ok(())
    }

    fn add_parents(&mut self, path: &ImagePath, layer: Layer) -> Result<()> {
        for parent in path.ancestors() {
            match self.entries.get_mut(&parent) {
                None => {
                    let entry = Entry { node: Node::Directory, mode: 0o555, layer, origin: OWN.into() };
                    self.entries.insert(parent, entry);
                }
                Some(Entry { node: Node::Directory, layer: old, .. }) => *old = (*old).min(layer),
                Some(other) => {
                    return Err(Error::artefact(
                        format!("{path} lies below {parent}, which is no folder ({})", other.origin),
                        "two inputs disagree: leave one of them out of the recipe",
                    ))
                }
            }
        }
        Ok(())
    }

    pub fn add_file(&mut self, path: ImagePath, content: Content, mode: u32, layer: Layer, origin: &str) -> Result<()> {
        self.add(path, Entry { node: Node::File(content), mode, layer, origin: origin.into() })
    }

    pub fn add_link(&mut self, path: ImagePath, target: &str, layer: Layer, origin: &str) -> Result<()> {
        self.add(path, Entry { node: Node::Link(target.into()), mode: 0o777, layer, origin: origin.into() })
    }

    pub fn add_directory(&mut self, path: ImagePath, layer: Layer, origin: &str) -> Result<()> {
        self.add(path, Entry { node: Node::Directory, mode: 0o555, layer, origin: origin.into() })
    }

    /// Puts other bytes into a file that is there.
    pub fn replace(&mut self, path: &ImagePath, content: Content) {
        if let Some(entry) = self.entries.get_mut(path).filter(|entry| matches!(entry.node, Node::File(_))) {
            self.bytes = self.bytes - entry.bytes().len() as u64 + content.bytes.len() as u64;
            entry.node = Node::File(content);
        }
    }

    /// Takes out one file or link; folders stay.
    pub fn remove_one(&mut self, path: &ImagePath) -> Option<Entry> {
        if self.entries.get(path)?.is_directory() {
            return None;
        }
        let entry = self.entries.remove(path)?;
        self.bytes -= entry.bytes().len() as u64;
        Some(entry)
    }

    /// Takes out a folder with nothing in it. Whether it did.
    pub fn remove_empty(&mut self, folder: &ImagePath) -> bool {
        let next = self.entries.range((Bound::Excluded(folder), Bound::Unbounded)).map(|(path, _)| path);
        // `/a-b` sorts between `/a` and `/a/b`
        let inside = next.take_while(|path| path.as_str().starts_with(folder.as_str()));
        if inside.into_iter().any(|path| path.is_below(folder.as_str())) {
            return false;
        }
        let empty = self.entries.get(folder).is_some_and(Entry::is_directory);
        empty && self.entries.remove(folder).is_some()
    }

    /// Takes out one entry, and everything below it.
    pub fn remove(&mut self, path: &ImagePath) -> Option<Entry> {
        self.entries.retain(|other, _| !other.is_below(path.as_str()));
        let entry = self.entries.remove(path);
        self.bytes = self.entries.values().map(|e| e.bytes().len() as u64).sum();
        entry
    }

    pub fn get(&self, path: &ImagePath) -> Option<&Entry> {
        self.entries.get(path)
    }

    /// Sorted by path, parents first.
    pub fn iter(&self) -> impl Iterator<Item = (&ImagePath, &Entry)> {
        self.entries.iter()
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// `3-tree.txt`: one line for each entry, sorted by path.
    /// ```text
    /// 100555 0:0 640840 ba78…15ad programs "program vitrine-agent" /usr/lib/vitrine/agent
    /// 120777 0:0 9 - distribution "vitrine" /lib64 -> usr/lib64
    /// ```
    /// Mode with file type in octal, owner:group, size in bytes, SHA-256 or `-`, layer, origin, path, link target.
    pub fn listing(&self) -> String {
        let mut out = String::new();
        for (path, entry) in self.iter() {
            let (size, digest, target) = match &entry.node {
                Node::Directory => (0, "-".into(), String::new()),
                Node::File(content) => (content.bytes.len(), content.sha256.to_string(), String::new()),
                Node::Link(target) => (target.len(), "-".into(), format!(" -> {target}")),
            };
            // writing to a String cannot fail
            let _ = writeln!(
                out,
                "{:06o} 0:0 {size} {digest} {} {:?} {path}{target}",
                entry.full_mode(),
                entry.layer,
                entry.origin
            );
        }
        out
    }
}

fn taken(path: &ImagePath, old: &Entry, new: &Entry) -> Error {
    let kind = |entry: &Entry| match entry.node {
        Node::Directory => "folder",
        Node::File(_) => "file",
        Node::Link(_) => "link",
    };
    Error::artefact(
        format!(
            "{path} is there twice: as a {} of {}, and as a {} of {}",
            kind(old),
            old.origin,
            kind(new),
            new.origin
        ),
        "two inputs disagree: leave one of them out of the recipe",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> ImagePath {
        ImagePath::parse(text).unwrap()
    }
    fn file(tree: &mut Tree, at: &str, mode: u32, layer: Layer) -> Result<()> {
        tree.add_file(path(at), Content::new(b"x".to_vec()), mode, layer, "o")
    }

    #[test]
    fn parents_are_made_in_the_earliest_layer() {
        let mut tree = Tree::new();
        file(&mut tree, "/a/b/c", 0o444, Layer::Configuration).unwrap();
        file(&mut tree, "/a/d", 0o444, Layer::Modules).unwrap();
        assert_eq!(tree.get(&path("/a")).unwrap().layer, Layer::Modules);
        assert_eq!(tree.get(&path("/a/b")).unwrap().layer, Layer::Configuration);
        assert_eq!(tree.len(), 4);
    }

    #[test]
    fn conflicts_are_refused() {
        let mut tree = Tree::new();
        file(&mut tree, "/a/b", 0o444, Layer::Programs).unwrap();
        tree.add_directory(path("/a"), Layer::Programs, "o").unwrap();
        assert!(file(&mut tree, "/a/b", 0o444, Layer::Programs).is_err());
        assert!(file(&mut tree, "/a/b/c", 0o444, Layer::Programs).is_err());
        assert!(file(&mut tree, "/a", 0o444, Layer::Programs).is_err());
        assert!(tree.add_directory(path("/a/b"), Layer::Programs, "o").is_err());
        for mode in [0o4755, 0o2755, 0o1777] {
            assert!(file(&mut tree, "/s", mode, Layer::Programs).is_err());
        }
    }

    #[test]
    fn removal_takes_what_is_below() {
        let mut tree = Tree::new();
        file(&mut tree, "/a/b/c", 0o444, Layer::Programs).unwrap();
        file(&mut tree, "/a/bc", 0o444, Layer::Programs).unwrap();
        assert!(tree.remove(&path("/a/b")).is_some());
        assert_eq!(tree.iter().map(|(p, _)| p.as_str()).collect::<Vec<_>>(), ["/a", "/a/bc"]);
    }

    #[test]
    fn listing_is_sorted_and_complete() {
        let mut tree = Tree::new();
        tree.add_link(path("/lib64"), "usr/lib64", Layer::Distribution, OWN).unwrap();
        file(&mut tree, "/init", 0o555, Layer::Programs).unwrap();
        assert_eq!(
            tree.listing(),
            "100555 0:0 1 2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881 programs \"o\" /init\n\
             120777 0:0 9 - distribution \"vitrine\" /lib64 -> usr/lib64\n"
        );
    }
}
