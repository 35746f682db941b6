//! The search of Wu and Manber ("A fast algorithm for multi-pattern searching", TR-94-17) with blocks of two bytes.
//!
//! A window of the shortest needle's length moves over the bytes. A table says for the window's last two bytes how far
//! it may move at once: for two bytes that stand nowhere in a needle's window, almost its whole length.

use super::Hit;
use vitrine_attest::{Error, Result};

/// Shortest needle in bytes. Seven random bytes stand somewhere in 1 GiB once in 67 million scans; four in every
/// fourth one.
pub const SHORTEST: usize = 7;
/// Longest needle, so that needles across the border of two pieces are found.
pub(super) const LONGEST: usize = 1024;
const BLOCKS: usize = 1 << 16;

/// A byte string to look for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needle {
    pub bytes: Vec<u8>,
    /// Letters match in either case.
    pub any_case: bool,
}

impl Needle {
    fn is_at(&self, bytes: &[u8]) -> bool {
        match bytes.get(..self.bytes.len()) {
            Some(bytes) if self.any_case => bytes.eq_ignore_ascii_case(&self.bytes),
            Some(bytes) => bytes == self.bytes,
            None => false,
        }
    }

    /// Every spelling of two of its bytes.
    fn blocks(&self, at: usize) -> impl Iterator<Item = usize> {
        let (first, second) = (self.bytes[at], self.bytes[at + 1]);
        let spellings = |byte: u8| match self.any_case {
            true => [byte.to_ascii_lowercase(), byte.to_ascii_uppercase()],
            false => [byte, byte],
        };
        let [a, b] = spellings(first);
        let all = [a, b].map(|first| spellings(second).map(|second| block(first, second)));
        let mut all: Vec<usize> = all.into_iter().flatten().collect();
        all.sort_unstable();
        all.dedup();
        all.into_iter()
    }
}

fn block(first: u8, second: u8) -> usize {
    usize::from(u16::from_be_bytes([first, second]))
}

/// Needles and the tables made of them.
#[derive(Debug)]
pub struct Scanner {
    needles: Vec<Needle>,
    /// Of the shortest needle.
    window: usize,
    /// For each block: how far the window may move when it ends with it. 0: look.
    shifts: Vec<u8>,
    /// For each block with shift 0: the needles whose window ends with it, as a range of `endings`.
    ranges: Vec<(u32, u32)>,
    endings: Vec<u32>,
}

impl Scanner {
    /// # Errors
    /// Our own bug: no needle, or one shorter than [`SHORTEST`], longer than a kilobyte, or with a zero at its begin
    /// (empty pages are skipped, and it might begin in one).
    pub fn new(needles: Vec<Needle>) -> Result<Self> {
        let lengths = || needles.iter().map(|needle| needle.bytes.len());
        let window = lengths().min().unwrap_or(0);
        let unfit = |needle: &Needle| needle.bytes.len() > LONGEST || needle.bytes[0] == 0;
        if window < SHORTEST || needles.iter().any(unfit) {
            return Err(Error::bug(format!("needles of {:?} bytes", lengths().collect::<Vec<_>>())));
        }
        // A shift fits a byte
        let window = window.min(usize::from(u8::MAX));
        let far = u8::try_from(window - 1).map_err(|e| Error::bug(e.to_string()))?;
        let mut shifts = vec![far; BLOCKS];
        let mut ends: Vec<(usize, u32)> = Vec::new();
        for (number, needle) in (0u32..).zip(&needles) {
            for at in 0..window - 1 {
                let left = far - 1 - u8::try_from(at).unwrap_or(far - 1).min(far - 1);
                for block in needle.blocks(at) {
                    shifts[block] = shifts[block].min(left);
                }
            }
            ends.extend(needle.blocks(window - 2).map(|block| (block, number)));
        }
        ends.sort_unstable();
        let mut ranges = vec![(0, 0); BLOCKS];
        for (place, (block, _)) in (0u32..).zip(&ends) {
            let range = &mut ranges[*block];
            *range = if range.1 == 0 { (place, place + 1) } else { (range.0, place + 1) };
        }
        let endings = ends.into_iter().map(|(_, number)| number).collect();
        Ok(Self { needles, window, shifts, ranges, endings })
    }

