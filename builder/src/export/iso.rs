//! What makes an ISO out of the disk: descriptors in its first MiB, which the partition table leaves free.
//!
//! Standards: ECMA-119 (ISO 9660) level 1; "El Torito" Bootable CD-ROM Format 1.0; UEFI 2.10 §13.3.2.1 (a CD's EFI system partition).
//! Read as a CD, with sectors of 2048 bytes, there is a file system that shows the same bytes as the partition does; read as a
//! disk, with sectors of 512, there is the partition.
//! ```text
//! 0              16      17           18   19     20     21       22    23   24        512
//! MBR, GPT, (0s) │ volume │ boot record │ end │ paths │ paths │ catalog │ root │ EFI │ EFI/BOOT │ the partition …
//! ```

use super::medium::{set, Medium};
use vitrine_attest::{Error, Result};

/// Bytes of a CD's sector.
const SECTOR: usize = 2048;
const VOLUME: u32 = 16;
const BOOT_RECORD: u32 = 17;
const END: u32 = 18;
const PATHS_LITTLE: u32 = 19;
const PATHS_BIG: u32 = 20;
const CATALOG: u32 = 21;
/// The three folders, one sector each: root, EFI, EFI/BOOT.
const FOLDERS: [u32; 3] = [22, 23, 24];
/// 1980-01-01 00:00:00 (ECMA-119 §9.1.5, §8.4.26.1), as in the FAT.
const DATE: [u8; 7] = [80, 1, 1, 0, 0, 0, 0];
const LONG_DATE: &[u8; 17] = b"1980010100000000\0";
/// Names that mean this folder and the one above (§7.6.2).
const THIS: &[u8] = b"\0";
const ABOVE: &[u8] = b"\x01";

/// Bytes of the medium that are a file, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// First byte; a multiple of 2048.
    pub at: u64,
    /// In bytes.
    pub length: u64,
}

impl Extent {
    fn sector(&self) -> Result<u32> {
        let sector = u32::try_from(self.at / SECTOR as u64).ok().filter(|_| self.at.is_multiple_of(SECTOR as u64));
        sector.ok_or_else(|| Error::bug(format!("byte {} begins no sector of a CD", self.at)))
    }

    fn length(&self) -> Result<u32> {
        u32::try_from(self.length).map_err(|_| {
            let what =
                format!("{} bytes are too many for a file of an ISO, which has at most {}", self.length, u32::MAX);
            Error::input(what, "use --format disk")
        })
    }
}

/// Makes a CD of the disk: `partition` is what boots (and the file `ESP.IMG`), `image` the file `EFI/BOOT/BOOTX64.EFI`.
///
/// # Errors
/// When the partition has 4 GiB or more.
pub fn write(medium: &mut Medium, partition: Extent, image: Extent) -> Result<()> {
    let sectors = u32::try_from(medium.size() / SECTOR as u64).map_err(|_| Error::bug("a CD of 8 TiB"))?;
    let [root, efi, boot] = FOLDERS;
    let mut put = |sector: u32, bytes: Vec<u8>| medium.put(u64::from(sector) * SECTOR as u64, bytes);
    put(VOLUME, volume(sectors))?;
    put(BOOT_RECORD, boot_record())?;
    put(END, b"\xffCD001\x01".to_vec())?;
    put(PATHS_LITTLE, paths(u32::to_le_bytes, u16::to_le_bytes))?;
    put(PATHS_BIG, paths(u32::to_be_bytes, u16::to_be_bytes))?;
    put(CATALOG, catalog(partition.sector()?))?;
    // in the order of their names (§9.3)
    put(
        root,
        [
            folder(THIS, root),
            folder(ABOVE, root),
            folder(b"EFI", efi),
            file(b"ESP.IMG;1", partition.sector()?, partition.length()?),
        ]
        .concat(),
    )?;
    put(efi, [folder(THIS, efi), folder(ABOVE, root), folder(b"BOOT", boot)].concat())?;
    let image = file(b"BOOTX64.EFI;1", image.sector()?, image.length()?);
    put(boot, [folder(THIS, boot), folder(ABOVE, efi), image].concat())
}

/// Primary volume descriptor (§8.4).
fn volume(sectors: u32) -> Vec<u8> {
    let mut sector = vec![0; SECTOR];
    set(&mut sector, 0, b"\x01CD001\x01");
    sector[8..72].fill(b' '); // system, volume
    set(&mut sector, 40, b"VITRINE");
    set(&mut sector, 80, &both32(sectors));
    set(&mut sector, 120, &both16(1)); // volumes in the set
    set(&mut sector, 124, &both16(1)); // this one
    set(&mut sector, 128, &both16(SECTOR as u16));
    set(&mut sector, 132, &both32(paths(u32::to_le_bytes, u16::to_le_bytes).len() as u32));
    set(&mut sector, 140, &PATHS_LITTLE.to_le_bytes());
    set(&mut sector, 148, &PATHS_BIG.to_be_bytes());
    set(&mut sector, 156, &folder(THIS, FOLDERS[0]));
    sector[190..813].fill(b' '); // set, publisher, preparer, application, three file names
    set(&mut sector, 813, LONG_DATE); // made
    set(&mut sector, 830, LONG_DATE); // changed
    set(&mut sector, 847, b"0000000000000000\0"); // never expires
    set(&mut sector, 864, b"0000000000000000\0"); // effective at once
    sector[881] = 1;
    sector
}

