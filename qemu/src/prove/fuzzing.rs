//! Inner parsers for the fuzz targets; not there in any other build.

pub use super::packet::{parse, sent_by, Inner, Packet};
pub use super::pcap::frames;

use super::memory::Memory;
use super::nic::Buffers;
use std::fs::File;
use vitrine_attest::Result;

/// The receive buffers of a queue that lies in this memory: where its two tables are, how many entries it has, and the
/// card's own counter.
///
/// # Errors
/// When it is no queue.
pub fn buffers(memory: File, table: u64, available: u64, size: u64, used: u64) -> Result<Buffers> {
    Buffers::walk(&Memory(memory), table, available, size, used)
}
