//! How a transparency log lays out its Merkle tree and its entries as files that never change (C2SP tlog-tiles).
//!
//! ```text
//! tile/0/x001/x234/067             256 hashes of leaves, 8192 bytes
//! tile/1/000.p/17                  17 hashes, each of a full tile of level 0
//! tile/entries/x001/x234/067       the 256 entries themselves: (u16 length ‖ entry)*
//! ```
//! The i-th hash of tile n at level l is that of the subtree over 256^l leaves from (256 n + i) 256^l on. All but the last tile
//! of a level are full; what is partial is never hashed into the level above.

use crate::merkle::node;
use crate::Sha256;
use std::collections::BTreeMap;
use std::fmt;

/// Hashes in a full tile, and entries in a full bundle.
pub const WIDTH: u64 = 256;
/// Levels of tiles that a tree of less than 2^64 leaves can have.
const LEVELS: usize = 8;
/// Longest entry in bytes: its length stands in two.
pub const ENTRY_LIMIT: usize = 65_535;
/// Largest bundle of entries in bytes.
pub const BUNDLE_LIMIT: usize = (ENTRY_LIMIT + 2) * 256;
/// Bytes of a full tile.
pub const TILE_BYTES: usize = 8192;

/// Where a tile, or with level 0 the bundle of its entries, lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tile {
    pub level: u8,
    pub index: u64,
    /// 1 to 256.
    pub width: u16,
}

/// A file of a log other than its checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resource {
    Hashes(Tile),
    /// Of level 0.
    Entries(Tile),
}

impl Tile {
    /// This tile of a tree of `size` leaves. None: the tree has no such tile.
    pub fn of_tree(level: u8, index: u64, size: u64) -> Option<Self> {
        let hashes = size.checked_shr(u32::from(level) * 8).unwrap_or(0);
        let width = hashes.checked_sub(index.checked_mul(WIDTH)?)?.min(WIDTH) as u16;
        (width > 0).then_some(Self { level, index, width })
    }

    pub fn is_full(&self) -> bool {
        u64::from(self.width) == WIDTH
    }

    /// `tile/<level>/<index>[.p/<width>]`.
    pub fn path(&self) -> String {
        format!("tile/{}/{}", self.level, self.place())
    }

    /// `tile/entries/<index>[.p/<width>]`.
    pub fn entries_path(&self) -> String {
        format!("tile/entries/{}", self.place())
    }

    fn place(&self) -> String {
        let mut place = format!("{:03}", self.index % 1000);
        let mut rest = self.index / 1000;
        while rest > 0 {
            place = format!("x{:03}/{place}", rest % 1000);
            rest /= 1000;
        }
        if !self.is_full() {
            place += &format!(".p/{}", self.width);
        }
        place
    }
}

impl Resource {
    pub fn path(&self) -> String {
        match self {
            Self::Hashes(tile) => tile.path(),
            Self::Entries(tile) => tile.entries_path(),
        }
    }

    /// Reads a path as [`Self::path`] writes it; there is one spelling for each. None: it is another path.
    pub fn parse(path: &str) -> Option<Self> {
        let (level, mut place) = path.strip_prefix("tile/")?.split_once('/')?;
        let mut width = WIDTH as u16;
        if let Some((full, partial)) = place.split_once(".p/") {
            (place, width) = (full, partial.parse().ok().filter(|width| (1..256).contains(width))?);
        }
        let parts: Vec<&str> = place.split('/').collect();
        let (last, before) = parts.split_last()?;
        let mut index: u64 = 0;
        for part in before.iter().map(|part| part.strip_prefix('x')).chain([Some(*last)]) {
            let digits = part.filter(|part| part.len() == 3 && part.bytes().all(|b| b.is_ascii_digit()))?;
            index = index.checked_mul(1000)?.checked_add(digits.parse().ok()?)?;
        }
        let resource = match level {
            "entries" => Self::Entries(Tile { level: 0, index, width }),
            level => Self::Hashes(Tile { level: level.parse().ok().filter(|level| *level < 64)?, index, width }),
        };
        (resource.path() == path).then_some(resource)
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path())
    }
}

/// Tiles of a tree of `new` leaves that one of `old` did not have in this width, lowest level first.
pub fn added(old: u64, new: u64) -> impl Iterator<Item = Tile> {
    let levels = (0..LEVELS as u8).take_while(move |&level| new >> (u32::from(level) * 8) > 0);
    levels.flat_map(move |level| {
        let (before, after) = (old >> (u32::from(level) * 8), new >> (u32::from(level) * 8));
        let indices = if before == after { 0..0 } else { before / WIDTH..after.div_ceil(WIDTH) };
        indices.filter_map(move |index| Tile::of_tree(level, index, new))
    })
}

