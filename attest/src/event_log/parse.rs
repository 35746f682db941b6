//! From bytes to events. The rules beside the bare form:
//!
//! - nothing is left over at the end, and nothing is missing;
//! - the Spec ID header is the first event, stands once, and ends where its size says;
//! - an event has only digests of algorithms in the header, each at most once; an extending event has at least one;
//! - an extending event's PCR is below 24;
//! - StartupLocality stands once, for PCR 0, before anything extends PCR 0, and is 0, 3 or 4.

use super::{refused, Algorithm, Digest, Event, EventKind, EventLog, Form, EVENT_LIMIT, LOG_LIMIT, PCR_COUNT};
use crate::cursor::{Cursor, Short};
use crate::{Error, Result};

/// Signature of the crypto-agile header (§10.4.5.1).
const SPEC_ID: &[u8; 16] = b"Spec ID Event03\0";
/// Signature of the event that tells PCR 0's first value (§10.4.5.3).
const STARTUP_LOCALITY: &[u8; 16] = b"StartupLocality\0";
/// Algorithms in a header. TPMs have five banks at most.
const ALGORITHM_LIMIT: usize = 16;
/// Bytes of a digest of an algorithm we do not know: TPM 2.0's greatest is 64.
const DIGEST_LIMIT: usize = 64;

fn short(short: Short) -> Error {
    refused(short.offset, format!("cut off: {} bytes are needed, {} are left", short.wanted, short.left))
}

pub(super) fn log(bytes: &[u8]) -> Result<EventLog<'_>> {
    if bytes.len() > LOG_LIMIT {
        return Err(refused(LOG_LIMIT, format!("it has {} bytes, at most {LOG_LIMIT} are read", bytes.len())));
    }
    let mut cursor = Cursor::new(bytes);
    let first = sha1_event(&mut cursor)?;
    let mut state = State { events: vec![], startup_locality: None, pcr0_extended: false };
    let banks = spec_id(&first)?;
    if banks.is_none() {
        state.add(first)?;
    }
    while !cursor.is_empty() {
        let event = match &banks {
            Some(banks) => agile_event(&mut cursor, banks)?,
            None => sha1_event(&mut cursor)?,
        };
        state.add(event)?;
    }
    let (form, algorithms) = match banks {
        Some(banks) => (Form::CryptoAgile, banks.into_iter().map(|(algorithm, _)| algorithm).collect()),
        None => (Form::Sha1, vec![Algorithm::SHA1]),
    };
    Ok(EventLog { form, algorithms, startup_locality: state.startup_locality, events: state.events })
}

/// TCG_PCR_EVENT (§10.2.1): `pcr[4] type[4] sha1[20] size[4] data`.
fn sha1_event<'a>(cursor: &mut Cursor<'a>) -> Result<Event<'a>> {
    let offset = cursor.offset();
    let (pcr, kind) = (cursor.u32().map_err(short)?, cursor.u32().map_err(short)?);
    let bytes = cursor.take(20).map_err(short)?;
    let data = data(cursor)?;
    let digests = vec![Digest { algorithm: Algorithm::SHA1, bytes }];
    Ok(Event { offset, pcr, kind: EventKind(kind), digests, data })
}

/// TCG_PCR_EVENT2 (§10.2.2): `pcr[4] type[4] count[4] (algorithm[2] digest)… size[4] data`.
fn agile_event<'a>(cursor: &mut Cursor<'a>, banks: &[(Algorithm, usize)]) -> Result<Event<'a>> {
    let offset = cursor.offset();
    let (pcr, kind) = (cursor.u32().map_err(short)?, cursor.u32().map_err(short)?);
    let count = cursor.len32().map_err(short)?;
    if count > banks.len() {
        return Err(refused(offset, format!("the event has {count} digests, the header names {} banks", banks.len())));
    }
    let mut digests: Vec<Digest<'a>> = Vec::with_capacity(count);
    for _ in 0..count {
        let at = cursor.offset();
        let algorithm = Algorithm(cursor.u16().map_err(short)?);
        let Some((_, size)) = banks.iter().find(|(bank, _)| *bank == algorithm) else {
            return Err(refused(at, format!("a digest of {algorithm}, which the header does not name")));
        };
        if digests.iter().any(|digest| digest.algorithm == algorithm) {
            return Err(refused(at, format!("a second digest of {algorithm} in one event")));
        }
        digests.push(Digest { algorithm, bytes: cursor.take(*size).map_err(short)? });
    }
    let data = data(cursor)?;
    Ok(Event { offset, pcr, kind: EventKind(kind), digests, data })
}

