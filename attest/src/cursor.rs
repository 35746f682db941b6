//! Reads fields from untrusted bytes, numbers little-endian: every read is checked, and knows where it failed.

/// A read beyond the end: where it began, how many bytes it wanted, how many there were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Short {
    pub offset: usize,
    pub wanted: usize,
    pub left: usize,
}

impl std::fmt::Display for Short {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "cut off at byte {}: {} bytes are needed, {} are left", self.offset, self.wanted, self.left)
    }
}

type Read<T> = std::result::Result<T, Short>;

/// A position in a byte string.
#[derive(Debug, Clone)]
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }
    /// Offset of the next byte, from the beginning of the whole string.
    pub fn offset(&self) -> usize {
        self.at
    }
    pub fn is_empty(&self) -> bool {
        self.left() == 0
    }
    pub fn left(&self) -> usize {
        self.bytes.len() - self.at
    }
    /// The next `count` bytes. A slice of the input: a huge count fails, it allocates nothing.
    pub fn take(&mut self, count: usize) -> Read<&'a [u8]> {
        let rest = &self.bytes[self.at..];
        let taken = rest.get(..count).ok_or(Short { offset: self.at, wanted: count, left: rest.len() })?;
        self.at += count;
        Ok(taken)
    }
    /// The next `N` bytes as an array.
    pub fn array<const N: usize>(&mut self) -> Read<[u8; N]> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(N)?);
        Ok(out)
    }
    pub fn u8(&mut self) -> Read<u8> {
        Ok(self.array::<1>()?[0])
    }
    pub fn u16(&mut self) -> Read<u16> {
        self.array().map(u16::from_le_bytes)
    }
    pub fn u32(&mut self) -> Read<u32> {
        self.array().map(u32::from_le_bytes)
    }
    /// A length or offset of 32 bits.
    pub fn len32(&mut self) -> Read<usize> {
        self.u32().map(|value| value as usize)
    }
    pub fn u64(&mut self) -> Read<u64> {
        self.array().map(u64::from_le_bytes)
    }
    /// Everything that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        let rest = &self.bytes[self.at..];
        self.at = self.bytes.len();
        rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_beyond_the_end_says_where() {
        let mut cursor = Cursor::new(&[1, 0, 2, 0, 0, 0, 9]);
        assert_eq!((cursor.u16(), cursor.u32()), (Ok(1), Ok(2)));
        assert_eq!(cursor.u64(), Err(Short { offset: 6, wanted: 8, left: 1 }));
        assert_eq!(cursor.take(usize::MAX), Err(Short { offset: 6, wanted: usize::MAX, left: 1 }));
        assert_eq!((cursor.u8(), cursor.is_empty()), (Ok(9), true));
    }
}
