//! One FAT32 file system with one file, `\EFI\BOOT\BOOTX64.EFI`.
//!
//! Standard: Microsoft FAT specification 1.03; UEFI 2.10 §13.3 (file system of an EFI system partition) and §3.5.1.1 (the file's name).
//! ```text
//! boot sector, FSInfo, copies │ FAT │ FAT │ root │ EFI │ BOOT │ (unused) │ the image, in one piece │ unused
//! 0                             reserved    cluster 2   3      4           4 KiB aligned
//! ```
//! Always FAT32, never FAT16: one kind of file system for all images. All times are the first that FAT knows.

use super::medium::{set, Medium};
use super::SECTOR;
use vitrine_attest::{Error, Result};

/// Fewer clusters than this would be FAT16 by definition (§3.5); 16 more, as the specification asks of who formats.
const FEWEST_CLUSTERS: u32 = 65_525 + 16;
/// Volumes up to this many sectors (260 MiB) have clusters of one sector, larger ones of eight (the table of §3.4).
const SMALL: u32 = 532_480;
/// Reserved sectors at least: as everybody has it (§3.1).
const RESERVED: u32 = 32;
/// The data area and the image begin at multiples of so many sectors: 4 KiB, pages and the largest sectors of disks.
const ALIGN: u32 = 8;
/// Volumes are whole MiB, in sectors.
const MIB: u32 = 2048;
/// A file's length has 32 bits (§6.1).
const LARGEST: u64 = u32::MAX as u64;
/// 1980-01-01 (§6.2: day in bits 0–4, month in 5–8, years since 1980 above).
const DATE: u16 = 1 << 5 | 1;
/// The two entries before the first cluster (§4.3): media type, clean.
const FIRST: [u32; 2] = [0x0fff_fff8, 0x0fff_ffff];
const END_OF_CHAIN: u32 = 0x0fff_ffff;
const DIRECTORY: u8 = 0x10;
const LABEL: &[u8; 11] = b"VITRINE    ";

/// Where everything lies, in sectors of 512 bytes from the volume's begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Of the whole volume.
    pub sectors: u32,
    per_cluster: u32,
    reserved: u32,
    /// Of one of both tables.
    fat: u32,
    clusters: u32,
    /// The file's length in bytes.
    length: u32,
}

impl Layout {
    /// The smallest volume of whole MiB for a file of this many bytes.
    ///
    /// # Errors
    /// When FAT has no place for such a file.
    pub fn of(length: u64) -> Result<Self> {
        let too_large = || {
            let what = format!(
                "the image has {length} bytes; a file on an EFI system partition (FAT32) has at most {LARGEST}"
            );
            Error::input(what, "take something out of the image: `vitrine inspect` shows its parts")
        };
        let file = u32::try_from(length).map_err(|_| too_large())?;
        let needed = |per_cluster: u32| before_image(per_cluster) + file.div_ceil(per_cluster * SECTOR as u32);
        let per_cluster = if needed(1) <= SMALL - 2 * MIB - SMALL / 64 { 1 } else { 8 };
        let clusters = needed(per_cluster).max(FEWEST_CLUSTERS);
        let at_least = u64::from(RESERVED) + u64::from(clusters) * u64::from(per_cluster);
        let mut sectors = at_least.next_multiple_of(MIB.into());
        // Tables take less than a sixteenth, so this ends soon
        loop {
            let layout = Self::filling(u32::try_from(sectors).map_err(|_| too_large())?, per_cluster, file);
            if layout.clusters >= clusters {
                return Ok(layout);
            }
            sectors += u64::from(MIB);
        }
    }

    /// With the smallest tables that reach every cluster of such a volume.
    fn filling(sectors: u32, per_cluster: u32, length: u32) -> Self {
        let entries = (SECTOR / 4) as u32;
        let mut fat = sectors / (entries * per_cluster + 2);
        loop {
            let reserved = (RESERVED + 2 * fat).next_multiple_of(ALIGN) - 2 * fat;
            let clusters = (sectors - reserved - 2 * fat) / per_cluster;
            if (clusters + 2).div_ceil(entries) <= fat {
                return Self { sectors, per_cluster, reserved, fat, clusters, length };
            }
            fat += 1;
        }
    }

