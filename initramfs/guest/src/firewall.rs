//! The firewall stands before any interface is up.

use crate::net::netlink::Netlink;
use crate::nft::batch::encode;
use crate::nft::ruleset::ruleset;
use crate::stop::{OrStop as _, Step};
use netlink_sys::protocols::NETLINK_NETFILTER;
use vitrine_attest::config::Config;

/// Gives the kernel the whole table at once.
///
/// # Errors
/// When the kernel refuses any part: then none of it holds, and there is no tunnel.
pub fn load(config: &Config) -> Step {
    let batch = encode(&ruleset(config));
    let netlink = Netlink::open(NETLINK_NETFILTER)?;
    netlink.send(&batch.bytes, batch.acknowledgements).or_stop("firewall").map(|_| ())
}
