//! TPMS_ATTEST. Invariants, for any bytes:
//! - parsing never panics and is deterministic;
//! - what was parsed, written again field by field, is the beginning of the bytes, and the rest is what `trailing` counts;
//! - a structure without its last byte, or with one more, is not taken for the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vitrine_attest::tpm::{Attest, QUOTE};

fuzz_target!(|data: &[u8]| {
    let Ok(attest) = Attest::parse(data) else { return };
    assert_eq!(Attest::parse(data), Ok(attest.clone()));
    assert_eq!(attest.quote.is_some(), attest.kind == QUOTE);
    let written = write(&attest);
    assert!(data.starts_with(&written));
    let Some(quote) = &attest.quote else { return };
    assert_eq!(data.len(), written.len() + quote.trailing);
    for selection in &quote.selections {
        assert!(!selection.to_string().is_empty());
    }
    assert_ne!(Attest::parse(&data[..data.len() - 1]), Ok(attest.clone()));
    assert_ne!(Attest::parse(&[data, &[0]].concat()), Ok(attest));
});

fn sized(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u16).to_be_bytes()[..], bytes].concat()
}

fn write(attest: &Attest) -> Vec<u8> {
    let mut out = [&attest.magic.to_be_bytes()[..], &attest.kind.to_be_bytes()].concat();
    out.extend(sized(&attest.qualified_signer));
    out.extend(sized(&attest.extra_data));
    out.extend(attest.clock.clock.to_be_bytes());
    out.extend(attest.clock.reset_count.to_be_bytes());
    out.extend(attest.clock.restart_count.to_be_bytes());
    out.push(attest.clock.safe.into());
    out.extend(attest.firmware_version.to_be_bytes());
    if let Some(quote) = &attest.quote {
        out.extend((quote.selections.len() as u32).to_be_bytes());
        for selection in &quote.selections {
            out.extend(selection.hash.to_be_bytes());
            out.push(selection.bitmap.len() as u8);
            out.extend(&selection.bitmap);
        }
        out.extend(sized(&quote.digest));
    }
    out
}