    fn cluster_bytes(&self) -> usize {
        self.per_cluster as usize * SECTOR
    }

    /// First byte of a cluster; the first is number 2.
    fn cluster_at(&self, cluster: u32) -> u64 {
        let data = u64::from(self.reserved + 2 * self.fat);
        (data + u64::from(cluster - 2) * u64::from(self.per_cluster)) * SECTOR as u64
    }

    fn image_cluster(&self) -> u32 {
        2 + before_image(self.per_cluster)
    }

    fn image_clusters(&self) -> u32 {
        self.length.div_ceil(self.cluster_bytes() as u32)
    }

    /// First byte of the image in the volume.
    pub fn image_at(&self) -> u64 {
        self.cluster_at(self.image_cluster())
    }

    /// Writes the volume from byte `at` of the medium on. `image` has to be as long as the layout was made for.
    ///
    /// # Errors
    /// Our bug.
    pub fn write<'a>(&self, medium: &mut Medium<'a>, at: u64, image: &'a [u8], serial: u32) -> Result<()> {
        let sector = |number: u32| at + u64::from(number) * SECTOR as u64;
        let boot = self.boot_sector((at / SECTOR as u64) as u32, serial);
        for copy in [0, 6] {
            medium.put(sector(copy), boot.to_vec())?;
            medium.put(sector(copy + 1), self.info_sector().to_vec())?;
        }
        let table = self.table();
        medium.put(sector(self.reserved), table.clone())?;
        medium.put(sector(self.reserved + self.fat), table)?;
        let label = entry(LABEL, 0x08, 0, 0);
        let folder = |name: &[u8; 11], cluster| entry(name, DIRECTORY, cluster, 0);
        // a folder's link to the root has cluster 0 (§6.5)
        let folders = [
            [label, folder(b"EFI        ", 3)].concat(),
            [folder(b".          ", 3), folder(b"..         ", 0), folder(b"BOOT       ", 4)].concat(),
            [
                folder(b".          ", 4),
                folder(b"..         ", 3),
                entry(b"BOOTX64 EFI", 0x20, self.image_cluster(), self.length),
            ]
            .concat(),
        ];
        for (cluster, entries) in (2..).zip(folders) {
            medium.put(at + self.cluster_at(cluster), entries)?;
        }
        medium.put(at + self.image_at(), image)
    }

    /// BPB and boot sector (§3.1, §3.3); `hidden`: sectors before the volume.
    fn boot_sector(&self, hidden: u32, serial: u32) -> [u8; SECTOR] {
        let mut sector = [0; SECTOR];
        set(&mut sector, 0, b"\xeb\x58\x90VITRINE ");
        set(&mut sector, 11, &(SECTOR as u16).to_le_bytes());
        sector[13] = self.per_cluster as u8;
        set(&mut sector, 14, &(self.reserved as u16).to_le_bytes());
        sector[16] = 2; // tables
        sector[21] = 0xf8; // a fixed disk
        set(&mut sector, 24, &63u16.to_le_bytes()); // the geometry of large disks, used by nobody
        set(&mut sector, 26, &255u16.to_le_bytes());
        set(&mut sector, 28, &hidden.to_le_bytes());
        set(&mut sector, 32, &self.sectors.to_le_bytes());
        set(&mut sector, 36, &self.fat.to_le_bytes());
        set(&mut sector, 44, &2u32.to_le_bytes()); // the root's cluster
        set(&mut sector, 48, &1u16.to_le_bytes()); // FSInfo
        set(&mut sector, 50, &6u16.to_le_bytes()); // copy of this sector
        sector[64] = 0x80;
        sector[66] = 0x29; // the next three fields are there
        set(&mut sector, 67, &serial.to_le_bytes());
        set(&mut sector, 71, LABEL);
        set(&mut sector, 82, b"FAT32   ");
        set(&mut sector, 90, b"\xcd\x18\xf4\xeb\xfd"); // int 18h: no boot here; hlt
        set(&mut sector, 510, b"\x55\xaa");
        sector
    }

    /// FSInfo (§3.5): how many clusters are free, and the first behind those in use.
    fn info_sector(&self) -> [u8; SECTOR] {
        let mut sector = [0; SECTOR];
        let free = self.clusters - 3 - self.image_clusters();
        set(&mut sector, 0, b"RRaA");
        set(&mut sector, 484, b"rrAa");
        set(&mut sector, 488, &free.to_le_bytes());
        set(&mut sector, 492, &(self.image_cluster() + self.image_clusters()).to_le_bytes());
        set(&mut sector, 510, b"\x55\xaa");
        sector
    }

    /// One of both tables: three folders of one cluster each, and the image's chain.
    fn table(&self) -> Vec<u8> {
        let mut table = vec![0; self.fat as usize * SECTOR];
        let mut link = |cluster: u32, next: u32| set(&mut table, cluster as usize * 4, &next.to_le_bytes());
        link(0, FIRST[0]);
        link(1, FIRST[1]);
        (2..5).for_each(|folder| link(folder, END_OF_CHAIN));
        let end = self.image_cluster() + self.image_clusters();
        for cluster in self.image_cluster()..end {
            link(cluster, if cluster + 1 == end { END_OF_CHAIN } else { cluster + 1 });
        }
        table
    }
}

