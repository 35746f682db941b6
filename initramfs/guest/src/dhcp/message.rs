//! The messages a client sends (RFC 2131 §4.4.1, table 5), and what it takes for an answer.

use super::lease::Lease;
use super::wire::{code, question, Kind, Reply};
use std::net::Ipv4Addr;

/// Bytes of the largest datagram taken in; larger ones are cut.
pub const LIMIT: usize = 1500;

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
        self.ask(Kind::Discover, None, &[])
    }

    /// Takes an offer.
    pub fn request(self, offer: &Lease) -> Vec<u8> {
        let (address, server) = (offer.address.octets(), offer.server.octets());
        self.ask(Kind::Request, None, &[(code::REQUESTED_ADDRESS, &address), (code::SERVER, &server)])
    }

    /// Asks for more time, the server (renewing) or all (rebinding).
    pub fn renew(self, lease: &Lease) -> Vec<u8> {
        self.ask(Kind::Request, Some(lease.address), &[])
    }

    /// No name, no vendor class, no identifier but the interface's own address.
    fn ask(self, kind: Kind, current: Option<Ipv4Addr>, more: &[(u8, &[u8])]) -> Vec<u8> {
        const WANTED: [u8; 4] = [code::SUBNET_MASK, code::ROUTER, code::RENEWAL_TIME, code::REBINDING_TIME];
        let kind = [kind as u8];
        let first: [(u8, &[u8]); 2] = [(code::MESSAGE_TYPE, &kind), (code::WANTED, &WANTED)];
        question(self.xid, self.mac, current, &[&first, more].concat())
    }

    /// `None` for everything that is not a well-formed answer to this conversation.
    pub fn parse(self, bytes: &[u8]) -> Option<Answer> {
        let reply = Reply::parse(bytes).filter(|reply| reply.xid == self.xid && reply.mac == self.mac)?;
        match reply.kind()? {
            Kind::Offer => Lease::from_reply(&reply).map(Answer::Offer),
            Kind::Acknowledged => Lease::from_reply(&reply).map(Answer::Acknowledged),
            Kind::Refused => Some(Answer::Refused),
            Kind::Discover | Kind::Request => None,
        }
    }
}

#[cfg(test)]
pub mod tests {
    use super::super::wire::tests::reply;
    use super::*;

    pub const CLIENT: Client = Client { mac: [0x52, 0x54, 0, 1, 2, 3], xid: 0x1234_5678 };

    /// A server's answer, as bytes.
    pub fn answer(kind: Kind, client: Client, seconds: u32) -> Vec<u8> {
        let (kind, server, seconds) = ([kind as u8], [10, 0, 2, 2], seconds.to_be_bytes());
        let options: [(u8, &[u8]); 5] = [
            (code::MESSAGE_TYPE, &kind),
            (code::SERVER, &server),
            (code::SUBNET_MASK, &[255, 255, 255, 0]),
            (code::ROUTER, &server),
            (code::LEASE_TIME, &seconds),
        ];
        reply(client.xid, client.mac, [10, 0, 2, 15], &options)
    }

    fn lease(seconds: u32) -> Lease {
        match CLIENT.parse(&answer(Kind::Acknowledged, CLIENT, seconds)) {
            Some(Answer::Acknowledged(lease)) => lease,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn granted() {
        let lease = lease(86400);
        assert_eq!((lease.address, lease.prefix), (Ipv4Addr::new(10, 0, 2, 15), 24));
        assert_eq!(lease.gateway, Some(Ipv4Addr::new(10, 0, 2, 2)));
        assert_eq!((lease.renew.as_secs(), lease.rebind.as_secs(), lease.end.as_secs()), (43200, 75600, 86400));
    }

    #[test]
    fn short_and_endless_leases() {
        assert_eq!(lease(0).end.as_secs(), 60);
        assert_eq!(lease(u32::MAX).end.as_secs(), u64::from(u32::MAX));
    }

    #[test]
    fn foreign_answers_are_ignored() {
        let good = answer(Kind::Acknowledged, CLIENT, 60);
        assert!(CLIENT.parse(&good).is_some());
        assert!(Client { xid: 1, ..CLIENT }.parse(&good).is_none());
        assert!(Client { mac: [9; 6], ..CLIENT }.parse(&good).is_none());
        assert!(CLIENT.parse(&CLIENT.discover()).is_none(), "a question is no answer");
        assert!(CLIENT.parse(&answer(Kind::Discover, CLIENT, 60)).is_none());
    }

    /// A panic of PID 1 restarts the machine, so no neighbour may be able to cause one.
    #[test]
    fn altered_answers_never_panic() {
        let good = answer(Kind::Acknowledged, CLIENT, 60);
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

    /// What a client's question may hold: nothing of these names the machine but the interface's own address.
    #[test]
    fn questions_do_not_name_us() {
        let lease = lease(60);
        for mut bytes in [CLIENT.discover(), CLIENT.request(&lease), CLIENT.renew(&lease)] {
            let allowed = [code::MESSAGE_TYPE, code::WANTED, code::REQUESTED_ADDRESS, code::SERVER];
            let mut options = bytes.split_off(240);
            while options[0] != 255 {
                assert!(allowed.contains(&options[0]), "option {}", options[0]);
                options.drain(..2 + usize::from(options[1]));
            }
        }
    }
}
