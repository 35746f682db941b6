//! A reader that hashes what goes through it: bytes are read once, for their use and for their check.

use ring::digest::{Context, SHA256};
use std::io::{self, Read};
use vitrine_attest::Sha256;

/// Reads from `inner`, and hashes what was read.
pub struct Hashing<R> {
    inner: R,
    context: Context,
}

impl<R: Read> Hashing<R> {
    pub fn new(inner: R) -> Self {
        Self { inner, context: Context::new(&SHA256) }
    }

    /// SHA-256 of everything that was read.
    pub fn finish(self) -> Sha256 {
        let mut value = [0; 32];
        value.copy_from_slice(self.context.finish().as_ref());
        Sha256(value)
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.context.update(&buffer[..count]);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_through_is_hashed() {
        let mut reader = Hashing::new(&b"abcdef"[..]);
        reader.read_exact(&mut [0; 3]).unwrap();
        assert_eq!(reader.finish(), Sha256::of(b"abc"));
    }
}
