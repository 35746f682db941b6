//! Firmware logs that break the standard's form.

use super::{done, Files, Group};
use crate::firmware::{Event, Log, CALLING, SHA1, SHA256};
use crate::Stage;
use vitrine_attest::Result;

/// Where the Spec ID event's data begins: PCR, type, SHA-1 digest, size.
const SPEC: usize = 32;

pub const ALL: Group = &[
    ("log-empty", |stage| bytes(stage, Vec::clear)),
    ("log-cut-off", |stage| bytes(stage, |log| log.truncate(log.len() - 10))),
    ("log-followed-by-three-bytes", |stage| bytes(stage, |log| log.extend([0; 3]))),
    ("log-padded-with-zeros", |stage| bytes(stage, |log| log.extend([0; 256]))),
    ("log-of-the-old-form", |stage| {
        let log = stage.boot.log.sha1_bytes();
        done(stage.sent(|e| e.firmware_log = log))
    }),
    ("log-event-without-sha256", |stage| events(stage, |log| drop_bank(log.event(CALLING), SHA256))),
    ("log-event-without-any-digest", |stage| events(stage, |log| log.event(CALLING).digests.clear())),
    ("log-event-with-sha256-twice", |stage| {
        events(stage, |log| {
            let event = log.event(CALLING);
            event.digests[0] = event.digests[1].clone();
        })
    }),
    ("log-event-of-a-bank-that-is-not-named", |stage| {
        events(stage, |log| log.event(CALLING).digests[0] = (0x000c, vec![0; 48]))
    }),
    ("log-event-of-pcr-24", |stage| events(stage, |log| log.event(CALLING).pcr = 24)),
    ("log-event-with-4294967295-digests", |stage| {
        let at = stage.boot.log.offset(CALLING) + 8;
        bytes(stage, |log| log[at..at + 4].fill(0xff))
    }),
    ("log-event-of-4294967295-bytes", |stage| {
        let at = stage.boot.log.offset(CALLING) + 8 + 4 + 22 + 34;
        bytes(stage, |log| log[at..at + 4].fill(0xff))
    }),
    ("log-header-twice", |stage| {
        events(stage, |log| {
            let header = log.bytes()[SPEC..SPEC + 37].to_vec();
            log.events.insert(3, Event::informs(0, &header));
        })
    }),
    ("log-header-of-version-3", |stage| bytes(stage, |log| log[SPEC + 21] = 3)),
    ("log-header-for-pcr-1", |stage| bytes(stage, |log| log[0] = 1)),
    ("log-header-without-banks", |stage| bytes(stage, |log| log[SPEC + 24] = 0)),
    ("log-header-of-4294967295-banks", |stage| bytes(stage, |log| log[SPEC + 24..SPEC + 28].fill(0xff))),
    ("log-header-of-one-bank-twice", |stage| bytes(stage, |log| (log[SPEC + 28], log[SPEC + 30]) = (0x0b, 32))),
    ("log-header-of-sha256-with-20-bytes", |stage| bytes(stage, |log| log[SPEC + 34] = 20)),
    ("log-header-longer-than-it-is", |stage| bytes(stage, |log| log[SPEC + 36] = 200)),
    ("log-startup-locality-late", |stage| locality(stage, 5, 0, 3)),
    ("log-startup-locality-for-pcr-4", |stage| locality(stage, 0, 4, 3)),
    ("log-startup-locality-of-1", |stage| locality(stage, 0, 0, 1)),
    ("log-startup-locality-twice", |stage| {
        events(stage, |log| {
            for locality in [3, 0] {
                log.events.insert(0, startup(0, locality));
            }
        })
    }),
    ("log-without-sha256-bank", |stage| {
        events(stage, |log| {
            log.banks = vec![(SHA1, 20)];
            log.events.iter_mut().for_each(|event| drop_bank(event, SHA256));
        })
    }),
];

fn drop_bank(event: &mut Event, bank: u16) {
    event.digests.retain(|(name, _)| *name != bank);
}

fn startup(pcr: u32, locality: u8) -> Event {
    Event::informs(pcr, &[b"StartupLocality\0".as_slice(), &[locality]].concat())
}

fn locality(stage: &Stage, at: usize, pcr: u32, locality: u8) -> Result<Files> {
    events(stage, |log| log.events.insert(at, startup(pcr, locality)))
}

/// The genuine session, with the log's bytes changed on their way.
fn bytes(stage: &Stage, change: impl FnOnce(&mut Vec<u8>)) -> Result<Files> {
    done(stage.sent(|e| change(&mut e.firmware_log)))
}

/// The genuine session, with the log told otherwise.
pub(super) fn events(stage: &Stage, change: impl FnOnce(&mut Log)) -> Result<Files> {
    let mut log = stage.boot.log.clone();
    change(&mut log);
    done(stage.sent(|e| e.firmware_log = log.bytes()))
}
