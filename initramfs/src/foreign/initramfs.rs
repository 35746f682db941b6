//! An initramfs of any maker: archives one after the other, raw or packed, with padding and early microcode
//! (Documentation/driver-api/early-userspace/buffer-format.rst).

use super::{ForeignLimits, Unjudged, LONGEST_NAME};
use crate::cpio_reader::{raw_record, RawRecord};
use crate::decompress::decompress;
use crate::item::{printable, Item, Subject, What};
use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

/// Where findings about the archive itself are put.
const PATH: &str = "initramfs";
const TYPE: u32 = 0o170_000;

/// Everything that could be read. A path may be there several times: each is judged, because an unpacker that fails in
/// the middle leaves the earlier one.
#[derive(Debug, Default)]
pub struct Initramfs {
    /// Raw archives.
    buffers: Vec<Vec<u8>>,
    entries: Vec<Entry>,
    /// Bytes that all names of a hard link share.
    shared: Vec<Body>,
    pub unjudged: Vec<Unjudged>,
    pub segments: usize,
}

/// Number of the buffer, and bytes in it.
type Body = (usize, Range<usize>);

#[derive(Debug)]
struct Entry {
    path: String,
    mode: u32,
    owner: (u32, u32),
    node: (u32, u32),
    body: Body,
    /// Number of the shared bytes, for a hard link.
    link: Option<usize>,
}

/// Reads as much as can be read.
pub fn read_initramfs(bytes: &[u8], limits: ForeignLimits) -> Initramfs {
    let mut reader = Reader { limits, read: Initramfs::default(), links: HashMap::new(), unpacked: 0 };
    if let Err(what) = reader.segments(bytes) {
        reader.note(what);
    }
    if reader.read.segments == 0 && reader.read.unjudged.is_empty() {
        reader.note("holds no archive".into());
    }
    reader.read.entries.sort_by(|a, b| a.path.cmp(&b.path));
    reader.read
}

struct Reader {
    limits: ForeignLimits,
    read: Initramfs,
    /// Hard links seen since the last trailer: device, inode and file type to their shared bytes.
    links: HashMap<(u32, u32, u32, u32), usize>,
    unpacked: u64,
}

impl Reader {
    fn note(&mut self, what: String) {
        self.read.unjudged.push(Unjudged { rule: "judge.archive", path: PATH.into(), what });
    }

