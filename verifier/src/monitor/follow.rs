//! Two checkpoints of one log compared by its tiles, and entries hashed into the newer one. What is read is bounded: by the size
//! that was signed, by each file's limit, by time, and by what is kept at once.

use super::evidence::{Prefix, Shown};
use super::state::Head;
use crate::log::{Place, Snapshot};
use std::time::Instant;
use vitrine_attest::merkle::{consistent, leaf, root_of_nothing};
use vitrine_attest::note::Checkpoint;
use vitrine_attest::tile::{Edge, Tile, WIDTH};
use vitrine_attest::{Error, Result};

/// Most entries, and most bytes, that are held before they are known to stand in the log. A bundle more can come on top: 16 MiB.
const PART: usize = 16_384;
const PART_BYTES: usize = 32 << 20;

/// What is shown, beside what was known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Compared {
    Same,
    /// The one that is shown begins with the one that was known.
    Grown,
    /// It is the beginning of the one that was known.
    Older,
    /// They cannot both be true.
    Fork(Box<Shown>),
}

/// Compares two checkpoints that the log has signed. `place`: where the tiles of the larger one are.
///
/// # Errors
/// When the tiles cannot be had, or lead to nothing that was signed: then nobody can tell.
pub fn compare(known: &Snapshot, shown: &Snapshot, place: &Place) -> Result<Compared> {
    let (old, new) = if known.checkpoint.size <= shown.checkpoint.size { (known, shown) } else { (shown, known) };
    let (a, b) = (&old.checkpoint, &new.checkpoint);
    let fork = |prefix| Shown::Fork { smaller: old.note.clone(), larger: new.note.clone(), prefix };
    if a.size == b.size {
        return Ok(if a.root == b.root { Compared::Same } else { Compared::Fork(fork(None).into()) });
    }
    let agrees = if std::ptr::eq(old, known) { Compared::Grown } else { Compared::Older };
    if a.size == 0 {
        // from nothing everything follows, if it is nothing
        let nothing = a.root == root_of_nothing();
        return if nothing { Ok(agrees) } else { Err(lies("the root of no entries is none".into())) };
    }
    let mut tree = place.tree(b.size);
    let (root, proof) = (tree.root(a.size)?, tree.consistency(a.size, b.size)?);
    if consistent((a.size, a.root), (b.size, b.root), &proof) {
        return Ok(agrees);
    }
    if consistent((a.size, root), (b.size, b.root), &proof) {
        return Ok(Compared::Fork(fork(Some(Prefix { root, proof })).into()));
    }
    Err(lies(format!("its tiles do not lead to the checkpoint of {} entries that it has signed", b.size)))
}

/// Entries that stand in the log.
#[derive(Debug)]
pub struct Part {
    /// Behind the last of them.
    pub head: Head,
    pub entries: Vec<(u64, Vec<u8>)>,
}

/// The next entries after `from`, a state that was known to be the beginning of `to`. They are hashed, and what they lead to is
/// the beginning of `to`.
///
/// # Errors
/// When they cannot be had, or lead to something else.
pub fn read_on(place: &Place, from: Head, to: &Checkpoint, until: Instant) -> Result<Part> {
    let mut edge = Edge::load(from.size, |tile| -> Result<_> {
        // as it is now: partial tiles of a smaller tree may be gone
        let now = Tile::of_tree(tile.level, tile.index, to.size).ok_or_else(|| lies("it has shrunk".into()))?;
        let mut hashes = place.hashes(now)?;
        hashes.truncate(usize::from(tile.width));
        Ok(hashes)
    })?;
    if edge.root() != from.root {
        return Err(lies(format!("its tiles do not lead to its first {} entries any more", from.size)));
    }
    let (mut entries, mut bytes) = (vec![], 0);
    while edge.size() < to.size && entries.len() < PART && bytes < PART_BYTES {
        if !entries.is_empty() && Instant::now() >= until {
            break;
        }
        let first = edge.size() / WIDTH * WIDTH;
        let tile = Tile::of_tree(0, first / WIDTH, to.size).ok_or_else(|| Error::bug("a bundle behind the end"))?;
        for (index, entry) in (first..).zip(place.entries(tile)?).skip((edge.size() - first) as usize) {
            edge.push(leaf(&entry), |_, _| {});
            bytes += entry.len();
            entries.push((index, entry));
        }
    }
    let head = Head { size: edge.size(), root: edge.root() };
    let proof = if head.size == 0 { vec![] } else { place.tree(to.size).consistency(head.size, to.size)? };
    if !consistent((head.size, head.root), (to.size, to.root), &proof) {
        return Err(lies(format!("entries before {} do not lead to the root that it has signed", head.size)));
    }
    Ok(Part { head, entries })
}

fn lies(what: String) -> Error {
    Error::artefact(format!("what the log serves is not what it signed: {what}"), "keep a copy of what it serves")
}
