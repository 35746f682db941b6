//! Reads a finished initramfs the way the booting kernel will, and is stricter where the kernel is silent:
//! a failed unpack does not stop a boot, so nobody else would notice.

use crate::cpio_reader::{link_target, record, Record};
use crate::path::ImagePath;
use crate::segments::{broken, Packing};
use std::collections::{BTreeMap, HashMap};
use vitrine_attest::{Result, Sha256};

/// What a reader is willing to take from a foreign archive.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes after unpacking, all segments together.
    pub unpacked: u64,
    pub entries: usize,
}

impl Default for Limits {
    /// 1 GiB and 200,000 entries: twice the largest distribution initramfs that is known.
    fn default() -> Self {
        Self { unpacked: 1 << 30, entries: 200_000 }
    }
}

/// What stands at a path after unpacking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unpacked {
    Directory,
    /// Number of its bytes in [`ReadBack::contents`]; hard links share one.
    File(usize),
    Link(String),
    /// Device, pipe or socket: type bits of `st_mode`, major, minor.
    Special(u32, u32, u32),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnpackedEntry {
    pub node: Unpacked,
    /// Type and permission bits.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub mtime: u32,
}

/// One archive inside the initramfs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    pub packing: Packing,
    /// Bytes in the initramfs.
    pub packed: usize,
    /// Bytes of cpio.
    pub raw: usize,
}

/// The root folder as the kernel would make it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadBack {
    pub entries: BTreeMap<ImagePath, UnpackedEntry>,
    pub contents: Vec<Vec<u8>>,
    pub segments: Vec<Segment>,
    pub trailers: usize,
    /// The last entry is a trailer.
    pub ends_in_trailer: bool,
}

impl ReadBack {
    /// The bytes of a file; `None` for anything else.
    pub fn bytes(&self, path: &ImagePath) -> Option<&[u8]> {
        match self.entries.get(path)?.node {
            Unpacked::File(number) => self.contents.get(number).map(Vec::as_slice),
            _ => None,
        }
    }

    pub fn sha256(&self, path: &ImagePath) -> Option<Sha256> {
        self.bytes(path).map(Sha256::of)
    }
}

/// Reads a whole initramfs: segments in zstd, gzip, xz or raw, one after the other.
///
/// # Errors
/// What the kernel fails on (unknown magic, damage, misaligned raw data, an entry cut across segments), what it skips
/// silently (bad names, children without a folder), files given twice, and anything beyond the limits.
pub fn read_back(bytes: &[u8], limits: Limits) -> Result<ReadBack> {
    let mut machine = Machine::new(limits);
    machine.segments(bytes)?;
    machine.finish()
}

/// A piece of an initramfs.
#[derive(Debug, Clone)]
pub enum Piece<'a> {
    /// To be read; begins with a compressed segment, or is empty.
    Bytes(&'a [u8]),
    /// What was read before: these entries, in order, and a trailer behind them or none. Their bytes are not given again.
    Known { entries: Vec<(ImagePath, UnpackedEntry)>, trailer: bool },
}

/// Reads an initramfs that is given in pieces, as [`read_back`] does.
///
/// # Errors
/// As [`read_back`]. Known entries, too, need their folder before them and may not be there twice.
pub fn read_pieces(pieces: Vec<Piece<'_>>, limits: Limits) -> Result<ReadBack> {
    let mut machine = Machine::new(limits);
    for piece in pieces {
        match piece {
            Piece::Bytes(bytes) => machine.segments(bytes)?,
            Piece::Known { entries, trailer } => machine.known(entries, trailer)?,
        }
    }
    machine.finish()
}

struct Machine {
    limits: Limits,
    read: ReadBack,
    /// Hard links seen since the last trailer: device, inode and file type to content.
    links: HashMap<(u32, u32, u32, u32), usize>,
    unpacked: u64,
}

const TYPE: u32 = 0o170_000;

impl Machine {
    fn new(limits: Limits) -> Self {
        Self { limits, read: ReadBack::default(), links: HashMap::new(), unpacked: 0 }
    }

    fn finish(self) -> Result<ReadBack> {
        match self.read.entries.is_empty() && self.read.segments.is_empty() {
            true => Err(broken("is empty")),
            false => Ok(self.read),
        }
    }

    /// Segment after segment, to the end.
    fn segments(&mut self, bytes: &[u8]) -> Result<()> {
        let mut at = 0;
        while let Some(first) = bytes.get(at) {
            match first {
                0 => at += 1,
                b'0' if at.is_multiple_of(4) => {
                    let end = self.archive(bytes, at, Packing::Raw)?;
                    self.read.segments.push(Segment { packing: Packing::Raw, packed: end - at, raw: end - at });
                    at = end;
                }
                _ => {
                    let packing = Packing::detect(&bytes[at..])?;
                    let (raw, packed) = packing.unpack(&bytes[at..], self.limits.unpacked - self.unpacked)?;
                    let before = self.unpacked;
                    self.archive(&raw, 0, packing)?;
                    // Zeros between entries count, too: they were unpacked.
                    self.unpacked = before + raw.len() as u64;
                    self.read.segments.push(Segment { packing, packed, raw: raw.len() });
                    at += packed;
                }
            }
        }
        Ok(())
    }

