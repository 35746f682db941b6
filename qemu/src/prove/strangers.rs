//! People the server does not know, and what comes to any open port: keys of nobody, cut and altered messages, requests
//! that are none.

use super::canary::{self, Canary, Kind, Value};
use super::interfaces::Interfaces;
use crate::world::{self, User, GUEST6};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, UdpSocket};
use vitrine_attest::config::Cidr;
use vitrine_attest::digest::{hex, Key32};
use vitrine_attest::{Error, Result};

/// Message types of WireGuard, of which only the first four are (§5.4).
const TYPES: [u8; 6] = [1, 2, 3, 4, 5, 255];
/// Lengths around those of its messages: 148, 92, 64, 32.
const LENGTHS: [usize; 7] = [31, 32, 64, 92, 148, 149, 1400];

/// How often each request is made. The agent has 32 threads that live as long as the machine, and what a connection leaves on the
/// stack of its own, it leaves now and then.
const ROUNDS: usize = 16;

/// Somebody without a key that the server knows.
pub struct Stranger {
    user: User,
    outer: Ipv6Addr,
    token: Vec<u8>,
}

impl Stranger {
    /// # Errors
    /// When the kernel has no random bytes.
    pub fn new() -> Result<Self> {
        let outer = canary::address(canary::ENDPOINTS)?;
        let inner = Cidr { address: canary::address(canary::INNER)?.into(), prefix: 128 };
        let mut user = User::of_config(9, Key32(crate::random::bytes()?), vec![inner]);
        user.outer = outer.into();
        Ok(Self { user, outer, token: canary::token()? })
    }

    pub fn canaries(&self) -> Vec<Canary> {
        vec![
            Canary::address(Kind::Endpoint, self.outer),
            Canary::new(Kind::Payload, Value::Bytes(self.token.clone())),
            Canary::key(self.user.public()),
        ]
    }

    /// All of it. Nothing of it may be answered as if it were right.
    ///
    /// # Errors
    /// When a stranger gets a tunnel.
    pub fn act(&self, key: Key32, agent_port: u16, interfaces: &mut Interfaces) -> Result<()> {
        let guest: Ipv6Addr = GUEST6.parse().map_err(|e| Error::bug(format!("{GUEST6}: {e}")))?;
        self.rubbish((guest, 51820).into())?;
        self.handshake((IpAddr::from(guest), 51820).into(), key)?;
        let [from, path] = [self.outer.to_string(), hex(&self.token)];
        let base = format!("http://[{guest}]:{agent_port}");
        let requests: [&[&str]; 4] = [
            &[&format!("{base}/{path}")],
            &["--data-binary", &path, &format!("{base}/v1/evidence")],
            &["--request", "DELETE", "--header", &format!("X-Forwarded-For: {path}"), &format!("{base}/v1/order")],
            &["--header", &format!("Content-Length: {path}"), "--data-binary", &path, &format!("{base}/v1/order")],
        ];
        for words in requests.iter().cycle().take(ROUNDS * requests.len()) {
            let said = world::run(
                "curl",
                &[&["--silent", "--include", "--max-time", "20", "--interface", &from][..], words].concat(),
            );
            interfaces.keep("a request that is none", said.out);
        }
        Ok(())
    }

    /// Datagrams that are no WireGuard messages, though some begin like one.
    fn rubbish(&self, to: SocketAddr) -> Result<()> {
        let failed = |e: std::io::Error| Error::host(format!("a stranger's socket: {e}"), "");
        let socket = UdpSocket::bind((self.outer, 0)).map_err(failed)?;
        for kind in TYPES {
            for length in LENGTHS {
                let mut message = vec![kind, 0, 0, 0];
                message.extend(self.token.iter().cycle().take(length - 4));
                socket.send_to(&message, to).map_err(failed)?;
            }
        }
        Ok(())
    }

    /// A handshake that is right in everything but whose key it is.
    fn handshake(&self, to: SocketAddr, key: Key32) -> Result<()> {
        let client = self.user.connect_from((self.outer, 0).into(), key, to)?;
        let said = client.run("ping", &["-n", "-c", "2", "-W", "2", "fd66::1"]);
        if said.code == Some(0) {
            return Err(Error::artefact("the server answered somebody whom it does not know", ""));
        }
        Ok(())
    }
}
