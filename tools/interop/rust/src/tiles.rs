//! tlog_tiles: checkpoints, proofs, and tiles. Its paths are those of an older draft (`tile/8/…`, `tile/8/data/…`); here they
//! are changed into ours, and nothing else.

use crate::folder::{entries, put, put_roots, read, roots};
use crate::stream::{Judge, Out};
use crate::{folder, notes, Result};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use tlog_tiles::tlog::{
    check_record, check_tree, prove_record, prove_tree, record_hash, stored_hash_index, stored_hashes, tree_hash,
    Error, Hash, HashReader,
};
use tlog_tiles::{Checkpoint, Tile, TileHashReader, TileReader};

const LOG_ENTRIES: u64 = 70_000;
const SPOILT: usize = 24;

pub struct Known {
    leaves: Vec<Hash>,
    roots: Vec<Hash>,
}

pub fn known(folder: &Path) -> Result<Known> {
    let leaves = entries(folder)?.iter().map(|entry| record_hash(entry)).collect();
    Ok(Known { leaves, roots: roots(folder)?.into_iter().map(Hash).collect() })
}

fn proof(hashes: &[folder::Hash]) -> Vec<Hash> {
    hashes.iter().map(|hash| Hash(*hash)).collect()
}

impl Judge for Known {
    fn sizes(&self) -> usize {
        self.roots.len()
    }

    fn inclusion(&self, index: usize, size: usize, hashes: &[folder::Hash]) -> bool {
        check_record(&proof(hashes), size as u64, self.roots[size], index as u64, self.leaves[index]).is_ok()
    }

    fn consistency(&self, old: usize, size: usize, hashes: &[folder::Hash]) -> bool {
        check_tree(&proof(hashes), size as u64, self.roots[size], old as u64, self.roots[old]).is_ok()
    }
}

/// Reads the texts of notes.
pub fn judge_checkpoints(folder: &Path) -> Result<String> {
    let ((key, others), roots, notes) = (notes::key(folder)?, roots(folder)?, folder::notes(folder)?);
    for (name, bytes) in &notes {
        let checkpoint =
            checkpoint(&notes::open(bytes, &key, others)?).ok_or_else(|| format!("{name}: no checkpoint"))?;
        if roots.get(checkpoint.size() as usize) != Some(&checkpoint.hash().0) || !checkpoint.extension().is_empty() {
            return Err(format!("{name}: another root"));
        }
        // without its last line, and with a number that begins with 0
        let text = String::from_utf8_lossy(bytes).into_owned();
        let lines: Vec<&str> = text.lines().take(3).collect();
        let bad = [format!("{}\n{}\n", lines[0], lines[1]), format!("{}\n0{}\n{}\n", lines[0], lines[1], lines[2])];
        if bad.iter().any(|text| self::checkpoint(text.as_bytes()).is_some()) {
            return Err(format!("{name}: a malformed checkpoint is read"));
        }
    }
    Ok(format!("{} checkpoints; {} malformed refused", notes.len(), 2 * notes.len()))
}

/// Not `strict`: that asks for an empty line after the text, which belongs to the note.
fn checkpoint(text: &[u8]) -> Option<Checkpoint> {
    Checkpoint::from_reader(&mut std::io::Cursor::new(text), false).ok()
}

struct Memory(Vec<Hash>);

impl HashReader for Memory {
    fn read_hashes(&self, indexes: &[u64]) -> std::result::Result<Vec<Hash>, Error> {
        Ok(indexes.iter().map(|&index| self.0[index as usize]).collect())
    }
}

impl Memory {
    fn push(&mut self, n: usize, entry: &[u8]) -> Result<()> {
        let hashes = stored_hashes(n as u64, entry, self).map_err(|e| e.to_string())?;
        self.0.extend(hashes);
        Ok(())
    }
}

/// `tile/8/…` is `tile/…`, and `data` is `entries`.
fn path(tile: &Tile) -> String {
    tile.path().replacen("tile/8/", "tile/", 1).replacen("/data/", "/entries/", 1)
}

struct Folder {
    log: PathBuf,
    /// One file that is spoilt while it is read.
    target: String,
    read: RefCell<BTreeSet<String>>,
}

impl Folder {
    fn file(&self, tile: &Tile) -> Result<Vec<u8>> {
        let path = path(tile);
        let mut bytes = read(&self.log.join(&path))?;
        if path == self.target {
            let at = bytes.len() / 3;
            bytes[at] ^= 4;
        }
        self.read.borrow_mut().insert(path);
        Ok(bytes)
    }

