//! The guest's memory, searched while the guest stands still.

use super::canary::{Canary, Kind};
use super::forms::{forms, Form};
use crate::boot::Guest;
use crate::scan::{scan_file, Hit, Scanned, Scanner};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use vitrine_attest::{Error, Result};

/// Name of the memory object.
const OBJECT: &str = "ram";
/// Above this, q35 puts a part of the memory behind the hole for devices, and offsets are no physical addresses.
pub const MOST_MIB: u32 = 2048;

/// QEMU arguments for a memory that we can read, of a machine with this much of it.
pub fn arguments(mib: u32) -> [String; 4] {
    let object = format!("memory-backend-memfd,id={OBJECT},size={mib}M,share=on");
    ["-object".into(), object, "-machine".into(), format!("memory-backend={OBJECT}")]
}

/// Open memory of a guest. It can be read as long as this lives, also after QEMU has been killed.
#[derive(Debug)]
pub struct Memory(pub(super) File);

impl Memory {
    /// # Errors
    /// When the guest was not started with [`arguments`].
    pub fn open(guest: &Guest) -> Result<Self> {
        Self::of_process(guest.pid())
    }

    /// The same of any QEMU process.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn of_process(pid: u32) -> Result<Self> {
        let failed = |e: &dyn std::fmt::Display| Error::host(format!("QEMU's memory file: {e}"), "");
        let folder = format!("/proc/{pid}/fd");
        for entry in std::fs::read_dir(folder).map_err(|e| failed(&e))?.flatten() {
            let target = std::fs::read_link(entry.path()).unwrap_or_default();
            if target.to_string_lossy().contains("memory-backend-memfd") {
                return Ok(Self(File::open(entry.path()).map_err(|e| failed(&e))?));
            }
        }
        Err(failed(&"it is not there"))
    }

    pub fn read(&self, at: u64, bytes: &mut [u8]) -> std::io::Result<()> {
        self.0.read_exact_at(bytes, at)
    }

    /// Bytes around a place, for people who look for a cause.
    pub fn around(&self, at: u64, before: u64, length: usize) -> (u64, Vec<u8>) {
        let from = at.saturating_sub(before);
        let mut bytes = vec![0; length];
        let read = self.0.read_at(&mut bytes, from).unwrap_or(0);
        bytes.truncate(read);
        (from, bytes)
    }
}

/// Canaries and the scanner made of them.
pub struct Hunt {
    /// Of each needle.
    meaning: Vec<(Kind, Form)>,
    lengths: Vec<usize>,
    scanner: Scanner,
}

/// One copy of a canary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copy {
    pub at: u64,
    pub length: usize,
    pub kind: Kind,
    pub form: Form,
}

/// Copies by what they are of and how they are written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Counts(pub BTreeMap<Kind, BTreeMap<Form, usize>>);

impl Counts {
    pub fn of<'a>(copies: impl IntoIterator<Item = &'a Copy>) -> Self {
        let mut counts = Self::default();
        for copy in copies {
            *counts.0.entry(copy.kind).or_default().entry(copy.form).or_default() += 1;
        }
        counts
    }

    pub fn of_kind(&self, kind: Kind) -> usize {
        self.0.get(&kind).map_or(0, |forms| forms.values().sum())
    }

    pub fn total(&self) -> usize {
        self.0.values().flat_map(BTreeMap::values).sum()
    }
}

impl Hunt {
    /// # Errors
    /// Our own bug.
    pub fn new(canaries: &[Canary]) -> Result<Self> {
        let all: Vec<_> = canaries.iter().flat_map(|c| forms(c).into_iter().map(|form| (c.kind, form))).collect();
        let meaning = all.iter().map(|(kind, (form, _))| (*kind, *form)).collect();
        let lengths = all.iter().map(|(_, (_, needle))| needle.bytes.len()).collect();
        let scanner = Scanner::new(all.into_iter().map(|(_, (_, needle))| needle).collect())?;
        Ok(Self { meaning, lengths, scanner })
    }

    /// Searches bytes.
    pub fn in_bytes(&self, bytes: &[u8]) -> Vec<Copy> {
        let mut copies = Vec::new();
        self.scanner.scan(bytes, 0, &mut |hit| copies.push(self.copy(hit)));
        outermost(copies)
    }

    fn copy(&self, hit: Hit) -> Copy {
        let (kind, form) = self.meaning[hit.needle];
        Copy { at: hit.at, length: self.lengths[hit.needle], kind, form }
    }

    /// Searches a file.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn search(&self, file: &File) -> Result<(Vec<Copy>, Scanned)> {
        let scanned = scan_file(&self.scanner, file)?;
        Ok((outermost(scanned.hits.iter().map(|hit| self.copy(*hit)).collect()), scanned))
    }

    /// Searches the memory of a guest that stands still.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn in_memory(&self, memory: &Memory) -> Result<(Vec<Copy>, Scanned)> {
        self.search(&memory.0)
    }
}

/// Without those that lie within a longer one of their kind: a label within its name in wire form is one copy.
fn outermost(mut copies: Vec<Copy>) -> Vec<Copy> {
    copies.sort_by_key(|copy| (copy.kind, copy.at, std::cmp::Reverse(copy.length)));
    let mut end: Option<(Kind, u64)> = None;
    copies.retain(|copy| {
        let last = copy.at + copy.length as u64;
        let inside = end.is_some_and(|(kind, end)| kind == copy.kind && last <= end);
        if !inside {
            end = Some((copy.kind, last));
        }
        !inside
    });
    copies.sort_by_key(|copy| copy.at);
    copies
}
