//! Every packer that the kernel knows, and lz4's newer frame: one member, stream or frame, in memory, with a limit.

use std::io::Read;

/// Memory that one decoder of xz or lzma may use, in bytes: `xz -9` needs 65 MiB, two threads hold some blocks of
/// 24 MiB besides.
pub(crate) const MEMORY: u64 = 512 << 20;
/// Largest zstd window, as a power of two: the kernel's own unpacker takes no larger one (lib/decompress_unzstd.c).
pub(crate) const ZSTD_WINDOW_LOG: u32 = 27;
/// One block of lz4's legacy format before packing, in bytes (lib/decompress_unlz4.c, `LZ4_DEFAULT_UNCOMPRESSED_CHUNK_SIZE`).
const LZ4_CHUNK: usize = 8 << 20;

/// How bytes are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packer {
    Gzip,
    Xz,
    Zstd,
    Lz4Legacy,
    Lz4Frame,
    Bzip2,
    Lzma,
    Lzop,
}

impl Packer {
    /// Told by the first bytes (lib/decompress.c).
    pub fn detect(bytes: &[u8]) -> Option<Self> {
        Some(match bytes {
            [0x1f, 0x8b | 0x9e, ..] => Self::Gzip,
            [0xfd, 0x37, 0x7a, 0x58, ..] => Self::Xz,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            [0x02, 0x21, 0x4c, 0x18, ..] => Self::Lz4Legacy,
            [0x04, 0x22, 0x4d, 0x18, ..] => Self::Lz4Frame,
            [b'B', b'Z', b'h', b'1'..=b'9', ..] => Self::Bzip2,
            [0x5d, 0x00, 0x00, ..] => Self::Lzma,
            [0x89, b'L', b'Z', b'O', ..] => Self::Lzop,
            _ => return None,
        })
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Xz => "xz",
            Self::Zstd => "zstd",
            Self::Lz4Legacy => "lz4 (legacy)",
            Self::Lz4Frame => "lz4",
            Self::Bzip2 => "bzip2",
            Self::Lzma => "lzma",
            Self::Lzop => "lzop",
        }
    }
}

/// Unpacks what begins here: what came out, and how many bytes went in.
///
/// # Errors
/// In words: an unknown or unreadable packer, damage, or more than `limit` bytes out.
pub fn decompress(bytes: &[u8], limit: u64) -> Result<(Vec<u8>, usize), String> {
    let packer = Packer::detect(bytes).ok_or("it is packed in a way that is not known")?;
    let done = match packer {
        Packer::Gzip => {
            let mut decoder = flate2::bufread::GzDecoder::new(bytes);
            bounded(&mut decoder, limit).map(|out| (out, decoder.into_inner().len()))
        }
        Packer::Xz | Packer::Lzma => lzma(bytes, packer, limit),
        Packer::Zstd => zstd(bytes, limit),
        Packer::Lz4Legacy => lz4_legacy(bytes, limit),
        Packer::Lz4Frame => {
            let mut rest = bytes;
            bounded(lz4_flex::frame::FrameDecoder::new(&mut rest), limit).map(|out| (out, rest.len()))
        }
        Packer::Bzip2 => {
            let mut decoder = bzip2::bufread::BzDecoder::new(bytes);
            bounded(&mut decoder, limit).map(|out| (out, decoder.into_inner().len()))
        }
        Packer::Lzop => Err("lzop is not known to this program".to_string()),
    };
    let (out, rest) = done.map_err(|why| format!("{}: {why}", packer.name()))?;
    Ok((out, bytes.len() - rest))
}

fn lzma(bytes: &[u8], packer: Packer, limit: u64) -> Result<(Vec<u8>, usize), String> {
    let stream = match packer {
        Packer::Lzma => liblzma::stream::Stream::new_lzma_decoder(MEMORY),
        _ => liblzma::stream::Stream::new_stream_decoder(MEMORY, 0),
    };
    let mut decoder = liblzma::bufread::XzDecoder::new_stream(bytes, stream.map_err(|e| e.to_string())?);
    let out = bounded(&mut decoder, limit)?;
    Ok((out, decoder.into_inner().len()))
}

fn zstd(bytes: &[u8], limit: u64) -> Result<(Vec<u8>, usize), String> {
    let mut decoder = zstd::stream::read::Decoder::with_buffer(bytes).map_err(|e| e.to_string())?.single_frame();
    decoder.window_log_max(ZSTD_WINDOW_LOG).map_err(|e| e.to_string())?;
    let out = bounded(&mut decoder, limit)?;
    Ok((out, decoder.finish().len()))
}

