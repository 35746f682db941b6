//! Load for `make bench`: handshakes per second and bytes per second of any WireGuard server on this machine.
//!
//! ```text
//! bench_tunnel conf COUNT                       [Peer] sections for `wg setconf`
//! bench_tunnel peers COUNT                      the same as a file for `vitrine-verify peers sync`
//! bench_tunnel public SECRET                    the public half of a throw-away key
//! bench_tunnel run ENDPOINT KEY COUNT SECONDS   one line of JSON
//! bench_tunnel first ENDPOINT KEY SECONDS       asks until a handshake is answered; nanoseconds since 1970 then
//! ```
//! The clients' keys are derived from their numbers: both servers get the same load. Only addresses of this machine
//! are asked.

use boringtun::noise::{Tunn, TunnResult};
use boringtun::x25519::{PublicKey, StaticSecret};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};
use vitrine_attest::digest::Key32;
use vitrine_attest::Sha256;

/// Requests under way: enough to keep a server busy, too few for it to believe that it is attacked.
const WINDOW: usize = 24;
/// Bytes of UDP inside the tunnel: 1420 − 20 (IPv4) − 8 (UDP).
const PAYLOAD: usize = 1392;
/// The host as guests see it in QEMU's user network.
const HOST: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 2);
type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["conf", count] => (0..count.parse()?).for_each(|n| {
            println!("[Peer]\nPublicKey = {}\nAllowedIPs = {}/32", public(n), address(n));
        }),
        ["peers", count] => (0..count.parse()?).for_each(|n| {
            println!("[[peer]]\nkey = \"{}\"\nallowed_ips = [\"{}/32\"]", public(n), address(n));
        }),
        ["public", secret] => {
            println!("{}", Key32(PublicKey::from(&StaticSecret::from(secret.parse::<Key32>()?.0)).to_bytes()))
        }
        ["run", endpoint, key, count, seconds] => {
            let endpoint: SocketAddr = endpoint.parse()?;
            if !endpoint.ip().is_loopback() {
                return Err("only servers on this machine are asked".into());
            }
            let time = Duration::from_secs(seconds.parse()?);
            let server: Key32 = key.parse()?;
            let bytes = throughput(endpoint, &server, time)?;
            let handshakes = handshakes(endpoint, &server, count.parse()?, time)?;
            println!("{{\"bytes_per_second\":{bytes:.0},\"handshakes_per_second\":{handshakes:.0}}}");
        }
        ["first", endpoint, key, seconds] => {
            let endpoint: SocketAddr = endpoint.parse()?;
            if !endpoint.ip().is_loopback() {
                return Err("only servers on this machine are asked".into());
            }
            println!("{}", first(endpoint, &key.parse()?, Duration::from_secs(seconds.parse()?))?.as_nanos());
        }
        _ => return Err("see the head of bench_tunnel.rs".into()),
    }
    Ok(())
}

fn secret(n: u32) -> StaticSecret {
    StaticSecret::from(Sha256::of_parts(&[b"bench client", &n.to_be_bytes()]).0)
}

fn public(n: u32) -> Key32 {
    Key32(PublicKey::from(&secret(n)).to_bytes())
}

/// 10.66.0.2 and up.
fn address(n: u32) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 66, 0, 2)) + n)
}

fn client(n: u32, server: &Key32) -> Tunn {
    Tunn::new(secret(n), server.0.into(), None, None, n, None)
}

fn socket(endpoint: SocketAddr) -> Outcome<UdpSocket> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.connect(endpoint)?;
    // Longer than any answer takes; then those on the way are given up as lost
    socket.set_read_timeout(Some(Duration::from_millis(100)))?;
    Ok(socket)
}

/// Completed handshakes per second, by `count` clients in turn.
fn handshakes(endpoint: SocketAddr, server: &Key32, count: u32, time: Duration) -> Outcome<f64> {
    let socket = socket(endpoint)?;
    let mut clients: Vec<Tunn> = (0..count).map(|n| client(n, server)).collect();
    let (mut out, mut datagram) = (vec![0; 4096], vec![0; 4096]);
    let (start, mut next, mut done, mut waiting) = (Instant::now(), 0, 0u32, 0usize);
    while start.elapsed() < time {
        while waiting < WINDOW {
            let turn = next % clients.len();
            if let TunnResult::WriteToNetwork(bytes) = clients[turn].format_handshake_initiation(&mut out, true) {
                socket.send(bytes)?;
            }
            (next, waiting) = (next + 1, waiting + 1);
        }
        match socket.recv(&mut datagram) {
            Ok(length) => {
                // A response's receiver index (WireGuard §5.4.3): boringtun puts the client's number above 8 bits
                let index = datagram.get(8..12).map_or(0, |b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]) >> 8);
                let Some(client) = clients.get_mut(index as usize) else { continue };
                if let TunnResult::WriteToNetwork(bytes) = client.decapsulate(None, &datagram[..length], &mut out) {
                    socket.send(bytes)?;
                    done += 1;
                    waiting = waiting.saturating_sub(1);
                }
            }
            // Lost or refused ones are not waited for
            Err(_) => waiting = 0,
        }
    }
    Ok(f64::from(done) / start.elapsed().as_secs_f64())
}

