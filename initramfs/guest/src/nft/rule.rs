//! What a rule can say, and how the kernel's virtual machine is told (linux/netfilter/nf_tables.h).

use super::attributes::Attributes;

/// IP protocol numbers (IANA).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    Tcp = 6,
    Udp = 17,
}

/// One condition; a rule needs all of its conditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match {
    /// The packet came in by this interface.
    From(&'static str),
    /// The packet goes out by this interface.
    To(&'static str),
    /// It belongs to a connection that is already there, or is an error message about one.
    Known,
    /// TCP or UDP with this source port.
    SourcePort(Transport, u16),
    /// TCP or UDP with this destination port.
    DestinationPort(Transport, u16),
    /// ICMP of this type (RFC 792).
    Icmp(u8),
    /// ICMPv6 of this type (RFC 4443, RFC 4861, RFC 2710).
    Icmp6(u8),
}

/// What happens when all conditions hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Accept,
    /// The connection tracking must not learn of this packet.
    Untracked,
    /// The packet gets the address of the interface by which it leaves.
    Masquerade,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    pub matches: Vec<Match>,
    pub verdict: Verdict,
}

/// The first 16-byte register; and the verdict's own (enum nft_registers).
const REGISTER: u32 = 1;
const VERDICT_REGISTER: u32 = 0;
/// NFTA_LIST_ELEM.
const LIST_ELEMENT: u16 = 1;
/// NFTA_EXPR_NAME, NFTA_EXPR_DATA.
const NAME: u16 = 1;
const DATA: u16 = 2;
/// enum nft_meta_keys.
const META_IIFNAME: u32 = 6;
const META_OIFNAME: u32 = 7;
const META_NFPROTO: u32 = 15;
const META_L4PROTO: u32 = 16;
/// NFPROTO_IPV4, NFPROTO_IPV6.
const IPV4: u8 = 2;
const IPV6: u8 = 10;
/// IANA.
const ICMP: u8 = 1;
const ICMP6: u8 = 58;
/// NFT_PAYLOAD_TRANSPORT_HEADER.
const TRANSPORT_HEADER: u32 = 2;
/// NFT_CT_STATE; NF_CT_STATE_BIT of IP_CT_ESTABLISHED and IP_CT_RELATED.
const CT_STATE: u32 = 0;
const ESTABLISHED_OR_RELATED: u32 = 0b110;
/// NF_ACCEPT.
const ACCEPT: u32 = 1;
/// enum nft_cmp_ops.
const EQUAL: u32 = 0;
const NOT_EQUAL: u32 = 1;
/// IFNAMSIZ: names are compared with their padding.
const NAME_LENGTH: usize = 16;

impl Rule {
    /// The value of NFTA_RULE_EXPRESSIONS.
    pub fn expressions(&self) -> Attributes {
        let list = self.matches.iter().fold(Attributes::default(), |list, condition| condition.append_to(list));
        self.verdict.append_to(list)
    }
}

impl Match {
    fn append_to(self, list: Attributes) -> Attributes {
        match self {
            Self::From(name) => equal(meta(list, META_IIFNAME), &padded(name)),
            Self::To(name) => equal(meta(list, META_OIFNAME), &padded(name)),
            Self::Known => known(list),
            Self::SourcePort(transport, port) => {
                let list = equal(meta(list, META_L4PROTO), &[transport as u8]);
                equal(payload(list, 0, 2), &port.to_be_bytes())
            }
            Self::DestinationPort(transport, port) => {
                let list = equal(meta(list, META_L4PROTO), &[transport as u8]);
                equal(payload(list, 2, 2), &port.to_be_bytes())
            }
            Self::Icmp(kind) => icmp(list, IPV4, ICMP, kind),
            Self::Icmp6(kind) => icmp(list, IPV6, ICMP6, kind),
        }
    }
}

impl Verdict {
    fn append_to(self, list: Attributes) -> Attributes {
        match self {
            Self::Accept => {
                let verdict = Attributes::default().nest(2, Attributes::default().number(1, ACCEPT));
                expression(list, "immediate", Attributes::default().number(1, VERDICT_REGISTER).nest(2, verdict))
            }
            Self::Untracked => expression(list, "notrack", Attributes::default()),
            Self::Masquerade => expression(list, "masq", Attributes::default()),
        }
    }
}

fn expression(list: Attributes, name: &str, data: Attributes) -> Attributes {
    list.nest(LIST_ELEMENT, Attributes::default().text(NAME, name).nest(DATA, data))
}

/// Loads a fact about the packet into the register.
fn meta(list: Attributes, key: u32) -> Attributes {
    expression(list, "meta", Attributes::default().number(1, REGISTER).number(2, key))
}

/// Loads bytes of the transport header into the register.
fn payload(list: Attributes, offset: u32, length: u32) -> Attributes {
    let data = Attributes::default().number(1, REGISTER).number(2, TRANSPORT_HEADER).number(3, offset);
    expression(list, "payload", data.number(4, length))
}

/// Goes on only if the register holds this value.
fn equal(list: Attributes, value: &[u8]) -> Attributes {
    compare(list, EQUAL, value)
}

fn compare(list: Attributes, operator: u32, value: &[u8]) -> Attributes {
    let data = Attributes::default().number(1, REGISTER).number(2, operator);
    expression(list, "cmp", data.nest(3, Attributes::default().bytes(1, value)))
}

/// `ct state & (established | related) != 0`; the state is a number in host byte order.
fn known(list: Attributes) -> Attributes {
    let list = expression(list, "ct", Attributes::default().number(1, REGISTER).number(2, CT_STATE));
    let value = |number: u32| Attributes::default().bytes(1, &number.to_ne_bytes());
    let mask = Attributes::default()
        .number(1, REGISTER)
        .number(2, REGISTER)
        .number(3, 4)
        .nest(4, value(ESTABLISHED_OR_RELATED))
        .nest(5, value(0));
    compare(expression(list, "bitwise", mask), NOT_EQUAL, &[0; 4])
}

fn icmp(list: Attributes, family: u8, protocol: u8, kind: u8) -> Attributes {
    let list = equal(meta(list, META_NFPROTO), &[family]);
    let list = equal(meta(list, META_L4PROTO), &[protocol]);
    equal(payload(list, 0, 1), &[kind])
}

/// # Panics
/// Never: the names are constants of at most 15 bytes.
fn padded(name: &'static str) -> [u8; NAME_LENGTH] {
    let mut value = [0; NAME_LENGTH];
    value[..name.len()].copy_from_slice(name.as_bytes());
    value
}