/// Magic, then blocks with their packed lengths, without an end mark: it ends with the bytes, or before something
/// that is no length of a block.
fn lz4_legacy(bytes: &[u8], limit: u64) -> Result<(Vec<u8>, usize), String> {
    const MAGIC: usize = 4;
    let (mut out, mut rest) = (Vec::new(), bytes.get(MAGIC..).unwrap_or_default());
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = u32::from_le_bytes(*length) as usize;
        if length == 0 || length > lz4_flex::block::get_maximum_output_size(LZ4_CHUNK) {
            break;
        }
        let Some(block) = after.get(..length) else {
            // behind a kernel stands its unpacked length, which is no block
            if after.is_empty() && length == out.len() {
                break;
            }
            return Err("it ends inside a block".into());
        };
        let room = usize::try_from(limit).unwrap_or(usize::MAX).saturating_sub(out.len()).min(LZ4_CHUNK);
        let mut chunk = vec![0; room];
        let length = lz4_flex::block::decompress_into(block, &mut chunk).map_err(|e| match room < LZ4_CHUNK {
            true => too_much(limit),
            false => e.to_string(),
        })?;
        out.extend_from_slice(&chunk[..length]);
        rest = &after[block.len()..];
    }
    match out.is_empty() {
        true => Err("it holds no block".into()),
        false => Ok((out, rest.len())),
    }
}

fn bounded(reader: impl Read, limit: u64) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    reader.take(limit.saturating_add(1)).read_to_end(&mut out).map_err(|e| e.to_string())?;
    if out.len() as u64 > limit {
        return Err(too_much(limit));
    }
    Ok(out)
}

fn too_much(limit: u64) -> String {
    format!("it unpacks to more than the limit of {} MiB", limit >> 20)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::io::Write as _;

    pub const READABLE: [Packer; 7] =
        [Packer::Gzip, Packer::Xz, Packer::Zstd, Packer::Lz4Legacy, Packer::Lz4Frame, Packer::Bzip2, Packer::Lzma];

    pub fn pack(bytes: &[u8], packer: Packer) -> Vec<u8> {
        use crate::unpack::{pack, Coding};
        match packer {
            Packer::Gzip => pack(bytes, Coding::Gzip),
            Packer::Zstd => pack(bytes, Coding::Zstd),
            Packer::Xz => pack(bytes, Coding::Xz),
            Packer::Lzop => b"\x89LZO".to_vec(),
            Packer::Lzma => {
                let options = liblzma::stream::LzmaOptions::new_preset(1).unwrap();
                let stream = liblzma::stream::Stream::new_lzma_encoder(&options).unwrap();
                let mut encoder = liblzma::write::XzEncoder::new_stream(Vec::new(), stream);
                encoder.write_all(bytes).unwrap();
                encoder.finish().unwrap()
            }
            Packer::Bzip2 => {
                let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
                encoder.write_all(bytes).unwrap();
                encoder.finish().unwrap()
            }
            Packer::Lz4Frame => {
                let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
                encoder.write_all(bytes).unwrap();
                encoder.finish().unwrap()
            }
            Packer::Lz4Legacy => {
                let mut out = vec![0x02, 0x21, 0x4c, 0x18];
                for chunk in bytes.chunks(LZ4_CHUNK) {
                    let block = lz4_flex::block::compress(chunk);
                    out.extend(u32::try_from(block.len()).unwrap().to_le_bytes());
                    out.extend(block);
                }
                out
            }
        }
    }

    #[test]
    fn round_trip_with_something_behind() {
        let data = b"0123456789abcdef".repeat(2000);
        for packer in READABLE {
            let packed = pack(&data, packer);
            assert_eq!(Packer::detect(&packed), Some(packer));
            let more = [packed.as_slice(), &[0; 16], b"070701"].concat();
            let (out, used) = decompress(&more, 1 << 20).unwrap();
            assert!(out == data && used == packed.len(), "{packer:?}: {used} of {}", packed.len());
            assert!(decompress(&packed, data.len() as u64 - 1).unwrap_err().contains("limit"), "{packer:?}");
        }
        assert!(decompress(&pack(b"", Packer::Lzop), 10).unwrap_err().contains("lzop"));
    }

    #[test]
    fn a_cut_is_seen_anywhere() {
        let data: Vec<u8> = (0..3000u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        for packer in READABLE {
            let packed = pack(&data, packer);
            for length in (0..packed.len()).step_by(97) {
                assert!(decompress(&packed[..length], 1 << 20).is_err(), "{packer:?} cut at {length}");
            }
        }
    }

    /// 256 MiB of zeros, packed to little by each packer, stop at the limit.
    #[test]
    fn bombs() {
        let zeros = vec![0; 64 << 20];
        for packer in READABLE {
            let packed = pack(&zeros, packer);
            assert!(decompress(&packed, 1 << 20).unwrap_err().contains("limit"), "{packer:?}");
        }
    }
}
