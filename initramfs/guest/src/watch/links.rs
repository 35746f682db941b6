//! `watch.interfaces`: the interfaces are the server's own, and nobody taps them: no promiscuous mode, no XDP program, no
//! place for a filter before the stack (`clsact`, `ingress`).

use crate::net::attribute::{attributes, find};
use crate::net::netlink::{raw, Netlink};
use crate::net::TUNNELS;
use crate::stop::{OrStop as _, Step};
use netlink_packet_core::NLM_F_DUMP;
use netlink_sys::protocols::NETLINK_ROUTE;
use std::collections::BTreeSet;
use vitrine_attest::watch::Rule;

/// linux/rtnetlink.h
const GET_LINK: u16 = 18;
const GET_QDISC: u16 = 38;
/// `nlmsghdr ‖ ifinfomsg` and `nlmsghdr ‖ tcmsg`.
const LINK_HEADER: usize = 16 + 16;
const QDISC_HEADER: usize = 16 + 20;
/// linux/if_link.h
const NAME: u16 = 3;
const INFO: u16 = 18;
const KIND: u16 = 1;
const MASK: u16 = 29;
const PROMISCUITY: u16 = 30;
const XDP: u16 = 43;
const XDP_ATTACHED: u16 = 2;
/// RTEXT_FILTER_SKIP_STATS: how much passed is not asked for.
const WITHOUT_COUNTERS: u32 = 1 << 3;
/// TCA_KIND
const QDISC_KIND: u16 = 1;

pub struct Links {
    /// Names at the first look, without tunnels.
    first: Option<BTreeSet<Vec<u8>>>,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Link {
    name: Vec<u8>,
    wireguard: bool,
    tapped: bool,
}

impl Links {
    pub fn new() -> Self {
        Self { first: None }
    }

    /// `tunnels`: how many there have to be.
    pub fn look(&mut self, tunnels: usize) -> Step<Option<Rule>> {
        let links = links()?;
        let is_tunnel = |link: &&Link| TUNNELS.iter().any(|name| name.as_bytes() == link.name);
        let others: BTreeSet<Vec<u8>> =
            links.iter().filter(|link| !is_tunnel(link)).map(|link| link.name.clone()).collect();
        let first = self.first.get_or_insert_with(|| others.clone());
        let known = others.is_subset(first);
        let right = links.iter().filter(is_tunnel).filter(|link| link.wireguard).count() == tunnels
            && links.iter().filter(is_tunnel).count() == tunnels
            && !links.iter().any(|link| link.wireguard && !is_tunnel(&link));
        let tapped = links.iter().any(|link| link.tapped) || filtered()?;
        Ok((!known || !right || tapped).then_some(Rule::Interfaces))
    }
}

fn links() -> Step<Vec<Link>> {
    // ifinfomsg of zeros: all. Then the mask: length[2] ‖ type[2] ‖ value[4]
    let mut question = [0; 16].to_vec();
    question.extend([8u16.to_ne_bytes(), MASK.to_ne_bytes()].concat());
    question.extend(WITHOUT_COUNTERS.to_ne_bytes());
    let mut links = Vec::new();
    let socket = Netlink::open(NETLINK_ROUTE)?;
    socket.dump(&raw(GET_LINK, NLM_F_DUMP, &question)?, |message| {
        links.push(parse(message.get(LINK_HEADER..).or_stop("watch-form")?)?);
        Ok(())
    })?;
    Ok(links)
}

fn parse(bytes: &[u8]) -> Step<Link> {
    let mut link = Link::default();
    for attribute in attributes(bytes) {
        match attribute? {
            (NAME, name) => link.name = name.strip_suffix(&[0]).unwrap_or(name).to_vec(),
            (INFO, info) => link.wireguard = find(info, KIND)?.is_some_and(|kind| kind.starts_with(b"wireguard\0")),
            (PROMISCUITY, count) => link.tapped |= count.iter().any(|&byte| byte != 0),
            (XDP, xdp) => link.tapped |= find(xdp, XDP_ATTACHED)?.is_some_and(|mode| mode != [0]),
            _ => {}
        }
    }
    Ok(link)
}

/// Whether any interface has a place for filters before the stack.
fn filtered() -> Step<bool> {
    let (socket, mut found) = (Netlink::open(NETLINK_ROUTE)?, false);
    socket.dump(&raw(GET_QDISC, NLM_F_DUMP, &[0; 20])?, |message| {
        let kind = find(message.get(QDISC_HEADER..).or_stop("watch-form")?, QDISC_KIND)?;
        found |= matches!(kind, Some(b"clsact\0" | b"ingress\0"));
        Ok(())
    })?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let mut bytes = [(4 + value.len() as u16).to_ne_bytes(), kind.to_ne_bytes()].concat();
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn link(more: &[Vec<u8>]) -> Link {
        parse(&[attribute(NAME, b"outer\0"), more.concat()].concat()).unwrap()
    }

    #[test]
    fn taps() {
        let quiet = [attribute(PROMISCUITY, &[0; 4]), attribute(XDP, &attribute(XDP_ATTACHED, &[0]))];
        assert_eq!(link(&quiet), Link { name: b"outer".to_vec(), wireguard: false, tapped: false });
        assert!(link(&[attribute(PROMISCUITY, &1u32.to_ne_bytes())]).tapped);
        assert!(link(&[attribute(XDP, &attribute(XDP_ATTACHED, &[2]))]).tapped);
        assert!(link(&[attribute(INFO, &attribute(KIND, b"wireguard\0"))]).wireguard);
        assert!(parse(&[9, 0, 3, 0, 1]).is_err());
    }
}
