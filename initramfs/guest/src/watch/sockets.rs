//! `watch.sockets`: nobody listens to packets, or to what the kernel reports.
//!
//! Read are tables in which a listener would stand, and none that holds addresses of users: not those of TCP, UDP or
//! connection tracking. The observer leaves traces in memory, too.

use super::buffer::Buffer;
use super::devices::lines;
use super::trees::Trees;
use crate::stop::{OrStop as _, Step};
use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use vitrine_attest::watch::Rule;

pub struct Sockets {
    /// One header line and nothing else.
    empty: Vec<OwnedFd>,
    /// How many sockets there are of each protocol.
    protocols: OwnedFd,
    /// Who gets packets beside the protocols: `Type Device Function`.
    taps: OwnedFd,
    netlink: OwnedFd,
    /// With the path or abstract name of each that has one.
    unix: OwnedFd,
    /// The kernel's own netlink sockets, by number, as at the first look.
    kernel: Option<BTreeSet<u64>>,
}

impl Sockets {
    /// Of the network that this thread is in.
    pub fn open(trees: &Trees) -> Step<Self> {
        let of = |name: &str| trees.proc(&["thread-self/net/", name].concat());
        let mut empty = Vec::new();
        for name in ["packet", "raw", "raw6", "icmp", "icmp6"] {
            empty.extend(of(name)?);
        }
        Ok(Self {
            empty,
            protocols: of("protocols")?.or_stop("watch-tree")?,
            taps: of("ptype")?.or_stop("watch-tree")?,
            netlink: of("netlink")?.or_stop("watch-tree")?,
            unix: of("unix")?.or_stop("watch-tree")?,
            kernel: None,
        })
    }

    /// `own`: numbers of PID 1's sockets.
    pub fn look(&mut self, buffer: &mut Buffer, own: &BTreeSet<u64>) -> Step<Option<Rule>> {
        let mut fine = true;
        for table in &self.empty {
            fine &= lines(buffer.file(table)?) <= 1;
        }
        fine &= no_other_protocol(buffer.file(&self.protocols)?).or_stop("watch-form")?;
        fine &= no_tap(buffer.file(&self.taps)?);
        fine &= !rows(buffer.file(&self.unix)?).any(|row| row.len() > 7);
        let sockets = netlink(buffer.file(&self.netlink)?).or_stop("watch-form")?;
        let kernel = self.kernel.get_or_insert_with(|| {
            sockets
                .iter()
                .filter(|socket| !own.contains(&socket.number) && socket.port == 0)
                .map(|s| s.number)
                .collect()
        });
        fine &= sockets.iter().all(|socket| kernel.contains(&socket.number) || socket.is_ours(own));
        Ok((!fine).then_some(Rule::Sockets))
    }
}

/// The words of each line but the first.
fn rows(table: &[u8]) -> impl Iterator<Item = Vec<&[u8]>> {
    let lines = table.split(|&c| c == b'\n').skip(1).filter(|line| !line.is_empty());
    lines.map(|line| line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).collect())
}

fn text(word: &[u8]) -> Option<&str> {
    std::str::from_utf8(word).ok()
}

/// Whether sockets are of the protocols that a server uses: `protocol size sockets …`.
pub(super) fn no_other_protocol(table: &[u8]) -> Option<bool> {
    const USED: [&[u8]; 8] = [b"TCP", b"TCPv6", b"UDP", b"UDPv6", b"UNIX", b"UNIX-STREAM", b"NETLINK", b"MPTCP"];
    rows(table).try_fold(true, |fine, row| {
        let count: i64 = text(row.get(2)?)?.parse().ok()?;
        Some(fine && (count <= 0 || USED.contains(row.first()?)))
    })
}

/// Who gets every packet stands under `ALL`.
pub(super) fn no_tap(table: &[u8]) -> bool {
    !rows(table).any(|row| row.first() == Some(&&b"ALL"[..]))
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Netlink {
    family: u32,
    port: u32,
    groups: u32,
    number: u64,
}

impl Netlink {
    /// Routes, generic, packet filter (linux/netlink.h), and none of them listens to a group.
    pub(super) fn is_ours(&self, own: &BTreeSet<u64>) -> bool {
        own.contains(&self.number) && matches!(self.family, 0 | 12 | 16) && self.groups == 0
    }
}

/// `sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode`.
pub(super) fn netlink(table: &[u8]) -> Option<Vec<Netlink>> {
    let row = |row: Vec<&[u8]>| {
        let word = |at: usize| row.get(at).copied().and_then(text);
        Some(Netlink {
            family: word(1)?.parse().ok()?,
            port: word(2)?.parse().ok()?,
            groups: u32::from_str_radix(word(3)?, 16).ok()?,
            number: word(9)?.parse().ok()?,
        })
    };
    rows(table).map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols() {
        let header = "protocol  size sockets  memory press maxhdr  slab module     cl\n";
        let fine = "PACKET    1600      0      -1   NI       0   no   kernel      n\n\
            TCP       2304     12      31   no     192   yes  kernel      y\n\
            NETLINK   1096      5      -1   NI       0   no   kernel      n\n\
            RAW       1152     -1      -1   NI       0   yes  kernel      y\n";
        let judge = |more: &str| no_other_protocol(format!("{header}{fine}{more}").as_bytes());
        assert_eq!(judge(""), Some(true));
        for other in ["PACKET", "RAW", "RAWv6", "XDP", "AF_VSOCK", "ALG", "PING", "KEY"] {
            assert_eq!(judge(&format!("{other} 1600 1 -1 NI 0 no kernel n\n")), Some(false), "{other}");
        }
        assert_eq!((judge("TCP\n"), judge("TCP 1 x\n")), (None, None));
    }

    #[test]
    fn taps() {
        let fine = "Type Device      Function\n0800          ip_rcv\n86dd          ipv6_rcv\n";
        assert!(no_tap(fine.as_bytes()));
        assert!(!no_tap(format!("{fine}ALL  outer    packet_rcv\n").as_bytes()));
    }

    #[test]
    fn listeners() {
        let header = "sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n";
        let parse = |rows: &str| netlink(format!("{header}{rows}").as_bytes());
        let ours = parse("0000 16  1          00000000 0        0        0     2        0        900\n").unwrap();
        let own = BTreeSet::from([900, 901]);
        assert_eq!(ours, [Netlink { family: 16, port: 1, groups: 0, number: 900 }]);
        assert!(ours[0].is_ours(&own) && !ours[0].is_ours(&BTreeSet::new()));
        for row in ["0 0 1 00000011 0 0 0 2 0 901", "0 9 1 00000000 0 0 0 2 0 901", "0 15 1 00000001 0 0 0 2 0 900"] {
            assert!(!parse(row).unwrap()[0].is_ours(&own), "{row}");
        }
        for bad in ["x", "0 0 1 00000000 0 0 0 2 0", "0 0 1 zz 0 0 0 2 0 1"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn names_of_unix_sockets() {
        let header = "Num       RefCount Protocol Flags    Type St Inode Path\n";
        let named = |rows: &str| rows_with_names(&format!("{header}{rows}"));
        assert!(!named("0000: 00000003 00000000 00000000 0001 03  1079\n"));
        assert!(named("0000: 00000002 00000000 00010000 0001 01 18 /dev/log\n"));
        assert!(named("0000: 00000002 00000000 00010000 0001 01 18 @journal\n"));
    }

    fn rows_with_names(table: &str) -> bool {
        rows(table.as_bytes()).any(|row| row.len() > 7)
    }
}
