//! Giving a batch to the kernel, as PID 1 does.

use rustix::net::netlink::{SocketAddrNetlink, NETFILTER};
use rustix::net::{bind, recv, send, socket, AddressFamily, RecvFlags, SendFlags, SocketType};
use vitrine_firewall::Batch;

pub fn load(batch: &Batch) {
    try_load(batch).unwrap();
}

/// Error numbers of the kernel, when it refuses.
pub fn try_load(batch: &Batch) -> Result<(), Vec<i32>> {
    let netlink = socket(AddressFamily::NETLINK, SocketType::RAW, Some(NETFILTER)).unwrap();
    bind(&netlink, &SocketAddrNetlink::new(0, 0)).unwrap();
    assert_eq!(send(&netlink, &batch.bytes, SendFlags::empty()).unwrap(), batch.bytes.len());
    let (mut acknowledged, mut refused) = (0, Vec::new());
    while acknowledged < batch.acknowledgements && refused.is_empty() {
        let mut buffer = vec![0; 64 << 10];
        // the kernel has answered before `send` returned: what is not there will not come
        let (length, _) = recv(&netlink, buffer.as_mut_slice(), RecvFlags::DONTWAIT).unwrap();
        let mut rest = &buffer[..length];
        while !rest.is_empty() {
            let length = u32::from_ne_bytes(rest[..4].try_into().unwrap()) as usize;
            assert_eq!(rest[4..6], 2u16.to_ne_bytes(), "NLMSG_ERROR");
            match i32::from_ne_bytes(rest[16..20].try_into().unwrap()) {
                0 => acknowledged += 1,
                error => refused.push(error),
            }
            rest = &rest[length.next_multiple_of(4).min(rest.len())..];
        }
    }
    if refused.is_empty() {
        Ok(())
    } else {
        Err(refused)
    }
}