    /// Root, proofs, and every entry against its leaf.
    fn check(&self, size: u64, root: Hash, proofs: u64) -> Result<()> {
        let reader = TileHashReader::new(size, root, self);
        let failed = |e: Error| e.to_string();
        if tree_hash(size, &reader).map_err(failed)? != root {
            return Err("another root".into());
        }
        for n in 0..proofs {
            let index = n * 7919 * 31 % size;
            let leaf = reader.read_hashes(&[stored_hash_index(0, index)]).map_err(failed)?;
            let proof = prove_record(size, index, &reader).map_err(failed)?;
            check_record(&proof, size, root, index, leaf[0]).map_err(failed)?;
            let old = tree_hash(index + 1, &reader).map_err(failed)?;
            let proof = prove_tree(size, index + 1, &reader).map_err(failed)?;
            check_tree(&proof, size, root, index + 1, old).map_err(failed)?;
        }
        for start in (0..size).step_by(256) {
            let width = (size - start).min(256);
            let bundle = self.file(&Tile::new(8, 0, start / 256, width as u32, true))?;
            let indexes: Vec<u64> = (start..start + width).map(|n| stored_hash_index(0, n)).collect();
            let mut rest = bundle.as_slice();
            for leaf in reader.read_hashes(&indexes).map_err(failed)? {
                let (length, after) = rest.split_first_chunk().ok_or("a bundle is cut off")?;
                let (entry, after) =
                    after.split_at_checked(u16::from_be_bytes(*length).into()).ok_or("a bundle is cut off")?;
                if record_hash(entry) != leaf {
                    return Err(format!("an entry after {start} is not its leaf"));
                }
                rest = after;
            }
            if !rest.is_empty() {
                return Err("a bundle is too long".into());
            }
        }
        Ok(())
    }
}

impl TileReader for Folder {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[Tile]) -> std::result::Result<Vec<Vec<u8>>, Error> {
        tiles.iter().map(|tile| self.file(tile).map_err(|_| Error::InvalidTile)).collect()
    }

    fn save_tiles(&self, _: &[Tile], _: &[Vec<u8>]) {}
}

pub fn judge(folder: &Path) -> Result<String> {
    let log = folder.join("log");
    let text = notes::open(&read(&log.join("checkpoint"))?, &notes::key(folder)?.0, 0)?;
    let checkpoint = checkpoint(&text).ok_or("no checkpoint")?;
    let (size, root) = (checkpoint.size(), *checkpoint.hash());
    let spoilt = |target: &str| Folder { log: log.clone(), target: target.into(), read: RefCell::default() };
    let whole = spoilt("");
    whole.check(size, root, 100)?;
    let files: Vec<String> = whole.read.borrow().iter().cloned().collect();
    for n in 0..SPOILT {
        let target = &files[n * (files.len() - 1) / (SPOILT - 1)];
        if spoilt(target).check(size, root, 1).is_ok() {
            return Err(format!("the log holds with {target} spoilt"));
        }
    }
    Ok(format!("{} files, {size} entries, 200 proofs; {SPOILT} spoilt refused", files.len()))
}

/// Roots and checkpoints over the entries that lie there, and a log in tiles.
pub fn write(folder: &Path) -> Result<String> {
    let (mut memory, signer, failed) = (Memory(vec![]), notes::signer(folder)?, |e: Error| e.to_string());
    let mut roots = vec![tree_hash(0, &memory).map_err(failed)?];
    for (n, entry) in entries(folder)?.iter().enumerate() {
        memory.push(n, entry)?;
        roots.push(tree_hash(n as u64 + 1, &memory).map_err(failed)?);
    }
    put_roots(folder, &roots.iter().map(|root| root.0).collect::<Vec<_>>())?;
    for (size, root) in roots.iter().enumerate().filter(|(size, _)| size % 100 == 0 || size % 256 == 0) {
        put(&folder.join(format!("notes/{size}")), notes::signed(size as u64, *root, &signer)?)?;
    }

    let (mut memory, log) = (Memory(vec![]), folder.join("log"));
    let entry = |n: u64| format!("entry {n} of a crate").into_bytes();
    for n in 0..LOG_ENTRIES {
        memory.push(n as usize, &entry(n))?;
    }
    for mut tile in Tile::new_tiles(8, 0, LOG_ENTRIES) {
        put(&log.join(path(&tile)), tile.read_data(&memory).map_err(failed)?)?;
        if tile.level() == 0 {
            let start = tile.level_index() * 256;
            let entries = (start..start + u64::from(tile.width())).map(entry);
            let bundle: Vec<u8> =
                entries.flat_map(|entry| [&(entry.len() as u16).to_be_bytes()[..], &entry].concat()).collect();
            tile.set_is_data();
            put(&log.join(path(&tile)), bundle)?;
        }
    }
    let root = tree_hash(LOG_ENTRIES, &memory).map_err(failed)?;
    put(&log.join("checkpoint"), notes::signed(LOG_ENTRIES, root, &signer)?)?;
    Ok(format!("{} roots, a log of {LOG_ENTRIES} entries", roots.len()))
}

pub fn proofs(folder: &Path) -> Result<String> {
    let (mut memory, mut out, failed) = (Memory(vec![]), Out::new(), |e: Error| e.to_string());
    let joined = |hashes: Vec<Hash>| hashes.iter().flat_map(|hash| hash.0).collect::<Vec<u8>>();
    for (before, entry) in entries(folder)?.iter().enumerate() {
        memory.push(before, entry)?;
        let size = before as u64 + 1;
        for n in 0..size {
            out.record(b'i', n as usize, before + 1, &joined(prove_record(size, n, &memory).map_err(failed)?))?;
            out.record(b'c', n as usize + 1, before + 1, &joined(prove_tree(size, n + 1, &memory).map_err(failed)?))?;
        }
    }
    out.end()
}
