//! One thing at a path, from wherever it comes: a tree that is being built, an archive, a folder.

use crate::app::APP_ROOT;
use crate::path::{in_usr, ImagePath};
use crate::tree::{Entry, Node, Tree};
use std::borrow::Cow;
use vitrine_attest::Sha256;

/// What stands at a path.
#[derive(Debug, Clone)]
pub enum What<'a> {
    Folder,
    File(Cow<'a, [u8]>),
    /// Target as written.
    Link(Cow<'a, str>),
    /// A device node: major, minor.
    Block(u32, u32),
    Char(u32, u32),
    /// A pipe or socket.
    Other,
    /// It is there and could not be read, with the reason.
    Unread(String),
}

/// What the screen looks at.
#[derive(Debug, Clone)]
pub struct Item<'a> {
    /// Absolute. Bytes that are no UTF-8, and control characters, are written as `\xff`.
    pub path: Cow<'a, str>,
    /// File type and permission bits, as in `st_mode` (inode(7)).
    pub mode: u32,
    pub owner: (u32, u32),
    pub what: What<'a>,
    /// Of a file, where it is known already.
    pub sha256: Option<Sha256>,
}

impl<'a> Item<'a> {
    pub fn of(path: &'a ImagePath, entry: &'a Entry) -> Self {
        let (what, sha256) = match &entry.node {
            Node::Directory => (What::Folder, None),
            Node::File(content) => (What::File(Cow::Borrowed(&content.bytes)), Some(content.sha256)),
            Node::Link(target) => (What::Link(Cow::Borrowed(target)), None),
        };
        Self { path: Cow::Borrowed(path.as_str()), mode: entry.full_mode(), owner: (0, 0), what, sha256 }
    }

    /// The path in merged-/usr form, by which rules name files: `/bin/sh` is `/usr/bin/sh`.
    /// What lies below `/app` is named as the program sees it whose root that is.
    pub fn place(&self) -> Cow<'_, str> {
        match self.path.strip_prefix(APP_ROOT) {
            Some(seen) if seen.starts_with('/') => in_usr(seen),
            _ => in_usr(&self.path),
        }
    }

    pub fn file_name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    pub fn bytes(&self) -> &[u8] {
        match &self.what {
            What::File(bytes) => bytes,
            _ => &[],
        }
    }
}

/// Things to screen. Several threads ask for them at once, each number once.
pub trait Subject: Sync {
    fn len(&self) -> usize;

    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Hands over one of them. It need not stay in memory afterwards.
    fn visit(&self, number: usize, see: &mut dyn FnMut(&Item<'_>));
}

/// A tree that is being built.
pub struct TreeSubject<'t>(Vec<(&'t ImagePath, &'t Entry)>);

impl<'t> TreeSubject<'t> {
    pub fn of(tree: &'t Tree) -> Self {
        Self(tree.iter().collect())
    }
}

impl Subject for TreeSubject<'_> {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn visit(&self, number: usize, see: &mut dyn FnMut(&Item<'_>)) {
        if let Some((path, entry)) = self.0.get(number) {
            see(&Item::of(path, entry));
        }
    }
}

/// A name of foreign bytes as text that is safe to print, and that differs where the bytes differ.
pub fn printable(name: &[u8]) -> String {
    let mut out = String::with_capacity(name.len());
    for chunk in name.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => out.push_str("\\\\"),
                c if c.is_control() => out.extend(c.escape_default()),
                c => out.push(c),
            }
        }
        for byte in chunk.invalid() {
            out.push_str("\\x");
            out.push_str(&vitrine_attest::digest::hex(&[*byte]));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_names_are_printable_and_differ() {
        assert_eq!(printable(b"/usr/lib/a b"), "/usr/lib/a b");
        assert_eq!(printable(b"/a\xff\xfe/\n\\"), "/a\\xff\\xfe/\\n\\\\");
        assert_ne!(printable(b"a\\xff"), printable(b"a\xff"));
    }
}
