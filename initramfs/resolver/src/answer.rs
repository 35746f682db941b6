//! A finished answer: wire form once and for all, so that giving it out again is a copy and a few patches.

use crate::limits;
use crate::question::{code, name_end, Question, Rcode, HEADER};
use crate::reply::{self, Ede};
use crate::Transport;
use std::time::{Duration, Instant};

/// Header, question and records without OPT; places of the TTLs.
pub struct Answer {
    wire: Box<[u8]>,
    /// Offsets of the TTL fields.
    ttls: Box<[u16]>,
    ede: Option<Ede>,
    born: Instant,
    /// Seconds; 0 is not kept.
    lifetime: u32,
}

impl Answer {
    /// From a message in wire form that has one question and no additional records. TTLs above `most` are lowered,
    /// because no copy of the answer shall live longer than that anywhere. `None` when the message does not hold
    /// together.
    pub fn new(mut wire: Vec<u8>, most: u32, now: Instant) -> Option<Self> {
        let records = Records::of(&wire)?;
        let mut ttls = Vec::with_capacity(records.left);
        let mut lifetime = most;
        let mut last = records.position;
        for record in records {
            let record = record?;
            last = record.end;
            ttls.push(u16::try_from(record.ttl_at).ok()?);
            lifetime = lifetime.min(ttl(&wire, record.ttl_at)?);
            if record.kind == code::SOA {
                // RFC 2308 §5: the time of a negative answer is the smaller of the SOA's TTL and its MINIMUM
                lifetime = lifetime.min(ttl(&wire, record.end.checked_sub(4)?)?);
            }
        }
        (last == wire.len()).then_some(())?;
        for at in &ttls {
            let at = usize::from(*at);
            let lower = ttl(&wire, at)?.min(most);
            wire.get_mut(at..at + 4)?.copy_from_slice(&lower.to_be_bytes());
        }
        Some(Self { wire: wire.into(), ttls: ttls.into(), ede: None, born: now, lifetime })
    }

    /// A failure; it is remembered for a short time.
    pub fn failure(question: &Question, ede: Ede, most: u32, now: Instant) -> Self {
        let mut wire = Vec::new();
        let bare = Question { edns: None, ..*question };
        reply::empty(&bare, Rcode::ServFail, None, Transport::Tcp, &mut wire);
        let lifetime = limits::FAILURE_TTL.min(most);
        Self { wire: wire.into(), ttls: Box::new([]), ede: Some(ede), born: now, lifetime }
    }

    pub fn lifetime(&self) -> u32 {
        self.lifetime
    }

    pub fn is_fresh(&self, now: Instant) -> bool {
        now < self.expires()
    }

    pub fn expires(&self) -> Instant {
        self.born + Duration::from_secs(self.lifetime.into())
    }

    /// Bytes of memory.
    pub fn size(&self) -> usize {
        self.wire.len() + 2 * self.ttls.len() + std::mem::size_of::<Self>()
    }

    /// Writes the answer to this question: its ID, its spelling of the name, TTLs of now; cut to size with TC when it
    /// is too long for its transport (RFC 2181 §9: then nobody may use its records, so there are none).
    pub fn write(&self, question: &Question, transport: Transport, now: Instant, out: &mut Vec<u8>) {
        out.clear();
        let room = reply::room(question, transport);
        let opt = if question.edns.is_some() { 11 + self.ede.map_or(0, |_| 6) } else { 0 };
        let name = question.name.bytes();
        let end = HEADER + name.len();
        if self.wire.len() + opt > room {
            out.extend(&self.wire[..end + 4]);
            out[6..12].fill(0);
            out[2] |= 2;
        } else {
            out.extend(&self.wire[..]);
            self.age(now, out);
        }
        out[..2].copy_from_slice(&question.id.to_be_bytes());
        out[2] = out[2] & !1 | u8::from(question.recursion_desired);
        if !(question.authentic_data || question.dnssec_ok()) {
            // RFC 6840 §5.8: AD only for those who ask for it
            out[3] &= !0x20;
        }
        out[HEADER..end].copy_from_slice(name);
        reply::opt(question, self.ede, transport, out);
    }

    /// Takes the time since its birth off every TTL.
    fn age(&self, now: Instant, out: &mut [u8]) {
        let age = u32::try_from(now.saturating_duration_since(self.born).as_secs()).unwrap_or(u32::MAX);
        if age == 0 {
            return;
        }
        for at in &self.ttls {
            let at = usize::from(*at);
            // the offsets come from these very bytes
            if let (Some(left), Some(field)) = (ttl(&self.wire, at), out.get_mut(at..at + 4)) {
                field.copy_from_slice(&left.saturating_sub(age).to_be_bytes());
            }
        }
    }
}

fn ttl(wire: &[u8], at: usize) -> Option<u32> {
    let field = wire.get(at..at.checked_add(4)?)?;
    let value = u32::from_be_bytes(field.try_into().ok()?);
    // RFC 2181 §8: a TTL with its first bit set is zero
    Some(if value >> 31 == 1 { 0 } else { value })
}

/// Walks over the records behind the one question.
struct Records<'a> {
    wire: &'a [u8],
    position: usize,
    left: usize,
}

struct Place {
    kind: u16,
    ttl_at: usize,
    end: usize,
}

impl<'a> Records<'a> {
    fn of(wire: &'a [u8]) -> Option<Self> {
        let count = |at: usize| Some(usize::from(u16::from_be_bytes([*wire.get(at)?, *wire.get(at + 1)?])));
        if wire.len() > usize::from(u16::MAX) || count(4)? != 1 || count(10)? != 0 {
            return None;
        }
        let position = HEADER + name_end(wire.get(HEADER..)?)? + 4;
        // a record has 11 bytes at least
        let left = count(6)? + count(8)?;
        (position <= wire.len() && left <= wire.len() / 11).then_some(Self { wire, position, left })
    }

    fn step(&mut self) -> Option<Place> {
        let begin = self.position + name_end(self.wire.get(self.position..)?)?;
        let fixed = self.wire.get(begin..begin + 10)?;
        let end = begin + 10 + usize::from(u16::from_be_bytes([fixed[8], fixed[9]]));
        self.position = end;
        (end <= self.wire.len()).then(|| Place {
            kind: u16::from_be_bytes([fixed[0], fixed[1]]),
            ttl_at: begin + 4,
            end,
        })
    }
}

impl Iterator for Records<'_> {
    type Item = Option<Place>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let step = self.step();
        if step.is_none() {
            self.left = 0;
        }
        Some(step)
    }
}
