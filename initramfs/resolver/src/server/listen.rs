//! The sockets, bound before the program seals itself.

use super::tls;
use crate::stop::{OrStop as _, Step};
use std::net::{IpAddr, SocketAddr};
use tokio::net::{TcpListener, TcpSocket, UdpSocket};
use tokio_rustls::TlsAcceptor;
use vitrine_attest::config::Transport;
use vitrine_attest::inside::ResolverStart;

/// Ports to listen on; 0 lets the kernel choose, for tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    pub plain: u16,
    pub dot: u16,
    pub doh: u16,
}

impl Ports {
    /// RFC 1035 §4.2, RFC 7858 §3.1, RFC 8484 §4.1.
    pub const STANDARD: Self = Self { plain: 53, dot: 853, doh: 443 };
}

/// Connections that wait to be taken.
const BACKLOG: u32 = 256;
/// Bytes of packets that wait to be read: the kernel's usual limit is lower and cuts it.
const BUFFER: usize = 1 << 20;

#[derive(Default)]
pub struct Listeners {
    pub udp: Vec<UdpSocket>,
    pub tcp: Vec<TcpListener>,
    pub dot: Vec<(TcpListener, TlsAcceptor)>,
    pub doh: Vec<(TcpListener, TlsAcceptor)>,
}

impl Listeners {
    /// On every address, one socket each: so an answer always has the source address that was asked.
    ///
    /// # Errors
    /// `listen`, and those of [`tls::config`].
    pub fn bind(start: &ResolverStart, ports: Ports) -> Step<Self> {
        let mut listeners = Self::default();
        let tls = |protocols: &[&[u8]]| tls::config(&start.tls_key, &start.addresses, protocols).map(TlsAcceptor::from);
        for transport in &start.resolver.transports {
            for address in &start.addresses {
                match transport {
                    Transport::Plain => {
                        listeners.udp.push(udp(SocketAddr::new(*address, ports.plain))?);
                        listeners.tcp.push(tcp(*address, ports.plain)?);
                    }
                    Transport::Dot => listeners.dot.push((tcp(*address, ports.dot)?, tls(&[b"dot"])?)),
                    Transport::Doh => listeners.doh.push((tcp(*address, ports.doh)?, tls(&[b"h2", b"http/1.1"])?)),
                }
            }
        }
        Ok(listeners)
    }
}

fn udp(address: SocketAddr) -> Step<UdpSocket> {
    let socket = std::net::UdpSocket::bind(address).or_stop("listen")?;
    socket.set_nonblocking(true).or_stop("listen")?;
    // less is possible, only worse
    let _ = rustix::net::sockopt::set_socket_recv_buffer_size(&socket, BUFFER);
    UdpSocket::from_std(socket).or_stop("listen")
}

fn tcp(address: IpAddr, port: u16) -> Step<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }.or_stop("listen")?;
    // started again a moment after the last one: its connections may still be in TIME-WAIT
    socket.set_reuseaddr(true).or_stop("listen")?;
    socket.bind(SocketAddr::new(address, port)).or_stop("listen")?;
    socket.listen(BACKLOG).or_stop("listen")
}
