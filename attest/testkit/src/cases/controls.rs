//! Files without a defect: a kit that is refused whole proves nothing.

use super::{done, Files, Group};
use crate::firmware::Event;
use crate::forge::ecdsa;
use crate::machine::{Signed, QUOTED, RESTRICTED};
use crate::Stage;
use vitrine_attest::{Error, Result};

pub const ALL: Group = &[
    ("genuine", |stage| done(stage.genuine())),
    ("genuine-ek-certificate-padded", |stage| done(stage.sent(|e| e.ek_cert.resize(2048, 0)))),
    ("genuine-rsa-attestation-key", |stage| {
        done(stage.with_key(
            |m| m.key("e", "rsa2048:rsassa-sha256:null", RESTRICTED),
            |m, key, honest| m.quote(key, QUOTED, &honest.extra_data, "sha256"),
        ))
    }),
    ("genuine-ecdsa-r-with-a-leading-zero", |stage| short_number(stage, |(r, _)| r)),
    ("genuine-ecdsa-s-with-a-leading-zero", |stage| short_number(stage, |(_, s)| s)),
    ("genuine-startup-locality", |stage| {
        let mut log = stage.boot.log.clone();
        log.events.insert(0, Event::informs(0, b"StartupLocality\0\x03"));
        done(stage.sent(|e| e.firmware_log = log.bytes()))
    }),
    ("genuine-rotated-key", |stage| super::runtime::rotating(stage, |boot| vec![boot.later_key(1)])),
];

/// r and s.
type Numbers = (Vec<u8>, Vec<u8>);

/// Signs until this number begins with a zero byte, and leaves the zeros out as some TPMs do.
fn short_number(stage: &Stage, which: fn(&Numbers) -> &[u8]) -> Result<Files> {
    done(stage.forged_with(&stage.forger.area, |attest| {
        let attest = attest.bytes();
        for _ in 0..20_000 {
            let numbers = stage.forger.raw(&attest)?;
            if which(&numbers)[0] == 0 {
                let strip = |number: &[u8]| number.iter().copied().skip_while(|&b| b == 0).collect::<Vec<_>>();
                return Ok(Signed { attest, signature: ecdsa(0x0b, &strip(&numbers.0), &strip(&numbers.1)) });
            }
        }
        Err(Error::bug("no signature with a leading zero in 20,000"))
    }))
}
