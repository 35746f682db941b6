//! As much of an Ethernet frame as tells who speaks to whom about what.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packet {
    Arp,
    Ip { from: IpAddr, to: IpAddr, inner: Inner },
    Other,
}

/// What an IP packet holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inner {
    Udp {
        from: u16,
        to: u16,
    },
    Tcp {
        from: u16,
        to: u16,
    },
    Icmp {
        kind: u8,
    },
    Icmp6 {
        kind: u8,
    },
    /// A later fragment: no ports.
    Fragment,
    Other,
}

/// Before a frame on a tap interface QEMU (7.2) records what it tells the interface about it: `struct virtio_net_hdr`, or
/// with the number of buffers behind it.
const HEADERS: [usize; 3] = [0, 10, 12];

/// The Ethernet frame in a record, when this card has sent it.
pub fn sent_by(card: [u8; 6], record: &[u8]) -> Option<&[u8]> {
    let frames = HEADERS.iter().filter_map(|header| record.get(*header..));
    frames.into_iter().find(|frame| frame.get(6..12) == Some(&card))
}

/// Unknown, cut and lying ones are `Other`.
pub fn parse(frame: &[u8]) -> Packet {
    ip(frame).unwrap_or(Packet::Other)
}

fn ip(frame: &[u8]) -> Option<Packet> {
    match frame.get(12..14)? {
        [0x08, 0x06] => Some(Packet::Arp),
        [0x08, 0x00] => four(frame.get(14..)?),
        [0x86, 0xdd] => six(frame.get(14..)?),
        _ => None,
    }
}

/// RFC 791 §3.1.
fn four(packet: &[u8]) -> Option<Packet> {
    let header = usize::from(packet.first()? & 0x0f) * 4;
    let address = |at: usize| Some(Ipv4Addr::from(<[u8; 4]>::try_from(packet.get(at..at + 4)?).ok()?));
    let fragment = u16::from_be_bytes([*packet.get(6)?, *packet.get(7)?]) & 0x1fff;
    let inner = match fragment {
        0 => transport(*packet.get(9)?, packet.get(header.max(20)..)?)?,
        _ => Inner::Fragment,
    };
    Some(Packet::Ip { from: address(12)?.into(), to: address(16)?.into(), inner })
}

/// RFC 8200 §3, and the two extension headers that occur: hop-by-hop options (MLD) and fragments.
fn six(packet: &[u8]) -> Option<Packet> {
    let address = |at: usize| Some(Ipv6Addr::from(<[u8; 16]>::try_from(packet.get(at..at + 16)?).ok()?));
    let (mut next, mut rest) = (*packet.get(6)?, packet.get(40..)?);
    if next == 0 {
        next = *rest.first()?;
        rest = rest.get(8 + usize::from(*rest.get(1)?) * 8..)?;
    }
    let mut inner = None;
    if next == 44 {
        if u16::from_be_bytes([*rest.get(2)?, *rest.get(3)?]) & 0xfff8 != 0 {
            inner = Some(Inner::Fragment);
        }
        next = *rest.first()?;
        rest = rest.get(8..)?;
    }
    let inner = match inner {
        Some(inner) => inner,
        None => transport(next, rest)?,
    };
    Some(Packet::Ip { from: address(8)?.into(), to: address(24)?.into(), inner })
}

fn transport(protocol: u8, bytes: &[u8]) -> Option<Inner> {
    let port = |at: usize| Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]));
    Some(match protocol {
        1 => Inner::Icmp { kind: *bytes.first()? },
        6 => Inner::Tcp { from: port(0)?, to: port(2)? },
        17 => Inner::Udp { from: port(0)?, to: port(2)? },
        58 => Inner::Icmp6 { kind: *bytes.first()? },
        _ => Inner::Other,
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A frame of the guest's card.
    pub fn frame4(from: [u8; 4], to: [u8; 4], protocol: u8, inner: &[u8]) -> Vec<u8> {
        let mut frame = vec![0; 6];
        frame.extend([0x52, 0x54, 0, 0x12, 0x34, 0x56, 8, 0, 0x45]);
        frame.extend([0; 8]);
        frame.extend([protocol, 0, 0]);
        frame.extend(from);
        frame.extend(to);
        frame.extend(inner);
        frame
    }

    pub fn frame6(next: u8, inner: &[u8]) -> Vec<u8> {
        let mut frame = vec![0; 12];
        frame.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, 0, next, 64]);
        frame.extend([1; 16]);
        frame.extend([2; 16]);
        frame.extend(inner);
        frame
    }

    #[test]
    fn ports_and_kinds() {
        let udp = parse(&frame4([1, 2, 3, 4], [5, 6, 7, 8], 17, &[0, 53, 1, 0]));
        let expected =
            Packet::Ip { from: [1, 2, 3, 4].into(), to: [5, 6, 7, 8].into(), inner: Inner::Udp { from: 53, to: 256 } };
        assert_eq!(udp, expected);
        let inner = |packet| match packet {
            Packet::Ip { inner, .. } => inner,
            other => panic!("{other:?}"),
        };
        assert_eq!(inner(parse(&frame6(58, &[135, 0]))), Inner::Icmp6 { kind: 135 });
        assert_eq!(inner(parse(&frame6(0, &[58, 0, 5, 2, 0, 0, 1, 0, 143]))), Inner::Icmp6 { kind: 143 });
        assert_eq!(inner(parse(&frame6(44, &[17, 0, 0, 8, 0, 0, 0, 1]))), Inner::Fragment);
        assert_eq!(inner(parse(&frame6(44, &[6, 0, 0, 1, 0, 0, 0, 1, 0, 80, 0, 81]))), Inner::Tcp { from: 80, to: 81 });
        assert_eq!(inner(parse(&frame6(132, &[]))), Inner::Other);
        let mut fragment = frame4([1; 4], [2; 4], 17, &[]);
        fragment[21] = 7;
        assert_eq!(inner(parse(&fragment)), Inner::Fragment);
        assert_eq!(parse(&[[0; 12].as_slice(), &[8, 6]].concat()), Packet::Arp);
    }

    #[test]
    fn frames_with_and_without_a_header() {
        let card = [0x52, 0x54, 0, 0x12, 0x34, 0x56];
        let frame = frame4([1; 4], [2; 4], 17, &[0, 1, 0, 2]);
        for header in HEADERS {
            let record = [&vec![0; header][..], &frame].concat();
            assert_eq!(sent_by(card, &record), Some(&frame[..]));
            assert_eq!(sent_by([1; 6], &record), None);
        }
        assert_eq!(sent_by(card, &[]), None);
    }

    #[test]
    fn cut_frames_are_other_ones() {
        for frame in [frame4([1; 4], [2; 4], 17, &[0, 1, 0, 2]), frame6(0, &[58, 0, 0, 0, 0, 0, 0, 0, 143])] {
            for end in 0..frame.len() {
                assert_eq!(parse(&frame[..end]), Packet::Other, "{end} bytes");
            }
        }
    }
}
