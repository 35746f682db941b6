//! Looks for entries by what they name: in the index, and in the entries that it does not cover yet.

use super::index::Index;
use super::{Place, Snapshot};
use vitrine_attest::log_index::{keys, Key};
use vitrine_attest::merkle::{consistent, leaf};
use vitrine_attest::tile::{Edge, Tile};
use vitrine_attest::vkey::NoteKey;
use vitrine_attest::{Blame, Error, Result, Sha256};

/// How often a changing index is asked anew. Its files stay for one index more; a slow reader of a busy log may need another one.
const TRIES: usize = 4;

/// How to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The index as far as it goes, then the entries.
    Index,
    /// The entries alone, all of them.
    Entries,
}

/// What was found in a signed state of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub snapshot: Snapshot,
    /// For so many entries the index has answered. That there is no more among them is what the log has signed; among the others it was
    /// seen.
    pub indexed: u64,
    /// Each was followed to the checkpoint's root.
    pub hits: Vec<Hit>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    pub index: u64,
    pub entry: Vec<u8>,
}

/// All entries that have this key, in a log with one of these keys.
///
/// # Errors
/// When the log cannot be had, is not signed by it, or contradicts itself; also when its index does.
pub fn find(place: &Place, log_keys: &[NoteKey], wanted: &Key, by: By) -> Result<Found> {
    let mut snapshot = Snapshot::read(place, log_keys)?;
    let answer = match by {
        By::Index => ask(place, &snapshot.checkpoint.origin, log_keys, wanted)?,
        By::Entries => None,
    };
    let mut found = vec![];
    if let Some((index, numbers)) = &answer {
        if index.head.size > snapshot.checkpoint.size {
            // it may have grown between the two
            snapshot = Snapshot::read(place, log_keys)?;
        }
        is_about(index, place, &snapshot)?;
        for &number in numbers {
            let (entry, _) = snapshot.entry(place, number)?;
            if !keys(&entry).contains(wanted) {
                return Err(lies(format!("it names entry {number}, which says nothing of the kind")));
            }
            found.push(Hit { index: number, entry });
        }
    }
    let indexed = answer.map_or(0, |(index, _)| index.head.size);
    scan(place, &snapshot, indexed, wanted, &mut found)?;
    Ok(Found { snapshot, indexed, hits: found })
}

/// The newest index, and what it says. None: there is none.
fn ask(place: &Place, origin: &str, log_keys: &[NoteKey], wanted: &Key) -> Result<Option<(Index, Vec<u64>)>> {
    let once = || -> Result<Option<(Index, Vec<u64>)>> {
        let Some(index) = Index::read(place, origin, log_keys)? else { return Ok(None) };
        let numbers = index.find(place, wanted)?;
        Ok(Some((index, numbers)))
    };
    let mut answer = once();
    for _ in 1..TRIES {
        match &answer {
            Err(error) if error.blame == Blame::Artefact => answer = once(),
            _ => break,
        }
    }
    answer
}

/// That the index is made of the beginning of this tree.
fn is_about(index: &Index, place: &Place, snapshot: &Snapshot) -> Result<()> {
    let ((old, size), head) = ((index.head.size, snapshot.checkpoint.size), &index.head);
    if old > size {
        return Err(lies(format!("it covers {old} entries, and the log's checkpoint has {size}")));
    }
    let proof = match old {
        0 => vec![],
        _ => place.tree(size).consistency(old, size)?,
    };
    let same = old != 0 || head.root == vitrine_attest::merkle::root_of_nothing();
    if same && consistent((old, head.root), (size, snapshot.checkpoint.root), &proof) {
        return Ok(());
    }
    Err(lies(format!("its {old} entries are not the beginning of the log")))
}

/// Reads the entries from `from` on, and that they lead to the checkpoint's root: then none of them was held back.
fn scan(place: &Place, snapshot: &Snapshot, from: u64, wanted: &Key, found: &mut Vec<Hit>) -> Result<()> {
    let size = snapshot.checkpoint.size;
    if from == size {
        return Ok(());
    }
    let start = from / 256 * 256;
    let edge_of = |tile: Tile| -> Result<Vec<Sha256>> {
        // of the tree as it is now: a narrower tile need not be there any more
        let now = Tile::of_tree(tile.level, tile.index, size).ok_or_else(|| Error::bug("no such tile"))?;
        let mut hashes = place.hashes(now)?;
        hashes.truncate(usize::from(tile.width));
        Ok(hashes)
    };
    let mut edge = Edge::load(start, edge_of)?;
    for tile in (start / 256..size.div_ceil(256)).filter_map(|at| Tile::of_tree(0, at, size)) {
        for (index, entry) in (tile.index * 256..).zip(place.entries(tile)?) {
            edge.push(leaf(&entry), |_, _| {});
            if index >= from && keys(&entry).contains(wanted) {
                found.push(Hit { index, entry });
            }
        }
    }
    if edge.size() != size || edge.root() != snapshot.checkpoint.root {
        return Err(Error::artefact(
            "the log's entries do not lead to the root that it signed",
            "the log is damaged, or lies: keep what it sent, and ask its operator",
        ));
    }
    Ok(())
}

fn lies(what: String) -> Error {
    Error::artefact(
        format!("the log's index contradicts the log: {what}"),
        "keep both notes: they are signed. Read the entries themselves with --scan, and ask the log's operator",
    )
}
