//! The four messages a client sends (RFC 2131 §4.4.1, table 5), and what it takes for an answer.

use super::lease::Lease;
use dhcproto::v4::{DhcpOption, Flags, Message, MessageType, Opcode, OptionCode};
use dhcproto::{Decodable as _, Decoder, Encodable as _};
use std::net::Ipv4Addr;

/// Bytes of the largest message taken in; larger ones are cut by the socket and do not parse.
pub const LIMIT: usize = 1500;

/// Bytes of what we send, filled up with pad options: the fixed part and 312 bytes of options (RFC 2131 §2). Some
/// servers drop messages that are shorter than BOOTP's (RFC 1542 §2.1).
const LENGTH: usize = 236 + 312;

/// Who asks: the interface's address and the number of this conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Client {
    pub mac: [u8; 6],
    pub xid: u32,
}

/// What a server said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Offer(Lease),
    Acknowledged(Lease),
    Refused,
}

impl Client {
    pub fn discover(self) -> Vec<u8> {
        self.encode(MessageType::Discover, Ipv4Addr::UNSPECIFIED, vec![])
    }

    /// Takes an offer.
    pub fn request(self, offer: &Lease) -> Vec<u8> {
        let options = vec![DhcpOption::RequestedIpAddress(offer.address), DhcpOption::ServerIdentifier(offer.server)];
        self.encode(MessageType::Request, Ipv4Addr::UNSPECIFIED, options)
    }

    /// Asks for more time, to the server (renewing) or to all (rebinding).
    pub fn renew(self, lease: &Lease) -> Vec<u8> {
        self.encode(MessageType::Request, lease.address, vec![])
    }

    /// No name, no vendor class, no identifier but the interface's own address.
    fn encode(self, kind: MessageType, current: Ipv4Addr, options: Vec<DhcpOption>) -> Vec<u8> {
        let mut message = Message::default();
        message.set_opcode(Opcode::BootRequest).set_xid(self.xid).set_chaddr(&self.mac).set_ciaddr(current);
        if current.is_unspecified() {
            // Without an address yet, answers can only be heard as broadcast
            message.set_flags(Flags::default().set_broadcast());
        }
        let wanted = [OptionCode::SubnetMask, OptionCode::Router, OptionCode::Renewal, OptionCode::Rebinding];
        message.opts_mut().insert(DhcpOption::MessageType(kind));
        message.opts_mut().insert(DhcpOption::ParameterRequestList(wanted.to_vec()));
        for option in options {
            message.opts_mut().insert(option);
        }
        // Encoding fails only for options longer than 255 bytes, and these are fixed and short
        let mut bytes = message.to_vec().unwrap_or_default();
        bytes.resize(bytes.len().max(LENGTH), 0);
        bytes
    }

    /// `None` for everything that is not a well-formed answer to this conversation.
    pub fn parse(self, bytes: &[u8]) -> Option<Answer> {
        let message = Message::decode(&mut Decoder::new(bytes)).ok()?;
        let ours = message.opcode() == Opcode::BootReply
            && message.xid() == self.xid
            && message.hlen() == 6
            && message.chaddr() == self.mac;
        match message.opts().msg_type().filter(|_| ours)? {
            MessageType::Offer => Lease::from_message(&message).map(Answer::Offer),
            MessageType::Ack => Lease::from_message(&message).map(Answer::Acknowledged),
            MessageType::Nak => Some(Answer::Refused),
            _ => None,
        }
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub const CLIENT: Client = Client { mac: [0x52, 0x54, 0, 1, 2, 3], xid: 0x1234_5678 };

    /// A server's answer, as bytes.
    pub fn answer(kind: MessageType, client: Client, seconds: u32) -> Vec<u8> {
        let mut message = Message::default();
        message.set_opcode(Opcode::BootReply).set_xid(client.xid).set_chaddr(&client.mac);
        message.set_yiaddr([10, 0, 2, 15]);
        let server = Ipv4Addr::new(10, 0, 2, 2);
        for option in [
            DhcpOption::MessageType(kind),
            DhcpOption::ServerIdentifier(server),
            DhcpOption::SubnetMask(Ipv4Addr::new(255, 255, 255, 0)),
            DhcpOption::Router(vec![server]),
            DhcpOption::AddressLeaseTime(seconds),
        ] {
            message.opts_mut().insert(option);
        }
        message.to_vec().unwrap()
    }

    #[test]
    fn offer() {
        let Some(Answer::Offer(lease)) = CLIENT.parse(&answer(MessageType::Offer, CLIENT, 86400)) else {
            panic!("no offer")
        };
        assert_eq!((lease.address, lease.prefix), (Ipv4Addr::new(10, 0, 2, 15), 24));
        assert_eq!(lease.gateway, Some(Ipv4Addr::new(10, 0, 2, 2)));
        assert_eq!((lease.renew.as_secs(), lease.rebind.as_secs(), lease.end.as_secs()), (43200, 75600, 86400));
    }

    #[test]
    fn short_and_endless_leases() {
        let lease = |seconds| match CLIENT.parse(&answer(MessageType::Ack, CLIENT, seconds)) {
            Some(Answer::Acknowledged(lease)) => lease,
            other => panic!("{other:?}"),
        };
        assert_eq!(lease(0).end.as_secs(), 60);
        assert_eq!(lease(u32::MAX).end.as_secs(), u64::from(u32::MAX));
    }

    #[test]
    fn foreign_or_broken_answers_are_ignored() {
        let good = answer(MessageType::Ack, CLIENT, 60);
        assert!(Client { xid: 1, ..CLIENT }.parse(&good).is_none());
        assert!(Client { mac: [9; 6], ..CLIENT }.parse(&good).is_none());
        assert!(CLIENT.parse(&CLIENT.discover()).is_none(), "a question is no answer");
        for length in 0..good.len() - 1 {
            let parsed = CLIENT.parse(&good[..length]);
            assert!(parsed.is_none() || length > 240, "{length}: {parsed:?}");
        }
    }

    /// A panic of PID 1 restarts the machine, so no neighbour may be able to cause one.
    #[test]
    fn altered_answers_never_panic() {
        let good = answer(MessageType::Ack, CLIENT, 60);
        for position in 0..good.len() {
            for value in 0..=255 {
                let mut altered = good.clone();
                altered[position] = value;
                CLIENT.parse(&altered);
                // An option that claims more than there is
                altered.truncate(position + 1);
                CLIENT.parse(&altered);
            }
        }
    }

    #[test]
    fn questions_do_not_name_us() {
        let lease = match CLIENT.parse(&answer(MessageType::Ack, CLIENT, 60)) {
            Some(Answer::Acknowledged(lease)) => lease,
            other => panic!("{other:?}"),
        };
        for bytes in [CLIENT.discover(), CLIENT.request(&lease), CLIENT.renew(&lease)] {
            assert_eq!(bytes.len(), LENGTH);
            let message = Message::decode(&mut Decoder::new(&bytes)).unwrap();
            for code in [OptionCode::Hostname, OptionCode::ClientIdentifier, OptionCode::ClassIdentifier] {
                assert!(message.opts().get(code).is_none());
            }
        }
    }
}
