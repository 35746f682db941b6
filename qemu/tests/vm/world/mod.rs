//! The library's small Internet ([`vitrine_qemu::world`]) as tests want it: what goes wrong is a panic.

mod stream;

pub use stream::Stream;
pub use vitrine_qemu::world::{run, Leases, Manner, GUEST, GUEST6, OTHER, PRIVATE, PRIVATE6, WEB, WEB6};

use std::net::SocketAddr;
use std::ops::{Deref, DerefMut};
use std::path::Path;
use vitrine_attest::config::Cidr;
use vitrine_attest::digest::Key32;
use vitrine_qemu::boot::Options;
use vitrine_qemu::machine::Ports;
use vitrine_qemu::world as library;

/// The outside, on a thread of its own.
pub struct World<'w>(&'w library::World);

impl World<'_> {
    /// Runs a test in a new world. The world ends with it.
    ///
    /// None, with a message, where we may not make one; in CI that is a failure.
    pub fn run<T: Send>(test: impl FnOnce(&World<'_>) -> T + Send) -> Option<T> {
        if !library::World::is_possible() {
            assert!(std::env::var_os("CI").is_none(), "network namespaces need root");
            eprintln!("skipped: network namespaces need root");
            return None;
        }
        std::env::set_var(library::TALK, "1");
        Some(library::World::with(|world| Ok(test(&World(world)))).unwrap())
    }

    pub fn plug(&self, options: Options, ports: Ports) -> Options {
        self.0.plug(options, ports)
    }
}

/// The world's name servers. Stops when dropped.
pub struct Names(#[allow(dead_code, reason = "held until it is dropped")] library::Names);

impl Names {
    pub fn start(folder: &Path) -> Self {
        Self(library::Names::start(folder).unwrap())
    }
}

/// Frames that came from the guest so far. To be called in the outside.
pub fn frames_from_guest() -> u64 {
    library::frames_from_guest().unwrap()
}

/// A user's key, addresses inside the tunnel, and address outside of it.
#[derive(Debug, Clone)]
pub struct User(library::User);

impl User {
    /// User number n has 10.66.0.n and fd66::n in the tunnel, and 192.0.2.n outside.
    pub fn number(n: u8) -> Self {
        Self(library::User::number(n).unwrap())
    }

    /// Out of what `wg-config` printed.
    pub fn of_config(n: u8, private_key: Key32, addresses: Vec<Cidr>) -> Self {
        Self(library::User::of_config(n, private_key, addresses))
    }

    /// Goes online. To be called in the outside.
    pub fn connect(&self, key: Key32, endpoint: SocketAddr) -> Client {
        Client(self.0.connect(key, endpoint).unwrap())
    }

    /// The same, from a port that the other side has to know.
    pub fn connect_from(&self, outer: SocketAddr, key: Key32, endpoint: SocketAddr) -> Client {
        Client(self.0.connect_from(outer, key, endpoint).unwrap())
    }
}

impl Deref for User {
    type Target = library::User;
    fn deref(&self) -> &library::User {
        &self.0
    }
}

impl DerefMut for User {
    fn deref_mut(&mut self) -> &mut library::User {
        &mut self.0
    }
}

/// A user who is online.
pub struct Client(library::Client);

impl Deref for Client {
    type Target = library::Client;
    fn deref(&self) -> &library::Client {
        &self.0
    }
}

impl Client {
    /// Does something on the user's host.
    pub fn within<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        self.0.within(act).unwrap()
    }

    /// Two pings only, and a short wait: for what must not answer.
    pub fn cannot_ping(&self, target: &str) {
        self.run("ping", &["-n", "-c", "2", "-W", "2", target]).expect_failure();
    }

    /// A page of the world's web servers: what they saw as the client's address.
    pub fn seen_as(&self, web: &str) -> String {
        let page = self.curl(&[&url(web)]).expect_success();
        let seen: SocketAddr = page.lines().nth(1).expect("the page's second line").parse().unwrap();
        seen.ip().to_string()
    }

    /// What must not be reached.
    pub fn cannot_fetch(&self, web: &str) {
        self.run("curl", &["--silent", "--max-time", "4", &url(web)]).expect_failure();
    }
}

fn url(web: &str) -> String {
    if web.contains(':') {
        format!("http://[{web}]/")
    } else {
        format!("http://{web}/")
    }
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
