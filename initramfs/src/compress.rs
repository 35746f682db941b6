//! Compression of one layer, with settings that give the same bytes on every machine.

use std::io::Write;
use vitrine_attest::{Error, Result};
use zstd::zstd_safe::CParameter;

/// Window of every zstd frame, as a power of two: 16 MiB. A layer is a dozen programs that hold copies of each other's
/// libraries, with a larger program between them than the 4 MiB of zstd's own choice. The booting kernel takes it from its memory
/// while it unpacks (lib/decompress_unzstd.c), takes none above 27, and so does our reader.
const WINDOW_LOG: u32 = 24;

/// Compressor and level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Level 1 to 19: above that, frames need a window that costs the booting kernel up to 128 MiB. Level 9 is zstd's with
    /// shorter matches, a deeper search and a larger table, which suit programs.
    Zstd(u8),
    /// Level 1 to 9.
    Gzip(u8),
}

impl Compression {
    /// `zstd -9`, which names compressor, level, and the version whose bytes these are.
    pub fn describe(self) -> String {
        match self {
            Self::Zstd(level) => {
                format!("zstd {} -{level} with 1 worker and a window of 16 MiB", zstd::zstd_safe::version_string())
            }
            Self::Gzip(level) => format!("gzip zlib-rs -{level}"),
        }
    }

    /// Ending of the archive's file name.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Zstd(_) => "zst",
            Self::Gzip(_) => "gz",
        }
    }

    /// # Errors
    /// When the level is none that the compressor has.
    pub fn compress(self, bytes: &[u8]) -> Result<Vec<u8>> {
        match self {
            Self::Zstd(level @ 1..=19) => zstd_frame(bytes, level).map_err(failed),
            Self::Gzip(level @ 1..=9) => gzip_member(bytes, level).map_err(failed),
            Self::Zstd(level) => Err(no_level("zstd", level, 19)),
            Self::Gzip(level) => Err(no_level("gzip", level, 9)),
        }
    }
}

fn zstd_frame(bytes: &[u8], level: u8) -> std::io::Result<Vec<u8>> {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::with_capacity(bytes.len() / 3), i32::from(level))?;
    // 1 or more workers give equal bytes; 0, the default, gives others
    encoder.multithread(1)?;
    for parameter in parameters(level) {
        encoder.set_parameter(parameter)?;
    }
    encoder.set_pledged_src_size(Some(bytes.len() as u64))?;
    encoder.write_all(bytes)?;
    encoder.finish()
}

/// What differs from zstd's own level.
fn parameters(level: u8) -> Vec<CParameter> {
    let window = CParameter::WindowLog(WINDOW_LOG);
    match level {
        9 => vec![window, CParameter::HashLog(22), CParameter::SearchLog(5), CParameter::MinMatch(4)],
        _ => vec![window],
    }
}

fn gzip_member(bytes: &[u8], level: u8) -> std::io::Result<Vec<u8>> {
    // no name, no time, operating system "unknown" (RFC 1952 §2.3.1)
    let builder = flate2::GzBuilder::new().mtime(0).operating_system(255);
    let mut encoder = builder.write(Vec::new(), flate2::Compression::new(u32::from(level)));
    encoder.write_all(bytes)?;
    encoder.finish()
}

fn no_level(compressor: &str, level: u8, most: u8) -> Error {
    Error::input(format!("{compressor} has no level {level}"), format!("choose a level from 1 to {most}"))
}

fn failed(error: std::io::Error) -> Error {
    Error::bug(format!("a layer could not be compressed: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8878 §3.1.1.1.2: what the kernel has to set aside, 16 MiB and no more.
    #[test]
    fn the_window() {
        let zeros = vec![0; 17 << 20];
        for level in [1, 9, 19] {
            let frame = Compression::Zstd(level).compress(&zeros).unwrap();
            let (descriptor, window) = (frame[4], frame[5]);
            assert_eq!(descriptor & 0x20, 0, "a frame of one segment would need all of its bytes at once");
            assert_eq!(10 + (window >> 3), 24, "level {level}");
        }
    }

    /// One worker or two, the same bytes; without any, others.
    #[test]
    fn workers_do_not_show() {
        let bytes: Vec<u8> = (0..400_000u32).flat_map(|n| (n / 7).wrapping_mul(2_654_435).to_le_bytes()).collect();
        let with = |workers| {
            let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 9).unwrap();
            encoder.multithread(workers).unwrap();
            parameters(9).into_iter().for_each(|parameter| encoder.set_parameter(parameter).unwrap());
            encoder.set_pledged_src_size(Some(bytes.len() as u64)).unwrap();
            encoder.write_all(&bytes).unwrap();
            encoder.finish().unwrap()
        };
        assert_eq!(with(1), with(2));
        assert_eq!(with(1), Compression::Zstd(9).compress(&bytes).unwrap());
    }

    #[test]
    fn levels() {
        for bad in [Compression::Zstd(0), Compression::Zstd(20), Compression::Gzip(0), Compression::Gzip(10)] {
            assert!(bad.compress(b"x").is_err(), "{bad:?}");
        }
        for good in [Compression::Zstd(1), Compression::Zstd(19), Compression::Gzip(9)] {
            assert!(good.compress(b"x").is_ok(), "{good:?}");
        }
    }
}