/// El Torito, figure 7.
fn boot_record() -> Vec<u8> {
    let mut sector = vec![0; SECTOR];
    set(&mut sector, 0, b"\0CD001\x01EL TORITO SPECIFICATION");
    set(&mut sector, 71, &CATALOG.to_le_bytes());
    sector
}

/// Validation entry and the one to boot (El Torito, figures 2 and 3).
fn catalog(partition: u32) -> Vec<u8> {
    let mut validation = [0; 32];
    set(&mut validation, 0, &[1, 0xef]); // platform: EFI
    set(&mut validation, 4, b"VITRINE");
    set(&mut validation, 30, b"\x55\xaa");
    let words = validation.chunks_exact(2).map(|word| u16::from_le_bytes([word[0], word[1]]));
    let sum = words.fold(0, u16::wrapping_add);
    set(&mut validation, 28, &sum.wrapping_neg().to_le_bytes());
    let mut entry = [0; 32];
    entry[0] = 0x88; // bootable, no emulation
                     // A count has 16 bits; 1 stands for "to the end of the CD" (UEFI 2.10, §13.3.2.1)
    set(&mut entry, 6, &1u16.to_le_bytes());
    set(&mut entry, 8, &partition.to_le_bytes());
    [validation, entry].concat()
}

/// Path table (§9.4): every folder with the number of the one above it.
fn paths(long: fn(u32) -> [u8; 4], short: fn(u16) -> [u8; 2]) -> Vec<u8> {
    let names: [(&[u8], u16); 3] = [(THIS, 1), (b"EFI", 1), (b"BOOT", 2)];
    let record = |(name, above): (&[u8], u16), sector| {
        let mut record = [&[name.len() as u8, 0][..], &long(sector), &short(above), name].concat();
        record.resize(record.len().next_multiple_of(2), 0);
        record
    };
    names.into_iter().zip(FOLDERS).flat_map(|(name, sector)| record(name, sector)).collect()
}

fn folder(name: &[u8], sector: u32) -> Vec<u8> {
    record(name, sector, SECTOR as u32, 2)
}

fn file(name: &[u8], sector: u32, length: u32) -> Vec<u8> {
    record(name, sector, length, 0)
}

/// Directory record (§9.1).
fn record(name: &[u8], sector: u32, length: u32, flags: u8) -> Vec<u8> {
    let size = (33 + name.len()).next_multiple_of(2);
    let mut record = vec![0; size];
    record[0] = size as u8; // names of ours have 13 characters at most
    set(&mut record, 2, &both32(sector));
    set(&mut record, 10, &both32(length));
    set(&mut record, 18, &DATE);
    record[25] = flags;
    set(&mut record, 28, &both16(1)); // on this volume of the set
    record[32] = name.len() as u8;
    set(&mut record, 33, name);
    record
}

/// In both byte orders (§7.3.3).
fn both32(value: u32) -> [u8; 8] {
    let mut bytes = [0; 8];
    set(&mut bytes, 0, &value.to_le_bytes());
    set(&mut bytes, 4, &value.to_be_bytes());
    bytes
}

/// In both byte orders (§7.2.3).
fn both16(value: u16) -> [u8; 4] {
    let mut bytes = [0; 4];
    set(&mut bytes, 0, &value.to_le_bytes());
    set(&mut bytes, 2, &value.to_be_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogs_words_add_up_to_nothing() {
        let catalog = catalog(512);
        let words = catalog[..32].chunks_exact(2).map(|word| u16::from_le_bytes([word[0], word[1]]));
        assert_eq!(words.fold(0, u16::wrapping_add), 0);
    }

    #[test]
    fn fields_in_both_orders() {
        assert_eq!(both32(0x0102_0304), [4, 3, 2, 1, 1, 2, 3, 4]);
        assert_eq!(both16(0x0102), [2, 1, 1, 2]);
        assert_eq!(record(b"EFI", 1, 2, 3).len(), 36);
    }

    #[test]
    fn files_that_have_no_place() {
        let mut medium = Medium::new(8 << 30);
        let image = Extent { at: 2 << 20, length: 1 };
        let large = Extent { at: 1 << 20, length: 1 << 32 };
        let error = write(&mut medium, large, image).unwrap_err();
        assert!(error.what.contains("at most 4294967295") && error.exit_code() == 2, "{error}");
        let odd = Extent { at: 1 << 20 | 512, length: 1 };
        assert!(write(&mut Medium::new(8 << 20), odd, image).is_err());
    }
}