/// Bytes per second that came back from an echo server outside: in, decrypted, translated, out, and the same way back.
fn throughput(endpoint: SocketAddr, server: &Key32, time: Duration) -> Outcome<f64> {
    let echo = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = echo.local_addr()?.port();
    std::thread::spawn(move || {
        let mut bytes = [0; 2048];
        while let Ok((length, from)) = echo.recv_from(&mut bytes) {
            let _ = echo.send_to(&bytes[..length], from);
        }
    });
    let socket = socket(endpoint)?;
    let (mut tunnel, packet) = (client(0, server), packet(address(0), HOST, port));
    let (mut out, mut datagram) = (vec![0; 4096], vec![0; 4096]);
    connect(&socket, &mut tunnel, 50)?;
    let (start, mut bytes, mut waiting) = (Instant::now(), 0usize, 0usize);
    while start.elapsed() < time {
        while waiting < WINDOW {
            if let TunnResult::WriteToNetwork(sealed) = tunnel.encapsulate(&packet, &mut out) {
                socket.send(sealed)?;
            }
            waiting += 1;
        }
        match socket.recv(&mut datagram) {
            Ok(length) => {
                if let TunnResult::WriteToTunnelV4(inner, _) = tunnel.decapsulate(None, &datagram[..length], &mut out) {
                    bytes += inner.len();
                    waiting = waiting.saturating_sub(1);
                }
            }
            Err(_) => waiting = 0,
        }
    }
    Ok(bytes as f64 / start.elapsed().as_secs_f64())
}

/// When the first handshake is answered, since 1970. Asks ten times a second: before the server is there, QEMU has nobody
/// to hand a datagram to, and it is lost.
fn first(endpoint: SocketAddr, server: &Key32, patience: Duration) -> Outcome<Duration> {
    let (socket, mut tunnel) = (socket(endpoint)?, client(0, server));
    let start = Instant::now();
    while start.elapsed() < patience {
        // refused when nobody listens yet, and then at once
        match connect(&socket, &mut tunnel, 1) {
            Ok(()) => return Ok(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?),
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
    Err("the server does not answer".into())
}

fn connect(socket: &UdpSocket, tunnel: &mut Tunn, tries: u32) -> Outcome<()> {
    let (mut out, mut datagram) = (vec![0; 4096], vec![0; 4096]);
    for _ in 0..tries {
        if let TunnResult::WriteToNetwork(bytes) = tunnel.format_handshake_initiation(&mut out, true) {
            let _ = socket.send(bytes); // refused while nobody listens: then there is no answer either
        }
        let Ok(length) = socket.recv(&mut datagram) else { continue };
        if let TunnResult::WriteToNetwork(bytes) = tunnel.decapsulate(None, &datagram[..length], &mut out) {
            socket.send(bytes)?;
            return Ok(());
        }
    }
    Err("the server does not answer".into())
}

/// IPv4 (RFC 791) with UDP (RFC 768) without a checksum, which IPv4 allows.
fn packet(from: Ipv4Addr, to: Ipv4Addr, port: u16) -> Vec<u8> {
    let length = (28 + PAYLOAD) as u16;
    let mut ip = vec![0x45, 0];
    ip.extend(length.to_be_bytes());
    ip.extend([0, 0, 0x40, 0, 64, 17, 0, 0]);
    ip.extend(from.octets());
    ip.extend(to.octets());
    let sum: u32 = ip.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    ip[10..12].copy_from_slice(&(!(((folded & 0xffff) + (folded >> 16)) as u16)).to_be_bytes());
    ip.extend(40_000u16.to_be_bytes());
    ip.extend(port.to_be_bytes());
    ip.extend((length - 20).to_be_bytes());
    ip.extend([0, 0]);
    ip.resize(usize::from(length), 0x5a);
    ip
}
