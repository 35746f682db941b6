//! Bytes around each copy, for who looks for its cause. They hold canaries and the guest's memory, nobody's data.

use super::memory::{Copy, Memory};
use super::nic::Buffers;
use std::fmt::Write as _;
use std::path::Path;
use vitrine_attest::{Error, Result};

const BEFORE: u64 = 128;
const LENGTH: usize = 512;

/// Writes one file for each moment.
///
/// # Errors
/// When it cannot be written.
pub fn write(folder: &Path, moment: usize, memory: &Memory, copies: &[Copy], buffers: &Buffers) -> Result<()> {
    let mut text = String::new();
    for copy in copies {
        let place = if buffers.contain(copy.at) { ", receive buffer" } else { "" };
        let _ = writeln!(text, "\n{:?} {:?} at {:#x}{place}", copy.kind, copy.form, copy.at);
        let (from, bytes) = memory.around(copy.at & !15, BEFORE, LENGTH);
        for (line, bytes) in (0..).zip(bytes.chunks(16)) {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x} ")).collect();
            let plain = |byte: &u8| if byte.is_ascii_graphic() { char::from(*byte) } else { '.' };
            let _ = writeln!(text, "{:09x}  {hex} {}", from + 16 * line, bytes.iter().map(plain).collect::<String>());
        }
    }
    let path = folder.join(format!("moment-{:02}.txt", moment + 1));
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(&path, text))
        .map_err(|e| Error::host(format!("{}: {e}", path.display()), ""))
}
