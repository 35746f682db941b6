//! Firewall batches, as `vitrine inspect` and PID 1 read them. Invariants, for any bytes:
//! - reading never panics, and what was read can be printed;
//! - whatever can be read has the number of acknowledgements that PID 1 waits for.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vitrine_firewall::{acknowledgements, decode};

fuzz_target!(|data: &[u8]| {
    let counted = acknowledgements(data);
    let Ok(table) = decode(data) else { return };
    assert!(table.to_string().contains("table inet vitrine"));
    assert!(counted.is_ok());
});
