//! The signature over the quote.

use super::{done, Files, Group};
use crate::forge::ecdsa;
use crate::Stage;
use vitrine_attest::Result;

/// Order of P-256 (SEC 2, §2.4.2).
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7,
    0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

pub const ALL: Group = &[
    ("signature-altered", |stage| done(stage.sent(|e| e.signature[20] ^= 1))),
    ("signature-zero", |stage| replaced(stage, ecdsa(0x0b, &[0; 32], &[0; 32]))),
    ("signature-of-no-length", |stage| replaced(stage, ecdsa(0x0b, &[], &[]))),
    ("signature-of-the-curves-order", |stage| replaced(stage, ecdsa(0x0b, &ORDER, &ORDER))),
    ("signature-labelled-sha1", |stage| done(stage.sent(|e| e.signature[3] = 4))),
    ("signature-labelled-rsa", |stage| replaced(stage, [&[0, 0x14, 0, 0x0b, 1, 0][..], &[1; 256]].concat())),
    ("signature-by-another-key", |stage| {
        let mut draft = stage.genuine()?;
        draft.evidence.signature = stage.forger.sign(&draft.evidence.attest)?.signature;
        done(Ok(draft))
    }),
    ("signature-of-an-earlier-quote", |stage| {
        let earlier = stage.signed_otherwise(|m, key, _| m.quote(key, crate::machine::QUOTED, &[1; 32], "sha256"))?;
        done(stage.sent(|e| e.signature = earlier.evidence.signature))
    }),
    // the last byte of resetCount: magic, type, two TPM2Bs of 34 and 32 bytes, clock
    ("attest-reset-count-altered", |stage| done(stage.sent(|e| e.attest[6 + 36 + 34 + 8 + 3] ^= 1))),
    ("attest-digest-altered", |stage| {
        done(stage.sent(|e| {
            let last = e.attest.len() - 1;
            e.attest[last] ^= 1;
        }))
    }),
];

fn replaced(stage: &Stage, signature: Vec<u8>) -> Result<Files> {
    done(stage.sent(|e| e.signature = signature))
}
