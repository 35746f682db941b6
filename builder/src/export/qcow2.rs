//! The disk as QEMU's copy-on-write format, version 3: clusters of zeros are left out, nothing is compressed.
//!
//! Standard: QEMU's `docs/interop/qcow2.txt`. All numbers are big-endian.
//! ```text
//! header │ refcount table │ refcount blocks │ L1 │ L2 tables │ data clusters in the disk's order
//! ```

use super::medium::{set, Medium};
use std::borrow::Cow;
use std::collections::BTreeMap;
use vitrine_attest::{Error, Result};

/// 64 KiB, as `qemu-img create` chooses.
const CLUSTER_BITS: u32 = 16;
const CLUSTER: u64 = 1 << CLUSTER_BITS;
/// Entries of an L2 table, and of L1 and the refcount table in one cluster: 8 bytes each.
const ENTRIES: u64 = CLUSTER / 8;
/// Counts in a refcount block: 16 bits each (refcount_order 4).
const COUNTS: u64 = CLUSTER / 2;
/// The cluster is used once, here: it may be written in place.
const COPIED: u64 = 1 << 63;
/// Bytes of the header of version 3, without extensions.
const HEADER_LENGTH: u32 = 104;

/// Where the parts lie, in clusters. L1 and the refcount table have one cluster each: enough for disks of 4 TiB.
struct Plan {
    blocks: u64,
    l2: u64,
    data: u64,
}

impl Plan {
    fn of(disk: u64, data: u64) -> Result<Self> {
        let l2 = disk.div_ceil(CLUSTER * ENTRIES);
        let others = 3 + l2 + data;
        // blocks count themselves, too
        let blocks = others.div_ceil(COUNTS - 1);
        if l2 > ENTRIES || blocks > ENTRIES {
            return Err(Error::input(format!("a disk of {disk} bytes is too large for qcow2"), "use --format disk"));
        }
        Ok(Self { blocks, l2, data })
    }

    fn refcount_table(&self) -> u64 {
        1
    }
    fn first_block(&self) -> u64 {
        2
    }
    fn l1(&self) -> u64 {
        self.first_block() + self.blocks
    }
    fn first_l2(&self) -> u64 {
        self.l1() + 1
    }
    fn first_data(&self) -> u64 {
        self.first_l2() + self.l2
    }
    fn end(&self) -> u64 {
        self.first_data() + self.data
    }
}

/// The file that holds this disk.
///
/// # Errors
/// When the disk is larger than the format's tables of one cluster reach, 4 TiB.
pub fn of(disk: &Medium) -> Result<Medium<'static>> {
    let clusters = clusters(disk);
    let plan = Plan::of(disk.size(), clusters.len() as u64)?;
    let mut file = Medium::new(plan.end() * CLUSTER);
    file.put(0, header(disk.size(), &plan))?;
    file.put(plan.refcount_table() * CLUSTER, numbers(plan.first_block(), plan.blocks, 0))?;
    file.put(plan.first_block() * CLUSTER, 1u16.to_be_bytes().repeat(plan.end() as usize))?;
    file.put(plan.l1() * CLUSTER, numbers(plan.first_l2(), plan.l2, COPIED))?;
    for (place, guest) in (plan.first_data()..).zip(clusters.keys()) {
        // tables of one after the other: the entry's place is the cluster's number
        file.put(plan.first_l2() * CLUSTER + guest * 8, ((place * CLUSTER) | COPIED).to_be_bytes().to_vec())?;
    }
    for (place, bytes) in (plan.first_data()..).zip(clusters.into_values()) {
        file.put(place * CLUSTER, bytes)?;
    }
    Ok(file)
}

/// Clusters of the disk that are not all zero, by number.
fn clusters(disk: &Medium) -> BTreeMap<u64, Vec<u8>> {
    let mut clusters: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
    for (mut at, mut bytes) in disk.pieces() {
        while !bytes.is_empty() {
            let (number, inside) = (at / CLUSTER, at % CLUSTER);
            let (now, later) = bytes.split_at(bytes.len().min((CLUSTER - inside) as usize));
            if now.iter().any(|byte| *byte != 0) {
                let cluster = clusters.entry(number).or_insert_with(|| vec![0; CLUSTER as usize]);
                set(cluster, inside as usize, now);
            }
            at += now.len() as u64;
            bytes = later;
        }
    }
    clusters
}

fn header(disk: u64, plan: &Plan) -> Vec<u8> {
    let mut header = vec![0; HEADER_LENGTH as usize];
    set(&mut header, 0, b"QFI\xfb");
    set(&mut header, 4, &3u32.to_be_bytes());
    set(&mut header, 20, &CLUSTER_BITS.to_be_bytes());
    set(&mut header, 24, &disk.to_be_bytes());
    set(&mut header, 36, &(plan.l2 as u32).to_be_bytes());
    set(&mut header, 40, &(plan.l1() * CLUSTER).to_be_bytes());
    set(&mut header, 48, &(plan.refcount_table() * CLUSTER).to_be_bytes());
    set(&mut header, 56, &1u32.to_be_bytes()); // clusters of the refcount table
    set(&mut header, 96, &4u32.to_be_bytes()); // refcount_order: 16 bits
    set(&mut header, 100, &HEADER_LENGTH.to_be_bytes());
    header
}

/// Offsets of `count` clusters one after the other, as a table has them.
fn numbers(first: u64, count: u64, flag: u64) -> Cow<'static, [u8]> {
    (first..first + count).flat_map(|cluster| ((cluster * CLUSTER) | flag).to_be_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::medium::tests::bytes;

    #[test]
    fn zeros_are_left_out() {
        let mut disk = Medium::new(40 << 20);
        disk.put(0, vec![0; 200_000]).unwrap();
        disk.put((1 << 20) - 3, vec![7; 6]).unwrap();
        let clusters = clusters(&disk);
        assert_eq!(clusters.keys().collect::<Vec<_>>(), [&15, &16]);
        assert_eq!(clusters[&15][65_533..], [7; 3]);
        let file = of(&disk).unwrap();
        assert_eq!(file.size(), (1 + 1 + 1 + 1 + 1 + 2) * CLUSTER);
        assert_eq!(&bytes(&file)[5 * 65_536 + 65_533..6 * 65_536], [7; 3]);
    }

    /// Blocks count every cluster, their own included, also where one block is just full.
    #[test]
    fn every_cluster_is_counted() {
        for data in (32_700..32_800).chain([65_500, 65_540, 1 << 20]) {
            let plan = Plan::of(4 << 40, data).unwrap();
            assert!(plan.blocks * COUNTS >= plan.end(), "{data}");
        }
        assert!(Plan::of(5 << 40, 1).is_err());
    }
}
