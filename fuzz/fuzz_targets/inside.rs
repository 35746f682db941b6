//! The lines between PID 1 and its children. Invariants, for any bytes:
//! - reading them as any of the words never panics;
//! - what was read, written and read again, is the same; and fits into one line.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde::{de::DeserializeOwned, Serialize};
use std::fmt::Debug;
use vitrine_attest::inside::{
    FromAgent, FromResolver, Introduction, ResolverStart, ToAgent, ToMetrics, INTRODUCTION_LIMIT,
};

fuzz_target!(|data: &[u8]| {
    round_trip::<Introduction>(data);
    round_trip::<ToAgent>(data);
    round_trip::<FromAgent>(data);
    round_trip::<ResolverStart>(data);
    round_trip::<FromResolver>(data);
    round_trip::<ToMetrics>(data);
});

fn round_trip<T: DeserializeOwned + Serialize + PartialEq + Debug>(data: &[u8]) {
    if data.len() > INTRODUCTION_LIMIT {
        return;
    }
    let Ok(word) = serde_json::from_slice::<T>(data) else { return };
    let written = serde_json::to_vec(&word).expect("a word has a JSON form");
    assert!(!written.contains(&b'\n'));
    assert_eq!(serde_json::from_slice::<T>(&written).expect("what was written can be read"), word);
}
