//! What a message from outside is worth.

use super::wildcard;
use crate::reply::Ede;
use hickory_net::{DnsError, NetError};
use hickory_proto::dnssec::rdata::DNSSECRData;
use hickory_proto::dnssec::Proof;
use hickory_proto::op::{Message, OpCode, ResponseCode};
use hickory_proto::rr::{RData, Record, RecordType};

/// Something that can be given out.
pub struct Found {
    pub code: ResponseCode,
    pub answers: Vec<Record>,
    pub authorities: Vec<Record>,
    /// Every record is proven (RFC 4035 §3.2.3).
    pub secure: bool,
}

/// Nothing can be given out; the reason has no words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    Bogus,
    Indeterminate,
    Unreachable,
    Network,
    Busy,
}

impl From<Failure> for Ede {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Bogus => Self::Bogus,
            Failure::Indeterminate => Self::Indeterminate,
            Failure::Unreachable => Self::NoReachableAuthority,
            Failure::Network => Self::NetworkError,
            Failure::Busy => Self::NotReady,
        }
    }
}

/// Whether proofs were looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validation {
    Done,
    Skipped,
}

/// A message with an answer, or a negative one that came as a message.
pub fn of_message(message: Message, validation: Validation) -> Result<Found, Failure> {
    let Message { metadata, answers, authorities, .. } = message;
    let proven = if answers.is_empty() { &authorities } else { &answers };
    let secure = validation == Validation::Done && summary(proven)? && !authorities.iter().any(opts_out);
    match metadata.response_code {
        code @ (ResponseCode::NoError | ResponseCode::NXDomain) => Ok(Found { code, answers, authorities, secure }),
        _ => Err(Failure::Network),
    }
}

/// An error of hickory's: often a negative answer.
pub fn of_error(error: NetError, validation: Validation) -> Result<Found, Failure> {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => {
            let soa = none.soa.map(|soa| soa.into_record_of_rdata());
            let mut authorities: Vec<Record> = none.authorities.iter().flat_map(|all| all.iter()).cloned().collect();
            authorities.retain(|record| Some(record) != soa.as_ref());
            authorities.extend(soa);
            negative(none.response_code, authorities, validation)
        }
        NetError::Dns(DnsError::Nsec { query, response, proof, .. }) => match proof {
            Proof::Insecure => {
                let message = response.into_message();
                of_message(message, Validation::Skipped)
            }
            Proof::Indeterminate => Err(Failure::Indeterminate),
            _ if wildcard::is_proven(&response, &query.name, query.query_type) => {
                of_message(response.into_message(), validation)
            }
            Proof::Secure | Proof::Bogus => Err(Failure::Bogus),
        },
        NetError::Dns(DnsError::DnssecBogus) => Err(Failure::Bogus),
        NetError::Timeout | NetError::NoConnections | NetError::Io(_) => Err(Failure::Unreachable),
        _ => Err(Failure::Network),
    }
}

/// Nothing by that name, or nothing of that type.
fn negative(code: ResponseCode, authorities: Vec<Record>, validation: Validation) -> Result<Found, Failure> {
    let mut message = Message::response(0, OpCode::Query);
    message.metadata.response_code = code;
    message.authorities = authorities;
    of_message(message, validation)
}

/// Whether all records are proven.
///
/// # Errors
/// One of them is bogus; or nothing is known about one, which somebody who swallows packets on the way can arrange:
/// to take it as insecure would make validation optional for him.
fn summary(records: &[Record]) -> Result<bool, Failure> {
    let mut secure = !records.is_empty();
    // a signature is marked only when it was the one that was used
    for record in records.iter().filter(|record| record.record_type() != RecordType::RRSIG) {
        match record.proof {
            Proof::Secure => {}
            Proof::Insecure => secure = false,
            Proof::Bogus => return Err(Failure::Bogus),
            Proof::Indeterminate => return Err(Failure::Indeterminate),
        }
    }
    Ok(secure && records.iter().any(|record| record.record_type() != RecordType::RRSIG))
}

/// RFC 5155 §9.2: a proof with Opt-Out shows that nothing signed is there, and not that nothing is; no AD for it. hickory
/// calls it secure. An NSEC3 of the very name that was asked would show more, and goes without AD here, too.
fn opts_out(record: &Record) -> bool {
    matches!(&record.data, RData::DNSSEC(DNSSECRData::NSEC3(nsec3)) if nsec3.opt_out())
}
