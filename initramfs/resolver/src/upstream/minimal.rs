//! Answers of authorities without what nobody asked for (RFC 9077 has the same idea for servers).
//!
//! Many authorities add the zone's servers and their addresses to every answer. Each of these sets is signed as well,
//! and hickory verifies all signatures of a message: two of three would be verified for nothing. What an answer needs
//! as a proof (NSEC, NSEC3, SOA) stays.

use futures_util::stream::{BoxStream, StreamExt as _};
use hickory_net::xfer::DnsHandle;
use hickory_net::NetError;
use hickory_proto::dnssec::rdata::DNSSECRData;
use hickory_proto::op::{DnsRequest, DnsResponse, Message};
use hickory_proto::rr::{RData, Record, RecordType};

#[derive(Clone)]
pub struct Minimal<H>(pub H);

impl<H: DnsHandle> DnsHandle for Minimal<H> {
    type Response = BoxStream<'static, Result<DnsResponse, NetError>>;
    type Runtime = H::Runtime;

    fn send(&self, request: DnsRequest) -> Self::Response {
        let shorten = |mut response: DnsResponse| {
            shorten(&mut response);
            response
        };
        self.0.send(request).map(move |result| result.map(shorten)).boxed()
    }
}

/// Referrals have no answer, and questions for a zone's servers want their addresses: both stay as they are.
fn shorten(message: &mut Message) {
    let asks_servers = message.queries.iter().any(|query| query.query_type() == RecordType::NS);
    if message.answers.is_empty() || asks_servers || !message.authorities.iter().all(names_servers) {
        return;
    }
    message.authorities.clear();
    message.additionals.clear();
}

fn names_servers(record: &Record) -> bool {
    match &record.data {
        RData::DNSSEC(DNSSECRData::RRSIG(signature)) => signature.input().type_covered == RecordType::NS,
        data => data.record_type() == RecordType::NS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_proto::op::Query;
    use hickory_proto::rr::rdata::{A, NS};
    use hickory_proto::rr::Name;

    fn message(asked: RecordType, answer: bool, authority: RData) -> Message {
        let name = Name::from_ascii("www.example.org.").unwrap();
        let record = |data| Record::from_rdata(name.clone(), 60, data);
        let mut message = Message::query();
        message.add_query(Query::query(name.clone(), asked));
        if answer {
            message.answers.push(record(RData::A(A::new(192, 0, 2, 1))));
        }
        message.authorities.push(record(authority));
        message.additionals.push(record(RData::A(A::new(192, 0, 2, 53))));
        message
    }

    fn left(mut message: Message) -> (usize, usize, usize) {
        shorten(&mut message);
        (message.answers.len(), message.authorities.len(), message.additionals.len())
    }

    #[test]
    fn only_what_nobody_asked_for_goes() {
        let servers = || RData::NS(NS(Name::from_ascii("ns.example.org.").unwrap()));
        assert_eq!(left(message(RecordType::A, true, servers())), (1, 0, 0));
        assert_eq!(left(message(RecordType::A, false, servers())), (0, 1, 1), "a referral");
        assert_eq!(left(message(RecordType::NS, true, servers())), (1, 1, 1), "its servers' addresses are wanted");
        let proof = RData::A(A::new(192, 0, 2, 9));
        assert_eq!(left(message(RecordType::A, true, proof)), (1, 1, 1), "something else than servers");
    }
}
