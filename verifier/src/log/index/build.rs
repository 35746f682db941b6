//! From records to buckets, and to the list of them.

use vitrine_attest::log_index::{bits, bucket_of, keys, Bucket, List, Record};
use vitrine_attest::{Result, Sha256};

/// The records of an entry.
pub fn records_of(index: u64, entry: &[u8]) -> impl Iterator<Item = Record> {
    keys(entry).into_iter().map(move |key| Record { key: key.hash(), index })
}

/// Makes all buckets of the first `size` entries' records, which have to be sorted; `put` gets the bytes of each, and gives its name.
///
/// # Errors
/// Those of `put`.
pub fn list_of(size: u64, sorted: &[Record], mut put: impl FnMut(Vec<u8>) -> Result<Sha256>) -> Result<List> {
    let bits = bits(sorted.len() as u64);
    let (mut rest, mut buckets) = (sorted, Vec::with_capacity(1 << bits));
    for number in 0..1u16 << bits {
        let (mine, after) = rest.split_at(rest.partition_point(|record| bucket_of(&record.key, bits) <= number));
        buckets.push(put(Bucket { bits, number, records: mine.to_vec() }.to_bytes())?);
        rest = after;
    }
    Ok(List { size, records: sorted.len() as u64, buckets })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// Every record stands in the one bucket in which it is looked for.
    #[test]
    fn nothing_is_lost() {
        for count in [0u64, 1, 700, 5000] {
            let mut records: Vec<Record> =
                (0..count).flat_map(|index| records_of(index, &index.to_be_bytes()).collect::<Vec<_>>()).collect();
            records.sort_unstable();
            let mut files = BTreeMap::new();
            let put = |bytes: Vec<u8>| {
                let name = Sha256::of(&bytes);
                files.insert(name, bytes);
                Ok(name)
            };
            let list = list_of(count, &records, put).unwrap();
            assert_eq!((list.size, list.records), (count, 2 * count));
            assert_eq!(List::parse(&list.to_bytes()).unwrap(), list);
            let buckets: Vec<Bucket> = list.buckets.iter().map(|name| Bucket::parse(&files[name]).unwrap()).collect();
            assert_eq!(buckets.iter().map(|bucket| bucket.records.len() as u64).sum::<u64>(), 2 * count);
            for record in &records {
                let bucket = &buckets[usize::from(bucket_of(&record.key, list.bits()))];
                assert_eq!(bucket.find(&record.key).collect::<Vec<_>>(), [record.index]);
            }
        }
    }
}
