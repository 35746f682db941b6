//! `watch.disks` and `watch.swap`: nothing could keep what RAM forgets. Where there is no block device, none is open.

use super::buffer::Buffer;
use super::trees::Trees;
use crate::stop::Step;
use std::os::fd::OwnedFd;
use vitrine_attest::watch::Rule;

pub struct Devices {
    /// One line for each disk or part of one, whether it has a size or not.
    disks: OwnedFd,
    /// Character devices, an empty line, block devices: a number and a driver's name in each line.
    drivers: OwnedFd,
    /// Tells of changes by itself: `POLLPRI`.
    pub swap: OwnedFd,
}

impl Devices {
    pub fn open(trees: &Trees) -> Step<Self> {
        Ok(Self {
            disks: trees.required("diskstats")?,
            drivers: trees.required("devices")?,
            swap: trees.required("swaps")?,
        })
    }

    pub fn look(&self, buffer: &mut Buffer) -> Step<Option<Rule>> {
        if !buffer.file(&self.disks)?.is_empty() || has_driver(buffer.file(&self.drivers)?) {
            return Ok(Some(Rule::Disks));
        }
        Ok((lines(buffer.file(&self.swap)?) > 1).then_some(Rule::Swap))
    }
}

/// Whether something other than the block layer itself (`blkext`, numbers for parts of disks) is there.
pub(super) fn has_driver(devices: &[u8]) -> bool {
    let block = devices.split(|&c| c == b'\n').skip_while(|line| *line != b"Block devices:").skip(1);
    block.filter(|line| !line.is_empty()).any(|line| !line.ends_with(b" blkext"))
}

pub fn lines(text: &[u8]) -> usize {
    text.split(|&c| c == b'\n').filter(|line| !line.is_empty()).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: &str = "Character devices:\n  1 mem\n 10 misc\n\nBlock devices:\n259 blkext\n";

    #[test]
    fn drivers() {
        assert!(!has_driver(NONE.as_bytes()) && !has_driver(b"Character devices:\n  1 mem\n 8 sd\n"));
        for driver in ["  7 loop", "  8 sd", "252 virtblk", "253 zram"] {
            assert!(has_driver(format!("{NONE}{driver}\n").as_bytes()), "{driver}");
        }
    }

    #[test]
    fn swap_areas() {
        let header = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";
        assert_eq!(lines(header.as_bytes()), 1);
        assert_eq!(lines(format!("{header}/dev/zram0 partition\t1024\t0\t-2\n").as_bytes()), 2);
    }
}
