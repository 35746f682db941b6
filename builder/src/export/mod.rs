//! After the build: from `image.efi` to something that a machine starts from.
//!
//! ```text
//! image.efi ─► FAT volume ─► disk with a partition table ─┬─► disk
//!                                                         ├─► qcow2
//!                                                         └─► + descriptors of a CD: iso
//!          └─► a folder for UEFI HTTP boot: netboot
//! ```
//! The image goes in byte for byte: what is quoted (PCR 4, 7, 9, 11–15) does not depend on the medium. PCR 5 does.

mod crc32;
pub mod fat;
pub mod gpt;
pub mod identity;
pub mod iso;
pub mod medium;
pub mod netboot;
pub mod qcow2;
#[cfg(test)]
mod tests;
pub mod write;

use crate::uki;
use clap::ValueEnum;
use gpt::Gpt;
use identity::Identity;
use medium::Medium;
use serde::Serialize;
use vitrine_attest::expected::ExpectedBoot;
use vitrine_attest::gpt_event::predict;
use vitrine_attest::pe::Pe;
use vitrine_attest::{Result, Sha256};

/// Bytes of a disk's sector.
const SECTOR: usize = 512;

/// What is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Raw disk image with a GUID partition table
    Disk,
    /// CD image, which a USB stick takes as well
    Iso,
    /// Folder for UEFI HTTP boot
    Netboot,
    /// The disk for QEMU, without its zeros
    Qcow2,
}

/// How a machine comes by the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Start {
    /// A disk or a USB stick.
    Disk,
    /// A CD, also one that a management controller shows to the machine.
    Cdrom,
    /// UEFI HTTP boot.
    Http,
}

/// What the firmware's log will say of PCR 5.
#[derive(Debug, Clone, Serialize)]
pub struct Boot {
    pub from: Start,
    /// SHA-256 of the EV_EFI_GPT_EVENT; none for a medium without partition table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpt_event: Option<Sha256>,
    #[serde(flatten)]
    pub expected: ExpectedBoot,
}

/// A checked image.
#[derive(Debug, Clone, Copy)]
pub struct Image<'a> {
    bytes: &'a [u8],
    pub sha256: Sha256,
    pub authenticode: Sha256,
    pub signatures: usize,
}

impl<'a> Image<'a> {
    /// # Errors
    /// Blame Input when this is no unified kernel image.
    pub fn check(bytes: &'a [u8]) -> Result<Self> {
        uki::check(bytes)?;
        let pe = Pe::parse(bytes)?;
        let (authenticode, signatures) = (pe.authenticode(), pe.signatures()?.len());
        Ok(Self { bytes, sha256: Sha256::of(bytes), authenticode, signatures })
    }

    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

/// The disk, and its table.
#[derive(Debug)]
pub struct Disk<'a> {
    pub medium: Medium<'a>,
    pub gpt: Gpt,
    volume: fat::Layout,
    length: u64,
}

impl<'a> Disk<'a> {
    /// # Errors
    /// When the image is too large for a file system of this kind.
    pub fn of(image: &Image<'a>) -> Result<Self> {
        let identity = Identity(image.sha256);
        let length = image.bytes.len() as u64;
        let volume = fat::Layout::of(length)?;
        let gpt = Gpt::around(volume.sectors, &identity);
        let mut medium = Medium::new(gpt.disk_sectors() * SECTOR as u64);
        gpt.write(&mut medium)?;
        volume.write(&mut medium, gpt::FIRST * SECTOR as u64, image.bytes, identity.serial())?;
        Ok(Self { medium, gpt, volume, length })
    }

    /// Makes it a CD as well.
    ///
    /// # Errors
    /// When its partition has 4 GiB or more.
    pub fn into_iso(mut self) -> Result<Self> {
        let at = gpt::FIRST * SECTOR as u64;
        let partition = iso::Extent { at, length: u64::from(self.volume.sectors) * SECTOR as u64 };
        let image = iso::Extent { at: at + self.volume.image_at(), length: self.length };
        iso::write(&mut self.medium, partition, image)?;
        Ok(self)
    }
}

/// PCR 5, for each way in which a machine can start from this format. `gpt`: of the disk, where there is one.
pub fn boots(format: Format, gpt: Option<&Gpt>) -> Vec<Boot> {
    let from: &[Start] = match format {
        Format::Disk | Format::Qcow2 => &[Start::Disk],
        Format::Iso => &[Start::Cdrom, Start::Disk],
        Format::Netboot => &[Start::Http],
    };
    let boot = |from: Start| {
        let gpt_event = gpt.filter(|_| from == Start::Disk).map(Gpt::event_digest);
        Boot { from, gpt_event, expected: predict(gpt_event) }
    };
    from.iter().copied().map(boot).collect()
}
