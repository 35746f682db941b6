//! Freed sockets that lie beside a living one. Their caches are of type SLAB_TYPESAFE_BY_RCU: `init_on_free` leaves them
//! alone, and a page with a listening socket in it never goes back. An address of a user who had asked for evidence was
//! found so, minutes later (`docs/prove.md`). What is allocated is cleared (`init_on_alloc`, `sk_prot_alloc` in
//! net/core/sock.c): so, after the caches were shrunk and every page with a gap is in one list, sockets are made until the
//! gaps are full, and given back.

use rustix::net::{socket_with, AddressFamily, SocketFlags, SocketType};
use std::os::fd::OwnedFd;

/// Sockets of each kind that are made. A page of TCP sockets holds 13 or less, so this fills at least twenty pages with
/// gaps: as many as there are after [`super::slabs`] has shrunk them, on a server that listens and has few callers.
/// PID 1 may have 1024 descriptors.
const GAPS: usize = 256;
const KINDS: [(AddressFamily, SocketType); 4] = [
    (AddressFamily::INET6, SocketType::STREAM),
    (AddressFamily::INET, SocketType::STREAM),
    (AddressFamily::INET6, SocketType::DGRAM),
    (AddressFamily::INET, SocketType::DGRAM),
];

/// Fills the gaps of each kind. Says how many sockets it could make at most; what could not be made now is made the next
/// time.
pub fn overwrite() -> usize {
    let fill = |(family, kind)| -> Vec<OwnedFd> {
        (0..GAPS).map_while(|_| socket_with(family, kind, SocketFlags::CLOEXEC, None).ok()).collect()
    };
    KINDS.into_iter().map(|kind| fill(kind).len()).min().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_made_and_none_is_kept() {
        let ours = || {
            let links = std::fs::read_dir("/proc/thread-self/fd").unwrap();
            links
                .filter_map(|link| std::fs::read_link(link.ok()?.path()).ok())
                .filter(|to| to.starts_with("socket:"))
                .count()
        };
        // Tests beside this one open sockets as well, but never that many
        let before = ours();
        assert_eq!(overwrite(), GAPS);
        assert!(ours() < before + GAPS);
    }
}
