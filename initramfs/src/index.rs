//! What a package's `data.tar` holds: every entry's path, mode and place, without its bytes.

use crate::path::ImagePath;
use serde::{Deserialize, Serialize};
use std::collections::btree_map::Entry;
use std::collections::BTreeMap;
use vitrine_attest::{Error, Result};

/// Most entries one package may have; the Debian kernel has 5,200, the largest Debian packages some 60,000.
const MOST_ENTRIES: usize = 200_000;
/// Two zero blocks end a tar archive (POSIX pax, "ustar Interchange Format").
const END: [u8; 1024] = [0; 1024];

/// One entry of the archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// The twelve permission bits, set-user-ID and the like included.
    pub mode: u32,
    pub kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    Directory,
    /// Where its bytes stand in the uncompressed `data.tar`.
    File {
        offset: u64,
        size: u64,
    },
    /// Target as written.
    Link {
        target: String,
    },
}

/// All entries by path, in merged-/usr form.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index(pub BTreeMap<ImagePath, Item>);

impl Index {
    /// Lists an uncompressed tar archive.
    ///
    /// # Errors
    /// When it is truncated or damaged, holds a path that is absolute or has `..`, a device, or a path twice.
    pub fn of_tar(tar: &[u8]) -> Result<Self> {
        if !tar.ends_with(&END) {
            return Err(Error::artefact("data.tar is truncated: its end mark is missing", FETCH));
        }
        let mut index = Self::default();
        let mut archive = tar::Archive::new(tar);
        for entry in archive.entries().map_err(damaged)? {
            let entry = entry.map_err(damaged)?;
            if index.0.len() == MOST_ENTRIES {
                return Err(Error::artefact("data.tar has more than 200,000 entries", "use another package"));
            }
            let name = text(&entry.path_bytes())?;
            let Some(path) = ImagePath::from_archive(&name)? else { continue };
            let item = index.item(&entry, tar).map_err(|e| e.within(&path))?;
            index.insert(path.merged().0, item)?;
        }
        index.add_parents()?;
        Ok(index)
    }

    /// Archives need not list every folder.
    fn add_parents(&mut self) -> Result<()> {
        let parents: Vec<(ImagePath, ImagePath)> =
            self.0.keys().flat_map(|path| path.ancestors().map(|parent| (parent, path.clone()))).collect();
        for (parent, child) in parents {
            let implied = Item { mode: 0o755, kind: Kind::Directory };
            if self.0.entry(parent.clone()).or_insert(implied).kind != Kind::Directory {
                return Err(refused(&format!("lies below {parent}, which is no folder")).within(child));
            }
        }
        Ok(())
    }

    fn item(&self, entry: &tar::Entry<'_, &[u8]>, tar: &[u8]) -> Result<Item> {
        use tar::EntryType;
        let mode = entry.header().mode().map_err(damaged)? & 0o7777;
        let link = || text(&entry.link_name_bytes().unwrap_or_default());
        match entry.header().entry_type() {
            EntryType::Directory => Ok(Item { mode, kind: Kind::Directory }),
            EntryType::Symlink => Ok(Item { mode: 0o777, kind: Kind::Link { target: link()? } }),
            EntryType::Link => self.hard_link(&link()?),
            EntryType::Regular => {
                let (offset, size) = (entry.raw_file_position(), entry.size());
                if offset.checked_add(size).is_none_or(|end| end > tar.len() as u64) {
                    return Err(Error::artefact("data.tar ends inside this file", FETCH));
                }
                Ok(Item { mode, kind: Kind::File { offset, size } })
            }
            EntryType::Char | EntryType::Block => Err(refused("is a device")),
            EntryType::Fifo => Err(refused("is a pipe")),
            _ => Err(refused("is of a kind that packages do not hold")),
        }
    }

