//! Links, addresses, routes and the tunnel, over netlink.

pub mod genl;
pub mod netlink;
pub mod outer;
pub mod rtnl;
pub mod wireguard;

/// The interface to the outside, under a name that the firewall's rules can be written for at build time.
pub const OUTER: &str = "outer";
/// The tunnel.
pub const TUNNEL: &str = "wg0";
