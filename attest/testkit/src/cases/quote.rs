//! What was signed.

use super::{done, Files, Group};
use crate::firmware::SHA256;
use crate::forge::{qualified, values, Attest};
use crate::machine::{Machine, QUOTED};
use crate::session::Draft;
use crate::stage::nonce;
use crate::{sized, Stage};
use vitrine_attest::batch::Challenge;
use vitrine_attest::digest::hex;
use vitrine_attest::{Error, Result, Sha256};

pub const ALL: Group = &[
    ("magic-wrong", |stage| forged(stage, |attest| attest.magic += 1)),
    ("type-certify-with-a-quote-inside", |stage| forged(stage, |attest| attest.kind = 0x8017)),
    ("certification-for-a-quote", |stage| done(stage.signed_otherwise(|m, key, _| m.certify(key)))),
    ("creation-for-a-quote", |stage| done(stage.signed_otherwise(Machine::creation))),
    ("time-for-a-quote", |stage| done(stage.signed_otherwise(Machine::time))),
    ("nv-contents-for-a-quote", |stage| done(stage.signed_otherwise(Machine::nv))),
    ("nonce-of-zeros", |stage| extra_data(stage, vec![0; 32])),
    ("nonce-absent", |stage| extra_data(stage, vec![])),
    ("nonce-bare", |stage| extra_data(stage, nonce().0.to_vec())),
    ("nonce-of-an-earlier-session", |stage| {
        let yesterday = Sha256::of(b"yesterday's nonce");
        extra_data(stage, stage.boot.binding(Challenge::Nonce(yesterday)).extra_data().0.to_vec())
    }),
    ("session-of-an-earlier-nonce", |stage| {
        let yesterday = Sha256::of(b"yesterday's nonce");
        let mut draft =
            extra_data_draft(stage, stage.boot.binding(Challenge::Nonce(yesterday)).extra_data().0.to_vec())?;
        draft.evidence.nonce = yesterday;
        done(Ok(draft))
    }),
    ("extra-data-joined-without-lengths", |stage| {
        let record = &stage.boot.record;
        let mut joined = [b"vitrine quote v2".as_slice(), &nonce().0].concat();
        joined.extend(record.keys.fields().concat());
        joined.extend([&record.config_digest.0[..], stage.boot.image_id.as_bytes()].concat());
        extra_data(stage, Sha256::of(&joined).0.to_vec())
    }),
    ("extra-data-without-the-keys", |stage| {
        let fields = [b"vitrine quote v2".as_slice(), &nonce().0, &stage.boot.record.config_digest.0];
        let joined: Vec<u8> = fields.iter().flat_map(|field| sized(field)).collect();
        extra_data(stage, Sha256::of(&joined).0.to_vec())
    }),
    ("extra-data-followed-by-a-byte", |stage| {
        extra_data(stage, [&stage.boot.binding(Challenge::Nonce(nonce())).extra_data().0[..], &[0]].concat())
    }),
    ("bytes-behind-the-quote", |stage| forged(stage, |attest| attest.tail = vec![0; 4])),
    ("a-second-quote-behind-the-quote", |stage| {
        forged(stage, |attest| attest.tail = [sized(&attest.digest), sized(&attest.digest)].concat())
    }),
    ("signer-of-the-owner-hierarchy-in-a-forged-quote", |stage| {
        forged(stage, |attest| attest.qualified_signer = qualified(crate::forge::RH_OWNER, &stage.forger.area))
    }),
    ("signer-absent", |stage| forged(stage, |attest| attest.qualified_signer.clear())),
    ("registers-16-and-23-for-4-and-11", |stage| relabelled(stage, "sha256:16,23")),
    ("registers-16-and-23-in-one-bank-four-times", |stage| {
        relabelled(stage, "sha256:16,23+sha256:16,23+sha256:16,23+sha256:16,23")
    }),
    ("registers-relabelled-over-the-right-digest", |stage| {
        forged(stage, |attest| attest.selections = vec![(0x0b, vec![0, 0, 0xff])])
    }),
    ("register-15-left-out", |stage| selected(stage, "sha256:4,7,9,11,12,13,14")),
    ("register-0-added", |stage| selected(stage, "sha256:0,4,7,9,11,12,13,14,15")),
    ("registers-of-the-sha1-bank", |stage| selected(stage, "sha1:4,7,9,11,12,13,14,15")),
    ("registers-of-both-banks", |stage| selected(stage, "sha1:4,7,9,11,12,13,14,15+sha256:4,7,9,11,12,13,14,15")),
    ("registers-none", |stage| forged(stage, |attest| attest.selections.clear())),
    ("registers-twice", |stage| forged(stage, |attest| attest.selections.push(attest.selections[0].clone()))),
    ("bitmap-of-four-bytes", |stage| forged(stage, |attest| attest.selections[0].1.push(0))),
    ("bitmap-of-255-bytes", |stage| forged(stage, |attest| attest.selections[0].1 = vec![0; 255])),
    ("selections-4294967295", |stage| forged(stage, |attest| attest.count = Some(u32::MAX))),
    ("digest-of-zeros", |stage| forged(stage, |attest| attest.digest = vec![0; 32])),
    ("digest-absent", |stage| forged(stage, |attest| attest.digest.clear())),
    ("digest-by-sha1", |stage| {
        let values = values(&stage.boot_of(&stage.forger.area).registers()?);
        forged(stage, |attest| attest.digest = sha1(&values))
    }),
    ("clock-not-safe", clock_not_safe),
    ("clock-safe-is-2", |stage| forged(stage, |attest| attest.safe = 2)),
];

