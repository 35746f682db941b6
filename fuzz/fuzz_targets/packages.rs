//! Package indices and the closure over them. Invariants, for any bytes:
//! - reading never panics;
//! - a package has a name, a version and a file; relations and the closure never panic, and the closure ends.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vitrine_builder::archive::fuzzing;

fuzz_target!(|data: &[u8]| fuzzing::close_all(data));
