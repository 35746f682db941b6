//! Secure Boot variables. Invariants, for any bytes:
//! - reading signature lists never panics and is deterministic; every entry lies inside the data;
//! - the lists' bytes, joined, are the data;
//! - a list made of any bytes as certificate is read back as exactly this one entry;
//! - `Variables` from JSON: `check` never panics, and a round trip gives the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vitrine_attest::secure_boot::{lists, signature_list, signatures, Variables, ON};

fuzz_target!(|data: &[u8]| {
    if let Ok(found) = signatures(data) {
        assert_eq!(signatures(data), Ok(found.clone()));
        let total: usize = found.iter().map(|s| s.owner.len() + s.data.len()).sum();
        assert!(total <= data.len() && found.is_empty() == data.is_empty());
        let wholes: Vec<&[u8]> = lists(data).expect("they were read").iter().map(|list| list.whole).collect();
        assert_eq!(wholes.concat(), data);
        for signature in &found {
            let _ = signature.authority_digest();
        }
    }
    let list = signature_list([3; 16], data);
    let found = signatures(&list).expect("a list of our own");
    assert!(found.len() == 1 && found[0].data == data && found[0].is_certificate());
    let Ok(variables) = serde_json::from_slice::<Variables>(data) else { return };
    let _ = (variables.check(), variables.measured(ON).map(|m| m.digest()));
    let written = serde_json::to_vec(&variables).expect("variables have a JSON form");
    assert_eq!(serde_json::from_slice::<Variables>(&written).ok(), Some(variables));
});
