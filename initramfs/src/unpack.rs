//! Decompression in memory, with a limit on what comes out.

use crate::decompress::MEMORY;
use liblzma::stream::MtStreamBuilder;
use std::io::{BufRead, Read};
use vitrine_attest::{Error, Result};

/// Packed inputs from this size on are given to the decoder that uses two threads, in bytes.
/// Below it, starting a thread costs more than it saves.
const PARALLEL_FROM: u64 = 4 << 20;

/// How bytes are packed, told by the end of a file's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    Plain,
    Gzip,
    Xz,
    Zstd,
}

impl Coding {
    /// Splits `data.tar.xz` into `data.tar` and [`Coding::Xz`].
    pub fn of(name: &str) -> (&str, Self) {
        for (suffix, coding) in [(".gz", Self::Gzip), (".xz", Self::Xz), (".zst", Self::Zstd)] {
            if let Some(stem) = name.strip_suffix(suffix) {
                return (stem, coding);
            }
        }
        (name, Self::Plain)
    }
}

/// Unpacks everything. `limit` is the most that may come out, in bytes.
///
/// # Errors
/// When the data is damaged, truncated, followed by something else, or unpacks to more than `limit`.
pub fn unpack(bytes: &[u8], coding: Coding, limit: u64) -> Result<Vec<u8>> {
    unpack_from(bytes, bytes.len() as u64, coding, limit)
}

/// [`unpack`] of bytes that are read as they are needed; `packed` is how many there are.
///
/// # Errors
/// See [`unpack`].
pub fn unpack_from(reader: impl BufRead, packed: u64, coding: Coding, limit: u64) -> Result<Vec<u8>> {
    match coding {
        Coding::Plain => read_all(reader, limit),
        Coding::Gzip => {
            let mut decoder = flate2::bufread::GzDecoder::new(reader);
            let out = read_all(&mut decoder, limit)?;
            nothing_after(decoder.into_inner(), out)
        }
        Coding::Xz => {
            let mut decoder = liblzma::bufread::XzDecoder::new_stream(reader, xz_stream(packed)?);
            let out = read_all(&mut decoder, limit)?;
            nothing_after(decoder.into_inner(), out)
        }
        // reads one frame after the other until the input ends; a cut frame is an error
        Coding::Zstd => read_all(zstd::stream::read::Decoder::with_buffer(reader).map_err(damaged)?, limit),
    }
}

fn xz_stream(packed: u64) -> Result<liblzma::stream::Stream> {
    let threads = if packed >= PARALLEL_FROM { 2 } else { 1 };
    MtStreamBuilder::new()
        .threads(threads)
        .memlimit_threading(MEMORY)
        .memlimit_stop(MEMORY)
        .decoder()
        .map_err(|e| Error::bug(format!("xz decoder: {e}")))
}

fn read_all(reader: impl Read, limit: u64) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    reader.take(limit.saturating_add(1)).read_to_end(&mut out).map_err(damaged)?;
    if out.len() as u64 > limit {
        return Err(too_large(limit));
    }
    Ok(out)
}

fn nothing_after(mut rest: impl BufRead, out: Vec<u8>) -> Result<Vec<u8>> {
    match rest.fill_buf() {
        Ok([]) => Ok(out),
        _ => Err(Error::artefact("packed data is followed by something else", FETCH)),
    }
}

fn damaged(error: std::io::Error) -> Error {
    Error::artefact(format!("packed data is damaged: {error}"), FETCH)
}

fn too_large(limit: u64) -> Error {
    Error::artefact(format!("packed data unpacks to more than {} MiB", limit >> 20), "use another package")
}

const FETCH: &str = "fetch it again: remove it from the store and run the command anew";

#[cfg(test)]
pub(crate) fn pack(bytes: &[u8], coding: Coding) -> Vec<u8> {
    use std::io::Write;
    match coding {
        Coding::Plain => bytes.to_vec(),
        Coding::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
        Coding::Xz => {
            let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
        Coding::Zstd => zstd::stream::encode_all(bytes, 1).unwrap(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Coding; 3] = [Coding::Gzip, Coding::Xz, Coding::Zstd];

    #[test]
    fn round_trip_and_limit() {
        let data = b"0123456789".repeat(1000);
        for coding in ALL.into_iter().chain([Coding::Plain]) {
            let packed = pack(&data, coding);
            assert_eq!(unpack(&packed, coding, 10_000).unwrap(), data, "{coding:?}");
            assert!(unpack(&packed, coding, 9_999).is_err(), "{coding:?}: the limit did not hold");
        }
    }

    #[test]
    fn truncated_or_followed_by_junk() {
        for coding in ALL {
            let packed = pack(&b"0123456789".repeat(100), coding);
            for length in 0..packed.len() {
                // no input at all is no frame at all for zstd: nothing comes out
                let empty = unpack(&packed[..length], coding, 10_000).is_ok_and(|out| out.is_empty());
                assert!(
                    (length == 0 && coding == Coding::Zstd && empty)
                        || unpack(&packed[..length], coding, 10_000).is_err(),
                    "{coding:?} cut at {length}"
                );
            }
            assert!(unpack(&[packed.as_slice(), b"junk"].concat(), coding, 10_000).is_err(), "{coding:?}");
        }
    }

    #[test]
    fn names() {
        assert_eq!(Coding::of("data.tar.xz"), ("data.tar", Coding::Xz));
        assert_eq!(Coding::of("wireguard.ko"), ("wireguard.ko", Coding::Plain));
        assert_eq!(Coding::of("a.zst"), ("a", Coding::Zstd));
        assert_eq!(Coding::of("a.gz"), ("a", Coding::Gzip));
    }
}
