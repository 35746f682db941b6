//! The small cpio archives that systemd-stub itself appends to the initramfs (`pack_cpio_literal` in its `cpio.c`).
//!
//! They are part of what the kernel measures into PCR 9, so they are made here byte for byte. Form: newc (magic
//! `070701`), thirteen fields as `%08x` in lower case, inode numbers from 1, nlink 1, everything else 0.

/// Where the stub puts its files.
const FOLDER: &str = ".extra";
/// S_IFDIR | 0555.
const FOLDER_MODE: usize = 0o040_555;
/// S_IFREG | 0444.
const FILE_MODE: usize = 0o100_444;
/// The stub's literal; its namesize is the only upper-case number.
const TRAILER: &[u8] = b"070701\
    00000000000000000000000000000000000000010000000000000000\
    00000000000000000000000000000000\
    0000000B00000000TRAILER!!!\0\0\0\0";

/// Everything in the initramfs begins at a multiple of this many bytes.
pub const ALIGNMENT: usize = 4;

/// An archive with `/.extra/<name>`, a multiple of four bytes long. `name` has no slash.
pub fn literal(name: &str, contents: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(contents.len() + 512);
    entry(&mut out, 1, FOLDER_MODE, FOLDER, &[]);
    entry(&mut out, 2, FILE_MODE, &format!("{FOLDER}/{name}"), contents);
    out.extend_from_slice(TRAILER);
    out
}

fn entry(out: &mut Vec<u8>, inode: usize, mode: usize, path: &str, contents: &[u8]) {
    out.extend_from_slice(b"070701");
    // ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check
    for field in [inode, mode, 0, 0, 1, 0, contents.len(), 0, 0, 0, 0, path.len() + 1, 0] {
        out.extend_from_slice(format!("{field:08x}").as_bytes());
    }
    out.extend_from_slice(path.as_bytes());
    out.push(0);
    pad(out);
    out.extend_from_slice(contents);
    pad(out);
}

fn pad(out: &mut Vec<u8>) {
    out.resize(out.len().next_multiple_of(ALIGNMENT), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shape() {
        let archive = literal("os-release", b"ID=vitrine\n");
        // 110 + ".extra\0" → 120; 110 + ".extra/os-release\0" → 128; 11 → 12; trailer 124
        assert_eq!(archive.len(), 120 + 128 + 12 + 124);
        assert!(archive.starts_with(b"070701000000010000416d0000000000000000"));
        assert_eq!(&archive[120..144], b"070701000000020000812400");
        assert_eq!(&archive[110..120], b".extra\0\0\0\0");
        assert!(archive.ends_with(b"0000000B00000000TRAILER!!!\0\0\0\0"));
        assert_eq!(TRAILER.len(), 124);
    }

    /// If systemd-stub changes its archives: add a case by its version, do not edit this value.
    #[test]
    fn pinned_digest() {
        let digest = crate::Sha256::of(&literal("os-release", b"ID=vitrine\n"));
        assert_eq!(digest.to_string(), "4210265d68dabb48a20ac17d225b1db2a70fc58468afb3258e19210465f33920");
    }
}
