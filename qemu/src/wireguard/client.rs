//! A host inside the tunnel: addresses, ping, and a page over TCP.

use super::{ClientKey, Tunnel};
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{ChecksumCapabilities, Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::socket::{icmp, tcp};
use smoltcp::time::Instant as StackTime;
use smoltcp::wire::{HardwareAddress, Icmpv4Packet, Icmpv4Repr, Icmpv6Packet, Icmpv6Repr, IpAddress, IpCidr};
use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};
use vitrine_attest::config::Cidr;
use vitrine_attest::digest::Key32;
use vitrine_attest::{Error, Result};

/// WireGuard's usual inner MTU: 1500 − 40 − 8 − 32.
const MTU: usize = 1420;
/// Longest answer of a web server we read.
const PAGE_LIMIT: usize = 256 << 10;
/// Longest sleep between two looks at the stack.
const STEP: Duration = Duration::from_millis(100);
/// A ping is sent again after this long.
const PING_AGAIN: Duration = Duration::from_secs(1);
const PING_IDENT: u16 = 0x7669;

/// A page that came through the tunnel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    pub status: u16,
    pub body: Vec<u8>,
    pub time: Duration,
}

/// The client: a tunnel and a network stack on top of it.
pub struct Client {
    tunnel: Tunnel,
    queues: Queues,
    interface: Interface,
    sockets: SocketSet<'static>,
    addresses: Vec<Cidr>,
    started: Instant,
    next_port: u16,
}

