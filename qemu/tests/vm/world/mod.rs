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

mod client;
mod names;
mod pump;
mod stream;
mod tools;
mod tun;

pub use client::{Client, User};
pub use names::Names;
pub use stream::Stream;
pub use tools::run;

use std::net::{Ipv4Addr, SocketAddr};
use vitrine_qemu::boot::{Network, Options};
use vitrine_qemu::machine::Ports;
use vitrine_qemu::web::Web;

/// The guest's address in the test recipes, IPv4 and IPv6.
pub const GUEST: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 10);
pub const GUEST6: &str = "2001:db8:113::10";
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
    /// Runs a test in a new world. The world ends with it.
    ///
    /// None, with a message, where we may not make one; in CI that is a failure.
    pub fn run<T: Send>(test: impl FnOnce(&Self) -> T + Send) -> Option<T> {
        if !rustix::process::geteuid().is_root() {
            assert!(std::env::var_os("CI").is_none(), "network namespaces need root");
            eprintln!("skipped: network namespaces need root");
            return None;
        }
        let result = std::thread::scope(|scope| scope.spawn(|| test(&Self::create())).join());
        Some(result.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    }

    fn create() -> Self {
        tools::enter_new_namespace();
        tools::ip(SETUP);
        // Pings by the kernel's unprivileged sockets, for everybody in here.
        std::fs::write("/proc/sys/net/ipv4/ping_group_range", "0 2147483647").unwrap();
        let addresses = [WEB, WEB6, OTHER, PRIVATE, PRIVATE6];
        let web = addresses.map(|address| Web::on(SocketAddr::new(address.parse().unwrap(), 80)).unwrap());
        Self { _web: web.into() }
    }

    /// How a guest is plugged into it; `ports` as its configuration has them.
    pub fn plug(&self, mut options: Options, ports: Ports) -> Options {
        options.network = Network::Tap { interface: TAP.into(), guest: GUEST };
        options.guest_ports = ports;
        options
    }
}

/// Frames that came from the guest so far. To be called in the outside.
pub fn frames_from_guest() -> u64 {
    let said = run("ip", &["-json", "-stats", "link", "show", "dev", TAP]).expect_success();
    let links: serde_json::Value = serde_json::from_str(&said).unwrap();
    links[0]["stats64"]["rx"]["packets"].as_u64().unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// Two hosts, each the other's server: namespaces, pumps and tools work, before a guest comes into it.
    #[test]
    fn two_hosts_and_a_tunnel() {
        World::run(|_| {
            let (ada, bob) = (User::number(2), User::number(3));
            let [to_ada, to_bob] = ["192.0.2.2:4001", "192.0.2.3:4002"].map(|text| text.parse::<SocketAddr>().unwrap());
            let here = ada.connect_from(to_ada, bob.public(), to_bob);
            let there = bob.connect_from(to_bob, ada.public(), to_ada);
            here.ping("10.66.0.3").expect_success();
            there.ping("fd66::2").expect_success();
            here.cannot_fetch(WEB);
        });
    }

    /// The world's servers answer those who are in it.
    #[test]
    fn servers_of_the_world() {
        let Some(images) = crate::images::Images::find() else { return };
        World::run(|_| {
            let _names = Names::start(&images.path("names"));
            let stream = Stream::start(WEB);
            let url = stream.url();
            let page =
                std::thread::spawn(move || run("curl", &["--silent", "--max-time", "20", &url]).expect_success());
            std::thread::sleep(Duration::from_secs(1));
            let length = stream.end();
            assert_eq!((page.join().unwrap().len(), length > 0), (length, true));
            let seen = run("curl", &["--silent", &format!("http://[{WEB6}]/")]).expect_success();
            assert!(seen.contains(WEB6), "{seen}");
            let said = run("kdig", &["@198.51.100.3", "+dnssec", "+short", "www.good.vitrine", "A"]).expect_success();
            assert!(said.contains("198.51.100.80") && said.contains("A 13 3 300"), "{said}");
            run("kdig", &["@198.51.100.253", "+timeout=1", "+retry=0", "x.silent.vitrine"]).expect_failure();
        });
    }
}
