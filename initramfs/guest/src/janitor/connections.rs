//! Freed entries of connection tracking that lie beside a living one. Their cache is of type SLAB_TYPESAFE_BY_RCU:
//! `init_on_free` leaves it alone, and a page with a living connection in it never goes back. Addresses of a user whose
//! connection was over were found so, minutes later (`docs/prove.md`). Whoever gets an entry writes both of its tuples
//! whole (`__nf_conntrack_alloc` in net/netfilter/nf_conntrack_core.c): so, after the caches were shrunk and every page
//! with a gap is in one list, we have connections with ourselves until the gaps are full, and end these again.

use crate::conntrack::Conntrack;
use socket2::{Domain, SockAddr, Socket, Type};
use std::net::{Ipv4Addr, SocketAddrV4};

/// Connections that are begun at most in one go, two messages to the kernel each. A server with more gaps than this is busy,
/// and fills them by itself.
const MOST: usize = 1024;
/// Gaps that a page has at most; so many may have come since they were counted.
const PAGE: usize = 64;
const LOOPBACK: &[u8] = b"lo";
/// All of 127.0.0.0/8 are ourselves (RFC 1122 §3.2.1.3); we speak from the first address, to the others.
const SECOND: u32 = 0x7f00_0002;

/// Fills `gaps` and some more. Says how many connections it had; what could not be done now is done the next time.
pub fn overwrite(gaps: usize, conntrack: &Conntrack) -> usize {
    let Some((socket, source)) = to_ourselves() else { return 0 };
    let others = (SECOND..).map(|address| SocketAddrV4::new(address.into(), source.port()));
    let begun = |destination: &SocketAddrV4| socket.send_to(&[0], &SockAddr::from(*destination)).is_ok();
    let all: Vec<_> = others.take(gaps.saturating_add(PAGE).min(MOST)).take_while(begun).collect();
    for destination in &all {
        let _ = conntrack.end(source.into(), (*destination).into());
    }
    all.len()
}

/// A socket that receives whatever is sent to its port at any address of the loopback interface, so that the kernel
/// sends no error. Nobody reads it: what does not fit is dropped, after connection tracking.
fn to_ourselves() -> Option<(Socket, SocketAddrV4)> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).ok()?;
    socket.bind_device(Some(LOOPBACK)).ok()?;
    socket.bind(&SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0).into()).ok()?;
    let port = socket.local_addr().ok()?.as_socket_ipv4()?.port();
    Some((socket, SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)))
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::net::space::Space;

    pub fn conntrack() -> Conntrack {
        Conntrack::open(&serde_json::from_str(r#"{"wireguard":{"addresses":["10.66.0.1/24"]}}"#).unwrap()).unwrap()
    }

    /// The kernel as judge: as many as are asked for, and none is left; a client's connection is.
    #[test]
    fn all_are_begun_and_ended() {
        let Some(space) = Space::with_clients() else { return };
        space.speak(&["10.66.0.2"]);
        assert_eq!(overwrite(0, &conntrack()), PAGE);
        assert_eq!(overwrite(1_000_000, &conntrack()), MOST);
        assert_eq!(space.connections(), ["10.66.0.2".parse::<std::net::IpAddr>().unwrap()]);
    }

    /// They are tracked while they last, each by itself: otherwise no gap would be filled.
    #[test]
    fn each_takes_an_entry() {
        let Some(space) = Space::with_clients() else { return };
        let (socket, source) = to_ourselves().unwrap();
        let others = [SECOND, SECOND + 1].map(|address| SocketAddrV4::new(address.into(), source.port()));
        for other in others {
            socket.send_to(&[0], &other.into()).unwrap();
        }
        let connections = space.connections();
        assert_eq!(connections.iter().filter(|one| **one == Ipv4Addr::LOCALHOST).count(), 2, "{connections:?}");
        conntrack().end(source.into(), others[0].into()).unwrap();
        assert_eq!(space.connections().len(), 1);
    }
}