impl Client {
    /// `addresses` are the client's own ones inside the tunnel; everything is sent to the server.
    ///
    /// # Errors
    /// When no UDP socket can be opened, or there are more addresses than the stack holds (two).
    pub fn new(key: &ClientKey, server: Key32, endpoint: SocketAddr, addresses: &[Cidr]) -> Result<Self> {
        let tunnel = Tunnel::new(key, server, endpoint)?;
        let mut queues = Queues::default();
        let mut config = Config::new(HardwareAddress::Ip);
        config.random_seed = u64::from_le_bytes(crate::random::bytes()?);
        let mut interface = Interface::new(config, &mut queues, StackTime::from_millis(0));
        let mut all_taken = true;
        interface.update_ip_addrs(|list| {
            for cidr in addresses {
                all_taken &= list.push(IpCidr::new(cidr.address.into(), cidr.prefix)).is_ok();
            }
        });
        // On a link without hardware addresses the gateway's address is never used.
        all_taken &= interface.routes_mut().add_default_ipv4_route(Ipv4Addr::new(192, 0, 0, 8)).is_ok();
        all_taken &= interface.routes_mut().add_default_ipv6_route(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1)).is_ok();
        if !all_taken {
            return Err(Error::input(
                format!("{} addresses are too many for a client", addresses.len()),
                "give one or two",
            ));
        }
        let port = 49152 + u16::from_le_bytes(crate::random::bytes()?) % 16000;
        Ok(Self {
            tunnel,
            queues,
            interface,
            sockets: SocketSet::new(Vec::new()),
            addresses: addresses.to_vec(),
            started: Instant::now(),
            next_port: port,
        })
    }

    /// See [`Tunnel::handshake`].
    ///
    /// # Errors
    /// When the server does not answer in time.
    pub fn handshake(&mut self, patience: Duration) -> Result<Duration> {
        self.tunnel.handshake(patience)
    }

    /// ICMP echo (RFC 792, RFC 4443 §4); gives the round trip of the answered one.
    ///
    /// # Errors
    /// When no answer comes in time.
    pub fn ping(&mut self, target: IpAddr, patience: Duration) -> Result<Duration> {
        let mut socket = icmp::Socket::new(packets(), packets());
        socket.bind(icmp::Endpoint::Ident(PING_IDENT)).map_err(|e| Error::bug(format!("ICMP socket: {e}")))?;
        let handle = self.sockets.add(socket);
        let result = self.ping_with(handle, target, patience);
        self.sockets.remove(handle);
        result
    }

    fn ping_with(&mut self, handle: SocketHandle, target: IpAddr, patience: Duration) -> Result<Duration> {
        let deadline = Instant::now() + patience;
        let mut sent = Instant::now();
        let mut sequence = 0u16;
        while Instant::now() < deadline {
            if sequence == 0 || sent.elapsed() >= PING_AGAIN {
                sequence += 1;
                sent = Instant::now();
                let packet = self.echo_request(target, sequence)?;
                let socket = self.sockets.get_mut::<icmp::Socket>(handle);
                socket.send_slice(&packet, target.into()).map_err(|e| Error::bug(format!("ping: {e}")))?;
            }
            self.step()?;
            let socket = self.sockets.get_mut::<icmp::Socket>(handle);
            while let Ok((answer, from)) = socket.recv() {
                if from == IpAddress::from(target) && echo_sequence(answer, target.is_ipv4()) == Some(sequence) {
                    return Ok(sent.elapsed());
                }
            }
        }
        Err(no_answer(&format!("{target} did not answer {sequence} pings")))
    }

    fn echo_request(&self, target: IpAddr, seq_no: u16) -> Result<Vec<u8>> {
        let data: &[u8] = b"vitrine";
        let sums = ChecksumCapabilities::default();
        match target {
            IpAddr::V4(_) => {
                let repr = Icmpv4Repr::EchoRequest { ident: PING_IDENT, seq_no, data };
                let mut bytes = vec![0; repr.buffer_len()];
                repr.emit(&mut Icmpv4Packet::new_unchecked(&mut bytes), &sums);
                Ok(bytes)
            }
            IpAddr::V6(target) => {
                let ours = self.addresses.iter().find_map(|cidr| match cidr.address {
                    IpAddr::V6(address) => Some(address),
                    IpAddr::V4(_) => None,
                });
                let ours = ours.ok_or_else(|| Error::input("the client has no IPv6 address", "give it one"))?;
                let repr = Icmpv6Repr::EchoRequest { ident: PING_IDENT, seq_no, data };
                let mut bytes = vec![0; repr.buffer_len()];
                repr.emit(&ours, &target, &mut Icmpv6Packet::new_unchecked(&mut bytes), &sums);
                Ok(bytes)
            }
        }
    }

    /// Fetches `http://<target><path>` through the tunnel.
    ///
    /// # Errors
    /// When the connection fails or the answer does not come in time, is malformed, or exceeds 256 KiB.
    pub fn get(&mut self, target: SocketAddr, path: &str, patience: Duration) -> Result<Page> {
        let start = Instant::now();
        let socket = tcp::Socket::new(tcp::SocketBuffer::new(vec![0; 64 << 10]), tcp::SocketBuffer::new(vec![0; 4096]));
        let handle = self.sockets.add(socket);
        let answer = self.exchange(handle, target, &crate::http::request(&target.to_string(), path), start + patience);
        self.sockets.remove(handle);
        let answer = answer.map_err(|e| e.within(format!("http://{target}{path} through the tunnel")))?;
        let (status, body) =
            crate::http::parse(&answer).map_err(|why| no_answer(&format!("http://{target}{path}: {why}")))?;
        Ok(Page { status, body: body.to_vec(), time: start.elapsed() })
    }

    /// Connects, sends `request`, reads until the other side closes.
    fn exchange(&mut self, handle: SocketHandle, to: SocketAddr, request: &[u8], until: Instant) -> Result<Vec<u8>> {
        self.next_port = self.next_port.checked_add(1).unwrap_or(49152);
        let socket = self.sockets.get_mut::<tcp::Socket>(handle);
        socket
            .connect(self.interface.context(), to, self.next_port)
            .map_err(|e| Error::bug(format!("TCP socket: {e}")))?;
        let mut answer = Vec::new();
        let mut left = request;
        while Instant::now() < until {
            self.step()?;
            let socket = self.sockets.get_mut::<tcp::Socket>(handle);
            if !left.is_empty() && socket.can_send() {
                let count = socket.send_slice(left).map_err(|e| no_answer(&e.to_string()))?;
                left = &left[count..];
            }
            while socket.can_recv() {
                let read = socket.recv(|bytes| {
                    answer.extend_from_slice(bytes);
                    (bytes.len(), ())
                });
                read.map_err(|e| no_answer(&e.to_string()))?;
                if answer.len() > PAGE_LIMIT {
                    return Err(no_answer("the page has more than 256 KiB"));
                }
            }
            if !socket.may_recv() && left.is_empty() && !answer.is_empty() {
                return Ok(answer);
            }
            if !socket.is_open() {
                return Err(no_answer("the connection was refused or broken"));
            }
        }
        Err(no_answer("no complete answer in time"))
    }

    /// One round: the stack works, what it wrote goes into the tunnel, what comes out of the tunnel goes to it,
    /// and it works again, so that the caller sees what came at once.
    fn step(&mut self) -> Result<()> {
        crate::interrupt::check()?;
        let now = self.now();
        self.interface.poll(now, &mut self.queues, &mut self.sockets);
        while let Some(packet) = self.queues.outgoing.pop_front() {
            self.tunnel.send(&packet)?;
        }
        let delay =
            self.interface.poll_delay(now, &self.sockets).map_or(STEP, |d| Duration::from_micros(d.total_micros()));
        self.tunnel.receive(delay.min(STEP))?;
        while let Some(packet) = self.tunnel.take() {
            self.queues.incoming.push_back(packet);
        }
        let now = self.now();
        self.interface.poll(now, &mut self.queues, &mut self.sockets);
        Ok(())
    }

    fn now(&self) -> StackTime {
        StackTime::from_micros(i64::try_from(self.started.elapsed().as_micros()).unwrap_or(i64::MAX))
    }
}

