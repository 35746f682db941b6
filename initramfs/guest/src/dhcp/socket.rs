//! The UDP socket of the client, bound to the outer interface.

use super::message::LIMIT;
use crate::net::OUTER;
use crate::stop::{OrStop, Step};
use socket2::{Domain, Protocol, Socket, Type};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};

/// RFC 2131 §4.1.
pub const SERVER_PORT: u16 = 67;
pub const CLIENT_PORT: u16 = 68;

#[derive(Debug)]
pub struct DhcpSocket(UdpSocket);

impl DhcpSocket {
    /// Port 68 of the outer interface alone. Needs the rights that PID 1 later gives up.
    pub fn open() -> Step<Self> {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP)).or_stop("dhcp")?;
        socket.set_broadcast(true).or_stop("dhcp")?;
        socket.set_nonblocking(true).or_stop("dhcp")?;
        socket.bind_device(Some(OUTER.as_bytes())).or_stop("dhcp")?;
        let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, CLIENT_PORT));
        socket.bind(&any.into()).or_stop("dhcp")?;
        Ok(Self(socket.into()))
    }

    /// A link that is still down loses the datagram; the machine sends it again.
    pub fn send(&self, to: Ipv4Addr, bytes: &[u8]) {
        drop(self.0.send_to(bytes, (to, SERVER_PORT)));
    }

    /// The next datagram, if one has come.
    pub fn receive(&self) -> Option<Vec<u8>> {
        let mut buffer = vec![0; LIMIT];
        let (length, from) = self.0.recv_from(&mut buffer).ok()?;
        buffer.truncate(length);
        (from.port() == SERVER_PORT).then_some(buffer)
    }
}

impl AsFd for DhcpSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
