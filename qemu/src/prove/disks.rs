//! Disks that nobody may touch: one of each kind that servers have, full of a known pattern.

use crate::boot::Guest;
use crate::scratch::Scratch;
use serde::Serialize;
use serde_json::{json, Value};
use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;
use vitrine_attest::{Error, Result, Sha256};

/// Bytes of each.
const SIZE: usize = 16 << 20;
/// Name and device of each. `%` is the drive.
const KINDS: [(&str, &[&str]); 4] = [
    ("virtio-blk", &["virtio-blk-pci,drive=%"]),
    ("nvme", &["nvme,drive=%,serial=vitrine"]),
    ("usb-storage", &["qemu-xhci,id=usb", "usb-storage,drive=%,bus=usb.0"]),
    ("ahci", &["ide-hd,drive=%,bus=ide.0"]),
];

/// The files of the disks.
pub struct Disks {
    files: Vec<(&'static str, PathBuf)>,
    hash: Sha256,
}

/// Operations on one disk so far (QMP, `query-blockstats`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Operations {
    pub reads: u64,
    pub writes: u64,
    /// Flush, discard and write-zeroes requests.
    pub others: u64,
}

impl std::ops::Sub for Operations {
    type Output = Self;
    fn sub(self, before: Self) -> Self {
        Self {
            reads: self.reads.saturating_sub(before.reads),
            writes: self.writes.saturating_sub(before.writes),
            others: self.others.saturating_sub(before.others),
        }
    }
}

impl std::ops::Add for Operations {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self { reads: self.reads + other.reads, writes: self.writes + other.writes, others: self.others + other.others }
    }
}

/// What became of one disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Disk {
    pub kind: &'static str,
    /// Until the server answered: the firmware looks for partitions.
    pub by_firmware: Operations,
    /// While it answered.
    pub since: Operations,
    pub unchanged: bool,
}

impl Disk {
    /// Not read, not written, not one byte different.
    pub fn is_untouched(&self) -> bool {
        self.since == Operations::default() && self.by_firmware.writes == 0 && self.unchanged
    }
}

impl Disks {
    /// # Errors
    /// When the disk that they lie on is full.
    pub fn make(scratch: &Scratch) -> Result<Self> {
        let pattern: [u8; 64] = crate::random::bytes()?;
        let bytes = pattern.repeat(SIZE / pattern.len());
        let files = KINDS.map(|(kind, _)| Ok((kind, scratch.write(&format!("{kind}.img"), &bytes)?)));
        Ok(Self { files: files.into_iter().collect::<Result<_>>()?, hash: Sha256::of(&bytes) })
    }

    /// For QEMU.
    pub fn arguments(&self) -> Vec<String> {
        let mut arguments = Vec::new();
        for ((kind, file), (_, devices)) in self.files.iter().zip(KINDS) {
            let file = file.display().to_string().replace(',', ",,");
            arguments.extend(["-drive".into(), format!("if=none,id={kind},format=raw,file={file}")]);
            for device in devices {
                arguments.extend(["-device".into(), device.replace('%', kind)]);
            }
        }
        arguments
    }

    /// # Errors
    /// When QEMU does not tell.
    pub fn operations(&self, guest: &mut Guest) -> Result<Vec<Operations>> {
        let told = guest.qmp().execute("query-blockstats", json!({}))?;
        self.files.iter().map(|(kind, _)| of_drive(&told, kind)).collect()
    }

    /// `served`: while the server answered, of all boots; `total`: since power-on.
    ///
    /// # Errors
    /// When a file cannot be read any more.
    pub fn judge(&self, served: &[Operations], total: &[Operations]) -> Result<Vec<Disk>> {
        let mut all = Vec::new();
        for ((kind, file), (served, total)) in self.files.iter().zip(served.iter().zip(total)) {
            let unchanged = hash(file)? == self.hash;
            all.push(Disk { kind, by_firmware: *total - *served, since: *served, unchanged });
        }
        Ok(all)
    }

    pub fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        self.files.iter().map(|(_, path)| path)
    }
}

fn of_drive(told: &Value, drive: &str) -> Result<Operations> {
    let stats = told.as_array().and_then(|all| all.iter().find(|one| one["device"] == drive)).map(|one| &one["stats"]);
    let count = |name: &str| stats.and_then(|stats| stats[name].as_u64());
    let all = (count("rd_operations"), count("wr_operations"), count("flush_operations"), count("unmap_operations"));
    match all {
        (Some(reads), Some(writes), Some(flushes), Some(discards)) => {
            Ok(Operations { reads, writes, others: flushes + discards })
        }
        _ => Err(Error::host(format!("QEMU does not count what is done to {drive}"), "use QEMU 7 or newer")),
    }
}

/// SHA-256 of a file.
///
/// # Errors
/// When it cannot be read.
pub fn hash(path: &std::path::Path) -> Result<Sha256> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|mut file| file.read_to_end(&mut bytes))
        .map_err(|e| Error::host(format!("{}: {e}", path.display()), ""))?;
    Ok(Sha256::of(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn stats(reads: u64, writes: u64) -> Value {
        json!([{ "device": "nvme", "stats": { "rd_operations": reads, "wr_operations": writes, "flush_operations": 0,
            "unmap_operations": 0 } }, { "device": "esp", "stats": {} }])
    }

    #[test]
    fn operations_are_read_by_name() {
        assert_eq!(of_drive(&stats(7, 2), "nvme").unwrap(), Operations { reads: 7, writes: 2, others: 0 });
        assert!(of_drive(&stats(7, 2), "esp").is_err() && of_drive(&stats(7, 2), "ahci").is_err());
    }

    /// One read, one write or one other byte is enough.
    #[test]
    fn a_touched_disk_is_seen() {
        let scratch = Scratch::new().unwrap();
        let disks = Disks::make(&scratch).unwrap();
        let total = [Operations { reads: 5, ..Operations::default() }; 4];
        let judge = |served: &[Operations]| disks.judge(served, &total).unwrap();
        let mut after = [Operations::default(); 4];
        assert!(judge(&after).iter().all(Disk::is_untouched));
        after[1].reads += 1;
        after[2].others += 1;
        std::fs::OpenOptions::new()
            .write(true)
            .open(&disks.files[3].1)
            .and_then(|mut file| file.write_all(b"x"))
            .unwrap();
        assert_eq!(judge(&after).iter().map(Disk::is_untouched).collect::<Vec<_>>(), [true, false, false, false]);
    }
}
