//! How the kernel's virtual machine is told a rule (linux/netfilter/nf_tables.h).

use crate::attributes::Attributes;
use crate::rule::{Action, Family, Interface, Match, Rule, Transport};
use std::net::IpAddr;
use vitrine_attest::config::Cidr;

/// The first 16-byte register; and the verdict's own (enum nft_registers).
const REGISTER: u32 = 1;
const VERDICT_REGISTER: u32 = 0;
/// NFTA_LIST_ELEM.
const LIST_ELEMENT: u16 = 1;
/// NFTA_EXPR_NAME, NFTA_EXPR_DATA.
const NAME: u16 = 1;
const DATA: u16 = 2;
/// enum nft_meta_keys.
const META_MARK: u32 = 3;
const META_IIFNAME: u32 = 6;
const META_OIFNAME: u32 = 7;
const META_SKUID: u32 = 10;
const META_NFPROTO: u32 = 15;
const META_L4PROTO: u32 = 16;
/// IANA.
const ICMP: u8 = 1;
const ICMP6: u8 = 58;
/// enum nft_payload_bases.
const NETWORK_HEADER: u32 = 1;
const TRANSPORT_HEADER: u32 = 2;
/// enum nft_ct_keys.
const CT_STATE: u32 = 0;
const CT_DIRECTION: u32 = 1;
const CT_MARK: u32 = 3;
/// enum ip_conntrack_dir.
const ORIGINAL: u8 = 0;
const REPLY: u8 = 1;
/// NF_CT_STATE_BIT of IP_CT_ESTABLISHED and IP_CT_RELATED.
const ESTABLISHED_OR_RELATED: u32 = 0b110;
/// NF_DROP, NF_ACCEPT.
const DROP: u32 = 0;
const ACCEPT: u32 = 1;
/// NF_NAT_RANGE_PROTO_RANDOM_FULLY (linux/netfilter/nf_nat.h).
const FULLY_RANDOM: u32 = 0x10;
/// TCP header: offset of the flags, and two of them (RFC 9293 §3.1).
const FLAGS: u32 = 13;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
/// TCP option 2, its value at offset 2, two bytes (RFC 9293 §3.2); NFT_EXTHDR_OP_TCPOPT.
const SEGMENT_SIZE: u8 = 2;
const TCP_OPTION: u32 = 1;
/// IFNAMSIZ: names are compared with their padding.
const NAME_LENGTH: usize = 16;

/// enum nft_cmp_ops.
#[derive(Clone, Copy)]
enum Compare {
    Equal = 0,
    NotEqual = 1,
}

/// Which address of the packet.
#[derive(Clone, Copy)]
enum Side {
    Source,
    Destination,
}

/// The value of NFTA_RULE_EXPRESSIONS.
pub fn expressions(rule: &Rule) -> Attributes {
    let list = rule.matches.iter().fold(Attributes::default(), condition);
    action(list, rule.action)
}

fn condition(list: Attributes, condition: &Match) -> Attributes {
    match condition {
        Match::From(interface) => equal(meta(list, META_IIFNAME), &pattern(*interface)),
        Match::To(interface) => equal(meta(list, META_OIFNAME), &pattern(*interface)),
        Match::Known => known(list),
        Match::Question => equal(ct(list, CT_DIRECTION), &[ORIGINAL]),
        Match::Answer => equal(ct(list, CT_DIRECTION), &[REPLY]),
        Match::Family(family) => of_family(list, *family),
        Match::Source(network) => address(of_family(list, Family::of(network)), Side::Source, network, Compare::Equal),
        Match::Destination(network) => {
            address(of_family(list, Family::of(network)), Side::Destination, network, Compare::Equal)
        }
        Match::SourceOutside(family, networks) => networks
            .iter()
            .fold(of_family(list, *family), |list, network| address(list, Side::Source, network, Compare::NotEqual)),
        Match::SourcePort(transport, port) => equal(header(of(list, *transport), 0, 2), &port.to_be_bytes()),
        Match::DestinationPort(transport, port) => equal(header(of(list, *transport), 2, 2), &port.to_be_bytes()),
        Match::Icmp(kind) => icmp(list, Family::Ip, ICMP, *kind),
        Match::Icmp6(kind) => icmp(list, Family::Ip6, ICMP6, *kind),
        Match::Syn => equal(masked(header(of(list, Transport::Tcp), FLAGS, 1), &[SYN | RST]), &[SYN]),
        Match::User(user) => equal(meta(list, META_SKUID), &user.to_ne_bytes()),
    }
}

fn action(list: Attributes, action: Action) -> Attributes {
    match action {
        Action::Accept => verdict(list, ACCEPT),
        Action::Drop => verdict(list, DROP),
        Action::Untracked => expression(list, "notrack", Attributes::default()),
        Action::Masquerade => expression(list, "masq", Attributes::default()),
        // NFTA_MASQ_FLAGS 1
        Action::MasqueradeElsewhere => expression(list, "masq", Attributes::default().number(1, FULLY_RANDOM)),
        // NFTA_CT_KEY 2, SREG 4: from the register
        Action::MarkConnection(mark) => expression(
            immediate(list, &mark.to_ne_bytes()),
            "ct",
            Attributes::default().number(2, CT_MARK).number(4, REGISTER),
        ),
        // NFTA_META_KEY 2, SREG 3
        Action::MarkPacket => {
            expression(ct(list, CT_MARK), "meta", Attributes::default().number(2, META_MARK).number(3, REGISTER))
        }
        // NFTA_EXTHDR_TYPE 2, OFFSET 3, LEN 4, OP 6, SREG 7. The kernel never makes the size larger
        Action::SegmentSize(bytes) => {
            let option = Attributes::default().bytes(2, &[SEGMENT_SIZE]).number(3, 2).number(4, 2);
            let option = option.number(6, TCP_OPTION).number(7, REGISTER);
            expression(immediate(list, &bytes.to_be_bytes()), "exthdr", option)
        }
    }
}