    fn segments(&mut self, bytes: &[u8]) -> Result<(), String> {
        let mut at = 0;
        while at < bytes.len() {
            at += bytes[at..].iter().take_while(|byte| **byte == 0).count();
            let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) else { break };
            let from = |why: String| format!("cannot be read from byte {at} on: {why}");
            if rest.starts_with(b"0707") {
                let end = self.archive(rest, false).map_err(from)?;
                at += end;
            } else {
                let (raw, used) = decompress(rest, self.room(rest.len())).map_err(from)?;
                at += used.max(1);
                self.unpacked += raw.len() as u64;
                self.archive(&raw, true).map_err(|why| format!("in what is packed before byte {at}: {why}"))?;
            }
            self.read.segments += 1;
        }
        Ok(())
    }

    /// Bytes that a segment of this packed length may unpack to.
    fn room(&self, packed: usize) -> u64 {
        let by_ratio = (packed as u64).saturating_mul(self.limits.ratio).max(self.limits.free);
        by_ratio.min(self.limits.unpacked.saturating_sub(self.unpacked))
    }

    /// Reads entries until the data ends or, in raw data, something else begins. Gives where. The entries that were
    /// read stay also when it fails.
    fn archive(&mut self, bytes: &[u8], packed: bool) -> Result<usize, String> {
        let number = self.read.buffers.len();
        self.read.buffers.push(Vec::new());
        let mut at = 0;
        let ended = loop {
            at += bytes[at..].iter().take_while(|byte| **byte == 0).count();
            match bytes.get(at..) {
                None | Some([]) => break Ok(at),
                Some(rest) if !rest.starts_with(b"0707") && !packed => break Ok(at),
                Some(_) => {}
            }
            match raw_record(bytes, at) {
                Ok((record, end)) => {
                    if let Err(why) = self.entry(bytes, number, &record) {
                        break Err(why);
                    }
                    at = end;
                }
                Err(error) => break Err(error.what),
            }
        };
        // bodies are ranges of it
        self.read.buffers[number] = bytes[..at.min(bytes.len())].to_vec();
        ended
    }

    fn entry(&mut self, bytes: &[u8], buffer: usize, raw: &RawRecord<'_>) -> Result<(), String> {
        let RawRecord { record, name } = raw;
        if *name == b"TRAILER!!!" {
            self.links.clear();
            return Ok(());
        }
        let Some(path) = path(name) else { return Ok(()) };
        if self.read.entries.len() >= self.limits.entries {
            return Err(format!("it has more than {} entries", self.limits.entries));
        }
        if name.len() > LONGEST_NAME {
            return Err("it has a name that is longer than the kernel takes".into());
        }
        let start = record.body.as_ptr() as usize - bytes.as_ptr() as usize;
        let body = (buffer, start..start + record.body.len());
        let link = (record.links >= 2 && record.mode & TYPE == 0o100_000).then(|| {
            let key = (record.device.0, record.device.1, record.inode, record.mode & TYPE);
            self.link(key, &body)
        });
        let (mode, owner, node) = (record.mode, (record.uid, record.gid), record.node);
        self.read.entries.push(Entry { path, mode, owner, node, body, link });
        Ok(())
    }

    /// All names of a hard link have the bytes that stand with one of them, usually the last.
    fn link(&mut self, key: (u32, u32, u32, u32), body: &Body) -> usize {
        let shared = &mut self.read.shared;
        let number = *self.links.entry(key).or_insert(shared.len());
        match shared.get_mut(number) {
            Some(known) if !body.1.is_empty() => *known = body.clone(),
            Some(_) => {}
            None => shared.push(body.clone()),
        }
        number
    }
}

/// `./usr//lib` is `/usr/lib`; the root folder itself is `None`.
fn path(name: &[u8]) -> Option<String> {
    let mut path = String::new();
    for part in name.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".") {
        path.push('/');
        path.push_str(&printable(part));
    }
    (!path.is_empty()).then_some(path)
}

impl Initramfs {
    /// The bytes of the last file at this path.
    pub fn file(&self, path: &str) -> Option<&[u8]> {
        let entry = self.entries.iter().rfind(|entry| entry.path == path && entry.mode & TYPE == 0o100_000)?;
        Some(self.body(entry))
    }

    fn body(&self, entry: &Entry) -> &[u8] {
        let shared = entry.link.and_then(|number| self.shared.get(number));
        let (buffer, range) = shared.unwrap_or(&entry.body);
        self.buffers.get(*buffer).and_then(|bytes| bytes.get(range.clone())).unwrap_or_default()
    }

    fn what<'a>(&'a self, entry: &'a Entry) -> What<'a> {
        let body = self.body(entry);
        match entry.mode & TYPE {
            0o040_000 => What::Folder,
            0o100_000 => What::File(Cow::Borrowed(body)),
            0o120_000 => What::Link(Cow::Owned(printable(body.strip_suffix(b"\0").unwrap_or(body)))),
            0o060_000 => What::Block(entry.node.0, entry.node.1),
            0o020_000 => What::Char(entry.node.0, entry.node.1),
            0o010_000 | 0o140_000 => What::Other,
            kind => What::Unread(format!("is of a type that nobody knows: {kind:o}")),
        }
    }
}

impl Subject for Initramfs {
    fn len(&self) -> usize {
        self.entries.len()
    }

    fn visit(&self, number: usize, see: &mut dyn FnMut(&Item<'_>)) {
        let Some(entry) = self.entries.get(number) else { return };
        let path = Cow::Borrowed(entry.path.as_str());
        see(&Item { path, mode: entry.mode, owner: entry.owner, what: self.what(entry), sha256: None });
    }
}

#[cfg(test)]
mod tests;