fn packets() -> icmp::PacketBuffer<'static> {
    icmp::PacketBuffer::new(vec![icmp::PacketMetadata::EMPTY; 8], vec![0; 4096])
}

/// Sequence number of an echo reply: type 0 or 129, code, checksum, identifier, sequence.
fn echo_sequence(packet: &[u8], v4: bool) -> Option<u16> {
    let reply = if v4 { 0 } else { 129 };
    let fields: &[u8; 8] = packet.first_chunk()?;
    (fields[0] == reply).then(|| u16::from_be_bytes([fields[6], fields[7]]))
}

fn no_answer(what: &str) -> Error {
    Error::host(what, "the tunnel is up, so look at the server's forwarding and at the peer's allowed addresses")
}

/// The stack's network card: two queues of IP packets.
#[derive(Default)]
struct Queues {
    incoming: VecDeque<Vec<u8>>,
    outgoing: VecDeque<Vec<u8>>,
}

struct Incoming(Vec<u8>);
struct Outgoing<'a>(&'a mut VecDeque<Vec<u8>>);

impl RxToken for Incoming {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

impl TxToken for Outgoing<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, f: F) -> R {
        let mut packet = vec![0; length];
        let result = f(&mut packet);
        self.0.push_back(packet);
        result
    }
}

impl Device for Queues {
    type RxToken<'a> = Incoming;
    type TxToken<'a> = Outgoing<'a>;

    fn receive(&mut self, _: StackTime) -> Option<(Incoming, Outgoing<'_>)> {
        let packet = self.incoming.pop_front()?;
        Some((Incoming(packet), Outgoing(&mut self.outgoing)))
    }

    fn transmit(&mut self, _: StackTime) -> Option<Outgoing<'_>> {
        Some(Outgoing(&mut self.outgoing))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = MTU;
        capabilities
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use boringtun::noise::{Tunn, TunnResult};
    use std::net::UdpSocket;

    /// A WireGuard server that knows one peer, answers pings itself (smoltcp does), and serves one page.
    struct Server {
        noise: Tunn,
        socket: UdpSocket,
        peer: Option<SocketAddr>,
        queues: Queues,
        interface: Interface,
    }

    impl Server {
        fn new(key: &ClientKey, peer: Key32, socket: UdpSocket) -> Self {
            let mut queues = Queues::default();
            let mut interface =
                Interface::new(Config::new(HardwareAddress::Ip), &mut queues, StackTime::from_millis(0));
            interface.update_ip_addrs(|list| {
                list.push(IpCidr::new(IpAddress::v4(10, 66, 0, 1), 24)).unwrap();
                list.push(IpCidr::new(IpAddress::v6(0xfd66, 0, 0, 0, 0, 0, 0, 1), 64)).unwrap();
            });
            let noise = Tunn::new(key.0.clone(), peer.0.into(), None, None, 7, None);
            Self { noise, socket, peer: None, queues, interface }
        }

