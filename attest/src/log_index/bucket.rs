//! A part of the index: all records whose key hashes begin with the same bits.
//!
//! ```text
//! vitrine-log-index-bucket v1
//! 10 683 992                         bits, their value, records
//! (key hash[32] ‖ u64 index)*        sorted, each once
//! ```

use super::{bucket_of, header, BITS_LIMIT};
use crate::Sha256;

const VERSION: &str = "vitrine-log-index-bucket v1";
/// Largest bucket in bytes: over 400,000 records. 4096 of them are a log of a hundred million entries and more.
pub const BUCKET_LIMIT: usize = 16 << 20;
const RECORD_BYTES: usize = 40;

/// This entry has this key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Record {
    /// [`super::Key::hash`].
    pub key: Sha256,
    /// Number of the entry.
    pub index: u64,
}

/// Sorts them as they stand in buckets.
pub fn sort(records: &mut [Record]) {
    // a number is compared faster than 32 bytes, and few agree in it
    let first = |record: &Record| u64::from_be_bytes(*record.key.0.first_chunk().unwrap_or(&[0; 8]));
    records.sort_unstable_by(|one, other| first(one).cmp(&first(other)).then_with(|| one.cmp(other)));
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    pub bits: u8,
    /// The value of these bits.
    pub number: u16,
    pub records: Vec<Record>,
}

impl Bucket {
    /// The bytes of the file. The records have to be sorted.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{VERSION}\n{} {} {}\n", self.bits, self.number, self.records.len()).into_bytes();
        bytes.reserve(self.records.len() * RECORD_BYTES);
        for record in &self.records {
            bytes.extend_from_slice(&record.key.0);
            bytes.extend_from_slice(&record.index.to_be_bytes());
        }
        bytes
    }

    /// Reads what [`Self::to_bytes`] wrote, and nothing else.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        if bytes.len() > BUCKET_LIMIT {
            return Err(format!("it has more than {BUCKET_LIMIT} bytes"));
        }
        let ([bits, number, count], rest) = header(bytes, VERSION)?;
        let bits = u8::try_from(bits).ok().filter(|bits| *bits <= BITS_LIMIT).ok_or("it has too many bits")?;
        let number =
            u16::try_from(number).ok().filter(|number| number >> bits == 0).ok_or("there is no such bucket")?;
        let (rows, odd) = rest.as_chunks::<RECORD_BYTES>();
        if !odd.is_empty() || rows.len() as u64 != count {
            return Err(format!("it does not have {count} records"));
        }
        let records: Vec<Record> = rows.iter().map(record).collect();
        if !records.is_sorted_by(|one, next| one < next) {
            return Err("its records are not sorted".into());
        }
        if records.iter().any(|record| bucket_of(&record.key, bits) != number) {
            return Err("it has records of another bucket".into());
        }
        Ok(Self { bits, number, records })
    }

    /// Numbers of the entries with this key, ascending.
    pub fn find(&self, key: &Sha256) -> impl Iterator<Item = u64> + '_ {
        let key = *key;
        let first = self.records.partition_point(|record| record.key < key);
        self.records[first..].iter().take_while(move |record| record.key == key).map(|record| record.index)
    }
}

fn record(row: &[u8; RECORD_BYTES]) -> Record {
    let (mut key, mut index) = ([0; 32], [0; 8]);
    key.copy_from_slice(&row[..32]);
    index.copy_from_slice(&row[32..]);
    Record { key: Sha256(key), index: u64::from_be_bytes(index) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket() -> Bucket {
        let record = |second, index| {
            let mut key = [7; 32];
            (key[0], key[1]) = (0xab, second);
            Record { key: Sha256(key), index }
        };
        Bucket { bits: 8, number: 0xab, records: vec![record(1, 5), record(2, 0), record(2, 9), record(3, 7)] }
    }

    #[test]
    fn round_trip_and_search() {
        let bucket = bucket();
        assert_eq!(Bucket::parse(&bucket.to_bytes()), Ok(bucket.clone()));
        let find = |key: &Sha256| bucket.find(key).collect::<Vec<u64>>();
        assert_eq!(find(&bucket.records[1].key), [0, 9]);
        assert_eq!(find(&bucket.records[3].key), [7]);
        assert!(find(&Sha256::ZERO).is_empty() && find(&Sha256([0xff; 32])).is_empty());
        let empty = Bucket { bits: 0, number: 0, records: vec![] };
        assert_eq!(Bucket::parse(&empty.to_bytes()), Ok(empty));
    }

    #[test]
    fn sorted_as_their_order_says() {
        // also keys that differ behind their first eight bytes only, and numbers of one key
        let key = |n: u8| {
            let mut bytes = [if n.is_multiple_of(5) { n } else { 0 }; 32];
            bytes[8] = n % 3;
            Sha256(bytes)
        };
        let mut records: Vec<Record> = (0..=255).map(|n| Record { key: key(n), index: u64::from(n / 7) }).collect();
        let mut expected = records.clone();
        expected.sort();
        sort(&mut records);
        assert_eq!(records, expected);
    }

    #[test]
    fn one_defect_each() {
        let good = bucket();
        let bytes = good.to_bytes();
        for end in 0..bytes.len() {
            assert!(Bucket::parse(&bytes[..end]).is_err(), "cut at {end}");
        }
        for (defect, bucket) in [
            ("other bits", Bucket { bits: 7, ..good.clone() }),
            ("too many bits", Bucket { bits: 13, ..good.clone() }),
            ("other number", Bucket { number: 0xac, ..good.clone() }),
            ("number too large", Bucket { number: 0x1ab, ..good.clone() }),
            ("not sorted", Bucket { records: good.records.iter().rev().copied().collect(), ..good.clone() }),
            ("twice", Bucket { records: vec![good.records[0]; 2], ..good.clone() }),
        ] {
            assert!(Bucket::parse(&bucket.to_bytes()).is_err(), "{defect}");
        }
        assert!(Bucket::parse(&[&bytes[..], b"x"].concat()).is_err());
        let text = |from: &str, to: &str| {
            let head = bytes.len() - 4 * RECORD_BYTES;
            let line = String::from_utf8(bytes[..head].to_vec()).unwrap();
            assert!(line.contains(from));
            Bucket::parse(&[line.replace(from, to).as_bytes(), &bytes[head..]].concat())
        };
        for (from, to) in [(" 4\n", " 3\n"), ("8 ", "08 "), (" 4\n", " 4 \n"), ("v1", "v2"), ("8 ", "-8 ")] {
            assert!(text(from, to).is_err(), "{from:?} as {to:?}");
        }
        assert!(Bucket::parse(&vec![b'1'; BUCKET_LIMIT + 1]).unwrap_err().contains("more than"));
    }
}
