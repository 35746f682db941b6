//! The full name is asked once.
//!
//! hickory looks for a zone cut at every label with a question for NS, at the full name too, and then asks there for
//! what is wanted: two packets for each name that is not in memory. RFC 9156 §3 (step 4) asks for what is wanted as
//! soon as the full name's turn comes. So does this: it sends the wanted question in place of the last NS, keeps the
//! answer for the question that follows, and tells hickory whether there is a cut.
//!
//! An answer tells that by the zone it is from. Where it does not, the question for NS is sent after all.

use futures_util::stream::{self, BoxStream, StreamExt as _};
use hickory_net::xfer::{DnsHandle, FirstAnswer as _};
use hickory_net::NetError;
use hickory_proto::dnssec::rdata::DNSSECRData;
use hickory_proto::op::{DnsRequest, DnsResponse, Message, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use std::cell::{Cell, RefCell};
use std::future::{ready, Future};
use std::net::SocketAddr;

tokio::task_local! {
    /// What this task is looking for; it goes with the question.
    static WANTED: Wanted;
}

/// Labels of the shortest name that is asked once. The servers of shorter names are the root's and the top level's,
/// which answer with a delegation anyway: they go on hearing NS and no other type.
const SHORTEST: u8 = 3;

struct Wanted {
    query: Query,
    /// Whether it was sent in place of a question for NS.
    sent: Cell<bool>,
    /// The answer, and who gave it.
    kept: RefCell<Option<(SocketAddr, DnsResponse)>>,
}

/// Runs a recursion for this question.
pub async fn wanted<F: Future>(query: Query, recursion: F) -> F::Output {
    let wanted = Wanted { query, sent: Cell::new(false), kept: RefCell::new(None) };
    WANTED.scope(wanted, recursion).await
}

enum Step {
    Send,
    /// This question in place of the one for NS.
    Instead(Query),
    Kept(DnsResponse),
}

impl Wanted {
    fn step(&self, query: &Query, server: SocketAddr) -> Step {
        if query.name != self.query.name {
            return Step::Send;
        }
        if *query == self.query {
            let kept = self.kept.take().filter(|(giver, _)| *giver == server);
            return kept.map_or(Step::Send, |(_, response)| Step::Kept(response));
        }
        // DS is a question for the parent's servers: its full name is not theirs to have a cut at
        let other = query.query_type == RecordType::NS && self.query.query_type != RecordType::DS;
        if other && query.name.num_labels() >= SHORTEST && !self.sent.replace(true) {
            return Step::Instead(self.query.clone());
        }
        Step::Send
    }
}

/// A connection to one server.
#[derive(Clone)]
pub struct Once<H> {
    handle: H,
    server: SocketAddr,
}

impl<H> Once<H> {
    pub fn new(handle: H, server: SocketAddr) -> Self {
        Self { handle, server }
    }
}

impl<H: DnsHandle> DnsHandle for Once<H> {
    type Response = BoxStream<'static, Result<DnsResponse, NetError>>;
    type Runtime = H::Runtime;

    fn send(&self, request: DnsRequest) -> Self::Response {
        let step = |query| WANTED.try_with(|wanted| wanted.step(query, self.server)).unwrap_or(Step::Send);
        match request.queries.first().map_or(Step::Send, step) {
            Step::Send => self.handle.send(request).boxed(),
            Step::Kept(response) => stream::once(ready(Ok(response))).boxed(),
            Step::Instead(query) => stream::once(self.clone().probe(request, query)).boxed(),
        }
    }
}

impl<H: DnsHandle> Once<H> {
    /// The answer to the question for NS.
    async fn probe(self, probe: DnsRequest, query: Query) -> Result<DnsResponse, NetError> {
        let request = DnsRequest::from_query(query.clone(), *probe.options());
        let mut response = self.handle.send(request).first_answer().await?;
        match Cut::of(&response, &query.name) {
            Cut::Same => {
                response.queries.clone_from(&probe.queries);
                Ok(response)
            }
            Cut::None => {
                let none = no_cut(&response, &probe)?;
                self.keep(query, response);
                Ok(none)
            }
            Cut::Unknown => {
                self.keep(query, response);
                self.handle.send(probe).first_answer().await
            }
        }
    }

    /// hickory lets several tasks wait for one question: it may be another one that wants this by now.
    fn keep(&self, query: Query, response: DnsResponse) {
        let keep = |wanted: &Wanted| {
            if wanted.query == query {
                wanted.kept.replace(Some((self.server, response)));
            }
        };
        // outside of a question nobody waits for it
        let _ = WANTED.try_with(keep);
    }
}

/// What an answer to another question says about a zone cut at the name.
#[derive(Debug, PartialEq, Eq)]
enum Cut {
    /// What the answer to NS would say: a delegation, no such name, a failure.
    Same,
    None,
    Unknown,
}

impl Cut {
    fn of(response: &Message, name: &Name) -> Self {
        let metadata = &response.metadata;
        let empty = response.answers.is_empty();
        let delegates = |record: &Record| record.record_type() == RecordType::NS;
        match metadata.response_code {
            _ if metadata.truncation => Self::Unknown,
            ResponseCode::NXDomain if empty => Self::Same,
            ResponseCode::NoError if empty && !metadata.authoritative && response.authorities.iter().any(delegates) => {
                Self::Same
            }
            ResponseCode::NoError | ResponseCode::NXDomain if metadata.authoritative => match zone(response, name) {
                Some(zone) if zone != name && zone.zone_of(name) => Self::None,
                _ => Self::Unknown,
            },
            ResponseCode::NoError | ResponseCode::NXDomain => Self::Unknown,
            _ => Self::Same,
        }
    }
}

/// The zone that an authority answered from: who signed, or whose servers or SOA it adds. A server can have a name's
/// zone and the zone above; then the answer is from the lower one.
fn zone<'a>(response: &'a Message, name: &Name) -> Option<&'a Name> {
    let signer = |record: &'a Record| match &record.data {
        RData::DNSSEC(DNSSECRData::RRSIG(signature)) if record.name == *name => Some(&signature.input().signer_name),
        _ => None,
    };
    let apex = |record: &'a Record| match record.record_type() {
        RecordType::SOA | RecordType::NS => Some(&record.name),
        _ => None,
    };
    response.answers.iter().find_map(signer).or_else(|| response.authorities.iter().find_map(apex))
}

