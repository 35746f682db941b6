//! The outer shape of an initramfs: raw and compressed archives one after the other, as the kernel takes them
//! (init/initramfs.c, `unpack_to_rootfs`, Linux 6.12).

use crate::decompress::{MEMORY, ZSTD_WINDOW_LOG};
use std::io::Read;
use vitrine_attest::{Error, Result};

/// How a segment is packed, told by its first two bytes (lib/decompress.c).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    Raw,
    Gzip,
    Xz,
    Zstd,
}

impl Packing {
    /// # Errors
    /// When the kernel does not know the magic, or knows it and this reader does not.
    pub fn detect(bytes: &[u8]) -> Result<Self> {
        match bytes {
            [0x1f, 0x8b | 0x9e, ..] => Ok(Self::Gzip),
            [0xfd, 0x37, ..] => Ok(Self::Xz),
            [0x28, 0xb5, ..] => Ok(Self::Zstd),
            [0x42, 0x5a, ..] => Err(unreadable("bzip2")),
            [0x5d, 0x00, ..] => Err(unreadable("lzma")),
            [0x89, 0x4c, ..] => Err(unreadable("lzo")),
            [0x02, 0x21, ..] => Err(unreadable("lz4")),
            _ => Err(broken("holds neither an entry nor compressed data where one has to begin")),
        }
    }

    /// Unpacks one member, stream or frame. Gives what came out and how many bytes went in.
    ///
    /// # Errors
    /// Damage, a feature that the kernel's own unpacker lacks, or more than `limit` bytes out.
    pub fn unpack(self, bytes: &[u8], limit: u64) -> Result<(Vec<u8>, usize)> {
        let (out, rest) = match self {
            Self::Raw => return Err(Error::bug("a raw segment needs no unpacking")),
            Self::Gzip => gzip(bytes, limit)?,
            Self::Xz => xz(bytes, limit)?,
            Self::Zstd => zstd(bytes, limit)?,
        };
        Ok((out, bytes.len() - rest))
    }
}

/// The kernel skips a file name in the header and nothing else (lib/decompress_inflate.c).
fn gzip(bytes: &[u8], limit: u64) -> Result<(Vec<u8>, usize)> {
    const FNAME: u8 = 8;
    if bytes.get(3).is_some_and(|flags| flags & !FNAME != 0) {
        return Err(broken("has a gzip header with fields that the kernel does not skip"));
    }
    let mut decoder = flate2::bufread::GzDecoder::new(bytes);
    let out = bounded(&mut decoder, limit)?;
    Ok((out, decoder.into_inner().len()))
}

/// The kernel checks CRC32 or nothing (lib/xz, without `XZ_DEC_ANY_CHECK`).
fn xz(bytes: &[u8], limit: u64) -> Result<(Vec<u8>, usize)> {
    const NONE_OR_CRC32: [u8; 2] = [0, 1];
    if bytes.get(7).is_some_and(|check| !NONE_OR_CRC32.contains(check)) {
        return Err(broken("is packed by xz with a checksum that the kernel does not know: it needs --check=crc32"));
    }
    let stream =
        liblzma::stream::Stream::new_stream_decoder(MEMORY, 0).map_err(|e| Error::bug(format!("xz decoder: {e}")))?;
    let mut decoder = liblzma::bufread::XzDecoder::new_stream(bytes, stream);
    let out = bounded(&mut decoder, limit)?;
    Ok((out, decoder.into_inner().len()))
}

fn zstd(bytes: &[u8], limit: u64) -> Result<(Vec<u8>, usize)> {
    let mut decoder = zstd::stream::read::Decoder::with_buffer(bytes).map_err(damaged)?.single_frame();
    decoder.window_log_max(ZSTD_WINDOW_LOG).map_err(damaged)?;
    let out = bounded(&mut decoder, limit)?;
    Ok((out, decoder.finish().len()))
}

fn bounded(reader: impl Read, limit: u64) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    reader.take(limit.saturating_add(1)).read_to_end(&mut out).map_err(damaged)?;
    if out.len() as u64 > limit {
        return Err(broken(&format!("unpacks to more than the limit of {} MiB", limit >> 20)));
    }
    Ok(out)
}

fn damaged(error: std::io::Error) -> Error {
    broken(&format!("holds damaged compressed data: {error}"))
}

pub(crate) fn broken(how: &str) -> Error {
    Error::artefact(
        format!("the initramfs {how}"),
        "the kernel would boot with what it has unpacked so far: build the image again",
    )
}

fn unreadable(packer: &str) -> Error {
    Error::input(
        format!("the initramfs is packed by {packer}, which Vitrine cannot read"),
        "pack it by zstd, gzip or xz",
    )
}
