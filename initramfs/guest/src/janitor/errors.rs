//! The kernel's own ICMP sockets, one for each processor and family: through them it sends its error messages, and each
//! remembers where the last one went. For IPv6 that is the whole flow with both addresses (`inet->cork.fl`, which the
//! kernel stopped clearing after use in 5.18), for IPv4 the destination (`inet->cork.base.addr`). They live as long as the
//! kernel; only the next message overwrites it. So each processor is made to send one more, to itself. On its way the
//! message goes over each processor's interrupt stack, where calls that have returned leave addresses as well.

use super::processors::on_each;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

/// Nobody listens there (discard, RFC 863): the kernel answers that the port is unreachable.
const NOBODY: u16 = 9;

/// Has an error message sent over the loopback interface in each family, on each processor we may run on. What cannot be
/// done now is done the next time.
pub fn overwrite() {
    on_each(usize::MAX, || {
        provoke(Ipv6Addr::LOCALHOST.into());
        provoke(Ipv4Addr::LOCALHOST.into());
    });
}

/// The loopback interface hands a packet over on the processor that sends it, before the call returns; and its errors
/// are not limited in rate (`icmpv6_xrlim_allow`, `icmpv4_xrlim_allow`).
fn provoke(address: IpAddr) {
    if let Ok(socket) = UdpSocket::bind((address, 0)) {
        let _ = socket.send_to(&[0], (address, NOBODY));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::space::Space;
    use rustix::thread::sched_getaffinity;

    /// Messages "unreachable" that this namespace has sent, IPv4 and IPv6.
    fn sent() -> (usize, usize) {
        let four = std::fs::read_to_string("/proc/thread-self/net/snmp").unwrap();
        let six = std::fs::read_to_string("/proc/thread-self/net/snmp6").unwrap();
        let mut icmp = four.lines().filter_map(|line| line.strip_prefix("Icmp: ")).map(str::split_whitespace);
        let (names, mut values) = (icmp.next().unwrap(), icmp.next().unwrap());
        let place = names.clone().position(|name| name == "OutDestUnreachs").unwrap();
        let six = six.lines().find_map(|line| line.strip_prefix("Icmp6OutDestUnreachs")).unwrap();
        (values.nth(place).unwrap().parse().unwrap(), six.trim().parse().unwrap())
    }

    /// The kernel as judge: one message of each family for each processor, and we may run on all of them afterwards.
    #[test]
    fn every_processor_sends_one() {
        let Some(_space) = Space::new() else { return };
        let ours = sched_getaffinity(None).unwrap();
        let (four, six) = sent();
        overwrite();
        let processors = ours.count() as usize;
        assert_eq!(sent(), (four + processors, six + processors));
        assert_eq!(sched_getaffinity(None).unwrap(), ours);
    }
}