/// The hashes of a tile's file.
///
/// # Errors
/// When its length is not that of this tile.
pub fn hashes(tile: Tile, bytes: &[u8]) -> Result<Vec<Sha256>, String> {
    let expected = usize::from(tile.width) * 32;
    if bytes.len() != expected {
        return Err(format!("{} has {} bytes, not {expected}", tile.path(), bytes.len()));
    }
    let (hashes, _) = bytes.as_chunks();
    Ok(hashes.iter().map(|hash| Sha256(*hash)).collect())
}

/// The file of a tile.
pub fn to_bytes(hashes: &[Sha256]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

/// Writes one more entry at a bundle's end.
///
/// # Errors
/// When it is too long. Nothing is written then.
pub fn push_entry(bundle: &mut Vec<u8>, entry: &[u8]) -> Result<(), String> {
    let length = u16::try_from(entry.len()).map_err(|_| format!("an entry has more than {ENTRY_LIMIT} bytes"))?;
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(entry);
    Ok(())
}

/// The entries of a bundle.
///
/// # Errors
/// When it is cut off, or does not hold `count` of them.
pub fn entries(bundle: &[u8], count: u16) -> Result<Vec<&[u8]>, String> {
    let mut rest = bundle;
    let mut entries = Vec::with_capacity(usize::from(count));
    while let Some((length, after)) = rest.split_first_chunk() {
        let (entry, after) =
            after.split_at_checked(usize::from(u16::from_be_bytes(*length))).ok_or("a bundle of entries is cut off")?;
        entries.push(entry);
        if entries.len() > usize::from(count) {
            break;
        }
        rest = after;
    }
    if entries.len() != usize::from(count) || !rest.is_empty() {
        return Err(format!("a bundle does not hold {count} entries"));
    }
    Ok(entries)
}

/// The root over the hashes of one tile: all of them complete subtrees of one size.
fn root_of_tile(hashes: &[Sha256]) -> Sha256 {
    let mut row = hashes.to_vec();
    while row.len() > 1 {
        row = above(&row);
    }
    row[0]
}

/// The hashes above these, each of two; an odd one at the end has none yet.
fn above(row: &[Sha256]) -> Vec<Sha256> {
    row.as_chunks::<2>().0.iter().map(|[left, right]| node(left, right)).collect()
}

/// The right edge of a growing tree: of each level the hashes of its last tile. All that is needed to append.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edge {
    size: u64,
    /// Each has fewer than 256.
    levels: [Vec<Sha256>; LEVELS],
}

impl Edge {
    /// That of a tree of `size` leaves, whose partial tiles `fetch` gives.
    ///
    /// # Errors
    /// Those of `fetch`.
    pub fn load<E>(size: u64, mut fetch: impl FnMut(Tile) -> Result<Vec<Sha256>, E>) -> Result<Self, E> {
        let mut edge = Self { size, ..Self::default() };
        for (level, hashes) in (0..).zip(&mut edge.levels) {
            let tile = Tile::of_tree(level, (size >> (u32::from(level) * 8)) / WIDTH, size);
            if let Some(tile) = tile {
                *hashes = fetch(tile)?;
            }
        }
        Ok(edge)
    }

    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends the hash of a leaf, and tells of each tile that is full now, lowest level first.
    pub fn push(&mut self, leaf: Sha256, mut full: impl FnMut(Tile, &[Sha256])) {
        let mut hash = leaf;
        self.size += 1;
        for (level, hashes) in (0..).zip(&mut self.levels) {
            hashes.push(hash);
            if (hashes.len() as u64) < WIDTH {
                return;
            }
            let index = (self.size >> (u32::from(level) * 8)) / WIDTH - 1;
            full(Tile { level, index, width: WIDTH as u16 }, hashes);
            hash = root_of_tile(hashes);
            hashes.clear();
        }
    }

    /// The tiles that are not full.
    pub fn partial(&self) -> impl Iterator<Item = (Tile, &[Sha256])> {
        (0..).zip(&self.levels).filter(|(_, hashes)| !hashes.is_empty()).map(|(level, hashes): (u8, _)| {
            let index = (self.size >> (u32::from(level) * 8)) / WIDTH;
            (Tile { level, index, width: hashes.len() as u16 }, hashes.as_slice())
        })
    }

    /// The tree's root.
    pub fn root(&self) -> Sha256 {
        let mut root = None;
        for hashes in &self.levels {
            let mut rest = hashes.as_slice();
            // whole subtrees, the smallest rightmost
            while !rest.is_empty() {
                let (before, last) = rest.split_at(rest.len() - (1 << rest.len().trailing_zeros()));
                let last = root_of_tile(last);
                root = Some(root.map_or(last, |right| node(&last, &right)));
                rest = before;
            }
        }
        root.unwrap_or_else(crate::merkle::root_of_nothing)
    }
}

