//! A GUID partition table with one partition: the EFI system partition.
//!
//! Standard: UEFI 2.10, §5.2.3 (protective MBR) and §5.3 (headers, entries). Sectors have 512 bytes.
//! ```text
//! 0    1       2            2048         …                -33      -1
//! MBR │ header │ 128 entries │ (1 MiB) the partition │ … │ entries │ header
//! ```

use super::crc32::crc32;
use super::identity::{Guid, Identity};
use super::medium::{set, Medium};
use super::SECTOR;
use vitrine_attest::gpt_event::{data, ENTRY, HEADER};
use vitrine_attest::{Result, Sha256};

/// EFI System Partition (UEFI 2.10, §5.3.3, table 5-7).
const ESP: Guid =
    Guid([0xc1, 0x2a, 0x73, 0x28, 0xf8, 0x1f, 0x11, 0xd2, 0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b]);
/// Entries of the table: the least that the standard allows (16 KiB).
const ENTRIES: usize = 128;
/// Sectors of all entries.
const TABLE: u64 = (ENTRIES * ENTRY / SECTOR) as u64;
/// First sector of the partition: 1 MiB, as every program for partitions has it.
pub const FIRST: u64 = 2048;
/// Sectors behind the partition, so that the disk is whole MiB, as clouds ask; the second table needs 33.
const BEHIND: u64 = 2048;
const NAME: &str = "vitrine";

/// Which of both headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Header {
    Primary,
    Backup,
}

/// A partition table.
#[derive(Debug, Clone, Copy)]
pub struct Gpt {
    disk: Guid,
    partition: Guid,
    /// Of the partition.
    sectors: u64,
}

impl Gpt {
    /// Around a partition of so many sectors.
    pub fn around(sectors: u32, identity: &Identity) -> Self {
        Self { disk: identity.guid("disk"), partition: identity.guid("partition"), sectors: sectors.into() }
    }

    pub fn disk(&self) -> Guid {
        self.disk
    }

    /// Sectors of the whole disk.
    pub fn disk_sectors(&self) -> u64 {
        FIRST + self.sectors + BEHIND
    }

    /// Writes everything but the partition.
    ///
    /// # Errors
    /// Our bug.
    pub fn write(&self, medium: &mut Medium) -> Result<()> {
        let entry = self.entry();
        let last = self.disk_sectors() - 1;
        medium.put(0, self.protective_mbr().to_vec())?;
        medium.put(SECTOR as u64, self.header(Header::Primary).to_vec())?;
        medium.put(2 * SECTOR as u64, entry.to_vec())?;
        medium.put((last - TABLE) * SECTOR as u64, entry.to_vec())?;
        medium.put(last * SECTOR as u64, self.header(Header::Backup).to_vec())
    }

    /// What the firmware measures into PCR 5 when it boots from the partition.
    pub fn event(&self) -> Vec<u8> {
        data(&self.header(Header::Primary), &[self.entry()])
    }

    /// SHA-256 of [`Self::event`].
    pub fn event_digest(&self) -> Sha256 {
        Sha256::of(&self.event())
    }

    fn entry(&self) -> [u8; ENTRY] {
        let mut entry = [0; ENTRY];
        set(&mut entry, 0, &ESP.on_disk());
        set(&mut entry, 16, &self.partition.on_disk());
        set(&mut entry, 32, &FIRST.to_le_bytes());
        set(&mut entry, 40, &(FIRST + self.sectors - 1).to_le_bytes());
        let name: Vec<u8> = NAME.encode_utf16().flat_map(u16::to_le_bytes).collect();
        set(&mut entry, 56, &name);
        entry
    }

    /// The first MiB is not for partitions: an ISO has its descriptors there.
    fn header(&self, which: Header) -> [u8; HEADER] {
        let last = self.disk_sectors() - 1;
        let (here, other, table) = match which {
            Header::Primary => (1, last, 2),
            Header::Backup => (last, 1, last - TABLE),
        };
        let mut entries = vec![0; ENTRIES * ENTRY];
        set(&mut entries, 0, &self.entry());
        let mut header = [0; HEADER];
        set(&mut header, 0, b"EFI PART");
        set(&mut header, 8, &0x0001_0000u32.to_le_bytes());
        set(&mut header, 12, &(HEADER as u32).to_le_bytes());
        set(&mut header, 24, &here.to_le_bytes());
        set(&mut header, 32, &other.to_le_bytes());
        set(&mut header, 40, &FIRST.to_le_bytes());
        set(&mut header, 48, &(last - TABLE - 1).to_le_bytes());
        set(&mut header, 56, &self.disk.on_disk());
        set(&mut header, 72, &table.to_le_bytes());
        set(&mut header, 80, &(ENTRIES as u32).to_le_bytes());
        set(&mut header, 84, &(ENTRY as u32).to_le_bytes());
        set(&mut header, 88, &crc32(&entries).to_le_bytes());
        let crc = crc32(&header); // with its own field zero
        set(&mut header, 16, &crc.to_le_bytes());
        header
    }

    /// One partition over everything, for programs that do not know GPT (§5.2.3).
    fn protective_mbr(&self) -> [u8; SECTOR] {
        let mut sector = [0; SECTOR];
        let size = u32::try_from(self.disk_sectors() - 1).unwrap_or(u32::MAX);
        set(&mut sector, 446, &[0, 0, 2, 0, 0xee, 0xff, 0xff, 0xff]);
        set(&mut sector, 454, &1u32.to_le_bytes());
        set(&mut sector, 458, &size.to_le_bytes());
        set(&mut sector, 510, b"\x55\xaa");
        sector
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_point_at_each_other() {
        let gpt = Gpt::around(65_536, &Identity(Sha256::ZERO));
        let (primary, backup) = (gpt.header(Header::Primary), gpt.header(Header::Backup));
        assert_eq!(
            (primary[24..32].to_vec(), primary[32..40].to_vec()),
            (backup[32..40].to_vec(), backup[24..32].to_vec())
        );
        assert_eq!(primary[88..92], backup[88..92]);
        assert_ne!(primary[16..20], backup[16..20]);
        assert_eq!(gpt.disk_sectors() % 2048, 0);
    }

    /// If you meant to change the table: every exported disk gets another PCR 5. Say so in the changelog and update this value.
    #[test]
    fn pinned_event() {
        let gpt = Gpt::around(67_584, &Identity(Sha256::of(b"image")));
        assert_eq!(gpt.event().len(), 228);
        assert_eq!(gpt.event_digest().to_string(), "7e16dc53988d71274fd7b13ec286a14b64ea0e8c17dbe6e4dcb613794106766e");
    }
}
