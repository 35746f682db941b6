//! The socket, bound before the program seals itself.

use crate::limits::BACKLOG;
use crate::stop::{OrStop as _, Step};
use rustix::net::{bind, ipproto, listen, socket_with, sockopt, AddressFamily, SocketFlags, SocketType};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

/// On all addresses: IPv6 and IPv4 by one socket, or IPv4 alone where the kernel has no IPv6. Who gets here is for the firewall to
/// say.
///
/// # Errors
/// `listen`.
pub fn everywhere(port: u16) -> Step<TcpListener> {
    both(port).or_else(|_| v4(port)).or_stop("listen")
}

fn both(port: u16) -> rustix::io::Result<TcpListener> {
    let socket = socket_with(AddressFamily::INET6, SocketType::STREAM, flags(), Some(ipproto::TCP))?;
    sockopt::set_ipv6_v6only(&socket, false)?;
    opened(socket, SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)))
}

fn v4(port: u16) -> rustix::io::Result<TcpListener> {
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, flags(), Some(ipproto::TCP))?;
    opened(socket, SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)))
}

fn flags() -> SocketFlags {
    SocketFlags::CLOEXEC | SocketFlags::NONBLOCK
}

fn opened(socket: std::os::fd::OwnedFd, address: SocketAddr) -> rustix::io::Result<TcpListener> {
    // started again a moment after the last one: its connections may still be in TIME-WAIT
    sockopt::set_socket_reuseaddr(&socket, true)?;
    bind(&socket, &address)?;
    listen(&socket, BACKLOG)?;
    Ok(socket.into())
}