    /// A hard link names an earlier file of the same archive; it becomes a file with the same bytes.
    fn hard_link(&self, target: &str) -> Result<Item> {
        let target_path = ImagePath::from_archive(target)?.map(|path| path.merged().0);
        match target_path.and_then(|path| self.0.get(&path)) {
            Some(item @ Item { kind: Kind::File { .. }, .. }) => Ok(item.clone()),
            _ => Err(refused(&format!("is a hard link to {target:?}, which is no earlier file"))),
        }
    }

    fn insert(&mut self, path: ImagePath, item: Item) -> Result<()> {
        match self.0.entry(path) {
            Entry::Vacant(free) => {
                free.insert(item);
                Ok(())
            }
            Entry::Occupied(taken) if taken.get().kind == Kind::Directory && item.kind == Kind::Directory => Ok(()),
            Entry::Occupied(taken) => Err(refused("is there twice").within(taken.key())),
        }
    }
}

fn text(bytes: &[u8]) -> Result<String> {
    String::from_utf8(bytes.to_vec()).map_err(|_| {
        Error::artefact(format!("name {:?} is not UTF-8", String::from_utf8_lossy(bytes)), "use another package")
    })
}

fn refused(why: &str) -> Error {
    Error::artefact(
        why,
        "such an entry is never needed in an image: use another package, or report it to its maintainer",
    )
}

fn damaged(error: std::io::Error) -> Error {
    Error::artefact(format!("data.tar is damaged: {error}"), FETCH)
}

const FETCH: &str = "fetch it again: remove it from the store and run the command anew";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Tar;

    fn refusal(tar: Tar) -> String {
        Index::of_tar(&tar.finish()).unwrap_err().what
    }

    #[test]
    fn lists_every_kind() {
        let tar =
            Tar::new().dir("usr").file("lib/a", 0o755, b"body").link("usr/b", "a").hard("usr/c", "lib/a").finish();
        let index = Index::of_tar(&tar).unwrap();
        let get = |path: &str| index.0.get(&ImagePath::parse(path).unwrap()).cloned();
        assert_eq!(get("/usr").unwrap().kind, Kind::Directory);
        let Kind::File { offset, size } = get("/usr/lib/a").unwrap().kind else { panic!() };
        assert_eq!(&tar[offset as usize..(offset + size) as usize], b"body");
        assert_eq!(get("/usr/c"), get("/usr/lib/a"));
        assert_eq!(get("/usr/b").unwrap().kind, Kind::Link { target: "a".into() });
    }

    #[test]
    fn bad_entries_are_refused_with_their_path() {
        for (tar, why) in [
            (Tar::new().file("../x", 0o644, b""), "\"/../x\" has a part that is . or .."),
            (Tar::new().file("/etc/x", 0o644, b""), "\"/etc/x\" is absolute"),
            (Tar::new().device("dev/sda"), "/dev/sda: is a device"),
            (Tar::new().file("a", 0o644, b"").file("a", 0o644, b""), "/a: is there twice"),
            (Tar::new().file("lib/a", 0o644, b"").file("usr/lib/a", 0o644, b""), "/usr/lib/a: is there twice"),
            (Tar::new().file("a", 0o644, b"").dir("a"), "/a: is there twice"),
            (Tar::new().link("a", "c").file("a/b", 0o644, b""), "/a/b: lies below /a, which is no folder"),
            (Tar::new().hard("a", "b"), "/a: is a hard link to \"b\""),
        ] {
            let what = refusal(tar);
            assert!(what.contains(why), "{what:?} lacks {why:?}");
        }
    }

    #[test]
    fn truncated_anywhere() {
        let tar = Tar::new().dir("a").file("a/b", 0o644, &[1; 3000]).finish();
        for length in (0..tar.len()).step_by(256) {
            assert!(Index::of_tar(&tar[..length]).is_err(), "cut at {length}");
        }
    }

    #[test]
    fn a_size_beyond_the_end() {
        let mut tar = Tar::new().file("a", 0o644, b"x").finish();
        tar[124..136].copy_from_slice(b"00000777777\0");
        crate::fixture::fix_checksum(&mut tar[..512]);
        assert!(Index::of_tar(&tar).is_err());
    }
}
