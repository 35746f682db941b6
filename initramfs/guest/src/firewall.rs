//! The firewall stands before any interface is up: PID 1 gives the kernel the bytes that were made, and can be read,
//! at build time (`vitrine inspect`).

use crate::net::netlink::Netlink;
use crate::read::small_file;
use crate::stop::{OrStop as _, Step};
use netlink_sys::protocols::NETLINK_NETFILTER;

/// One nfnetlink batch (linux/netfilter/nfnetlink.h).
const BATCH: &str = "/etc/vitrine/firewall.batch";
/// Bytes. A rule has some 300.
const BATCH_LIMIT: usize = 256 << 10;
/// `nlmsghdr`: four bytes of length, two of type, two of flags, four of sequence, four of port.
const HEADER: usize = 16;
/// NLM_F_ACK.
const ACK: u16 = 0x4;

/// Gives the kernel the whole table at once.
///
/// # Errors
/// When the kernel refuses any part: then none of it holds, and there is no tunnel.
pub fn load() -> Step {
    let batch = small_file(BATCH, BATCH_LIMIT).or_stop("firewall-missing")?;
    let expected = acknowledgements(&batch).or_stop("firewall-form")?;
    let netlink = Netlink::open(NETLINK_NETFILTER)?;
    netlink.send(&batch, expected).or_stop("firewall").map(|_| ())
}

/// How many messages ask for an acknowledgement. None: these are not whole messages, or nobody would answer.
fn acknowledgements(mut batch: &[u8]) -> Option<usize> {
    let mut count = 0;
    while !batch.is_empty() {
        let (length, flags) = (batch.get(..4)?.try_into().ok()?, batch.get(6..8)?.try_into().ok()?);
        let length = usize::try_from(u32::from_ne_bytes(length)).ok()?.checked_next_multiple_of(4)?;
        if length < HEADER {
            return None;
        }
        count += usize::from(u16::from_ne_bytes(flags) & ACK != 0);
        batch = batch.get(length..)?;
    }
    (count > 0).then_some(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(flags: u16, body: &[u8]) -> Vec<u8> {
        let mut bytes = (HEADER as u32 + body.len() as u32).to_ne_bytes().to_vec();
        bytes.extend([0; 2]);
        bytes.extend(flags.to_ne_bytes());
        bytes.extend([0; 8]);
        bytes.extend(body);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    #[test]
    fn counting() {
        let batch = [message(1, b"edge"), message(5, b"table"), message(0x405, b""), message(1, b"")].concat();
        assert_eq!(acknowledgements(&batch), Some(2));
    }

    #[test]
    fn broken_batches() {
        let good = message(5, b"abcd");
        for bad in [&b""[..], b"abc", &[0; 16], &[255; 16], &good[..18], &message(1, b"")] {
            assert_eq!(acknowledgements(bad), None);
        }
    }
}