fn expression(list: Attributes, name: &str, data: Attributes) -> Attributes {
    list.nest(LIST_ELEMENT, Attributes::default().text(NAME, name).nest(DATA, data))
}

fn verdict(list: Attributes, code: u32) -> Attributes {
    let verdict = Attributes::default().nest(2, Attributes::default().number(1, code));
    expression(list, "immediate", Attributes::default().number(1, VERDICT_REGISTER).nest(2, verdict))
}

/// Puts a value into the register.
fn immediate(list: Attributes, value: &[u8]) -> Attributes {
    let data = Attributes::default().number(1, REGISTER).nest(2, Attributes::default().bytes(1, value));
    expression(list, "immediate", data)
}

/// Loads a fact about the packet into the register.
fn meta(list: Attributes, key: u32) -> Attributes {
    expression(list, "meta", Attributes::default().number(1, REGISTER).number(2, key))
}

/// Loads a fact about the packet's connection into the register; without a connection the rule ends.
fn ct(list: Attributes, key: u32) -> Attributes {
    expression(list, "ct", Attributes::default().number(1, REGISTER).number(2, key))
}

fn payload(list: Attributes, base: u32, offset: u32, length: u32) -> Attributes {
    let data = Attributes::default().number(1, REGISTER).number(2, base).number(3, offset);
    expression(list, "payload", data.number(4, length))
}

/// Loads bytes of the transport header into the register.
fn header(list: Attributes, offset: u32, length: u32) -> Attributes {
    payload(list, TRANSPORT_HEADER, offset, length)
}

/// Goes on only if the register holds this value.
fn equal(list: Attributes, value: &[u8]) -> Attributes {
    compare(list, Compare::Equal, value)
}

fn compare(list: Attributes, operator: Compare, value: &[u8]) -> Attributes {
    let data = Attributes::default().number(1, REGISTER).number(2, operator as u32);
    expression(list, "cmp", data.nest(3, Attributes::default().bytes(1, value)))
}

/// Register = register & mask. Masks are at most 16 bytes.
fn masked(list: Attributes, mask: &[u8]) -> Attributes {
    let value = |bytes: &[u8]| Attributes::default().bytes(1, bytes);
    let length = u32::try_from(mask.len()).expect("a mask has at most 16 bytes");
    let data = Attributes::default().number(1, REGISTER).number(2, REGISTER).number(3, length);
    expression(list, "bitwise", data.nest(4, value(mask)).nest(5, value(&vec![0; mask.len()])))
}

/// `ct state & (established | related) != 0`; the state is a number in host byte order.
fn known(list: Attributes) -> Attributes {
    let list = masked(ct(list, CT_STATE), &ESTABLISHED_OR_RELATED.to_ne_bytes());
    compare(list, Compare::NotEqual, &[0; 4])
}

fn of_family(list: Attributes, family: Family) -> Attributes {
    equal(meta(list, META_NFPROTO), &[family as u8])
}

fn of(list: Attributes, transport: Transport) -> Attributes {
    equal(meta(list, META_L4PROTO), &[transport as u8])
}

fn icmp(list: Attributes, family: Family, protocol: u8, kind: u8) -> Attributes {
    let list = equal(meta(of_family(list, family), META_L4PROTO), &[protocol]);
    equal(header(list, 0, 1), &[kind])
}

/// Compares an address of the packet, whose family is known, with a network (RFC 791 §3.1, RFC 8200 §3).
fn address(list: Attributes, side: Side, network: &Cidr, operator: Compare) -> Attributes {
    let (offset, bytes) = match (network.address, side) {
        (IpAddr::V4(ip), Side::Source) => (12, ip.octets().to_vec()),
        (IpAddr::V4(ip), Side::Destination) => (16, ip.octets().to_vec()),
        (IpAddr::V6(ip), Side::Source) => (8, ip.octets().to_vec()),
        (IpAddr::V6(ip), Side::Destination) => (24, ip.octets().to_vec()),
    };
    let length = if network.address.is_ipv4() { 4 } else { 16 };
    let mask: Vec<u8> = (0..length).map(|n| mask_byte(network.prefix, n)).collect();
    let list = payload(list, NETWORK_HEADER, offset, u32::from(length));
    let list = if mask.iter().any(|&byte| byte != 0xff) { masked(list, &mask) } else { list };
    let value: Vec<u8> = bytes.iter().zip(&mask).map(|(byte, mask)| byte & mask).collect();
    compare(list, operator, &value)
}

/// Byte `n` of the mask of a prefix length.
fn mask_byte(prefix: u8, n: u8) -> u8 {
    let bits = prefix.saturating_sub(n * 8).min(8);
    !(0xff_u8.checked_shr(u32::from(bits)).unwrap_or(0))
}

/// A name with its padding; `wg*` without: only that many bytes are compared.
fn pattern(interface: Interface) -> Vec<u8> {
    let mut name = match interface {
        Interface::Loopback => b"lo".to_vec(),
        Interface::Own => b"self0".to_vec(),
        Interface::Outer => b"outer".to_vec(),
        Interface::Tunnel(n) => format!("wg{n}").into_bytes(),
        Interface::Tunnels => return b"wg".to_vec(),
    };
    name.resize(NAME_LENGTH, 0);
    name
}
