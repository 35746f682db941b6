//! The statement, and the image it is about. The session is genuine for that statement in every other point.

use super::{done, Files, Group};
use crate::boot::Boot;
use crate::Stage;
use ed25519_dalek::SigningKey;
use vitrine_attest::canonical::to_canonical_json;
use vitrine_attest::config::Forward;
use vitrine_attest::dsse;
use vitrine_attest::evidence::ImageId;
use vitrine_attest::fingerprint::Fingerprint;
use vitrine_attest::pcr::Pcr;
use vitrine_attest::statement::Statement;
use vitrine_attest::{Error, Result, Sha256};

pub const ALL: Group = &[
    ("statement-altered", |stage| {
        let mut envelope = dsse::sign(&stage.statement, &stage.release_key)?;
        let at = envelope.payload.windows(7).position(|w| w == b"\"seq\":1").ok_or_else(|| Error::bug("no seq"))?;
        envelope.payload[at + 6] = b'2';
        Ok(Files { statement: Some(envelope.to_json()?), ..done(stage.genuine())? })
    }),
    ("statement-signed-by-a-stranger", |stage| {
        let envelope = dsse::sign(&stage.statement, &SigningKey::from_bytes(&[9; 32]))?;
        Ok(Files { statement: Some(envelope.to_json()?), ..done(stage.genuine())? })
    }),
    ("statement-of-another-kind", |stage| stated(stage, |s| s.predicate_type = "urn:vitrine:zero-log:v1".into())),
    ("statement-not-canonical", |stage| {
        let mut payload = to_canonical_json(&stage.statement)?;
        payload.insert(1, b' ');
        let envelope = dsse::sign_payload(payload, &stage.release_key);
        Ok(Files { statement: Some(envelope.to_json()?), ..done(stage.genuine())? })
    }),
    ("statement-expired", |stage| stated(stage, |s| s.predicate.not_after = Some("2020-01-01".into()))),
    ("statement-with-a-last-day-that-is-none", |stage| stated(stage, |s| s.predicate.not_after = Some("soon".into()))),
    ("statement-fingerprint-another", |stage| stated(stage, |s| s.predicate.fingerprint = Fingerprint(Sha256::ZERO))),
    ("statement-configuration-another", |stage| stated(stage, |s| s.predicate.config.forward = Forward::None)),
    ("statement-without-register-9", |stage| {
        stated(stage, |s| s.predicate.boot.pcrs.0.retain(|&pcr, _| pcr != Pcr::KERNEL_INPUTS))
    }),
    ("statement-with-register-15", |stage| {
        stated(stage, |s| s.predicate.boot.pcrs.0.extend([(Pcr::RUNTIME, Sha256::ZERO)]))
    }),
    ("statement-allows-a-command-line-from-outside", |stage| {
        let mut statement = stage.statement.clone();
        let text = "kernel command line of LoadOptions";
        statement.predicate.boot.pcrs.extend(Pcr::KERNEL_OVERRIDES, Sha256::of(text.as_bytes()));
        let draft = stage.booted(|boot| {
            let event =
                crate::firmware::Event::new(12, crate::firmware::kind::IPL, text, text.as_bytes(), text.as_bytes());
            boot.log.events.push(event);
        });
        Ok(Files { statement: Some(stage.signed(&statement)?), ..done(draft)? })
    }),
    ("statement-of-a-dev-image", |stage| renamed(stage, |s| s.predicate.image.name = "dev-exit".into())),
    ("server-names-a-dev-image", |stage| done(stage.booted(|boot| boot.image_id = "dev 1.0 x".into()))),
    ("server-names-an-older-version", |stage| {
        done(stage.booted(|boot| boot.image_id = boot.image_id.replacen("1.0", "0.9", 1)))
    }),
    ("server-renamed-on-the-way", |stage| done(stage.sent(|e| e.image_id = "exit 1.0 x".into()))),
    ("server-name-of-1025-bytes", |stage| done(stage.booted(|boot| boot.image_id = "x".repeat(1025)))),
];

/// The genuine session, judged by another statement of the same signer.
fn stated(stage: &Stage, change: impl FnOnce(&mut Statement)) -> Result<Files> {
    let mut statement = stage.statement.clone();
    change(&mut statement);
    Ok(Files { statement: Some(stage.signed(&statement)?), ..done(stage.genuine())? })
}

/// The image has another name, and the server says it as well.
fn renamed(stage: &Stage, change: impl FnOnce(&mut Statement)) -> Result<Files> {
    let mut statement = stage.statement.clone();
    change(&mut statement);
    let image = &statement.predicate.image;
    let id = ImageId { name: image.name.clone(), version: image.version.clone(), lock: image.lock };
    let draft = stage.booted(|boot: &mut Boot| boot.image_id = id.to_string());
    Ok(Files { statement: Some(stage.signed(&statement)?), ..done(draft)? })
}
