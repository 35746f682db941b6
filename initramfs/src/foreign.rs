//! Boot files that somebody else made: what the screen can get out of them, and what it cannot, in words.
//!
//! `read_back.rs` is strict, because it reads our own images. Here everything that can be read is given, and
//! what could not be read is named, so that the screen can say "could not judge" instead of nothing.

mod initramfs;
mod uki;

pub use initramfs::{read_initramfs, Initramfs};
pub use uki::{read_uki, Uki};

use crate::kernel_code::is_bzimage;

/// What a reader is willing to take.
#[derive(Debug, Clone, Copy)]
pub struct ForeignLimits {
    /// Bytes after unpacking, all segments together.
    pub unpacked: u64,
    pub entries: usize,
    /// A segment may always unpack to so many bytes …
    pub free: u64,
    /// … and beyond that to so many times its packed length. Real ones reach some 10, zeros some 1000.
    pub ratio: u64,
}

impl Default for ForeignLimits {
    fn default() -> Self {
        Self { unpacked: 2 << 30, entries: 500_000, free: 64 << 20, ratio: 100 }
    }
}

/// Longest name that is read, in bytes (`PATH_MAX`).
pub const LONGEST_NAME: usize = 4096;

/// Something that could not be judged.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unjudged {
    /// `judge.archive`, a rule of the policy.
    pub rule: &'static str,
    /// `initramfs`, `uki`, or a path.
    pub path: String,
    pub what: String,
}

/// What a file is, told by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A Linux kernel for x86.
    Kernel,
    /// A PE file: a unified kernel image, or none.
    Pe,
    /// An archive, packed or not.
    Initramfs,
    Unknown,
}

impl Shape {
    pub fn detect(bytes: &[u8]) -> Self {
        match bytes {
            _ if is_bzimage(bytes) => Self::Kernel,
            [b'M', b'Z', ..] => Self::Pe,
            [b'0', b'7', b'0', b'7', ..] => Self::Initramfs,
            _ if crate::decompress::Packer::detect(bytes).is_some() => Self::Initramfs,
            _ => Self::Unknown,
        }
    }
}
