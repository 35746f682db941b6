//! Reads big-endian fields from untrusted bytes.

use crate::cursor::{Cursor, Short};
use crate::Error;
use std::fmt;

/// A structure that is not what it should be, and where that was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// Name in the specification, such as `TPMT_PUBLIC`.
    pub structure: &'static str,
    pub offset: usize,
    pub problem: String,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}: {}", self.structure, self.offset, self.problem)
    }
}

impl From<Malformed> for Error {
    fn from(malformed: Malformed) -> Self {
        Error::artefact(malformed.to_string(), "do not trust this server: its TPM data is malformed")
    }
}

pub(super) type Read<T> = Result<T, Malformed>;

/// A position in the bytes of one structure.
pub(super) struct Reader<'a> {
    structure: &'static str,
    cursor: Cursor<'a>,
}

impl<'a> Reader<'a> {
    pub fn new(structure: &'static str, bytes: &'a [u8]) -> Self {
        Self { structure, cursor: Cursor::new(bytes) }
    }

    /// The failure `problem` at this place.
    pub fn fail(&self, problem: impl Into<String>) -> Malformed {
        Malformed { structure: self.structure, offset: self.cursor.offset(), problem: problem.into() }
    }

    pub fn take(&mut self, count: usize) -> Read<&'a [u8]> {
        self.cursor.take(count).map_err(|short| self.short(short))
    }

    fn array<const N: usize>(&mut self) -> Read<[u8; N]> {
        self.cursor.array().map_err(|short| self.short(short))
    }

    fn short(&self, Short { wanted, left, .. }: Short) -> Malformed {
        self.fail(format!("cut off: {wanted} bytes are needed, {left} are left"))
    }

    pub fn u8(&mut self) -> Read<u8> {
        Ok(self.array::<1>()?[0])
    }
    pub fn u16(&mut self) -> Read<u16> {
        self.array().map(u16::from_be_bytes)
    }
    pub fn u32(&mut self) -> Read<u32> {
        self.array().map(u32::from_be_bytes)
    }
    pub fn u64(&mut self) -> Read<u64> {
        self.array().map(u64::from_be_bytes)
    }

    /// A TPM2B: 16-bit length, then at most `limit` bytes.
    pub fn sized(&mut self, limit: usize) -> Read<&'a [u8]> {
        let length = usize::from(self.u16()?);
        if length > limit {
            return Err(self.fail(format!("a field of {length} bytes, at most {limit} are possible")));
        }
        self.take(length)
    }

    pub fn left(&self) -> usize {
        self.cursor.left()
    }

    pub fn finish(self) -> Read<()> {
        match self.left() {
            0 => Ok(()),
            left => Err(self.fail(format!("{left} bytes follow the end"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds() {
        let mut reader = Reader::new("X", &[0, 2, 7, 8, 0, 9, 1]);
        assert_eq!(reader.sized(2).unwrap(), [7, 8]);
        assert_eq!(reader.sized(64).unwrap_err().to_string(), "X at byte 6: cut off: 9 bytes are needed, 1 are left");
        assert_eq!(Reader::new("X", &[0, 9]).sized(8).unwrap_err().offset, 2);
        assert!(Reader::new("X", &[1]).finish().is_err() && Reader::new("X", &[]).finish().is_ok());
    }
}
