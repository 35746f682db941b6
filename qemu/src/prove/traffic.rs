//! What users do, with canaries in everything.

use super::canary::{self, Canary, Kind, Value};
use super::server::Server;
use crate::web::Web;
use crate::world::{Client, User, GUEST, GUEST6, OTHER};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use vitrine_attest::config::Cidr;
use vitrine_attest::digest::{hex, Key32};
use vitrine_attest::{Error, Result};

/// Datagrams sent with the payload.
const DATAGRAMS: usize = 12;
/// For one program on a busy machine, in seconds.
const PATIENCE: &str = "90";

/// A user, and what only they have.
pub struct Person {
    pub user: User,
    port: u16,
    /// Where the server is for them.
    server: SocketAddr,
    pub destination: IpAddr,
    payload: Vec<u8>,
    credential: String,
    names: [String; 2],
    failing: [String; 4],
    web: Web,
    began: u64,
    client: Option<Client>,
}

impl Person {
    /// One who comes by IPv6 and goes to an IPv6 address.
    ///
    /// # Errors
    /// When the world has no place for them.
    pub fn by_ipv6(n: u8) -> Result<Self> {
        let server = GUEST6.parse().map_err(|e| Error::bug(format!("{GUEST6}: {e}")))?;
        let outer = canary::address(canary::ENDPOINTS)?;
        Self::new(n, outer.into(), IpAddr::V6(server), canary::address(canary::DESTINATIONS)?.into())
    }

    /// One who comes by IPv4 and goes to an IPv4 address.
    ///
    /// # Errors
    /// When the world has no place for them.
    pub fn by_ipv4(n: u8) -> Result<Self> {
        Self::new(n, canary::endpoint4()?.into(), GUEST.into(), canary::destination4()?.into())
    }

    fn new(n: u8, outer: IpAddr, server: IpAddr, destination: IpAddr) -> Result<Self> {
        let inner = Cidr { address: canary::address(canary::INNER)?.into(), prefix: 128 };
        let four = Cidr { address: Ipv4Addr::new(10, 66, 0, n).into(), prefix: 32 };
        let mut user = User::of_config(n, Key32(crate::random::bytes()?), vec![four, inner]);
        user.outer = outer;
        let name = |zone: &str| Ok::<_, Error>(format!("{}.{zone}", canary::label()?));
        Ok(Self {
            user,
            port: 40000 + u16::from(n),
            server: (server, 51820).into(),
            destination,
            payload: canary::token()?,
            credential: canary::label()?,
            names: [name("any.good.vitrine")?, name("any.plain.vitrine")?],
            failing: [
                name("good.vitrine")?,
                name("any.bogus.vitrine")?,
                name("silent.vitrine")?,
                name("nowhere.plain.vitrine")?,
            ],
            web: Web::on((destination, 80).into())?,
            began: 0,
            client: None,
        })
    }

    /// All that is looked for because of them. Times are known when they have been online.
    ///
    /// # Errors
    /// Our own bug.
    pub fn canaries(&self) -> Result<Vec<Canary>> {
        let mut all = self.addresses();
        all.push(Canary::new(Kind::Payload, Value::Bytes(self.payload.clone())));
        all.push(Canary::of_hex(Kind::Answer, self.web.token())?);
        all.push(Canary::new(Kind::Credential, Value::Text(self.credential.clone())));
        all.extend(self.names.iter().map(|name| Canary::new(Kind::Name, Value::Name(name.clone()))));
        all.extend(self.failing.iter().map(|name| Canary::new(Kind::FailedName, Value::Name(name.clone()))));
        all.push(Canary::key(self.user.public()));
        Ok(all)
    }

