//! What the guest sent, compared with what is declared: WireGuard, what its clients asked for, the resolver's questions,
//! evidence, and what a link needs. Anything else is a violation, and so is a canary where it does not belong.

use super::canary::Kind;
use super::memory::Hunt;
use super::packet::{parse, sent_by, Inner, Packet};
use super::pcap;
use crate::machine::Ports;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use vitrine_attest::Result;

/// QEMU's first network card.
const GUEST_MAC: [u8; 6] = [0x52, 0x54, 0, 0x12, 0x34, 0x56];

/// What a frame of the guest is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// ARP, neighbour discovery, multicast membership.
    Link,
    Dhcp,
    WireGuard,
    /// To a destination that a client asked for.
    Client,
    Resolver,
    Evidence,
    /// To who calls the gateway, from its port.
    Gateway,
    /// An answer to a ping, or an error message about a packet that came.
    Icmp,
    /// Not declared.
    Violation,
}

impl Purpose {
    /// Canaries that such a frame may hold: it could not do its work without them.
    fn may_hold(self) -> &'static [Kind] {
        match self {
            // The address of who asked is where it goes
            Self::WireGuard | Self::Evidence | Self::Gateway => &[Kind::Endpoint, Kind::Endpoint4],
            Self::Client => &[Kind::Destination, Kind::Destination4, Kind::Payload, Kind::Answer, Kind::Credential],
            Self::Resolver => &[Kind::Name, Kind::FailedName],
            // An error message quotes what it is about (RFC 792); it goes to whom that came from
            Self::Icmp => {
                &[Kind::Endpoint, Kind::Endpoint4, Kind::Destination, Kind::Destination4, Kind::Payload, Kind::Answer]
            }
            Self::Link | Self::Dhcp | Self::Violation => &[],
        }
    }
}

/// What is declared, by the measured configuration and by what this run's clients did.
#[derive(Debug, Clone)]
pub struct Declared {
    pub ports: Ports,
    /// TCP port of the gateway.
    pub gateway: Option<u16>,
    /// Where clients went.
    pub destinations: BTreeSet<IpAddr>,
    /// Whom the resolver asks: root servers of the configuration, and those that zones name.
    pub upstreams: BTreeSet<IpAddr>,
}

/// All frames of the guest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Egress {
    pub frames: BTreeMap<Purpose, usize>,
    /// Canaries in frames where they do not belong.
    pub misplaced: BTreeMap<Kind, usize>,
    /// What was not declared, in words: at most ten.
    pub violations: Vec<String>,
}

impl Egress {
    /// # Errors
    /// When the record is none.
    pub fn judge(record: &[u8], declared: &Declared, hunt: &Hunt) -> Result<Self> {
        let mut egress = Self::default();
        for frame in pcap::frames(record)?.into_iter().filter_map(|frame| sent_by(GUEST_MAC, frame)) {
            let packet = parse(frame);
            let purpose = declared.purpose(packet);
            *egress.frames.entry(purpose).or_default() += 1;
            if purpose == Purpose::Violation && egress.violations.len() < 10 {
                egress.violations.push(format!("{packet:?}"));
            }
            for copy in hunt.in_bytes(frame).iter().filter(|copy| !purpose.may_hold().contains(&copy.kind)) {
                *egress.misplaced.entry(copy.kind).or_default() += 1;
            }
        }
        Ok(egress)
    }

    pub fn wrong(&self) -> usize {
        self.frames.get(&Purpose::Violation).copied().unwrap_or(0) + self.misplaced.values().sum::<usize>()
    }
}