fn data<'a>(cursor: &mut Cursor<'a>) -> Result<&'a [u8]> {
    let size = cursor.len32().map_err(short)?;
    cursor.take(size).map_err(short)
}

/// The banks when this first event is a Spec ID Event03, `None` when the log is a SHA-1 log.
fn spec_id(event: &Event<'_>) -> Result<Option<Vec<(Algorithm, usize)>>> {
    if event.kind != EventKind::NO_ACTION || !event.data.starts_with(SPEC_ID) {
        return Ok(None);
    }
    let at = |cursor: &Cursor<'_>| event.offset + 32 + cursor.offset();
    let within = |short: Short| {
        refused(
            event.offset + 32 + short.offset,
            format!("the Spec ID header is cut off: {} bytes are needed", short.wanted),
        )
    };
    let mut cursor = Cursor::new(event.data);
    cursor.take(SPEC_ID.len() + 4).map_err(within)?; // signature, platform class
    let [minor, major, _errata, _uintn_size] = cursor.array().map_err(within)?;
    if event.pcr != 0 || event.digests.iter().any(|digest| digest.bytes.iter().any(|byte| *byte != 0)) {
        return Err(refused(event.offset, "the Spec ID header is not for PCR 0 with a zero digest"));
    }
    if (major, minor) != (2, 0) {
        return Err(refused(event.offset, format!("version {major}.{minor} of the log's form, only 2.0 is known")));
    }
    let count = cursor.len32().map_err(within)?;
    if count == 0 || count > ALGORITHM_LIMIT {
        return Err(refused(at(&cursor), format!("{count} banks, 1 to {ALGORITHM_LIMIT} are read")));
    }
    let mut banks: Vec<(Algorithm, usize)> = Vec::with_capacity(count);
    for _ in 0..count {
        let here = at(&cursor);
        let algorithm = Algorithm(cursor.u16().map_err(within)?);
        let size = usize::from(cursor.u16().map_err(within)?);
        let fits = algorithm.size().map_or((1..=DIGEST_LIMIT).contains(&size), |known| known == size);
        if !fits || banks.iter().any(|(bank, _)| *bank == algorithm) {
            return Err(refused(here, format!("bank {algorithm} with digests of {size} bytes, or named twice")));
        }
        banks.push((algorithm, size));
    }
    let vendor = usize::from(cursor.u8().map_err(within)?);
    cursor.take(vendor).map_err(within)?;
    if !cursor.is_empty() {
        return Err(refused(at(&cursor), "bytes are left over in the Spec ID header"));
    }
    Ok(Some(banks))
}

/// What the rules across events need.
struct State<'a> {
    events: Vec<Event<'a>>,
    startup_locality: Option<u8>,
    pcr0_extended: bool,
}

impl<'a> State<'a> {
    fn add(&mut self, event: Event<'a>) -> Result<()> {
        if self.events.len() == EVENT_LIMIT {
            return Err(refused(event.offset, format!("more than {EVENT_LIMIT} events")));
        }
        if event.extends() {
            if event.pcr >= PCR_COUNT {
                return Err(refused(event.offset, format!("an event for PCR {}, there are {PCR_COUNT}", event.pcr)));
            }
            if event.digests.is_empty() {
                return Err(refused(event.offset, "an event without any digest"));
            }
            self.pcr0_extended |= event.pcr == 0;
        } else {
            self.informative(&event)?;
        }
        self.events.push(event);
        Ok(())
    }

    fn informative(&mut self, event: &Event<'a>) -> Result<()> {
        if event.data.starts_with(SPEC_ID) {
            return Err(refused(event.offset, "a second Spec ID header"));
        }
        let Some(locality) = event.data.strip_prefix(STARTUP_LOCALITY) else { return Ok(()) };
        match locality {
            _ if event.pcr != 0 => Err(refused(event.offset, format!("StartupLocality for PCR {}", event.pcr))),
            _ if self.startup_locality.is_some() => Err(refused(event.offset, "a second StartupLocality")),
            _ if self.pcr0_extended => Err(refused(event.offset, "StartupLocality after PCR 0 was extended")),
            [locality @ (0 | 3 | 4)] => {
                self.startup_locality = Some(*locality);
                Ok(())
            }
            _ => Err(refused(event.offset, "StartupLocality is not 0, 3 or 4 in one byte")),
        }
    }
}