/// swtpm's clock is safe again four seconds after a power cut (NV_CLOCK_UPDATE_INTERVAL): a busy machine is asked again.
fn clock_not_safe(stage: &Stage) -> Result<Files> {
    for _ in 0..20 {
        let machine = crate::stage::run(Machine::start(&stage.factory)?.power_cut()?, &stage.boot)?;
        let draft = stage.session(&machine, &stage.boot)?;
        if vitrine_attest::tpm::Attest::parse(&draft.evidence.attest).is_ok_and(|attest| !attest.clock.safe) {
            return done(Ok(draft));
        }
    }
    Err(Error::host(
        "no quote within four seconds of a power cut, twenty times",
        "try again when the machine is less busy",
    ))
}

fn forged(stage: &Stage, change: impl FnOnce(&mut Attest)) -> Result<Files> {
    done(stage.forged(change))
}

/// A real quote of other registers.
fn selected(stage: &Stage, registers: &str) -> Result<Files> {
    done(stage.signed_otherwise(|m, key, data| m.quote(key, registers, data, "sha256")))
}

/// A real quote of PCR 16 and 23, after the guest has extended them with what a good boot leaves in 4 and 11.
fn relabelled(stage: &Stage, registers: &str) -> Result<Files> {
    let machine = crate::stage::run(Machine::start(&stage.factory)?, &stage.boot)?;
    for event in &stage.boot.log.events {
        let register = match event.pcr {
            4 => 16,
            11 => 23,
            _ => continue,
        };
        machine.extend(register, &hex(event.digest(SHA256).unwrap_or_default()))?;
    }
    let extra_data = stage.boot.binding(Challenge::Nonce(nonce())).extra_data();
    let signed = machine.quote(&machine.ak, registers, &extra_data.0, "sha256")?;
    done(stage.draft(&machine, &stage.boot, machine.ak.clone(), signed))
}

/// A real quote with this in extraData.
fn extra_data(stage: &Stage, data: Vec<u8>) -> Result<Files> {
    done(extra_data_draft(stage, data))
}

fn extra_data_draft(stage: &Stage, data: Vec<u8>) -> Result<Draft> {
    stage.signed_otherwise(|m, key, _| m.quote(key, QUOTED, &data, "sha256"))
}

fn sha1(bytes: &[u8]) -> Vec<u8> {
    use sha1::Digest as _;
    sha1::Sha1::digest(bytes).to_vec()
}