    fn addresses(&self) -> Vec<Canary> {
        let pair = |kind, from, to| Canary::new(kind, Value::Pair(from, to));
        let mut all = Vec::new();
        match (self.user.outer, self.destination) {
            (IpAddr::V4(outer), IpAddr::V4(destination)) => {
                all.push(Canary::address(Kind::Endpoint4, outer));
                all.extend([pair(Kind::Endpoint4, outer, GUEST), pair(Kind::Endpoint4, GUEST, outer)]);
                all.push(Canary::address(Kind::Destination4, destination));
                all.extend([
                    pair(Kind::Destination4, GUEST, destination),
                    pair(Kind::Destination4, destination, GUEST),
                ]);
                for inner in self.user.addresses.iter().map(|cidr| cidr.address) {
                    if let IpAddr::V4(inner) = inner {
                        all.push(pair(Kind::Destination4, inner, destination));
                        all.push(pair(Kind::Destination4, destination, inner));
                    }
                }
            }
            (outer, destination) => {
                all.push(Canary::address(Kind::Endpoint, outer));
                all.push(Canary::address(Kind::Destination, destination));
            }
        }
        let inner = self.user.addresses.iter().map(|cidr| cidr.address).filter(IpAddr::is_ipv6);
        all.extend(inner.map(|inner| Canary::address(Kind::UserAddress, inner)));
        all
    }

    /// The seconds in which they can have shaken hands: from their coming to now.
    pub fn times(&self) -> Vec<Canary> {
        let seconds = self.began..=now();
        seconds.map(|second| Canary::new(Kind::HandshakeTime, Value::Time(second))).collect()
    }

    /// Their owner adds them, and they shake hands.
    ///
    /// # Errors
    /// When the tunnel does not work.
    pub fn come(&mut self, server: &Server<'_>) -> Result<()> {
        server.add(self.user.public(), &self.user.addresses)?;
        self.connect(server.keys.wireguard)
    }

    /// They shake hands.
    ///
    /// # Errors
    /// When the tunnel does not work.
    pub fn connect(&mut self, key: Key32) -> Result<()> {
        self.began = now();
        let client = self.user.connect_from((self.user.outer, self.port).into(), key, self.server)?;
        client.run("ping", &["-n", "-c", "1", "-w", PATIENCE, "10.66.0.1"]).succeeded("a ping to the server")?;
        self.client = Some(client);
        Ok(())
    }

    /// Who is online.
    ///
    /// # Errors
    /// Our own bug: nobody is.
    pub fn client(&self) -> Result<&Client> {
        self.client.as_ref().ok_or_else(|| Error::bug("a client that never connected"))
    }

    /// All that a user does who is satisfied; `resolves`: names do, otherwise they are asked all the same.
    ///
    /// # Errors
    /// When something of it does not work: then nothing is proven.
    pub fn act(&self, resolves: bool) -> Result<()> {
        self.act_with([&["+notcp", "+tls", "+https"][..], &["+tcp"]], resolves)
    }

    /// All that a user of a gateway does in the tunnel: requests to it.
    ///
    /// # Errors
    /// When one is not answered as it should be.
    pub fn call(&self, port: u16) -> Result<()> {
        let client = self.client()?;
        let header = format!("Authorization: Bearer {}", self.credential);
        let url = format!("https://10.66.0.1:{port}/v1/echo/{}", hex(&self.payload));
        let words =
            ["--silent", "--show-error", "--insecure", "--fail", "--max-time", PATIENCE, "--header", &header, &url];
        client.run("curl", &words).succeeded("a request through the tunnel").map(drop)
    }

    /// The same with a server that has no encrypted transports for names.
    ///
    /// # Errors
    /// When something of it does not work.
    pub fn act_plainly(&self) -> Result<()> {
        self.act_with([&["+notcp"], &["+tcp"]], true)
    }

    fn act_with(&self, transports: [&[&str]; 2], resolves: bool) -> Result<()> {
        let client = self.client()?;
        self.fetch(client)?;
        self.send(client)?;
        let pattern = hex(&self.payload[..16]);
        let target = self.destination.to_string();
        client.run("ping", &["-n", "-c", "3", "-w", PATIENCE, "-p", &pattern, &target]).succeeded("pings")?;
        for (name, transports) in self.names.iter().zip(transports) {
            for transport in transports {
                let said = self.ask(client, name, &[transport])?;
                let good = if resolves { ["NOERROR", "198.51.100.80"] } else { ["SERVFAIL"; 2] };
                if !good.iter().all(|word| said.contains(word)) {
                    return Err(Error::host(
                        format!("not {} for a name that exists: {said}", good[0]),
                        "make the zones anew: tools/test-zones.sh DIR",
                    ));
                }
            }
        }
        Ok(())
    }