    /// Length of the longest needle.
    pub fn longest(&self) -> usize {
        self.needles.iter().map(|needle| needle.bytes.len()).max().unwrap_or(0)
    }

    /// Calls `found` for each needle in `bytes`, the first of which lies at `base`. Needles may overlap.
    pub fn scan(&self, bytes: &[u8], base: u64, found: &mut dyn FnMut(Hit)) {
        let mut end = self.window;
        while let Some(window) = bytes.get(end.wrapping_sub(2)..end) {
            let shift = self.shifts[block(window[0], window[1])];
            if shift == 0 {
                self.look(bytes, end, base, found);
                end += 1;
            } else {
                end += usize::from(shift);
            }
        }
    }

    #[cold]
    fn look(&self, bytes: &[u8], end: usize, base: u64, found: &mut dyn FnMut(Hit)) {
        let (begin, last) = (end - self.window, &bytes[end - 2..end]);
        let (from, to) = self.ranges[block(last[0], last[1])];
        for number in &self.endings[from as usize..to as usize] {
            let needle = *number as usize;
            if self.needles[needle].is_at(&bytes[begin..]) {
                found(Hit { at: base + begin as u64, needle });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needle(bytes: &[u8], any_case: bool) -> Needle {
        Needle { bytes: bytes.to_vec(), any_case }
    }

    fn find(needles: &[Needle], bytes: &[u8]) -> Vec<Hit> {
        let mut hits = Vec::new();
        Scanner::new(needles.to_vec()).unwrap().scan(bytes, 0, &mut |hit| hits.push(hit));
        hits.sort_unstable();
        hits
    }

    fn naive(needles: &[Needle], bytes: &[u8]) -> Vec<Hit> {
        let at = |at: usize| needles.iter().enumerate().map(move |(number, needle)| (at, number, needle));
        let all = (0..bytes.len()).flat_map(at);
        all.filter(|(at, _, needle)| needle.is_at(&bytes[*at..]))
            .map(|(at, needle, _)| Hit { at: at as u64, needle })
            .collect()
    }

    /// Numbers that are alike in each run (xorshift).
    fn noise(seed: &mut u64) -> u64 {
        *seed ^= *seed << 13;
        *seed ^= *seed >> 7;
        *seed ^= *seed << 17;
        *seed
    }

    /// Few different letters, so that needles overlap, repeat and stand at both ends.
    #[test]
    fn finds_what_a_plain_search_finds() {
        let mut seed = 0x5eed_0001;
        for round in 0..400 {
            let letters = 2 + noise(&mut seed) % 4;
            let mut text = |length: u64| -> Vec<u8> {
                (0..length).map(|_| b"abABz"[(noise(&mut seed) % letters) as usize]).collect()
            };
            let bytes = text(3000);
            let lengths = [7, 7, 8, 9, 12, 30].map(|length| length + round % 2);
            let mut needles: Vec<Needle> =
                lengths.iter().zip([true, false].iter().cycle()).map(|(l, case)| needle(&text(*l), *case)).collect();
            needles.push(needle(&bytes[..9], false));
            needles.push(needle(&bytes[2990..], true));
            assert_eq!(find(&needles, &bytes), naive(&needles, &bytes), "round {round}");
        }
    }

    #[test]
    fn either_case_only_where_it_was_asked_for() {
        let needles = [needle(b"abcdefg", true), needle(b"abcdefg", false)];
        let found = |bytes: &[u8]| find(&needles, bytes).len();
        assert_eq!((found(b"xaBcDeFgx"), found(b"abcdefg"), found(b"abcdef")), (1, 2, 0));
    }

    #[test]
    fn needles_that_cannot_be_searched_are_refused() {
        assert!(Scanner::new(vec![]).is_err());
        assert!(Scanner::new(vec![needle(b"abcdef", false)]).is_err());
        assert!(Scanner::new(vec![needle(&[7; LONGEST + 1], false)]).is_err());
        assert!(Scanner::new(vec![needle(b"\0abcdefgh", false)]).is_err());
        assert!(Scanner::new(vec![needle(&[7; LONGEST], false)]).is_ok());
    }
}
