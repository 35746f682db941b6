//! Links, addresses, routes and the tunnel, over netlink.

pub mod attribute;
pub mod genl;
pub mod neighbour;
pub mod netlink;
pub mod outer;
pub mod peer_state;
pub mod rtnl;
pub mod rule;
#[cfg(test)]
pub mod space;
pub mod wireguard;

/// The interface to the outside, under a name that the firewall's rules can be written for at build time.
pub const OUTER: &str = "outer";
/// The tunnels; number n listens on port n of `config.wireguard.all_ports()`.
pub const TUNNELS: [&str; vitrine_attest::config::MOST_PORTS] =
    ["wg0", "wg1", "wg2", "wg3", "wg4", "wg5", "wg6", "wg7"];
