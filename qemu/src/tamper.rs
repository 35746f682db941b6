//! What an attacker would do to an image: for demonstrations and tests of refusals.

use std::io::{Read as _, Write as _};
use vitrine_attest::pe::{Pe, Section};
use vitrine_attest::{Error, Result};

/// Largest unpacked initramfs.
const ARCHIVE_LIMIT: u64 = 1 << 30;
/// The last digit of the first entry's modification time: magic 6, then mtime is the sixth field of eight
/// hex digits (cpio newc). A byte without any effect, and still another image.
const HARMLESS: usize = 6 + 6 * 8 - 1;

/// The image with one byte of its unpacked initramfs changed, everything else in its place. The signature
/// stays as it was, and does not fit any more.
///
/// # Errors
/// When the image has no initramfs in zstd, gzip or plain form, or the changed one does not fit.
pub fn change_initramfs(image: &[u8]) -> Result<Vec<u8>> {
    let pe = Pe::parse(image)?;
    let section = pe.section(".initrd").ok_or_else(|| wrong("it has no .initrd section"))?;
    let packed = pe.contents(section)?;
    let coding = Coding::of(packed).ok_or_else(|| wrong("its initramfs is neither zstd, gzip nor cpio"))?;
    let mut archive = coding.unpack(packed)?;
    if archive.get(..6) != Some(b"070701") {
        return Err(wrong("its initramfs does not begin with a newc entry"));
    }
    let byte = archive.get_mut(HARMLESS).ok_or_else(|| wrong("its initramfs is cut off"))?;
    *byte = if *byte == b'0' { b'1' } else { b'0' };
    let changed = coding.pack(&archive, packed.len())?;
    put(image, section, &changed)
}

/// Replaces a section's bytes; shorter ones are followed by zeros, which the kernel skips.
fn put(image: &[u8], section: &Section, data: &[u8]) -> Result<Vec<u8>> {
    let (at, size) = (section.raw_offset as usize, section.virtual_size as usize);
    let mut image = image.to_vec();
    let place = image.get_mut(at..at + size).ok_or_else(|| wrong("its .initrd section is cut off"))?;
    let (head, tail) = place
        .split_at_mut_checked(data.len())
        .ok_or_else(|| wrong(&format!("the changed initramfs has {} bytes, its place {size}", data.len())))?;
    head.copy_from_slice(data);
    tail.fill(0);
    Ok(image)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Plain,
    Gzip,
    Zstd,
}

impl Coding {
    fn of(bytes: &[u8]) -> Option<Self> {
        match bytes.first_chunk::<4>()? {
            [0x28, 0xb5, 0x2f, 0xfd] => Some(Self::Zstd),
            [0x1f, 0x8b, ..] => Some(Self::Gzip),
            b"0707" => Some(Self::Plain),
            _ => None,
        }
    }

    fn unpack(self, packed: &[u8]) -> Result<Vec<u8>> {
        let mut archive = Vec::new();
        let read = match self {
            Self::Plain => return Ok(packed.to_vec()),
            Self::Gzip => flate2::read::MultiGzDecoder::new(packed).take(ARCHIVE_LIMIT).read_to_end(&mut archive),
            Self::Zstd => zstd::stream::read::Decoder::with_buffer(packed)
                .and_then(|decoder| decoder.take(ARCHIVE_LIMIT).read_to_end(&mut archive)),
        };
        read.map_err(|e| wrong(&format!("its initramfs cannot be unpacked: {e}")))?;
        Ok(archive)
    }

    /// Packs so that it takes at most `room` bytes; tries harder until it does.
    fn pack(self, archive: &[u8], room: usize) -> Result<Vec<u8>> {
        let levels: &[i32] = match self {
            Self::Plain => return Ok(archive.to_vec()),
            Self::Gzip => &[6, 9],
            Self::Zstd => &[3, 12, 19, 22],
        };
        let mut packed = Vec::new();
        for level in levels {
            packed = self.pack_at(archive, *level).map_err(|e| Error::bug(format!("packing the initramfs: {e}")))?;
            if packed.len() <= room {
                break;
            }
        }
        Ok(packed)
    }

    fn pack_at(self, archive: &[u8], level: i32) -> std::io::Result<Vec<u8>> {
        if self == Self::Gzip {
            let level = flate2::Compression::new(level.unsigned_abs());
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
            encoder.write_all(archive)?;
            return encoder.finish();
        }
        zstd::stream::encode_all(archive, level)
    }
}

fn wrong(why: &str) -> Error {
    Error::input(format!("the image cannot be altered: {why}"), "give the image.efi of `vitrine build`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive() -> Vec<u8> {
        let mut archive = b"070701".to_vec();
        archive.resize(6 + 13 * 8, b'0');
        archive.extend((0..100_000u32).flat_map(|i| (i / 7).to_le_bytes()));
        archive
    }

    fn differences(a: &[u8], b: &[u8]) -> usize {
        assert_eq!(a.len(), b.len());
        a.iter().zip(b).filter(|(x, y)| x != y).count()
    }

    #[test]
    fn packed_archives_fit_their_place_again() {
        for coding in [Coding::Plain, Coding::Gzip, Coding::Zstd] {
            let packed = coding.pack(&archive(), usize::MAX).unwrap();
            assert_eq!(Coding::of(&packed), Some(coding));
            let mut changed = coding.unpack(&packed).unwrap();
            changed[HARMLESS] = b'1';
            assert_eq!(differences(&changed, &archive()), 1);
            assert!(coding.pack(&changed, packed.len()).unwrap().len() <= packed.len() + 16);
        }
    }

    #[test]
    fn a_section_is_replaced_in_place() {
        let section = Section {
            name: ".initrd".into(),
            virtual_size: 5,
            virtual_address: 0,
            raw_size: 8,
            raw_offset: 2,
            characteristics: 0,
        };
        assert_eq!(put(b"..12345678", &section, b"abc").unwrap(), b"..abc\x00\x00678");
        assert!(put(b"..12345678", &section, b"abcdef").is_err());
        assert!(put(b"..1", &section, b"a").is_err());
    }

    #[test]
    fn what_is_no_image_is_refused() {
        assert!(change_initramfs(b"MZ").is_err());
    }
}
