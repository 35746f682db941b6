//! A small Internet: a network namespace with public addresses, a guest plugged into it by a tap interface, and
//! clients in namespaces of their own, whose traffic reaches the guest through WireGuard and nothing else.
//!
//! ```text
//!  client namespace           outside namespace (this thread, QEMU, servers)                guest
//!  10.66.0.2 ─ tun ─ pump ─ UDP 192.0.2.2 ─ tap 203.0.113.1 ───────────────────── 203.0.113.10
//!                                    lo: 198.51.100.*, 2001:db8:51::*   web, DNS, silence; 10.99.0.1, fd99::1
//! ```
//! A namespace ends with its last thread, process and descriptor. So nothing has a name and nothing is left behind,
//! also after a panic.

mod api;
mod client;
mod leases;
mod names;
mod pump;
mod tools;
mod tun;

pub use api::{Api, PAUSE, PIECES, THINKS};
pub use client::{Client, User};
pub use leases::{Leases, Manner};
pub use names::{Names, IANA_ROOTS};
pub use tools::{on_a_thread, run, tool, Said, TALK};

use crate::boot::{Network, Options};
use crate::machine::Ports;
use crate::web::Web;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use vitrine_attest::{Error, Result};

/// The guest's addresses: those of the test recipes, and the ones it gets where DHCP and router advertisements give them.
/// The second half of the IPv6 address comes from the card's own (RFC 4291 §2.5.1).
pub const GUEST: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 10);
pub const GUEST6: &str = "2001:db8:113:0:5054:ff:fe12:3456";
/// A web server of the world outside.
pub const WEB: &str = "198.51.100.80";
pub const WEB6: &str = "2001:db8:51::80";
/// Somebody else out there.
pub const OTHER: &str = "198.51.100.90";
/// Private addresses: they answer, but clients may not get there.
pub const PRIVATE: &str = "10.99.0.1";
pub const PRIVATE6: &str = "fd99::1";
const TAP: &str = "tap0";

/// What a world consists of, one `ip` command a line. `nodad`: addresses can be used at once.
const SETUP: &str = "
link set lo up
addr add 198.51.100.1/32 dev lo
addr add 198.51.100.2/32 dev lo
addr add 198.51.100.3/32 dev lo
addr add 198.51.100.80/32 dev lo
addr add 198.51.100.90/32 dev lo
addr add 198.51.100.253/32 dev lo
addr add 2001:db8:51::80/128 dev lo nodad
route add local 192.0.2.0/24 dev lo
route add local 198.18.0.0/15 dev lo
route add local 198.51.100.96/27 dev lo
route add local 198.51.100.128/25 dev lo
route add local 2001:db8:51::/48 dev lo
route add local 2001:db8:52::/48 dev lo
addr add 2001:db8:52::2/128 dev lo nodad
addr add 10.99.0.1/32 dev lo
addr add fd99::1/128 dev lo nodad
tuntap add name tap0 mode tap
addr add 203.0.113.1/24 dev tap0
addr add 2001:db8:113::1/64 dev tap0 nodad
link set tap0 up
";

/// The outside, on a thread of its own.
pub struct World {
    _web: Vec<Web>,
}

impl World {
    /// Whether we may make one.
    pub fn is_possible() -> bool {
        rustix::process::geteuid().is_root()
    }

    /// Does something in a new world. The world ends with it. A panic goes on in the caller.
    ///
    /// # Errors
    /// Without root, or when something of it cannot be made; and those of `act`.
    pub fn with<T: Send>(act: impl FnOnce(&Self) -> Result<T> + Send) -> Result<T> {
        if !Self::is_possible() {
            return Err(Error::host("network namespaces need root", "run it as root"));
        }
        on_a_thread(|| act(&Self::create()?))
    }

    fn create() -> Result<Self> {
        tools::enter_new_namespace()?;
        tools::ip(SETUP)?;
        // Pings by the kernel's unprivileged sockets, for everybody in here.
        // IPv6 addresses that lie behind a local route only can be bound to.
        for (name, value) in [("ipv4/ping_group_range", "0 2147483647"), ("ipv6/ip_nonlocal_bind", "1")] {
            std::fs::write(format!("/proc/sys/net/{name}"), value)
                .map_err(|e| Error::host(format!("{name}: {e}"), "run it as root"))?;
        }
        let mut web = Vec::new();
        for address in [WEB, WEB6, OTHER, PRIVATE, PRIVATE6] {
            let address: IpAddr = address.parse().map_err(|e| Error::bug(format!("{address}: {e}")))?;
            web.push(Web::on(SocketAddr::new(address, 80))?);
        }
        Ok(Self { _web: web })
    }

    /// How a guest is plugged into it; `ports` as its configuration has them.
    pub fn plug(&self, mut options: Options, ports: Ports) -> Options {
        options.network = Network::Tap { interface: TAP.into(), guest: GUEST };
        options.guest_ports = ports;
        options
    }
}

/// Frames that came from the guest so far. To be called in the outside.
///
/// # Errors
/// When `ip` does not tell.
pub fn frames_from_guest() -> Result<u64> {
    let said = run("ip", &["-json", "-stats", "link", "show", "dev", TAP]).succeeded("frames of the guest")?;
    let links: Option<serde_json::Value> = serde_json::from_str(&said).ok();
    let frames = links.and_then(|links| links[0]["stats64"]["rx"]["packets"].as_u64());
    frames.ok_or_else(|| Error::host(format!("ip said: {said}"), "install a newer iproute2"))
}
