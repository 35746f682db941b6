//! The firmware's event log, handed to the agent as it is.

use crate::mounts::{with_securityfs, FIRMWARE_LOG};
use crate::read::small_file;
use crate::stop::{OrStop, Step};

/// Bytes; what a verifier reads at most (check V01).
const LIMIT: usize = 1 << 20;

/// `binary_bios_measurements`. A machine without one has no measured boot to show, so it gets no tunnel.
pub fn read() -> Step<Vec<u8>> {
    with_securityfs(|| small_file(FIRMWARE_LOG, LIMIT).or_stop("firmware-log"))
}
