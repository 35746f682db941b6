//! A medium's bytes by place: mostly zeros, which take no memory.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use vitrine_attest::{Error, Result, Sha256};

/// Zeros are hashed in pieces of this many bytes.
static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

/// Pieces that do not overlap; everything between them is zero.
#[derive(Debug, Clone)]
pub struct Medium<'a> {
    size: u64,
    pieces: BTreeMap<u64, Cow<'a, [u8]>>,
}

impl<'a> Medium<'a> {
    /// Zeros, so many bytes.
    pub fn new(size: u64) -> Self {
        Self { size, pieces: BTreeMap::new() }
    }

    /// In bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Writes `bytes` from byte `at` on.
    ///
    /// # Errors
    /// Our bug: something is there already, or the medium ends before.
    pub fn put(&mut self, at: u64, bytes: impl Into<Cow<'a, [u8]>>) -> Result<()> {
        let bytes = bytes.into();
        let end = at.saturating_add(bytes.len() as u64);
        let before = self.pieces.range(..end).next_back().map_or(0, |(at, piece)| at + piece.len() as u64);
        if end > self.size || before > at {
            return Err(Error::bug(format!("bytes {at} to {end} of an exported medium are taken or beyond its end")));
        }
        self.pieces.insert(at, bytes);
        Ok(())
    }

    /// Places and bytes, in order.
    pub fn pieces(&self) -> impl Iterator<Item = (u64, &[u8])> {
        self.pieces.iter().map(|(at, bytes)| (*at, bytes.as_ref()))
    }

    /// Hash of all its bytes, zeros included.
    pub fn sha256(&self) -> Sha256 {
        let mut parts: Vec<&[u8]> = Vec::new();
        let mut at = 0;
        for (start, bytes) in self.pieces() {
            zeros(&mut parts, start - at);
            parts.push(bytes);
            at = start + bytes.len() as u64;
        }
        zeros(&mut parts, self.size - at);
        Sha256::of_parts(&parts)
    }

    /// Fills an empty file; zeros become holes where the file system has them.
    pub fn write_to(&self, file: &File) -> io::Result<()> {
        file.set_len(self.size)?;
        self.pieces().try_for_each(|(at, bytes)| file.write_all_at(bytes, at))
    }
}

fn zeros(parts: &mut Vec<&[u8]>, count: u64) {
    let (whole, rest) = (count / ZEROS.len() as u64, count % ZEROS.len() as u64);
    parts.extend((0..whole).map(|_| &ZEROS[..]));
    parts.push(&ZEROS[..rest as usize]); // less than 64 KiB
}

/// Little-endian and other fields go into sectors by offset, as the standards list them. Panics when the field does not fit: all
/// callers have offsets and sectors of fixed size.
pub(super) fn set(sector: &mut [u8], at: usize, bytes: &[u8]) {
    sector[at..at + bytes.len()].copy_from_slice(bytes);
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The whole medium, for small ones.
    pub fn bytes(medium: &Medium) -> Vec<u8> {
        let mut all = vec![0; medium.size() as usize];
        medium.pieces().for_each(|(at, bytes)| set(&mut all, at as usize, bytes));
        all
    }

    #[test]
    fn hash_and_file_are_those_of_the_bytes() {
        let mut medium = Medium::new(200_000);
        medium.put(100_000, vec![3; 1000]).unwrap();
        medium.put(7, &b"begin"[..]).unwrap();
        medium.put(199_999, &b"x"[..]).unwrap();
        let file = tempfile::tempfile().unwrap();
        medium.write_to(&file).unwrap();
        let mut read = vec![0; 200_000];
        file.read_exact_at(&mut read, 0).unwrap();
        assert!(read == bytes(&medium) && &read[5..13] == b"\0\0begin\0");
        assert_eq!(medium.sha256(), Sha256::of(&read));
        assert_eq!(Medium::new(0).sha256(), Sha256::of(b""));
    }

    #[test]
    fn nothing_is_written_twice() {
        let mut medium = Medium::new(100);
        medium.put(10, vec![1; 10]).unwrap();
        for (at, length) in [(19, 1), (5, 6), (0, 100), (10, 10), (91, 10), (u64::MAX, 1)] {
            assert!(medium.put(at, vec![2; length]).is_err(), "{at} {length}");
        }
        medium.put(20, vec![2; 80]).unwrap();
        medium.put(0, vec![2; 10]).unwrap();
    }
}
