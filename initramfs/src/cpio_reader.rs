//! Reads newc cpio as the kernel's state machine does, and refuses what it would skip or fail on
//! (init/initramfs.c, `do_header`, `do_name`, `do_copy`, `do_symlink`).

use crate::path::ImagePath;
use crate::segments::broken;
use vitrine_attest::Result;

const HEADER: usize = 110;
/// `PATH_MAX`: longer names and link targets are skipped by the kernel without a word.
const PATH_MAX: usize = 4096;

/// One header's fields that mean something to the kernel, its name and its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record<'a> {
    pub inode: u32,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub links: u32,
    pub mtime: u32,
    pub device: (u32, u32),
    /// Major and minor of a device node.
    pub node: (u32, u32),
    pub name: &'a str,
    pub body: &'a [u8],
}

impl Record<'_> {
    pub fn is_trailer(&self) -> bool {
        self.name == "TRAILER!!!"
    }

    /// Where it goes; `None` for the root folder itself.
    pub fn path(&self) -> Result<Option<ImagePath>> {
        ImagePath::from_archive(self.name.trim_start_matches('/'))
    }
}

/// The same with a name of any bytes, without its NUL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawRecord<'a> {
    pub record: Record<'a>,
    pub name: &'a [u8],
}

/// Reads one entry at `at`, which is divisible by 4. Gives it and the place behind its padding.
pub fn record(bytes: &[u8], at: usize) -> Result<(Record<'_>, usize)> {
    let (RawRecord { record, name }, end) = raw_record(bytes, at)?;
    let name = std::str::from_utf8(name).map_err(|_| broken("has a name that is not UTF-8"))?;
    Ok((Record { name, ..record }, end))
}

/// Reads one entry whose name may be no text; [`Record::name`] is empty here.
pub fn raw_record(bytes: &[u8], at: usize) -> Result<(RawRecord<'_>, usize)> {
    let header = bytes.get(at..at + HEADER).ok_or_else(|| broken("ends inside an entry's header"))?;
    let sums = match &header[..6] {
        b"070701" => false,
        b"070702" => true,
        _ => return Err(broken("has an entry without the newc magic")),
    };
    let mut fields = [0; 13];
    for (field, digits) in fields.iter_mut().zip(header[6..].chunks_exact(8)) {
        *field = hex(digits)?;
    }
    let [inode, mode, uid, gid, links, mtime, size, major, minor, node_major, node_minor, name_size, sum] = fields;
    let name_size = usize::try_from(name_size).unwrap_or(usize::MAX);
    if name_size == 0 || name_size > PATH_MAX {
        return Err(broken("has a name of a length that the kernel skips"));
    }
    // header and name together are padded to 4, as the body is
    let body_at = (at + HEADER + name_size).next_multiple_of(4);
    let name = bytes.get(at + HEADER..at + HEADER + name_size).ok_or_else(|| broken("ends inside a name"))?;
    let body_end = usize::try_from(size).ok().and_then(|size| body_at.checked_add(size));
    let body = body_end.and_then(|end| bytes.get(body_at..end)).ok_or_else(|| broken("ends inside a file"))?;
    let end = (body_at + body.len()).next_multiple_of(4);
    if end > bytes.len() {
        return Err(broken("ends inside the padding of its last entry"));
    }
    if sums && body.iter().fold(0u32, |total, byte| total.wrapping_add(u32::from(*byte))) != sum {
        return Err(broken("has a file whose checksum is wrong"));
    }
    let device = (major, minor);
    let node = (node_major, node_minor);
    let Some(name_end) = name.iter().position(|byte| *byte == 0).filter(|_| name.last() == Some(&0)) else {
        return Err(broken("has a name that does not end in NUL"));
    };
    let record = Record { inode, mode, uid, gid, links, mtime, device, node, name: "", body };
    Ok((RawRecord { record, name: &name[..name_end] }, end))
}

fn hex(digits: &[u8]) -> Result<u32> {
    let text = std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()));
    text.and_then(|text| u32::from_str_radix(text, 16).ok())
        .ok_or_else(|| broken("has a header field that is no hex number"))
}

/// The target of a symbolic link.
pub fn link_target<'a>(record: &Record<'a>) -> Result<&'a str> {
    if record.body.is_empty() || record.body.len() >= PATH_MAX {
        return Err(broken(&format!("has a link {:?} of a length that the kernel skips", record.name)));
    }
    match std::str::from_utf8(record.body) {
        Ok(target) if !target.contains('\0') => Ok(target),
        _ => Err(broken(&format!("has a link {:?} whose target is no text", record.name))),
    }
}
