//! The form of DHCP messages (RFC 2131 §2, options RFC 2132), as much as a client needs.
//! ```text
//! op htype hlen hops │ xid[4] │ secs[2] flags[2] │ ciaddr yiaddr siaddr giaddr [4 each] │ chaddr[16] │ sname[64]
//! file[128] │ 63825363 │ options: code[1] length[1] value…  (0 is padding, 255 the end)
//! ```
//! Own code, because anybody on the link can send an answer before it is known to be ours: a decoder that panics on
//! a malformed option would let a neighbour restart the machine. Not read: options inside sname and file (option
//! overload), and options split in parts (RFC 3396); those used here have four bytes.

use std::net::Ipv4Addr;

/// Bytes before the options.
const FIXED: usize = 240;
/// Bytes of what we send, filled up with padding: the fixed part and the 312 bytes of options that everybody takes
/// (RFC 2131 §2). Some servers drop messages that are shorter than BOOTP's (RFC 1542 §2.1).
pub const LENGTH: usize = 236 + 312;
const COOKIE: [u8; 4] = [0x63, 0x82, 0x53, 0x63];
const REQUEST: u8 = 1;
const REPLY: u8 = 2;
/// Hardware type Ethernet, with addresses of six bytes.
const ETHERNET: [u8; 2] = [1, 6];
/// The first bit of the flags.
const BROADCAST: u8 = 0x80;
const PADDING: u8 = 0;
const END: u8 = 255;

/// Option codes (RFC 2132).
pub mod code {
    pub const SUBNET_MASK: u8 = 1;
    pub const ROUTER: u8 = 3;
    pub const REQUESTED_ADDRESS: u8 = 50;
    pub const LEASE_TIME: u8 = 51;
    pub const MESSAGE_TYPE: u8 = 53;
    pub const SERVER: u8 = 54;
    pub const WANTED: u8 = 55;
    pub const RENEWAL_TIME: u8 = 58;
    pub const REBINDING_TIME: u8 = 59;
}

/// Option 53.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Discover = 1,
    Offer = 2,
    Request = 3,
    Acknowledged = 5,
    Refused = 6,
}

/// A server's answer. It borrows from the datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reply<'a> {
    pub xid: u32,
    pub mac: [u8; 6],
    /// The address that is offered or granted.
    pub yours: Ipv4Addr,
    options: &'a [u8],
}

impl<'a> Reply<'a> {
    /// `None` when it is no DHCP answer for Ethernet.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (fixed, options) = bytes.split_at_checked(FIXED)?;
        let well_formed = fixed[0] == REPLY && fixed[1..3] == ETHERNET && fixed[236..] == COOKIE;
        let reply = Self {
            xid: u32::from_be_bytes(fixed[4..8].try_into().ok()?),
            mac: fixed[28..34].try_into().ok()?,
            yours: address(&fixed[16..20])?,
            options,
        };
        well_formed.then_some(reply)
    }

    /// The value of the first option with this code.
    fn option(&self, wanted: u8) -> Option<&'a [u8]> {
        let mut rest = self.options;
        loop {
            rest = match rest {
                [PADDING, tail @ ..] => tail,
                [END, ..] | [] | [_] => return None,
                [code, length, tail @ ..] => {
                    let (value, tail) = tail.split_at_checked((*length).into())?;
                    if *code == wanted {
                        return Some(value);
                    }
                    tail
                }
            }
        }
    }

    pub fn kind(&self) -> Option<Kind> {
        match self.option(code::MESSAGE_TYPE)? {
            [2] => Some(Kind::Offer),
            [5] => Some(Kind::Acknowledged),
            [6] => Some(Kind::Refused),
            _ => None,
        }
    }

    /// An option that is one address, or a list of which the first counts.
    pub fn address(&self, wanted: u8) -> Option<Ipv4Addr> {
        address(self.option(wanted)?.get(..4)?)
    }

    /// An option that is a number of seconds.
    pub fn seconds(&self, wanted: u8) -> Option<u32> {
        Some(u32::from_be_bytes(self.option(wanted)?.try_into().ok()?))
    }
}

fn address(bytes: &[u8]) -> Option<Ipv4Addr> {
    <[u8; 4]>::try_from(bytes).ok().map(Ipv4Addr::from)
}

