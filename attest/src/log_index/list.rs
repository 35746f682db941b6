//! The buckets of an index.
//!
//! ```text
//! vitrine-log-index v1
//! 1482 9021 4                 entries, records, bits
//! (SHA-256 of a bucket)*      2^bits of them
//! ```

use super::{bits, header};
use crate::Sha256;

const VERSION: &str = "vitrine-log-index v1";
/// Largest list in bytes: 4096 hashes, and the lines before them.
pub const LIST_LIMIT: usize = (4096 * 32) + 128;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    /// Entries that are in the index.
    pub size: u64,
    pub records: u64,
    pub buckets: Vec<Sha256>,
}

impl List {
    pub fn bits(&self) -> u8 {
        bits(self.records)
    }

    /// The bytes of the file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{VERSION}\n{} {} {}\n", self.size, self.records, self.bits()).into_bytes();
        bytes.extend(self.buckets.iter().flat_map(|bucket| bucket.0));
        bytes
    }

    /// Reads what [`Self::to_bytes`] wrote, and nothing else.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        if bytes.len() > LIST_LIMIT {
            return Err(format!("it has more than {LIST_LIMIT} bytes"));
        }
        let ([size, records, told], rest) = header(bytes, VERSION)?;
        if told != u64::from(bits(records)) {
            return Err(format!("{records} records stand in 2^{} buckets", bits(records)));
        }
        let (rows, odd) = rest.as_chunks::<32>();
        if !odd.is_empty() || rows.len() != 1 << bits(records) {
            return Err("it does not have a hash for each bucket".into());
        }
        Ok(Self { size, records, buckets: rows.iter().copied().map(Sha256).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_and_refusals() {
        let list = List { size: 400, records: 3000, buckets: (0..4).map(|n: u8| Sha256([n; 32])).collect() };
        let bytes = list.to_bytes();
        assert_eq!(List::parse(&bytes), Ok(list.clone()));
        for end in 0..bytes.len() {
            assert!(List::parse(&bytes[..end]).is_err(), "cut at {end}");
        }
        assert!(List::parse(&[&bytes[..], &[0; 32]].concat()).is_err());
        let head = bytes.len() - 4 * 32;
        for (from, to) in
            [("3000 2", "3000 3"), ("3000 2", "3000 1"), ("3000 2", "2000 2"), ("400", "0400"), ("v1", "v2")]
        {
            let line = String::from_utf8(bytes[..head].to_vec()).unwrap().replace(from, to);
            assert!(List::parse(&[line.as_bytes(), &bytes[head..]].concat()).is_err(), "{from} as {to}");
        }
        let most = List { size: u64::MAX, records: u64::MAX, buckets: vec![Sha256::ZERO; 4096] };
        assert_eq!(List::parse(&most.to_bytes()), Ok(most));
    }
}