    fn known(&mut self, entries: Vec<(ImagePath, UnpackedEntry)>, trailer: bool) -> Result<()> {
        for (path, entry) in entries {
            self.read.ends_in_trailer = false;
            self.check_place(&path, entry.mode)?;
            self.read.entries.insert(path, entry);
        }
        if trailer {
            self.trailer();
        }
        Ok(())
    }

    fn trailer(&mut self) {
        self.read.ends_in_trailer = true;
        self.read.trailers += 1;
        self.links.clear();
    }

    /// Reads entries until the data ends or, in raw data, something else than an entry begins.
    fn archive(&mut self, bytes: &[u8], mut at: usize, packing: Packing) -> Result<usize> {
        loop {
            at += bytes[at..].iter().take_while(|byte| **byte == 0).count();
            match bytes.get(at) {
                None => return Ok(at),
                Some(_) if !at.is_multiple_of(4) => {
                    return Err(broken("has padding that does not end at a multiple of 4"))
                }
                Some(b'0') => {}
                Some(_) if packing == Packing::Raw => return Ok(at),
                Some(_) => return Err(broken("has something else than entries in its compressed data")),
            }
            let (record, end) = record(bytes, at)?;
            self.unpacked += (end - at) as u64;
            if self.unpacked > self.limits.unpacked {
                return Err(broken(&format!("unpacks to more than the limit of {} MiB", self.limits.unpacked >> 20)));
            }
            self.entry(&record)?;
            at = end;
        }
    }

    fn entry(&mut self, record: &Record<'_>) -> Result<()> {
        if record.is_trailer() {
            self.trailer();
            return Ok(());
        }
        self.read.ends_in_trailer = false;
        let Some(path) = record.path()? else { return Ok(()) };
        if self.read.entries.len() == self.limits.entries {
            return Err(broken(&format!("has more than {} entries", self.limits.entries)));
        }
        self.check_place(&path, record.mode)?;
        let node = self.node(record)?;
        let (mode, uid, gid, mtime) = (record.mode, record.uid, record.gid, record.mtime);
        self.read.entries.insert(path, UnpackedEntry { node, mode, uid, gid, mtime });
        Ok(())
    }

    /// The kernel does not create a file whose folder is missing, and says nothing. It replaces earlier files.
    fn check_place(&self, path: &ImagePath, mode: u32) -> Result<()> {
        if path.parent().is_some_and(|parent| !self.is_folder(&parent)) {
            return Err(broken(&format!("has {path} before its folder, so the kernel would leave it out")));
        }
        match self.read.entries.get(path) {
            None => Ok(()),
            Some(old) if old.node == Unpacked::Directory && mode & TYPE == 0o040_000 => Ok(()),
            Some(_) => Err(broken(&format!("has {path} twice"))),
        }
    }

    /// Whether a path is a folder, directly or through links.
    fn is_folder(&self, path: &ImagePath) -> bool {
        const MOST_LINKS: usize = 40;
        let mut path = path.clone();
        for _ in 0..MOST_LINKS {
            match self.read.entries.get(&path).map(|entry| &entry.node) {
                Some(Unpacked::Directory) => return true,
                Some(Unpacked::Link(target)) => match path.follow(target) {
                    Ok(next) => path = next,
                    Err(_) => return false,
                },
                Some(_) => return false,
                // a folder above it may be a link
                None => match self.through_link(&path) {
                    Some(next) => path = next,
                    None => return false,
                },
            }
        }
        false
    }

    fn through_link(&self, path: &ImagePath) -> Option<ImagePath> {
        path.ancestors().find_map(|above| match &self.read.entries.get(&above)?.node {
            Unpacked::Link(target) => {
                let rest = &path.as_str()[above.as_str().len()..];
                ImagePath::parse(&format!("{}{rest}", above.follow(target).ok()?)).ok()
            }
            _ => None,
        })
    }

    fn node(&mut self, record: &Record<'_>) -> Result<Unpacked> {
        let kind = record.mode & TYPE;
        if !matches!(kind, 0o100_000 | 0o120_000) && !record.body.is_empty() {
            return Err(broken(&format!(
                "has {:?}, which is no file and has bytes, so the kernel skips it",
                record.name
            )));
        }
        match kind {
            0o040_000 => Ok(Unpacked::Directory),
            0o100_000 => Ok(Unpacked::File(self.file(record))),
            0o120_000 => Ok(Unpacked::Link(link_target(record)?.to_string())),
            0o020_000 | 0o060_000 | 0o010_000 | 0o140_000 => Ok(Unpacked::Special(kind, record.node.0, record.node.1)),
            _ => Err(broken(&format!("has {:?} of a type that the kernel ignores", record.name))),
        }
    }

    /// A later name of a hard link shares the first one's bytes; bytes of its own replace them for all names.
    fn file(&mut self, record: &Record<'_>) -> usize {
        let key = (record.device.0, record.device.1, record.inode, record.mode & TYPE);
        let known = if record.links >= 2 { self.links.get(&key).copied() } else { None };
        let number = known.unwrap_or(self.read.contents.len());
        match self.read.contents.get_mut(number) {
            Some(shared) if !record.body.is_empty() => *shared = record.body.to_vec(),
            Some(_) => {}
            None => self.read.contents.push(record.body.to_vec()),
        }
        if record.links >= 2 {
            self.links.insert(key, number);
        }
        number
    }
}

#[cfg(test)]
mod tests;