/// A question, filled up to [`LENGTH`]. `current` is the client's address, if it has one; without it the answer has
/// to come as broadcast.
///
/// # Panics
/// When an option is longer than 255 bytes; all callers pass constants and addresses.
pub fn question(xid: u32, mac: [u8; 6], current: Option<Ipv4Addr>, options: &[(u8, &[u8])]) -> Vec<u8> {
    let mut bytes = vec![0; FIXED];
    bytes[0] = REQUEST;
    bytes[1..3].copy_from_slice(&ETHERNET);
    bytes[4..8].copy_from_slice(&xid.to_be_bytes());
    match current {
        Some(address) => bytes[12..16].copy_from_slice(&address.octets()),
        None => bytes[10] = BROADCAST,
    }
    bytes[28..34].copy_from_slice(&mac);
    bytes[236..240].copy_from_slice(&COOKIE);
    for (code, value) in options {
        bytes.push(*code);
        bytes.push(u8::try_from(value.len()).expect("options of a question are short"));
        bytes.extend_from_slice(value);
    }
    bytes.push(END);
    bytes.resize(bytes.len().max(LENGTH), PADDING);
    bytes
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A server's answer, as bytes.
    pub fn reply(xid: u32, mac: [u8; 6], yours: [u8; 4], options: &[(u8, &[u8])]) -> Vec<u8> {
        let mut bytes = question(xid, mac, None, options);
        bytes[0] = REPLY;
        bytes[16..20].copy_from_slice(&yours);
        bytes
    }

    #[test]
    fn question_form() {
        let bytes = question(0x01020304, [9; 6], Some(Ipv4Addr::new(10, 0, 2, 15)), &[(53, &[3]), (55, &[1, 3])]);
        assert_eq!(bytes[..16], [1, 1, 6, 0, 1, 2, 3, 4, 0, 0, 0, 0, 10, 0, 2, 15]);
        assert_eq!(bytes[236..248], [0x63, 0x82, 0x53, 0x63, 53, 1, 3, 55, 2, 1, 3, 255]);
        assert!(bytes.len() == LENGTH && bytes[248..].iter().all(|&byte| byte == 0));
        assert_eq!(question(0, [0; 6], None, &[])[10], 0x80);
    }

    #[test]
    fn options() {
        let bytes =
            reply(7, [9; 6], [10, 0, 2, 15], &[(53, &[5]), (0, &[]), (3, &[1, 2, 3, 4, 5, 6, 7, 8]), (51, &[0, 1])]);
        // (0, []) above wrote two padding bytes
        let reply = Reply::parse(&bytes).unwrap();
        assert_eq!((reply.xid, reply.mac, reply.yours), (7, [9; 6], Ipv4Addr::new(10, 0, 2, 15)));
        assert_eq!(reply.kind(), Some(Kind::Acknowledged));
        assert_eq!(reply.address(code::ROUTER), Some(Ipv4Addr::new(1, 2, 3, 4)));
        assert_eq!(reply.seconds(code::LEASE_TIME), None, "two bytes are no number of seconds");
        assert_eq!(reply.seconds(code::RENEWAL_TIME), None);
    }

    #[test]
    fn what_is_no_answer() {
        let good = reply(7, [9; 6], [10, 0, 2, 15], &[]);
        assert!(Reply::parse(&good).is_some());
        assert!(Reply::parse(&question(7, [9; 6], None, &[])).is_none());
        for position in [0, 1, 2, 236, 239] {
            let mut bad = good.clone();
            bad[position] ^= 0xff;
            assert!(Reply::parse(&bad).is_none(), "{position}");
        }
        assert!(Reply::parse(&good[..FIXED - 1]).is_none() && Reply::parse(&[]).is_none());
    }

    #[test]
    fn options_that_claim_too_much_are_not_there() {
        let mut bytes = reply(7, [9; 6], [10, 0, 2, 15], &[]);
        bytes.truncate(FIXED);
        for tail in [&[53, 200, 5][..], &[53], &[53, 0], &[0, 0, 53, 2, 5], &[255, 53, 1, 5]] {
            let bytes = [&bytes, tail].concat();
            assert_eq!(Reply::parse(&bytes).unwrap().kind(), None, "{tail:?}");
        }
    }
}
