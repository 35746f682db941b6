//! Index of a log: which entries name this digest, this image. Static files that the log signs, and that anybody who has the entries
//! can make again, byte by byte.
//!
//! ```text
//! index/checkpoint    signed note: how many entries it covers, and the list's SHA-256 ([`Head`])
//! index/<64 hex>      the list of buckets, and each bucket, under their SHA-256 ([`List`], [`Bucket`])
//! ```
//! A key's hash says in which bucket it stands. That it stands there is worth nothing: get the entry, with its proof. That it does
//! **not** stand there is what the log says of its first `size` entries, and signs: whoever has them can show that it lied.

mod bucket;
mod head;
mod key;
mod list;

pub use bucket::{sort, Bucket, Record, BUCKET_LIMIT};
pub use head::Head;
pub use key::{keys, Key};
pub use list::{List, LIST_LIMIT};

use crate::Sha256;

/// Most bits of a key's hash that choose its bucket: 4096 buckets.
pub const BITS_LIMIT: u8 = 12;
/// Records in a bucket at which there are twice as many buckets: forty kilobytes to fetch for one answer, and to write for one
/// entry.
const RECORDS_IN_BUCKET: u64 = 1024;

/// How many bits choose a bucket in an index of so many records.
pub fn bits(records: u64) -> u8 {
    (0..BITS_LIMIT).find(|bits| records <= RECORDS_IN_BUCKET << bits).unwrap_or(BITS_LIMIT)
}

/// The bucket of a key.
pub fn bucket_of(key: &Sha256, bits: u8) -> u16 {
    let first = u16::from_be_bytes([key.0[0], key.0[1]]);
    first.checked_shr(16 - u32::from(bits)).unwrap_or(0)
}

/// A version line, three numbers of one spelling each, and the bytes after them.
fn header<'b>(bytes: &'b [u8], version: &str) -> Result<([u64; 3], &'b [u8]), String> {
    let rest = bytes.strip_prefix(version.as_bytes()).and_then(|rest| rest.strip_prefix(b"\n"));
    let rest = rest.ok_or_else(|| format!("it does not begin with \"{version}\""))?;
    let end = rest.iter().take(64).position(|byte| *byte == b'\n').ok_or("its second line is too long")?;
    let number = |word: &str| word.parse::<u64>().ok().filter(|number| number.to_string() == word);
    let words = std::str::from_utf8(&rest[..end]).unwrap_or_default().split(' ').map(number);
    let numbers = words.collect::<Option<Vec<u64>>>().and_then(|numbers| numbers.try_into().ok());
    Ok((numbers.ok_or("its second line is not three numbers")?, &rest[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_by_first_bits() {
        let key = Sha256([0xab; 32]);
        for (bits, bucket) in [(0, 0), (1, 1), (4, 0xa), (8, 0xab), (12, 0xaba)] {
            assert_eq!(bucket_of(&key, bits), bucket, "{bits} bits");
        }
        for (records, expected) in
            [(0, 0), (1024, 0), (1025, 1), (2048, 1), (2049, 2), (1_000_000, 10), (1 << 22, 12), (u64::MAX, 12)]
        {
            assert_eq!(bits(records), expected, "{records} records");
        }
    }
}
