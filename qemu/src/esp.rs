//! The disk the firmware boots from: one FAT file system without a partition table.
//!
//! UEFI starts `\EFI\BOOT\BOOTX64.EFI` from any FAT file system it finds (UEFI 2.10, §3.5.1.1). Without a
//! partition table there is no GPT event in PCR 5.

use std::io::{Cursor, Write as _};
use vitrine_attest::{Error, Result};

/// Where the firmware looks.
pub const BOOT_PATH: &str = "EFI/BOOT/BOOTX64.EFI";
/// Smallest disk: FAT32 needs 65,525 clusters (Microsoft FAT specification 1.03, §3.5), 32 MiB of 512 bytes.
const SMALLEST: usize = 36 << 20;
/// Bytes that directories and both allocation tables take beyond the files, at most.
const SPARE: usize = 4 << 20;
/// An image larger than this is a mistake.
const LARGEST: usize = 1 << 30;

/// A file on the disk; `path` with forward slashes, `loader/credentials/x.cred`.
#[derive(Debug, Clone)]
pub struct EspFile {
    pub path: String,
    pub data: Vec<u8>,
}

impl EspFile {
    pub fn new(path: impl Into<String>, data: impl Into<Vec<u8>>) -> Self {
        Self { path: path.into(), data: data.into() }
    }
}

/// The disk's bytes, as large as the files need.
///
/// # Errors
/// When the files are larger than 1 GiB, or a path is impossible.
pub fn build(image: &[u8], extra: &[EspFile]) -> Result<Vec<u8>> {
    let content = image.len() + extra.iter().map(|file| file.data.len() + 4096).sum::<usize>();
    let size = (content + content / 64 + SPARE).max(SMALLEST).next_multiple_of(1 << 20);
    if size > LARGEST {
        return Err(Error::input(format!("the boot image has {} bytes", image.len()), "it has to stay below 1 GiB"));
    }
    let mut disk = Cursor::new(vec![0u8; size]);
    fill(&mut disk, image, extra).map_err(|e| {
        Error::input(format!("the boot disk cannot be made: {e}"), "check the names of the extra files")
    })?;
    Ok(disk.into_inner())
}

fn fill(disk: &mut Cursor<Vec<u8>>, image: &[u8], extra: &[EspFile]) -> std::io::Result<()> {
    // Clusters of 512 bytes up to 256 MiB make it FAT32 in every case: one kind of file system for all images.
    let cluster = if disk.get_ref().len() > 256 << 20 { 4096 } else { 512 };
    let options = fatfs::FormatVolumeOptions::new()
        .fat_type(fatfs::FatType::Fat32)
        .bytes_per_cluster(cluster)
        .volume_id(0x5649_5452)
        .volume_label(*b"VITRINE    ");
    fatfs::format_volume(&mut *disk, options)?;
    let volume = fatfs::FileSystem::new(&mut *disk, fatfs::FsOptions::new())?;
    write(&volume, BOOT_PATH, image)?;
    for file in extra {
        write(&volume, &file.path, &file.data)?;
    }
    volume.unmount()
}

fn write<T: fatfs::ReadWriteSeek>(volume: &fatfs::FileSystem<T>, path: &str, data: &[u8]) -> std::io::Result<()> {
    let root = volume.root_dir();
    for (at, _) in path.match_indices('/') {
        root.create_dir(&path[..at])?;
    }
    root.create_file(path)?.write_all(data)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    fn read(disk: &[u8], path: &str) -> Vec<u8> {
        let volume = fatfs::FileSystem::new(Cursor::new(disk.to_vec()), fatfs::FsOptions::new()).unwrap();
        assert_eq!(volume.fat_type(), fatfs::FatType::Fat32);
        let mut data = Vec::new();
        volume.root_dir().open_file(path).unwrap().read_to_end(&mut data).unwrap();
        data
    }

    #[test]
    fn files_are_read_back() {
        let image: Vec<u8> = (0..3_000_000u32).map(|i| i.to_le_bytes()[0]).collect();
        let disk = build(&image, &[EspFile::new("loader/credentials/evil.cred", *b"EVIL")]).unwrap();
        assert_eq!(disk.len(), SMALLEST);
        assert_eq!(read(&disk, BOOT_PATH), image);
        assert_eq!(read(&disk, "loader/credentials/evil.cred"), b"EVIL");
    }

    #[test]
    fn it_grows_with_the_image() {
        let image = vec![0xA5; 90 << 20];
        let disk = build(&image, &[]).unwrap();
        assert!(disk.len() < 98 << 20);
        assert_eq!(read(&disk, BOOT_PATH).len(), image.len());
    }

    #[test]
    fn impossible_names_are_refused() {
        assert!(build(b"x", &[EspFile::new("a:b", *b"x")]).is_err());
    }
}
