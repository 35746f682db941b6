//! A server with an outside and two clients. Pairs of virtual Ethernet ends stand for the tunnels: the firewall knows
//! them by their names only.
//!
//! ```text
//! client 10.66.0.2 ── wg0 ┐
//!                         ├ server ── outer 198.51.100.1 ── 198.51.100.2 world (203.0.113.9, 10.99.0.1)
//! client 10.66.0.3 ── wg1 ┘
//! ```

use crate::space::{ip, Space};
use crate::{batch, load};

pub struct Town {
    pub server: Space,
    pub world: Space,
    /// On `wg0` and `wg1`.
    pub clients: [Space; 2],
}

impl Town {
    /// Two ports; `more` is the rest of the configuration.
    pub fn new(more: &str) -> Self {
        let town = Self {
            server: Space::new("server"),
            world: Space::new("world"),
            clients: [Space::new("first"), Space::new("second")],
        };
        town.server.feed(
            &["sysctl", "-q", "-p", "-"],
            "net.ipv4.ip_forward=1\nnet.ipv6.conf.all.forwarding=1\nnet.ipv4.conf.all.rp_filter=0\n",
        );
        cable(&town.server, "outer", &town.world, 1);
        for (n, client) in (0..).zip(&town.clients) {
            cable(&town.server, &format!("wg{n}"), client, 10 + n);
        }
        town.addresses();
        let wireguard = r#""wireguard":{"ports":[51820,51821],"addresses":["10.66.0.1/24","fd66::1/64"]}"#;
        town.server.inside(|| load::load(&batch(&format!("{{{wireguard}{more}}}"))));
        town
    }

    /// As PID 1 sets them up: every tunnel has all addresses, the main table points to the first interface, and one
    /// table for each mark to its own.
    fn addresses(&self) {
        let server = [
            "addr add 198.51.100.1/24 dev outer",
            "-6 addr add 2001:db8:100::1/64 dev outer nodad",
            "route add default via 198.51.100.2",
            "addr add 10.66.0.1/24 dev wg0 noprefixroute",
            "-6 addr add fd66::1/64 dev wg0 nodad noprefixroute",
            "addr add 10.66.0.1/24 dev wg1 noprefixroute",
            "-6 addr add fd66::1/64 dev wg1 nodad noprefixroute",
            "route add 10.66.0.0/24 dev wg0",
            "-6 route add fd66::/64 dev wg0",
            "rule add fwmark 1 lookup 100 priority 1000",
            "rule add fwmark 2 lookup 101 priority 1001",
            "-6 rule add fwmark 1 lookup 100 priority 1000",
            "-6 rule add fwmark 2 lookup 101 priority 1001",
            "route add 10.66.0.0/24 dev wg0 table 100",
            "route add 10.66.0.0/24 dev wg1 table 101",
            "-6 route add fd66::/64 dev wg0 table 100",
            "-6 route add fd66::/64 dev wg1 table 101",
        ];
        let world = [
            "addr add 198.51.100.2/24 dev end",
            "-6 addr add 2001:db8:100::2/64 dev end nodad",
            "addr add 203.0.113.9/32 dev lo",
            "addr add 10.99.0.1/32 dev lo",
            "addr add 10.66.0.9/32 dev lo",
            "route add 10.66.0.0/24 via 198.51.100.1",
            "-6 route add fd66::/64 via 2001:db8:100::1",
        ];
        server.iter().for_each(|words| say(&self.server, words));
        world.iter().for_each(|words| say(&self.world, words));
        for (n, client) in (2..).zip(&self.clients) {
            for words in [
                format!("addr add 10.66.0.{n}/32 dev end"),
                format!("-6 addr add fd66::{n}/128 dev end nodad"),
                format!("addr add 192.168.7.{n}/32 dev lo"),
                "route add default dev end".into(),
                "-6 route add default dev end".into(),
            ] {
                say(client, &words);
            }
        }
    }
}

fn say(space: &Space, words: &str) {
    space.run(&[&["ip"], &words.split(' ').collect::<Vec<_>>()[..]].concat());
}

/// Both ends have one hardware address and no ARP, so that a packet put in on one side is taken on the other, as in a
/// tunnel: neighbour discovery is not for these interfaces.
fn cable(server: &Space, name: &str, other: &Space, number: u8) {
    let address = format!("02:00:00:00:00:{number:02x}");
    let (near, far) = (server.name(), other.name());
    ip(&["link", "add", name, "netns", near, "type", "veth", "peer", "name", "end", "netns", far]);
    for (space, end) in [(server, name), (other, "end")] {
        space.run(&["ip", "link", "set", end, "address", &address, "arp", "off", "up"]);
    }
}