/// A tree that is read tile by tile, each once. What its tiles are worth shows only a root that was signed: compare
/// [`Self::root`] with it first.
pub struct Tree<F> {
    size: u64,
    fetch: F,
    /// Of each tile its hashes, and above them those of the whole subtrees over them.
    tiles: BTreeMap<(u8, u64), Vec<Vec<Sha256>>>,
}

impl<E, F: FnMut(Tile) -> Result<Vec<Sha256>, E>> Tree<F> {
    /// `fetch` has to give as many hashes as a tile is wide ([`hashes()`] does).
    pub fn new(size: u64, fetch: F) -> Self {
        Self { size, fetch, tiles: BTreeMap::new() }
    }

    /// The root of its first `size` leaves.
    ///
    /// # Errors
    /// Those of `fetch`.
    ///
    /// # Panics
    /// When the tree is smaller. So do the others.
    pub fn root(&mut self, size: u64) -> Result<Sha256, E> {
        self.within(size);
        if size == 0 {
            return Ok(crate::merkle::root_of_nothing());
        }
        self.range(0, size)
    }

    /// The hash of a leaf.
    ///
    /// # Errors
    /// Those of `fetch`.
    pub fn leaf(&mut self, index: u64) -> Result<Sha256, E> {
        self.within(index + 1);
        self.subtree(0, index)
    }

    /// The path of a leaf to the root of the first `size` leaves, lowest first (RFC 9162, §2.1.3.1).
    ///
    /// # Errors
    /// Those of `fetch`.
    pub fn inclusion(&mut self, index: u64, size: u64) -> Result<Vec<Sha256>, E> {
        self.within(size);
        assert!(index < size, "no such leaf");
        let (mut start, mut end, mut path) = (0, size, vec![]);
        while end - start > 1 {
            let middle = start + split(end - start);
            let beside = if index < middle { (middle, end) } else { (start, middle) };
            path.push(self.range(beside.0, beside.1)?);
            (start, end) = if index < middle { (start, middle) } else { (middle, end) };
        }
        path.reverse();
        Ok(path)
    }

    /// The proof that the first `old` leaves are the beginning of the first `new` (RFC 9162, §2.1.4.1); empty when `old` is 0.
    ///
    /// # Errors
    /// Those of `fetch`.
    pub fn consistency(&mut self, old: u64, new: u64) -> Result<Vec<Sha256>, E> {
        self.within(new);
        assert!(old <= new, "a tree does not shrink");
        let (mut start, mut end, mut proof) = (0, new, vec![]);
        if old == 0 {
            return Ok(proof);
        }
        while old != end {
            let middle = start + split(end - start);
            let beside = if old <= middle { (middle, end) } else { (start, middle) };
            proof.push(self.range(beside.0, beside.1)?);
            (start, end) = if old <= middle { (start, middle) } else { (middle, end) };
        }
        // the verifier has the root of the old tree already
        if start != 0 {
            proof.push(self.range(start, end)?);
        }
        proof.reverse();
        Ok(proof)
    }

    fn within(&self, size: u64) {
        assert!(size <= self.size, "the tree has {} leaves, not {size}", self.size);
    }

    /// The hash over the leaves from `start` to before `end`, which begin at a multiple of the power of two that is not below
    /// their number.
    fn range(&mut self, start: u64, end: u64) -> Result<Sha256, E> {
        let count = end - start;
        if count.is_power_of_two() {
            return self.subtree(count.ilog2(), start / count);
        }
        let middle = start + split(count);
        Ok(node(&self.range(start, middle)?, &self.range(middle, end)?))
    }

    /// The hash of a whole subtree over 2^`height` leaves.
    fn subtree(&mut self, height: u32, index: u64) -> Result<Sha256, E> {
        let (level, inside) = ((height / 8) as u8, height % 8);
        let in_row = WIDTH >> inside;
        let (tile, offset) = (index / in_row, (index % in_row) as usize);
        if !self.tiles.contains_key(&(level, tile)) {
            let place = Tile::of_tree(level, tile, self.size).expect("whole subtrees of the tree are in its tiles");
            let mut rows = vec![(self.fetch)(place)?];
            while let Some(row) = rows.last().filter(|row| row.len() > 1) {
                rows.push(above(row));
            }
            self.tiles.insert((level, tile), rows);
        }
        Ok(self.tiles[&(level, tile)][inside as usize][offset])
    }
}

/// The largest power of two below `n`, which is 2 or more.
fn split(n: u64) -> u64 {
    1 << (n - 1).ilog2()
}

#[cfg(test)]
#[path = "tile_tests.rs"]
mod tests;
