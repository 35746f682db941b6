//! What the image recorded about itself, the fuse, and keys made later.

use super::{done, Files, Group};
use crate::boot::{signing_key, Boot};
use crate::machine::Machine;
use crate::stage::run;
use crate::Stage;
use ed25519_dalek::SigningKey;
use vitrine_attest::boot::BootKeys;
use vitrine_attest::config::Rotation;
use vitrine_attest::digest::{hex, Key32};
use vitrine_attest::evidence::Evidence;
use vitrine_attest::fingerprint::Fingerprint;
use vitrine_attest::rotation::RotatedKey;
use vitrine_attest::watch::Rule;
use vitrine_attest::{Error, Result, Sha256};

pub const ALL: Group = &[
    ("relay-with-a-wireguard-key-of-its-own", |stage| sent(stage, |e| e.keys.wg_pub = Key32([9; 32]))),
    ("relay-with-a-channel-key-of-its-own", |stage| sent(stage, |e| e.keys.channel_pub = Key32([9; 32]))),
    ("relay-with-a-tls-key-of-its-own", |stage| sent(stage, |e| e.keys.tls_spki = Sha256::of(b"a relay"))),
    ("relay-that-also-rewrites-the-record", |stage| {
        let mut record = stage.boot.record.clone();
        record.keys.wg_pub = Key32([9; 32]);
        let events = record.events()?;
        sent(stage, |e| (e.keys, e.runtime_log) = (record.keys, events))
    }),
    ("runtime-event-missing", |stage| sent(stage, |e| drop(e.runtime_log.pop()))),
    ("runtime-event-twice", |stage| sent(stage, |e| e.runtime_log.push(e.runtime_log[2].clone()))),
    ("runtime-events-swapped", |stage| sent(stage, |e| e.runtime_log.swap(0, 2))),
    ("runtime-event-of-another-register", |stage| sent(stage, |e| e.runtime_log[1].pcr = 23)),
    ("runtime-event-digest-altered", |stage| sent(stage, |e| e.runtime_log[1].digest = Sha256::ZERO)),
    ("runtime-event-body-altered", |stage| sent(stage, |e| e.runtime_log[1].body.push(0))),
    ("runtime-event-misnumbered", |stage| sent(stage, |e| e.runtime_log[1].seq = 7)),
    ("keys-recorded-a-second-time", |stage| {
        let mut record = stage.boot.record.clone();
        record.keys.wg_pub = Key32([9; 32]);
        let mut second = record.events()?.swap_remove(1);
        second.seq = 3;
        done(stage.booted(|boot| boot.later.push(second)))
    }),
    ("register-15-extended-after-the-boot", |stage| {
        let machine = Machine::start(&stage.factory)?;
        let machine = run(machine, &stage.boot)?;
        machine.extend(15, &hex(&Sha256::of(b"later").0))?;
        done(stage.session(&machine, &stage.boot))
    }),
    ("recorded-configuration-another", |stage| {
        done(stage.booted(|boot| boot.record.config_digest = Sha256::of(b"another configuration")))
    }),
    ("recorded-attestation-key-another", |stage| done(stage.booted(|boot| boot.record.ak_name[5] ^= 1))),
    ("recorded-a-disk", |stage| done(stage.booted(|boot| boot.record.facts.block_devices.push("sda".into())))),
    ("recorded-swap", |stage| done(stage.booted(|boot| boot.record.facts.swap.push("/dev/sda2".into())))),
    ("recorded-modules-not-locked", |stage| done(stage.booted(|boot| boot.record.facts.modules_locked = false))),
    ("recorded-root-writable", |stage| done(stage.booted(|boot| boot.record.facts.root_read_only = false))),
    ("fuse-blown", |stage| done(stage.booted(|boot| boot.later.push(Rule::Sockets.event())))),
    ("fuse-blown-and-hidden", |stage| blown(stage, |e| drop(e.runtime_log.pop()))),
    ("fuse-blown-and-renamed", |stage| blown(stage, |e| e.runtime_log[3] = Rule::Blind.event())),
    ("fuse-invented", |stage| sent(stage, |e| e.runtime_log.push(Rule::Sockets.event()))),
    ("rotated-keys-not-configured", |stage| done(stage.booted(|boot| boot.rotated = vec![boot.later_key(1)]))),
    ("rotated-key-added-on-the-way", |stage| rotating_on_the_way(stage, |boot| vec![boot.later_key(1)])),
    ("rotated-key-signed-by-a-stranger", |stage| {
        rotating(stage, |boot| vec![signed(boot, &boot.record.keys, &SigningKey::from_bytes(&[9; 32]))])
    }),
    ("rotated-key-of-another-boot", |stage| {
        rotating(stage, |boot| {
            let other = BootKeys { wg_pub: Key32([8; 32]), ..boot.record.keys.clone() };
            vec![signed(boot, &other, &signing_key())]
        })
    }),
    ("rotated-key-signature-zero", |stage| {
        rotating(stage, |boot| vec![RotatedKey { signature: [0; 64], ..boot.later_key(1) }])
    }),
    ("rotated-key-of-generation-0", |stage| rotating(stage, |boot| vec![boot.later_key(0)])),
    ("rotated-keys-with-a-gap", |stage| rotating(stage, |boot| vec![boot.later_key(1), boot.later_key(3)])),
    ("rotated-keys-newest-first", |stage| rotating(stage, |boot| vec![boot.later_key(2), boot.later_key(1)])),
    ("rotated-keys-three", |stage| rotating(stage, |boot| [1, 2, 3].map(|n| boot.later_key(n)).to_vec())),
];

