//! Receive buffers of a virtio network card: pages that the driver has given to the card, with what earlier frames left
//! in them. Nobody but the card can write there, and the guest reads a buffer only after the card has.

use super::memory::Memory;
use crate::boot::Guest;
use serde_json::{json, Value};
use vitrine_attest::{Error, Result};

/// Most descriptors of a queue (virtio 1.2 §2.7).
const MOST: u64 = 32768;
/// A descriptor: address, length, flags, next (virtio 1.2 §2.7.5).
const DESCRIPTOR: u64 = 16;
/// Bytes of one buffer: the largest packet with its headers, in whole pages (virtio 1.2 §5.1.6.3.1 asks for 65,562 at
/// most). A guest that names larger ones would have copies excused that no frame left there.
const LARGEST: u32 = 17 * 4096;
/// The flag that says that the device writes there (`VIRTQ_DESC_F_WRITE`).
const WRITE: u16 = 2;

/// Physical ranges, each from its first byte to behind its last.
#[derive(Debug, Default)]
pub struct Buffers(Vec<(u64, u64)>);

impl Buffers {
    /// Buffers that the first receive queue has now. The guest should stand still.
    ///
    /// # Errors
    /// When QEMU does not tell where the queue lies, or it lies nowhere.
    pub fn read(guest: &mut Guest, memory: &Memory) -> Result<Self> {
        let devices = guest.qmp().execute("x-query-virtio", json!({}))?;
        let network = |device: &&Value| device["name"] == "virtio-net";
        let path = devices.as_array().and_then(|all| all.iter().find(network)).map(|device| device["path"].clone());
        let Some(path) = path else { return Ok(Self::default()) };
        let queue = guest.qmp().execute("x-query-virtio-queue-status", json!({ "path": path, "queue": 0 }))?;
        let number = |name: &str| {
            queue[name]
                .as_u64()
                .ok_or_else(|| Error::host(format!("QEMU does not tell {name}"), "use QEMU 7.2 or newer"))
        };
        let (table, available) = (number("vring-desc")?, number("vring-avail")?);
        let (size, used) = (number("vring-num")?, number("used-idx")?);
        if table == 0 {
            return Ok(Self::default()); // no driver has set it up
        }
        Self::walk(memory, table, available, size, used)
    }

    /// From what the card has used last to what the driver has offered last. All of it is the guest's word: places may
    /// lie behind all memory, and chains of descriptors may lead back into themselves.
    pub(super) fn walk(memory: &Memory, table: u64, available: u64, size: u64, used: u64) -> Result<Self> {
        let failed = |e: std::io::Error| Error::host(format!("the card's queue cannot be read: {e}"), "");
        if size == 0 || size > MOST || !size.is_power_of_two() {
            return Err(Error::host(format!("a queue of {size}"), ""));
        }
        let short = |at: u64| -> std::io::Result<u16> {
            let mut bytes = [0; 2];
            memory.read(at, &mut bytes)?;
            Ok(u16::from_le_bytes(bytes))
        };
        let offered = short(available.saturating_add(2)).map_err(failed)?;
        let used = u16::try_from(used & 0xffff).unwrap_or_default();
        let (mut buffers, mut left) = (Vec::new(), size);
        for step in 0..offered.wrapping_sub(used).min(u16::try_from(size).unwrap_or(u16::MAX)) {
            let place = u64::from(used.wrapping_add(step)) % size;
            let mut head = u64::from(short(available.saturating_add(4 + 2 * place)).map_err(failed)?) % size;
            loop {
                // Each descriptor is part of one chain at most (virtio 1.2 §2.7.5.3.1: no loops)
                left = left.checked_sub(1).ok_or_else(|| Error::host("the card's queue has no end", ""))?;
                let mut entry = [0; DESCRIPTOR as usize];
                memory.read(table.saturating_add(DESCRIPTOR * head), &mut entry).map_err(failed)?;
                let address = u64::from_le_bytes(entry[..8].try_into().unwrap_or_default());
                let length = u32::from_le_bytes(entry[8..12].try_into().unwrap_or_default());
                let flags = u16::from_le_bytes([entry[12], entry[13]]);
                if length > LARGEST {
                    return Err(Error::host(format!("a buffer of {length} bytes: no frame is so long"), ""));
                }
                if flags & WRITE != 0 {
                    buffers.push((address, address.saturating_add(length.into())));
                }
                if flags & 1 == 0 {
                    break;
                }
                head = u64::from(u16::from_le_bytes([entry[14], entry[15]])) % size;
            }
        }
        Ok(Self(buffers))
    }

    pub fn contain(&self, at: u64) -> bool {
        self.0.iter().any(|(from, to)| (*from..*to).contains(&at))
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::FileExt as _;

    /// Where the driver offers buffers; the table lies at 0.
    const OFFERS: u64 = 64;

    /// Address, length, flags, next.
    type Entry = (u64, u32, u16, u16);

    /// A queue of four entries, with chains that begin at these.
    fn memory(table: [Entry; 4], heads: &[u16]) -> Memory {
        let file = tempfile::tempfile().unwrap();
        for (place, (address, length, flags, next)) in (0..).zip(table) {
            let entry = [&address.to_le_bytes()[..], &length.to_le_bytes(), &flags.to_le_bytes(), &next.to_le_bytes()];
            file.write_all_at(&entry.concat(), DESCRIPTOR * place).unwrap();
        }
        let offers: Vec<u8> = [0, heads.len() as u16].iter().chain(heads).flat_map(|n| n.to_le_bytes()).collect();
        file.write_all_at(&offers, OFFERS).unwrap();
        file.set_len(4096).unwrap();
        Memory(file)
    }

    #[test]
    fn buffers_that_are_offered() {
        let table = [(0x1000, 100, WRITE, 0), (0x2000, 12, WRITE | 1, 2), (0x3000, 50, WRITE, 0), (0x4000, 9, 0, 0)];
        let memory = memory(table, &[0, 1, 3]);
        let buffers = |used| Buffers::walk(&memory, 0, OFFERS, 4, used).unwrap();
        assert_eq!(buffers(0).0, [(0x1000, 0x1064), (0x2000, 0x200c), (0x3000, 0x3032)]);
        assert!(buffers(0).contain(0x1063) && !buffers(0).contain(0x1064));
        assert_eq!((buffers(1).len(), buffers(2).len(), buffers(3).is_empty()), (2, 0, true));
    }

    #[test]
    fn a_buffer_larger_than_any_frame_excuses_nothing() {
        let of = |length| Buffers::walk(&memory([(0, length, WRITE, 0); 4], &[0]), 0, OFFERS, 4, 0);
        assert_eq!(of(LARGEST).unwrap().len(), 1);
        assert!(of(LARGEST + 1).is_err());
    }

    /// The guest's word, as a fuzzer would have it: chains without an end, which could fill 16 GiB, and places behind all
    /// memory, which were an overflow.
    #[test]
    fn a_lying_guest() {
        let table = [(0x1000, 100, WRITE | 1, 1), (u64::MAX, u32::MAX, WRITE | 1, 0), (0, 0, 0, 0), (0, 0, 0, 0)];
        let memory = memory(table, &[0, 0, 0, 0]);
        for (place, offers, size) in
            [(0, OFFERS, 4), (u64::MAX, OFFERS, 4), (0, u64::MAX, 4), (0, u64::MAX - 3, 4), (0, 0, 3), (0, 0, 1 << 16)]
        {
            assert!(Buffers::walk(&memory, place, offers, size, 0).is_err(), "{place:#x} {offers:#x} {size}");
        }
    }
}
