//! A stub resolver for tests: raw packets, read by hickory.

use super::{Running, PORTS};
use hickory_proto::op::{Edns, Message, Query};
use hickory_proto::rr::{Name, RData, RecordType};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

/// Longer than any answer takes.
const PATIENCE: Duration = Duration::from_secs(8);

/// A question with EDNS and DO, as a validating client asks.
pub fn question(name: &str, kind: RecordType) -> Message {
    let mut message = plain_question(name, kind);
    let mut edns = Edns::new();
    edns.set_max_payload(4096).set_dnssec_ok(true);
    message.set_edns(edns);
    message
}

/// A question without EDNS.
pub fn plain_question(name: &str, kind: RecordType) -> Message {
    let mut message = Message::query();
    message.metadata.id = 4711;
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
    message
}

impl Running {
    fn at(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.address.into(), port)
    }

    /// Raw bytes over UDP; `None` when nothing comes back.
    pub fn udp_raw(&self, packet: &[u8], patience: Duration) -> Option<Vec<u8>> {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(patience)).unwrap();
        socket.send_to(packet, self.at(PORTS.plain)).unwrap();
        let mut buffer = vec![0; 65536];
        let (length, from) = socket.recv_from(&mut buffer).ok()?;
        assert_eq!(from, self.at(PORTS.plain));
        buffer.truncate(length);
        Some(buffer)
    }

    pub fn udp(&self, message: &Message) -> Message {
        let bytes = self.udp_raw(&message.to_vec().unwrap(), PATIENCE).expect("no answer");
        let answer = Message::from_vec(&bytes).unwrap();
        assert_eq!(answer.metadata.id, message.metadata.id);
        answer
    }

    /// Asks over UDP, with DO.
    pub fn ask(&self, name: &str, kind: RecordType) -> Message {
        self.udp(&question(name, kind))
    }

    pub fn tcp(&self) -> TcpStream {
        let stream = TcpStream::connect(self.at(PORTS.plain)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    pub fn dot(&self) -> SocketAddr {
        self.at(PORTS.dot)
    }

    pub fn doh(&self) -> SocketAddr {
        self.at(PORTS.doh)
    }
}

/// One message on a stream.
pub fn send(stream: &mut impl Write, message: &Message) {
    let bytes = message.to_vec().unwrap();
    let length = u16::try_from(bytes.len()).unwrap().to_be_bytes();
    stream.write_all(&[&length[..], &bytes].concat()).unwrap();
    stream.flush().unwrap();
}

pub fn receive(stream: &mut impl Read) -> (Message, usize) {
    let mut length = [0; 2];
    stream.read_exact(&mut length).unwrap();
    let mut bytes = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut bytes).unwrap();
    (Message::from_vec(&bytes).unwrap(), bytes.len())
}

/// The addresses in an answer.
pub fn addresses(message: &Message) -> Vec<String> {
    message
        .answers
        .iter()
        .filter_map(|record| match &record.data {
            RData::A(address) => Some(address.to_string()),
            RData::AAAA(address) => Some(address.to_string()),
            _ => None,
        })
        .collect()
}

/// The extended error of an answer (RFC 8914).
pub fn ede(message: &Message) -> Option<u16> {
    use hickory_proto::rr::rdata::opt::{EdnsCode, EdnsOption};
    match message.edns.as_ref()?.option(EdnsCode::Unknown(15))? {
        EdnsOption::Unknown(15, data) => Some(u16::from_be_bytes([data[0], data[1]])),
        _ => None,
    }
}