fn sent(stage: &Stage, change: impl FnOnce(&mut Evidence)) -> Result<Files> {
    done(stage.sent(change))
}

/// The watch found something, and the agent does not say so.
fn blown(stage: &Stage, hide: impl FnOnce(&mut Evidence)) -> Result<Files> {
    let mut draft = stage.booted(|boot| boot.later.push(Rule::Sockets.event()))?;
    hide(&mut draft.evidence);
    done(Ok(draft))
}

fn signed(boot: &Boot, keys: &BootKeys, by: &SigningKey) -> RotatedKey {
    RotatedKey::sign(1, Key32([9; 32]), &boot.record.config_digest, keys, by)
}

/// A server whose configuration rotates keys, after this rotation; its statement says so.
pub(super) fn rotating(stage: &Stage, keys: impl FnOnce(&Boot) -> Vec<RotatedKey>) -> Result<Files> {
    rotated(stage, |boot| boot.rotated = keys(boot), |_, _| {})
}

/// The same server, and a key that its quote does not know.
fn rotating_on_the_way(stage: &Stage, keys: impl FnOnce(&Boot) -> Vec<RotatedKey>) -> Result<Files> {
    rotated(stage, |_| {}, |evidence, boot| evidence.rotated = keys(boot))
}

fn rotated(stage: &Stage, before: impl FnOnce(&mut Boot), after: impl FnOnce(&mut Evidence, &Boot)) -> Result<Files> {
    let mut statement = stage.statement.clone();
    let release = &mut statement.predicate;
    release.config.wireguard.rotation = Some(rotation()?);
    release.config_digest = release.config.digest()?;
    release.fingerprint = Fingerprint::new(release.image.authenticode, release.config_digest);
    let mut boot = stage.boot.clone();
    boot.record.config_digest = release.config_digest;
    before(&mut boot);
    let machine = run(Machine::start(&stage.factory)?, &boot)?;
    let mut draft = stage.session(&machine, &boot)?;
    after(&mut draft.evidence, &boot);
    Ok(Files { statement: Some(stage.signed(&statement)?), ..done(Ok(draft))? })
}

fn rotation() -> Result<Rotation> {
    serde_json::from_str(r#"{"every":"30d","overlap":"2d","ports":[51821]}"#)
        .map_err(|e| Error::bug(format!("the kit's rotation: {e}")))
}
