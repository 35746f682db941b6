//! Answers that were made from a wildcard (RFC 4035 §5.3.4).
//!
//! hickory wants an NSEC record that covers the wildcard itself, which exists, and so calls such answers bogus when
//! their zone uses NSEC. The signatures are good by then; what is left to prove is that no closer name exists.

use hickory_proto::dnssec::rdata::{DNSSECRData, NSEC};
use hickory_proto::dnssec::Proof;
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{Name, RData, Record, RecordType};

/// Whether the message answers the question from a wildcard and proves that it may.
pub fn is_proven(message: &Message, name: &Name, kind: RecordType) -> bool {
    let answers = &message.answers;
    let data = |record: &&Record| record.record_type() != RecordType::RRSIG;
    // exactly one set, of the name and type asked: anything else is hickory's to judge
    let plain = answers
        .iter()
        .filter(data)
        .all(|record| record.name == *name && record.record_type() == kind && record.proof == Proof::Secure);
    let parent = answers.iter().find_map(|record| wildcard_parent(record, name, kind));
    let proofs = message.authorities.iter().filter(|record| record.proof == Proof::Secure);
    let mut nsecs = proofs.filter_map(|record| match &record.data {
        RData::DNSSEC(DNSSECRData::NSEC(nsec)) => Some((&record.name, nsec)),
        _ => None,
    });
    message.metadata.response_code == ResponseCode::NoError
        && plain
        && answers.iter().any(|record| data(&record))
        && parent.is_some_and(|parent| nsecs.any(|(owner, nsec)| denies(owner, nsec, name, &parent)))
}

/// The wildcard's parent, from the signature that was used: it was made for fewer labels than the name has
/// (RFC 4034 §3.1.3).
fn wildcard_parent(record: &Record, name: &Name, kind: RecordType) -> Option<Name> {
    let RData::DNSSEC(DNSSECRData::RRSIG(signature)) = &record.data else { return None };
    let labels = signature.input().num_labels;
    let used = record.proof == Proof::Secure && record.name == *name && signature.input().type_covered == kind;
    (used && labels < name.num_labels()).then(|| name.trim_to(labels.into()))
}

/// The NSEC covers the name, and no name between it and the wildcard's parent exists: the closest encloser, which the
/// NSEC's two names show, is that parent.
fn denies(owner: &Name, nsec: &NSEC, name: &Name, parent: &Name) -> bool {
    let next = nsec.next_domain_name();
    let types = nsec.type_set();
    // RFC 6840 §4.1: the parent's side of a zone cut, or a DNAME, denies nothing below itself
    let cut = types.contains(RecordType::NS) && !types.contains(RecordType::SOA);
    if owner.zone_of(name) && (cut || types.contains(RecordType::Unknown(39))) {
        return false;
    }
    let wraps = next <= owner && next.zone_of(name);
    let covers = owner < name && (name < next || wraps);
    covers && parent.zone_of(name) && [owner, next].into_iter().all(|other| !is_closer(other, name, parent))
}

/// Whether the name shares more labels with `other` than the wildcard's parent has.
fn is_closer(other: &Name, name: &Name, parent: &Name) -> bool {
    let common = name.iter().rev().zip(other.iter().rev()).take_while(|(a, b)| a.eq_ignore_ascii_case(b)).count();
    common > parent.iter().count()
}
