//! The four messages between verifier and server. Invariants, for any bytes:
//! - reading them as any of the messages never panics;
//! - what was read, written and read again, is the same; and written again, the same bytes;
//! - without a batch the quote answers the nonce itself;
//! - an event of the watch has an id of one form.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde::{de::DeserializeOwned, Serialize};
use std::fmt::Debug;
use vitrine_attest::batch::Challenge;
use vitrine_attest::evidence::{ActivationRequest, ActivationResponse, Evidence, EvidenceRequest};
use vitrine_attest::watch::Violation;

fuzz_target!(|data: &[u8]| {
    round_trip::<EvidenceRequest>(data);
    round_trip::<Evidence>(data);
    if let Ok(evidence) = serde_json::from_slice::<Evidence>(data) {
        // a place among the nonces of one quote: none, or one way to the root
        let challenge = evidence.challenge(&evidence.nonce);
        assert!(evidence.batch.is_some() || challenge == Some(Challenge::Nonce(evidence.nonce)));
        if let Some(Violation::Unknown(id)) = Violation::first(&evidence.runtime_log) {
            assert!(!id.is_empty() && id.bytes().all(|c| c.is_ascii_graphic() && !c.is_ascii_uppercase()));
        }
    }
    round_trip::<ActivationRequest>(data);
    round_trip::<ActivationResponse>(data);
});

fn round_trip<T: DeserializeOwned + Serialize + PartialEq + Debug>(data: &[u8]) {
    let Ok(message) = serde_json::from_slice::<T>(data) else { return };
    let written = serde_json::to_vec(&message).expect("a message has a JSON form");
    let again: T = serde_json::from_slice(&written).expect("what was written can be read");
    assert_eq!(again, message);
    assert_eq!(serde_json::to_vec(&again).expect("a message has a JSON form"), written);
}
