//! A user: a host of their own, whose only way out is their tunnel.

use super::pump::{Pump, Server};
use super::tools::{self, Said};
use super::tun::Tun;
use std::fs::File;
use std::io::Write as _;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use tempfile::NamedTempFile;
use vitrine_attest::config::Cidr;
use vitrine_attest::digest::Key32;

/// WireGuard's usual inner MTU, see `config::WireGuard::mtu`.
const MTU: u16 = 1420;

/// A user's key, addresses inside the tunnel, and address outside of it.
#[derive(Debug, Clone)]
pub struct User {
    secret: [u8; 32],
    pub addresses: Vec<Cidr>,
    outer: IpAddr,
}

impl User {
    /// User number n has 10.66.0.n and fd66::n in the tunnel, and 192.0.2.n outside.
    pub fn number(n: u8) -> Self {
        let addresses = [format!("10.66.0.{n}/32"), format!("fd66::{n:x}/128")];
        Self {
            secret: vitrine_qemu::random::bytes().unwrap(),
            addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(),
            outer: IpAddr::from([192, 0, 2, n]),
        }
    }

    /// Out of what `wg-config` printed.
    pub fn of_config(n: u8, private_key: Key32, addresses: Vec<Cidr>) -> Self {
        Self { secret: private_key.0, addresses, ..Self::number(n) }
    }

    pub fn public(&self) -> Key32 {
        Key32(x25519_dalek::PublicKey::from(&x25519_dalek::StaticSecret::from(self.secret)).to_bytes())
    }

    /// For `--allowed-ips`.
    pub fn networks(&self) -> String {
        self.addresses.iter().map(Cidr::to_string).collect::<Vec<_>>().join(",")
    }

    /// Goes online. To be called in the outside.
    pub fn connect(&self, key: Key32, endpoint: SocketAddr) -> Client {
        let outer = if endpoint.is_ipv4() { self.outer } else { "2001:db8:52::2".parse().unwrap() };
        self.connect_from((outer, 0).into(), key, endpoint)
    }

    /// The same, from a port that the other side has to know.
    pub fn connect_from(&self, outer: SocketAddr, key: Key32, endpoint: SocketAddr) -> Client {
        let socket = UdpSocket::bind(outer).unwrap();
        let tun = Tun::create(&self.addresses, MTU);
        let pump = Pump::start(self.secret, Server { key, endpoint }, tun.packets, socket);
        let mut names = NamedTempFile::new().unwrap();
        writeln!(names, "nameserver 10.66.0.1").unwrap();
        Client { pump, namespace: tun.namespace, names }
    }
}

/// A user who is online.
pub struct Client {
    pump: Pump,
    namespace: File,
    /// Its `/etc/resolv.conf`.
    names: NamedTempFile,
}

impl Client {
    /// Runs a program on the user's host.
    pub fn run(&self, program: &str, words: &[&str]) -> Said {
        let names = self.names.path().display().to_string();
        let mut command = tools::tool("unshare");
        command.args(["--mount", "sh", "-c", "mount --bind \"$0\" /etc/resolv.conf && exec \"$@\"", &names, program]);
        tools::run_in(&self.namespace, command.args(words))
    }

    /// Does something on the user's host.
    pub fn within<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        tools::within(&self.namespace, act)
    }

    /// Until the first answer: a network may lose a packet.
    pub fn ping(&self, target: &str) -> Said {
        self.run("ping", &["-n", "-c", "1", "-w", "20", target])
    }

    /// Two pings only, and a short wait: for what must not answer.
    pub fn cannot_ping(&self, target: &str) {
        self.run("ping", &["-n", "-c", "2", "-W", "2", target]).expect_failure();
    }

    pub fn curl(&self, words: &[&str]) -> Said {
        self.run("curl", &[&["--silent", "--show-error", "--max-time", "60"], words].concat())
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

    pub fn dig(&self, words: &[&str]) -> Said {
        self.run("kdig", &[&["@10.66.0.1", "+timeout=20", "+retry=2"], words].concat())
    }

    /// The user's machine is suspended.
    pub fn rest(&self) {
        self.pump.rest();
    }

    pub fn wake(&self) {
        self.pump.wake();
    }

    /// Takes the server's new key.
    pub fn switch(&self, key: Key32, endpoint: SocketAddr) {
        self.pump.switch(Server { key, endpoint });
    }
}

fn url(web: &str) -> String {
    if web.contains(':') {
        format!("http://[{web}]/")
    } else {
        format!("http://{web}/")
    }
}
