//! How numbers and fields of a timestamp are spelt.

/// Most attestations and operations that share their bytes with another, in one file.
const BRANCHES_LIMIT: usize = 512;

/// Seven bits a byte, lowest first; all but the last byte have the eighth bit.
pub(super) fn number(mut value: u64, out: &mut Vec<u8>) {
    while value > 0x7f {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(super) fn with_length(bytes: &[u8], out: &mut Vec<u8>) {
    number(bytes.len() as u64, out);
    out.extend(bytes);
}

/// What is left to read, and how many forks there may still be.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    forks: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, forks: BRANCHES_LIMIT }
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or("the timestamp is cut off")?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8, String> {
        self.take(1).map(|byte| byte[0])
    }

    /// A number of at most 63 bits, in its shortest spelling.
    pub(super) fn number(&mut self) -> Result<u64, String> {
        let mut value = 0;
        for shift in (0..63).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return match byte {
                    0 if shift > 0 => Err("a number is spelt too long".into()),
                    _ => Ok(value),
                };
            }
        }
        Err("a number is too large".into())
    }

    pub(super) fn bytes(&mut self, limit: usize) -> Result<&'a [u8], String> {
        let length = usize::try_from(self.number()?).ok().filter(|&length| length <= limit);
        self.take(length.ok_or_else(|| format!("a field has more than {limit} bytes"))?)
    }

    /// The tag after a fork.
    pub(super) fn fork(&mut self) -> Result<u8, String> {
        self.forks =
            self.forks.checked_sub(1).ok_or_else(|| format!("there are more than {BRANCHES_LIMIT} branches"))?;
        self.byte()
    }

    pub(super) fn end(&self) -> Result<(), String> {
        match self.rest {
            [] => Ok(()),
            rest => Err(format!("{} bytes are left at the end", rest.len())),
        }
    }
}
