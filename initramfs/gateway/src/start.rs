//! The one line from init.

use crate::stop::{OrStop as _, Step, Stop};
use std::io::Read;
use vitrine_attest::inside::{GatewayStart, LINE_LIMIT};

/// Reads the line; it is the only one, so nothing may follow it.
///
/// # Errors
/// `start-line`: none, too long, or of another form.
pub fn read(mut socket: impl Read) -> Step<GatewayStart> {
    let mut line = Vec::new();
    let mut chunk = [0; 4096];
    while !line.contains(&b'\n') {
        let length = socket.read(&mut chunk).or_stop("start-line")?;
        if length == 0 || line.len() + length > LINE_LIMIT {
            return Err(Stop("start-line"));
        }
        line.extend_from_slice(&chunk[..length]);
    }
    // the TLS key was here: the allocator wipes the line, `run` the stack below it
    let line = line.strip_suffix(b"\n").or_stop("start-line")?;
    serde_json::from_slice(line).or_stop("start-line")
}