    fn fetch(&self, client: &Client) -> Result<()> {
        let host = match self.destination {
            IpAddr::V4(v4) => v4.to_string(),
            IpAddr::V6(v6) => format!("[{v6}]"),
        };
        let url = format!("http://{host}/{}", hex(&self.payload));
        let agent = format!("Authorization: Bearer {}", self.credential);
        let page = client.run("curl", &["--silent", "--show-error", "--max-time", PATIENCE, "--header", &agent, &url]);
        let page = page.succeeded("a page")?;
        if !page.starts_with(self.web.token()) {
            return Err(Error::bug(format!("another page: {page}")));
        }
        Ok(())
    }

    /// Datagrams there and back.
    fn send(&self, client: &Client) -> Result<()> {
        let failed = |e: std::io::Error| Error::host(format!("datagrams through the tunnel: {e}"), "");
        let there = UdpSocket::bind((self.destination, 4000)).map_err(failed)?;
        there.set_read_timeout(Some(Duration::from_secs(5))).map_err(failed)?;
        let any: IpAddr = if self.destination.is_ipv4() {
            Ipv4Addr::UNSPECIFIED.into()
        } else {
            std::net::Ipv6Addr::UNSPECIFIED.into()
        };
        let here = client.within(|| UdpSocket::bind((any, 0)))?.map_err(failed)?;
        here.set_read_timeout(Some(Duration::from_secs(5))).map_err(failed)?;
        let (mut datagram, mut came) = ([0; 512], 0);
        for _ in 0..DATAGRAMS {
            here.send_to(&self.payload, (self.destination, 4000)).map_err(failed)?;
            // A lost one is no failure
            let Ok((length, from)) = there.recv_from(&mut datagram) else { continue };
            there.send_to(&datagram[..length], from).map_err(failed)?;
            came += usize::from(here.recv_from(&mut datagram).is_ok());
        }
        if came == 0 {
            return Err(Error::host("no datagram came back through the tunnel", ""));
        }
        Ok(())
    }

    fn ask(&self, client: &Client, name: &str, more: &[&str]) -> Result<String> {
        let words = [&["@10.66.0.1", "+timeout=40", "+retry=2"], more, &[name, "A"]].concat();
        client.run("kdig", &words).succeeded("a question to the resolver")
    }

    /// What goes wrong for users: names that do not exist, fail, have a wrong signature, have no server; ports and hosts
    /// that do not answer; packets too large for one frame; and addresses that are not theirs.
    ///
    /// # Errors
    /// When a wrong name is answered as if it were right.
    pub fn err(&self, resolves: bool) -> Result<()> {
        let client = self.client()?;
        let codes = if resolves { ["NXDOMAIN", "SERVFAIL", "SERVFAIL", "NXDOMAIN"] } else { ["SERVFAIL"; 4] };
        for (name, expected) in self.failing.iter().zip(codes) {
            let said = self.ask(client, name, &["+dnssec"])?;
            if !said.contains(expected) {
                return Err(Error::host(format!("{name}: not {expected}: {said}"), ""));
            }
        }
        // The failures of these are the point of them
        let target = self.destination.to_string();
        let host = if self.destination.is_ipv6() { format!("[{target}]") } else { target.clone() };
        let path = hex(&self.payload);
        client.run("curl", &["--silent", "--max-time", "5", &format!("http://{host}:81/{path}")]);
        client.run("curl", &["--silent", "--max-time", "5", &format!("http://10.99.0.1/{path}")]);
        client.run("ping", &["-n", "-c", "2", "-w", "10", "-s", "4000", "-p", &path[..32], &target]);
        client.run("ping", &["-n", "-c", "1", "-w", "4", "-t", "1", "-p", &path[..32], OTHER]);
        let here = client.within(|| UdpSocket::bind("0.0.0.0:0"))?;
        if let Ok(socket) = here {
            let _ = socket.send_to(&self.payload, (self.destination_or_other(), 9));
        }
        Ok(())
    }

    fn destination_or_other(&self) -> IpAddr {
        match self.destination {
            IpAddr::V4(v4) => v4.into(),
            IpAddr::V6(_) => Ipv4Addr::new(198, 51, 100, 90).into(),
        }
    }

    /// They are gone: no packet, no goodbye.
    ///
    /// # Errors
    /// Our own bug.
    pub fn vanish(&self) -> Result<()> {
        self.client()?.rest();
        Ok(())
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
