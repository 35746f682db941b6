//! A user: a host of their own, whose only way out is their tunnel.

use super::pump::{Pump, Server};
use super::tools::{self, Said};
use super::tun::Tun;
use std::fs::File;
use std::io::Write as _;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, UdpSocket};
use tempfile::NamedTempFile;
use vitrine_attest::config::Cidr;
use vitrine_attest::digest::Key32;
use vitrine_attest::{Error, Result};

/// WireGuard's usual inner MTU, see `config::WireGuard::mtu`.
const MTU: u16 = 1420;
/// Where users with an IPv4 address are when the server is reached by IPv6.
const OUTER6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x52, 0, 0, 0, 0, 2);

/// A user's key, addresses inside the tunnel, and address outside of it.
#[derive(Debug, Clone)]
pub struct User {
    secret: [u8; 32],
    pub addresses: Vec<Cidr>,
    /// Where they are on the Internet.
    pub outer: IpAddr,
}

impl User {
    /// User number n has 10.66.0.n and fd66::n in the tunnel, and 192.0.2.n outside.
    ///
    /// # Errors
    /// When the kernel has no random bytes.
    pub fn number(n: u8) -> Result<Self> {
        let networks = [format!("10.66.0.{n}/32"), format!("fd66::{n:x}/128")];
        let addresses = networks.iter().map(|text| text.parse()).collect::<std::result::Result<_, _>>();
        let addresses = addresses.map_err(|e| Error::bug(format!("{networks:?}: {e}")))?;
        Ok(Self::of_config(n, Key32(crate::random::bytes()?), addresses))
    }

    /// Out of what `wg-config` printed.
    pub fn of_config(n: u8, private_key: Key32, addresses: Vec<Cidr>) -> Self {
        Self { secret: private_key.0, addresses, outer: IpAddr::from([192, 0, 2, n]) }
    }

    pub fn public(&self) -> Key32 {
        Key32(x25519_dalek::PublicKey::from(&x25519_dalek::StaticSecret::from(self.secret)).to_bytes())
    }

    /// For `--allowed-ips`.
    pub fn networks(&self) -> String {
        self.addresses.iter().map(Cidr::to_string).collect::<Vec<_>>().join(",")
    }

    /// Goes online. To be called in the outside.
    ///
    /// # Errors
    /// When a socket or an interface cannot be made.
    pub fn connect(&self, key: Key32, endpoint: SocketAddr) -> Result<Client> {
        let outer = if endpoint.is_ipv4() == self.outer.is_ipv4() { self.outer } else { OUTER6.into() };
        self.connect_from((outer, 0).into(), key, endpoint)
    }

    /// The same, from a port that the other side has to know.
    ///
    /// # Errors
    /// As [`Self::connect`].
    pub fn connect_from(&self, outer: SocketAddr, key: Key32, endpoint: SocketAddr) -> Result<Client> {
        let failed = |e: std::io::Error| Error::host(format!("a client at {outer}: {e}"), "");
        let socket = UdpSocket::bind(outer).map_err(failed)?;
        let tun = Tun::create(&self.addresses, MTU)?;
        let pump = Pump::start(self.secret, Server { key, endpoint }, tun.packets, socket)?;
        let mut names = NamedTempFile::new().map_err(failed)?;
        writeln!(names, "nameserver 10.66.0.1").map_err(failed)?;
        Ok(Client { pump, namespace: tun.namespace, names })
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
    ///
    /// # Errors
    /// When its namespace cannot be entered.
    pub fn within<T: Send>(&self, act: impl FnOnce() -> T + Send) -> Result<T> {
        tools::within(&self.namespace, act)
    }

    /// Until the first answer: a network may lose a packet.
    pub fn ping(&self, target: &str) -> Said {
        self.run("ping", &["-n", "-c", "1", "-w", "20", target])
    }

    pub fn curl(&self, words: &[&str]) -> Said {
        self.run("curl", &[&["--silent", "--show-error", "--max-time", "60"], words].concat())
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
