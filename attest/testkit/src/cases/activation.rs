//! Who opened the credential.

use super::{done, whole, Files, Group};
use crate::session::{End, Opener};
use crate::Stage;
use vitrine_attest::canonical::to_canonical_json;
use vitrine_attest::credential::proof;
use vitrine_attest::evidence::{ActivationResponse, VERSION};
use vitrine_attest::{Result, Sha256};

pub const ALL: Group = &[
    ("activation-refused-by-the-server", |stage| {
        let mut draft = stage.genuine()?;
        draft.opener = Opener::Nobody("tpm-failed");
        done(Ok(draft))
    }),
    ("activation-left-out", |stage| {
        let mut session = stage.genuine()?.finish()?;
        session.end = End::Untold;
        whole(session)
    }),
    ("activation-with-a-guessed-secret", |stage| {
        answered(stage, |m3, m4, _| *m4 = answer(VERSION, proof(&[0; 32], m3)))
    }),
    ("activation-proof-over-another-m3", |stage| {
        answered(stage, |_, m4, secret| *m4 = answer(VERSION, proof(&secret.0, b"{}")))
    }),
    ("activation-answers-the-secret-itself", |stage| answered(stage, |_, m4, secret| *m4 = answer(VERSION, *secret))),
    ("activation-version-1", |stage| answered(stage, |m3, m4, secret| *m4 = answer(1, proof(&secret.0, m3)))),
    ("activation-m4-malformed", |stage| answered(stage, |_, m4, _| m4.truncate(9))),
    ("activation-m3-malformed", |stage| answered(stage, |m3, _, _| m3.insert(1, b','))),
    ("activation-of-another-session", |stage| {
        let mut session = stage.genuine()?.finish()?;
        let mut other = stage.genuine()?;
        other.nonce = Sha256::of(b"the nonce of another session");
        session.end = other.finish()?.end;
        whole(session)
    }),
    ("activation-m1-altered", |stage| {
        let mut session = stage.genuine()?.finish()?;
        session.m1.push(b' ');
        whole(session)
    }),
];

fn answer(v: u32, proof: Sha256) -> Vec<u8> {
    to_canonical_json(&ActivationResponse { v, proof }).expect("numbers and hex can be written as JSON")
}

fn answered(stage: &Stage, change: fn(&mut Vec<u8>, &mut Vec<u8>, &Sha256)) -> Result<Files> {
    let mut session = stage.genuine()?.finish()?;
    if let End::Answered { m3, m4, secret } = &mut session.end {
        change(m3, m4, secret);
    }
    whole(session)
}
