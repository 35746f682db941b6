//! From records to a finished answer: only what the asker needs.

use crate::answer::Answer;
use crate::key::Key;
use crate::question::Question;
use crate::upstream::{Failure, Found};
use hickory_proto::dnssec::rdata::DNSSECRData;
use hickory_proto::op::{Message, OpCode, Query};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use hickory_proto::serialize::binary::{BinDecodable as _, BinDecoder};
use std::time::Instant;

/// `most` is the longest time in seconds.
pub fn answer(question: &Question, found: Found, most: u32, now: Instant) -> Result<Answer, Failure> {
    let wire = message(question, found).ok_or(Failure::Network)?;
    Answer::new(wire, most, now).ok_or(Failure::Network)
}

fn message(question: &Question, mut found: Found) -> Option<Vec<u8>> {
    let key = Key::of(question);
    let name = Name::read(&mut BinDecoder::new(key.name())).ok()?;
    let mut message = Message::response(question.id, OpCode::Query);
    message.metadata.recursion_available = true;
    message.metadata.checking_disabled = question.checking_disabled;
    message.metadata.authentic_data = found.secure;
    message.metadata.response_code = found.code;
    let kind = RecordType::from(question.kind);
    let negative = !found.answers.iter().any(|record| record.record_type() == kind);
    let signs = |record: &Record| record.record_type() == RecordType::RRSIG;
    found.authorities.retain(|record| {
        is_needed(covered(record), negative, question.dnssec_ok()) && (question.dnssec_ok() || !signs(record))
    });
    let wanted =
        |record: &Record| question.dnssec_ok() || record.record_type() == kind || !record.record_type().is_dnssec();
    found.answers.retain(wanted);
    message.add_answers(in_order(&name, found.answers));
    message.add_query(Query::query(name, kind));
    message.add_authorities(found.authorities);
    let wire = message.to_vec().ok()?;
    // the encoder cuts what does not fit and says so
    (wire.get(2)? & 2 == 0).then_some(wire)
}

/// From the name that was asked along its aliases (RFC 1034 §3.6.2): stub resolvers read them in this order, and
/// validation shuffles them. What no alias leads to is left out: nobody asked for it.
fn in_order(name: &Name, mut records: Vec<Record>) -> Vec<Record> {
    let mut ordered = Vec::with_capacity(records.len());
    let mut owner = Some(name.clone());
    while let Some(name) = owner.take() {
        let (mut here, others): (Vec<_>, Vec<_>) = records.into_iter().partition(|record| record.name == name);
        records = others;
        here.sort_by_key(|record| record.record_type() == RecordType::RRSIG);
        owner = here.iter().find_map(|record| match &record.data {
            RData::CNAME(target) => Some(target.0.clone()),
            _ => None,
        });
        ordered.append(&mut here);
    }
    ordered
}

/// Authority records that are given out: the SOA of a negative answer (RFC 2308 §3), and proofs for those who check
/// them (RFC 4035 §3.1.3). A zone's servers are nobody's business.
fn is_needed(kind: RecordType, negative: bool, dnssec_ok: bool) -> bool {
    match kind {
        RecordType::SOA => negative,
        RecordType::NSEC | RecordType::NSEC3 => dnssec_ok,
        _ => false,
    }
}

/// The type of a record, or the one its signature is for.
fn covered(record: &Record) -> RecordType {
    match &record.data {
        RData::DNSSEC(DNSSECRData::RRSIG(signature)) => signature.input().type_covered,
        _ => record.record_type(),
    }
}
