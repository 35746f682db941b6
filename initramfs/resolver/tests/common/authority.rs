//! An authoritative server for one signed zone (RFC 1034 §4.3.2, RFC 4035 §3.1): hickory signs, this answers.
//! hickory-server's own answers have no glue below a cut, and deny wildcards for NS questions.

use hickory_proto::dnssec::rdata::DNSSECRData;
use hickory_proto::op::{Message, OpCode, ResponseCode};
use hickory_proto::rr::{LowerName, Name, RData, Record, RecordSet, RecordType, RrKey};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, UdpSocket};

pub struct Authority {
    pub origin: Name,
    pub records: BTreeMap<RrKey, Arc<RecordSet>>,
}

impl Authority {
    pub fn answer(&self, packet: &[u8]) -> Option<Message> {
        let question = Message::from_vec(packet).ok()?;
        let query = question.queries.first()?.clone();
        let mut answer = Message::response(question.metadata.id, OpCode::Query);
        answer.metadata.authoritative = true;
        answer.add_query(query.clone());
        self.fill(&query.name, query.query_type, &mut answer);
        // one NSEC may prove two things
        let mut seen = Vec::new();
        answer.authorities.retain(|record| {
            let new = !seen.contains(record);
            seen.push(record.clone());
            new
        });
        if let Some(edns) = question.edns {
            answer.set_edns(edns);
        }
        Some(answer)
    }

    fn fill(&self, name: &Name, kind: RecordType, answer: &mut Message) {
        if !self.origin.zone_of(name) {
            answer.metadata.response_code = ResponseCode::Refused;
        } else if let Some(cut) = self.cut(name, kind) {
            self.refer(&cut, answer);
        } else if self.exists(name) {
            self.found(name, name, kind, answer);
        } else if let Some(wildcard) = self.wildcard(name) {
            self.cover(name, answer);
            self.found(&wildcard, name, kind, answer);
        } else {
            answer.metadata.response_code = ResponseCode::NXDomain;
            self.cover(name, answer);
            self.cover(&self.encloser(name).prepend_label("*").unwrap(), answer);
            self.deny(answer);
        }
    }

    fn set(&self, name: &Name, kind: RecordType) -> Option<&Arc<RecordSet>> {
        self.records.get(&RrKey::new(LowerName::new(name), kind))
    }

    /// A delegation at or above the name.
    fn cut(&self, name: &Name, kind: RecordType) -> Option<Name> {
        let labels = usize::from(self.origin.num_labels()) + 1..=usize::from(name.num_labels());
        let at = labels.map(|count| name.trim_to(count)).find(|at| self.set(at, RecordType::NS).is_some())?;
        (kind != RecordType::DS || at != *name).then_some(at)
    }

    fn refer(&self, cut: &Name, answer: &mut Message) {
        answer.metadata.authoritative = false;
        let servers = self.set(cut, RecordType::NS).unwrap();
        answer.add_authorities(servers.records_without_rrsigs().cloned());
        let proof = self.set(cut, RecordType::DS).or_else(|| self.set(cut, RecordType::NSEC));
        answer.add_authorities(proof.into_iter().flat_map(|set| set.records_with_rrsigs().cloned()));
        for record in servers.records_without_rrsigs() {
            let RData::NS(server) = &record.data else { continue };
            let glue = self.set(&server.0, RecordType::A);
            answer.add_additionals(glue.into_iter().flat_map(|set| set.records_without_rrsigs().cloned()));
        }
    }

    /// Whether the name or something below it has records.
    fn exists(&self, name: &Name) -> bool {
        self.records.keys().any(|key| name.zone_of(&Name::from(key.name.clone())))
    }

    fn encloser(&self, name: &Name) -> Name {
        let mut name = name.base_name();
        while !self.exists(&name) {
            name = name.base_name();
        }
        name
    }

    fn wildcard(&self, name: &Name) -> Option<Name> {
        let wildcard = self.encloser(name).prepend_label("*").unwrap();
        self.exists(&wildcard).then_some(wildcard)
    }

    /// Records at `source`, given out under `name`; aliases inside of the zone are followed.
    fn found(&self, source: &Name, name: &Name, kind: RecordType, answer: &mut Message) {
        let renamed = |record: &Record| {
            let mut record = record.clone();
            record.name = name.clone();
            record
        };
        if let Some(set) = self.set(source, kind) {
            answer.add_answers(set.records_with_rrsigs().map(renamed));
            return;
        }
        let Some(alias) = self.set(source, RecordType::CNAME) else {
            let proof = self.set(source, RecordType::NSEC);
            match proof {
                Some(set) => _ = answer.add_authorities(set.records_with_rrsigs().cloned()),
                None => self.cover(source, answer),
            }
            return self.deny(answer);
        };
        answer.add_answers(alias.records_with_rrsigs().map(renamed));
        if let Some(RData::CNAME(target)) = alias.record().map(|record| &record.data) {
            let again = answer.answers.iter().any(|record| record.name == target.0);
            if self.origin.zone_of(&target.0) && !again {
                self.fill(&target.0.clone(), kind, answer);
            }
        }
    }

    /// The NSEC that covers the name.
    fn cover(&self, name: &Name, answer: &mut Message) {
        for set in self.records.values() {
            let Some(Record { name: owner, data: RData::DNSSEC(DNSSECRData::NSEC(nsec)), .. }) = set.record() else {
                continue;
            };
            let next = nsec.next_domain_name();
            if owner < name && (name < next || next <= owner) {
                answer.add_authorities(set.records_with_rrsigs().cloned());
            }
        }
    }

    fn deny(&self, answer: &mut Message) {
        let soa = self.set(&self.origin, RecordType::SOA).unwrap();
        answer.add_authorities(soa.records_with_rrsigs().cloned());
    }

    /// Serves for ever, over both transports.
    pub async fn serve(self, address: SocketAddr) {
        let this = Arc::new(self);
        let (udp, tcp) = (UdpSocket::bind(address).await.unwrap(), TcpListener::bind(address).await.unwrap());
        tokio::spawn(this.clone().serve_tcp(tcp));
        tokio::spawn(async move {
            let mut packet = vec![0; 4096];
            while let Ok((length, asker)) = udp.recv_from(&mut packet).await {
                let Some(mut answer) = this.answer(&packet[..length]) else { continue };
                if answer.to_vec().unwrap().len() > 1232 {
                    answer = answer.truncate();
                }
                let _ = udp.send_to(&answer.to_vec().unwrap(), asker).await;
            }
        });
    }

    async fn serve_tcp(self: Arc<Self>, listener: TcpListener) {
        while let Ok((mut stream, _)) = listener.accept().await {
            let this = self.clone();
            tokio::spawn(async move {
                while let Ok(length) = stream.read_u16().await {
                    let mut packet = vec![0; length.into()];
                    if stream.read_exact(&mut packet).await.is_err() {
                        return;
                    }
                    let Some(answer) = this.answer(&packet) else { return };
                    let bytes = answer.to_vec().unwrap();
                    let length = u16::try_from(bytes.len()).unwrap().to_be_bytes();
                    let _ = stream.write_all(&[&length[..], &bytes].concat()).await;
                }
            });
        }
    }
}