impl Declared {
    fn purpose(&self, packet: Packet) -> Purpose {
        let Packet::Ip { to, inner, .. } = packet else {
            return if packet == Packet::Arp { Purpose::Link } else { Purpose::Violation };
        };
        match inner {
            // Router solicitation to redirect (RFC 4861 §4), listener reports (RFC 3810)
            Inner::Icmp6 { kind: 133..=136 | 143 } => Purpose::Link,
            Inner::Udp { from, .. } if self.ports.wireguard.contains(&from) => Purpose::WireGuard,
            Inner::Tcp { from, .. } if from == self.ports.attestation => Purpose::Evidence,
            Inner::Tcp { from, .. } if Some(from) == self.gateway => Purpose::Gateway,
            Inner::Udp { from: 68, to: 67 } => Purpose::Dhcp,
            Inner::Udp { to: 53, .. } | Inner::Tcp { to: 53, .. } if self.upstreams.contains(&to) => Purpose::Resolver,
            Inner::Other | Inner::Icmp6 { kind: 137..=142 | 144.. } => Purpose::Violation,
            _ if self.destinations.contains(&to) => Purpose::Client,
            // Answers to pings; unreachable, too big, time exceeded, bad header (RFC 792, RFC 4443)
            Inner::Icmp { kind: 0 | 3 | 11 | 12 } | Inner::Icmp6 { kind: 1..=4 | 129 } => Purpose::Icmp,
            _ => Purpose::Violation,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::canary::{Canary, Value};
    use super::super::packet::tests::frame4;
    use super::super::pcap::tests::file;
    use super::*;

    const US: [u8; 4] = [203, 0, 113, 10];
    const SITE: [u8; 4] = [198, 51, 100, 177];
    const USER: [u8; 4] = [198, 18, 101, 102];

    fn judge(frames: &[Vec<u8>]) -> Egress {
        let declared = Declared {
            gateway: Some(443),
            ports: Ports::default(),
            destinations: [SITE.into()].into(),
            upstreams: [[198, 51, 100, 1].into()].into(),
        };
        let canaries = [
            (Kind::Payload, "payload-of-a-user"),
            (Kind::FailedName, "no-such-name"),
            (Kind::Endpoint, "the-endpoint"),
        ];
        let canaries = canaries.map(|(kind, text)| Canary::new(kind, Value::Text(text.into())));
        let frames: Vec<&[u8]> = frames.iter().map(Vec::as_slice).collect();
        Egress::judge(&file(&frames), &declared, &Hunt::new(&canaries).unwrap()).unwrap()
    }

    fn ports(from: u16, to: u16, more: &str) -> Vec<u8> {
        [&from.to_be_bytes()[..], &to.to_be_bytes(), &[0; 4], more.as_bytes()].concat()
    }

    #[test]
    fn what_is_declared_is_no_violation() {
        let egress = judge(&[
            frame4(US, USER, 17, &ports(51820, 40000, "the-endpoint")),
            frame4(US, SITE, 6, &ports(33000, 80, "payload-of-a-user")),
            frame4(US, SITE, 1, &[8, 0]),
            frame4(US, [198, 51, 100, 1], 17, &ports(5000, 53, "no-such-name")),
            frame4(US, [192, 0, 2, 1], 6, &ports(8787, 5000, "")),
            frame4([0; 4], [255; 4], 17, &ports(68, 67, "")),
            frame4(US, USER, 1, &[3, 3]),
        ]);
        assert_eq!((egress.wrong(), egress.frames.len()), (0, 6), "{egress:?}");
    }

    #[test]
    fn the_rest_is() {
        for frame in [
            frame4(US, [198, 51, 100, 9], 17, &ports(514, 514, "")),
            frame4(US, [198, 51, 100, 2], 17, &ports(5000, 53, "")),
            frame4(US, USER, 1, &[8, 0]),
            frame4(US, SITE, 132, &ports(1, 2, "")),
            vec![0; 6].into_iter().chain(GUEST_MAC).chain([0x88, 0xcc]).collect(),
        ] {
            let egress = judge(&[frame]);
            assert_eq!((egress.wrong(), egress.violations.len()), (1, 1), "{egress:?}");
        }
    }

    /// Netconsole-like: a declared destination, and something in it that nobody sends there.
    #[test]
    fn canaries_where_they_do_not_belong() {
        let egress = judge(&[
            frame4(US, SITE, 17, &ports(5000, 6666, "client the-endpoint came")),
            frame4(US, [198, 51, 100, 1], 17, &ports(5000, 53, "payload-of-a-user")),
            frame4(US, USER, 17, &ports(51820, 40000, "PAYLOAD-OF-A-USER")),
            frame4(US, [192, 0, 2, 1], 6, &ports(8787, 5000, "no-such-name")),
        ]);
        assert_eq!((egress.wrong(), egress.violations.len()), (4, 0), "{egress:?}");
    }

    #[test]
    fn frames_to_the_guest_are_not_its_own() {
        let mut frame = frame4(US, [9; 4], 17, &ports(1, 2, ""));
        frame[6] ^= 1;
        assert_eq!(judge(&[frame]), Egress::default());
    }
}
