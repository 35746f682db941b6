//! What a rule can say.

use vitrine_attest::config::Cidr;

/// IP protocol numbers (IANA).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    Tcp = 6,
    Udp = 17,
}

/// NFPROTO_IPV4, NFPROTO_IPV6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    Ip = 2,
    Ip6 = 10,
}

impl Family {
    pub fn of(network: &Cidr) -> Self {
        if network.address.is_ipv4() {
            Self::Ip
        } else {
            Self::Ip6
        }
    }
}

/// The interfaces of the image; PID 1 gives them these names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interface {
    /// `lo`
    Loopback,
    /// `self0`: PID 1's way through a tunnel to itself, see `docs/janitor.md`.
    Own,
    /// `outer`
    Outer,
    /// `wg0`, `wg1`, …
    Tunnel(u8),
    /// Every tunnel interface: `wg*`.
    Tunnels,
}

/// One condition; a rule needs all of its conditions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Match {
    /// The packet came in by this interface.
    From(Interface),
    /// The packet goes out by this interface.
    To(Interface),
    /// It belongs to a connection that is already there, or is an error message about one.
    Known,
    /// It goes the way of its connection's first packet.
    Question,
    /// It goes the other way.
    Answer,
    Family(Family),
    /// Its source address lies in this network.
    Source(Cidr),
    /// It is of this family and its source address lies in none of these networks, which are of this family.
    SourceOutside(Family, Vec<Cidr>),
    /// Its destination address lies in this network.
    Destination(Cidr),
    /// TCP or UDP with this source port.
    SourcePort(Transport, u16),
    /// TCP or UDP with this destination port.
    DestinationPort(Transport, u16),
    /// ICMP of this type (RFC 792).
    Icmp(u8),
    /// ICMPv6 of this type (RFC 4443, RFC 4861, RFC 2710).
    Icmp6(u8),
    /// TCP, begins or answers the beginning of a connection (SYN without RST, RFC 9293 §3.5).
    Syn,
    /// A program of this user sends it.
    User(u32),
}

/// What happens when all conditions hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Accept,
    Drop,
    /// The connection tracking must not learn of this packet.
    Untracked,
    /// The packet gets the address of the interface by which it leaves.
    Masquerade,
    /// The same, and another source port, chosen at random from 1024 on.
    MasqueradeElsewhere,
    /// The connection remembers this number.
    MarkConnection(u32),
    /// The packet gets the number that its connection remembers; routing looks at it.
    MarkPacket,
    /// TCP's maximum segment size becomes this many bytes, if it is larger (RFC 9293 §3.7.1).
    SegmentSize(u16),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    pub matches: Vec<Match>,
    pub action: Action,
}