        fn run(mut self, until: Instant) {
            let mut sockets = SocketSet::new(Vec::new());
            let buffer = || tcp::SocketBuffer::new(vec![0; 4096]);
            let mut listener = tcp::Socket::new(buffer(), buffer());
            listener.listen(80).unwrap();
            let handle = sockets.add(listener);
            self.socket.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
            let start = Instant::now();
            while Instant::now() < until {
                self.receive();
                let now = StackTime::from_millis(i64::try_from(start.elapsed().as_millis()).unwrap());
                self.interface.poll(now, &mut self.queues, &mut sockets);
                let web = sockets.get_mut::<tcp::Socket>(handle);
                let asked = web.can_recv() && web.recv(|b| (b.len(), b.ends_with(b"\r\n\r\n"))).unwrap();
                if asked {
                    web.send_slice(b"HTTP/1.1 200 OK\r\n\r\nhello").unwrap();
                    web.close();
                }
                self.interface.poll(now, &mut self.queues, &mut sockets);
                self.send();
            }
        }

        fn receive(&mut self) {
            let (mut datagram, mut out) = ([0; 4096], [0; 4096]);
            let Ok((length, from)) = self.socket.recv_from(&mut datagram) else { return };
            self.peer = Some(from);
            let mut input = &datagram[..length];
            loop {
                match self.noise.decapsulate(None, input, &mut out) {
                    TunnResult::WriteToNetwork(bytes) => self.socket.send_to(bytes, from).unwrap(),
                    TunnResult::WriteToTunnelV4(packet, _) | TunnResult::WriteToTunnelV6(packet, _) => {
                        return self.queues.incoming.push_back(packet.to_vec());
                    }
                    TunnResult::Done | TunnResult::Err(_) => return,
                };
                input = &[];
            }
        }

        fn send(&mut self) {
            let mut out = [0; 4096];
            while let Some(packet) = self.queues.outgoing.pop_front() {
                if let TunnResult::WriteToNetwork(bytes) = self.noise.encapsulate(&packet, &mut out) {
                    self.socket.send_to(bytes, self.peer.unwrap()).unwrap();
                }
            }
        }
    }

    fn client_addresses() -> [Cidr; 2] {
        ["10.66.0.2/24".parse().unwrap(), "fd66::2/64".parse().unwrap()]
    }

    /// Our client against another instance of the protocol: handshake, both pings, a page.
    #[test]
    fn ping_and_page_through_a_tunnel() {
        let (ours, theirs) = (ClientKey::generate().unwrap(), ClientKey::generate().unwrap());
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let endpoint = socket.local_addr().unwrap();
        let server = Server::new(&theirs, ours.public(), socket);
        std::thread::spawn(move || server.run(Instant::now() + Duration::from_secs(30)));

        let mut client = Client::new(&ours, theirs.public(), endpoint, &client_addresses()).unwrap();
        client.handshake(Duration::from_secs(10)).unwrap();
        client.ping("10.66.0.1".parse().unwrap(), Duration::from_secs(10)).unwrap();
        client.ping("fd66::1".parse().unwrap(), Duration::from_secs(10)).unwrap();
        let page = client.get("10.66.0.1:80".parse().unwrap(), "/", Duration::from_secs(10)).unwrap();
        assert_eq!((page.status, page.body.as_slice()), (200, &b"hello"[..]));
        let refused = client.get("10.66.0.1:81".parse().unwrap(), "/", Duration::from_secs(5)).unwrap_err();
        assert!(refused.what.contains("refused"), "{refused}");
    }

    /// A server with another key than the attested one never becomes our tunnel's other end.
    #[test]
    fn another_servers_key_gives_no_tunnel() {
        let (ours, theirs) = (ClientKey::generate().unwrap(), ClientKey::generate().unwrap());
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let endpoint = socket.local_addr().unwrap();
        let server = Server::new(&theirs, ours.public(), socket);
        std::thread::spawn(move || server.run(Instant::now() + Duration::from_secs(4)));
        let attested = ClientKey::generate().unwrap().public();
        let mut client = Client::new(&ours, attested, endpoint, &client_addresses()).unwrap();
        assert!(client.handshake(Duration::from_secs(2)).unwrap_err().what.contains("handshake"));
    }
}