/// Clusters before the image: three folders, and what aligns it.
fn before_image(per_cluster: u32) -> u32 {
    (3 * per_cluster).next_multiple_of(ALIGN) / per_cluster
}

/// A directory entry (§6).
fn entry(name: &[u8; 11], attributes: u8, cluster: u32, length: u32) -> [u8; 32] {
    let mut entry = [0; 32];
    set(&mut entry, 0, name);
    entry[11] = attributes;
    for date in [16, 18, 24] {
        set(&mut entry, date, &DATE.to_le_bytes());
    }
    set(&mut entry, 20, &((cluster >> 16) as u16).to_le_bytes());
    set(&mut entry, 26, &(cluster as u16).to_le_bytes());
    set(&mut entry, 28, &length.to_le_bytes());
    entry
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What every reader computes from the boot sector has to be what we meant, for images of all sizes.
    #[test]
    fn layouts_hold_together() {
        let sizes =
            [1, 511, 512, 513, 4096, 20_500_000, 33_554_432, 36 << 20, 200 << 20, 255 << 20, 256 << 20, 257 << 20];
        let around = (0..400).map(|step| (240 << 20) + step * 50_021);
        for length in sizes.into_iter().chain(around).chain([1 << 30, 2 << 30, 3_900_000_000]) {
            let layout = Layout::of(length).unwrap();
            assert_eq!(layout.sectors % MIB, 0, "{length}");
            assert_eq!((layout.reserved + 2 * layout.fat) % ALIGN, 0, "{length}");
            assert!(layout.reserved >= RESERVED && layout.reserved < RESERVED + ALIGN, "{layout:?}");
            assert!(layout.clusters >= FEWEST_CLUSTERS, "{layout:?}");
            assert!(layout.fat * 128 >= layout.clusters + 2, "{layout:?}");
            let data = layout.sectors - layout.reserved - 2 * layout.fat;
            assert_eq!(data / layout.per_cluster, layout.clusters);
            assert!(layout.per_cluster == 8 || layout.sectors <= SMALL, "{layout:?}");
            assert_eq!(layout.image_at() % 4096, 0);
            let end = layout.image_cluster() - 2 + layout.image_clusters();
            assert!(end <= layout.clusters, "{layout:?}");
            assert_eq!(u64::from(layout.length), length);
        }
    }

    #[test]
    fn no_larger_than_needed() {
        assert_eq!(Layout::of(20_500_000).unwrap().sectors / MIB, 33);
        let large = Layout::of(1 << 30).unwrap();
        assert!(large.sectors / MIB <= 1024 + 4, "{large:?}");
    }

    #[test]
    fn the_limit_is_told() {
        for length in [1 << 32, u64::MAX] {
            let error = Layout::of(length).unwrap_err();
            assert!(error.what.contains("at most 4294967295") && error.exit_code() == 2, "{error}");
        }
    }
}
