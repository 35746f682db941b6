//! Questions to a neighbour that change nothing: is it still there (rtnetlink(7), linux/neighbour.h)?

use super::rtnl::{family, Index, Routing};
use crate::stop::Step;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_REPLACE};
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState,
};
use netlink_packet_route::RouteNetlinkMessage;
use std::net::IpAddr;

impl Routing {
    /// Makes the kernel send one ARP request (RFC 826) or neighbour solicitation (RFC 4861), which brings back one
    /// frame. A neighbour that is known is probed where it is, and packets to it go on meanwhile; deleting its entry
    /// would hold them up. One that is not known is looked for.
    pub fn probe(&self, index: Index, neighbour: IpAddr) -> Step {
        let mut known = message(index, neighbour);
        known.header.state = NeighbourState::Probe;
        if self.request(RouteNetlinkMessage::NewNeighbour(known), NLM_F_REPLACE).is_ok() {
            return Ok(());
        }
        let mut unknown = message(index, neighbour);
        unknown.header.flags = NeighbourFlags::Use;
        self.request(RouteNetlinkMessage::NewNeighbour(unknown), NLM_F_CREATE | NLM_F_REPLACE)
    }
}

fn message(index: Index, neighbour: IpAddr) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header.family = family(neighbour);
    message.header.ifindex = index.0;
    let address = match neighbour {
        IpAddr::V4(address) => NeighbourAddress::Inet(address),
        IpAddr::V6(address) => NeighbourAddress::Inet6(address),
    };
    message.attributes = vec![NeighbourAttribute::Destination(address)];
    message
}

#[cfg(test)]
mod tests {
    use super::super::space::{run, Space};
    use super::*;
    use std::time::Duration;

    fn received() -> u64 {
        let text = run("ip -s -j link show outer");
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        json[0]["stats64"]["rx"]["packets"].as_u64().unwrap()
    }

    /// The far end of an Ethernet pair, in a namespace of its own, answers each question with one frame.
    #[test]
    fn every_question_brings_a_frame() {
        let Some(_space) = Space::new() else { return };
        run("ip link add outer type veth peer name far");
        // The far end moves to the namespace of a sleeping process
        let mut sleeper = std::process::Command::new("unshare").args(["-n", "sleep", "60"]).spawn().unwrap();
        let namespace = sleeper.id();
        std::thread::sleep(Duration::from_millis(300));
        run(&format!("ip link set far netns {namespace}"));
        // Without link-local addresses there is no wait for duplicate address detection
        for command in [
            "link set far addrgenmode none",
            "link set far up",
            "addr add 192.0.2.1/24 dev far",
            "addr add 2001:db8::1/64 dev far nodad",
        ] {
            run(&format!("nsenter -n -t {namespace} ip {command}"));
        }
        for command in
            ["link set outer up", "addr add 192.0.2.2/24 dev outer", "addr add 2001:db8::2/64 dev outer nodad"]
        {
            run(&format!("ip {command}"));
        }
        let routing = Routing::open().unwrap();
        let outer = routing.index_of("outer").unwrap();
        for gateway in ["192.0.2.1", "2001:db8::1"] {
            let ask = || {
                routing.probe(outer, gateway.parse().unwrap()).unwrap();
                std::thread::sleep(Duration::from_millis(50));
            };
            // Until it is found for the first time
            let known = || run(&format!("ip neigh show {gateway} dev outer")).contains("lladdr");
            assert!((0..100).any(|_| {
                ask();
                known()
            }));
            let before = received();
            (0..10).for_each(|_| ask());
            let frames = received() - before;
            assert!(frames >= 9, "{frames} frames from {gateway}");
        }
        sleeper.kill().unwrap();
        sleeper.wait().unwrap();
    }
}