/// "Something else than NS is here", for hickory alone: without AA it is not given out, without NS it has no time to
/// live.
fn no_cut(response: &Message, probe: &DnsRequest) -> Result<DnsResponse, NetError> {
    let mut message = Message::response(probe.metadata.id, probe.metadata.op_code);
    message.queries.clone_from(&probe.queries);
    message.answers.extend(response.answers.first().cloned());
    DnsResponse::from_message(message).map_err(NetError::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_proto::op::OpCode;
    use hickory_proto::rr::rdata::{A, NS};

    fn name(text: &str) -> Name {
        Name::from_ascii(text).unwrap()
    }

    /// An answer about `www.example.org.` whose authority section has NS records of this name.
    fn cut(answers: usize, servers_of: Option<&str>, change: impl Fn(&mut Message)) -> Cut {
        let asked = name("www.example.org.");
        let mut message = Message::response(1, OpCode::Query);
        message.metadata.authoritative = true;
        let address = Record::from_rdata(asked.clone(), 60, RData::A(A::new(192, 0, 2, 1)));
        message.answers.extend(vec![address; answers]);
        let servers = |zone| Record::from_rdata(name(zone), 60, RData::NS(NS(name("ns.example.org."))));
        message.authorities.extend(servers_of.map(servers));
        change(&mut message);
        Cut::of(&message, &asked)
    }

    #[test]
    fn an_answer_tells_its_zone_or_does_not() {
        let as_it_is = |_: &mut Message| ();
        assert_eq!(cut(1, Some("example.org."), as_it_is), Cut::None);
        assert_eq!(cut(0, Some("example.org."), as_it_is), Cut::None, "no data");
        assert_eq!(cut(1, None, as_it_is), Cut::Unknown, "it does not say of which zone it is");
        assert_eq!(cut(1, Some("www.example.org."), as_it_is), Cut::Unknown, "a zone of its own");
        assert_eq!(cut(1, Some("other.org."), as_it_is), Cut::Unknown, "not a zone that can have it");
        assert_eq!(cut(0, None, |message| message.metadata.response_code = ResponseCode::NXDomain), Cut::Same);
        assert_eq!(cut(0, None, |message| message.metadata.response_code = ResponseCode::ServFail), Cut::Same);
        let delegation = |message: &mut Message| message.metadata.authoritative = false;
        assert_eq!(cut(0, Some("www.example.org."), delegation), Cut::Same);
        assert_eq!(cut(1, Some("example.org."), delegation), Cut::Unknown, "somebody's memory");
        assert_eq!(cut(1, Some("example.org."), |message| message.metadata.truncation = true), Cut::Unknown);
    }

    #[test]
    fn only_the_last_question_for_servers_is_replaced_and_only_once() {
        let server = SocketAddr::from(([192, 0, 2, 53], 53));
        let wanted = |text, kind| Wanted {
            query: Query::query(name(text), kind),
            sent: Cell::new(false),
            kept: RefCell::new(None),
        };
        let asks = |wanted: &Wanted, text| {
            let query = Query::query(name(text), RecordType::NS);
            matches!(wanted.step(&query, server), Step::Instead(instead) if instead == wanted.query)
        };
        let www = wanted("www.example.org.", RecordType::A);
        assert!(!asks(&www, "example.org."), "another name");
        assert!(asks(&www, "www.example.org.") && !asks(&www, "www.example.org."));
        assert!(!asks(&wanted("example.org.", RecordType::A), "example.org."), "the top level's servers");
        assert!(!asks(&wanted("www.example.org.", RecordType::DS), "www.example.org."));
        // an answer is for the server that gave it, and given out once
        let kept = || DnsResponse::from_message(Message::response(1, OpCode::Query)).unwrap();
        let other = SocketAddr::from(([192, 0, 2, 54], 53));
        for (giver, given) in [(other, false), (server, true)] {
            www.kept.replace(Some((giver, kept())));
            assert_eq!(matches!(www.step(&www.query, server), Step::Kept(_)), given);
            assert!(matches!(www.step(&www.query, server), Step::Send));
        }
    }
}
