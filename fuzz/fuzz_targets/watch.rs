//! What the watch reads of the kernel; a process can put names of its own choice into some of it. The watch's sources are
//! taken as they are. Invariants, for any bytes:
//! - never a panic;
//! - nothing in a table hides a line after it: what must not be is still found, or the table cannot be judged;
//! - a lying length of an attribute ends the list.
//!
//! The first byte chooses the table.
#![no_main]

#[path = "../../initramfs/guest/src/watch/buffer.rs"]
#[allow(dead_code)]
mod buffer;
#[path = "../../initramfs/guest/src/watch/debug.rs"]
#[allow(dead_code)]
mod debug;
#[path = "../../initramfs/guest/src/watch/devices.rs"]
#[allow(dead_code)]
mod devices;
#[path = "../../initramfs/guest/src/watch/mounts.rs"]
#[allow(dead_code)]
mod mounts;
#[path = "."]
mod net {
    #[path = "../../initramfs/guest/src/net/attribute.rs"]
    #[allow(dead_code)]
    pub mod attribute;
}
#[path = "../../initramfs/guest/src/watch/process.rs"]
#[allow(dead_code)]
mod process;
#[path = "../../initramfs/guest/src/watch/sockets.rs"]
#[allow(dead_code)]
mod sockets;
#[path = "../../initramfs/guest/src/stop.rs"]
#[allow(dead_code)]
mod stop;
#[path = "../../initramfs/guest/src/watch/trees.rs"]
#[allow(dead_code)]
mod trees;

use libfuzzer_sys::fuzz_target;
use process::{Stat, Status};

fuzz_target!(|data: &[u8]| {
    let Some((table, bytes)) = data.split_first() else { return };
    let with = |line: &str| [bytes, b"\n", line.as_bytes(), b"\n"].concat();
    match table % 7 {
        0 => {
            let debugfs = with("32 1 0:6 / /sys/kernel/debug rw - debugfs debugfs rw");
            assert_ne!(mounts::may_be(&debugfs), Some(true));
            let writable = with("32 1 0:2 / / rw - rootfs rootfs rw");
            assert_ne!(mounts::may_be(&writable), Some(true));
        }
        1 => {
            assert_ne!(sockets::no_other_protocol(&with("RAW 1152 1 -1 NI 0 yes kernel y")), Some(true));
            assert!(!sockets::no_tap(&with("ALL  outer    packet_rcv")));
        }
        2 => {
            let listener = sockets::netlink(&with("0 9 1 00000000 0 0 0 2 0 901"));
            assert!(listener.is_none_or(|all| all.iter().any(|socket| !socket.is_ours(&[901].into()))));
        }
        3 => {
            let drivers = [b"Block devices:\n", &with("  8 sd")[..]].concat();
            assert!(devices::has_driver(&drivers));
            assert!(devices::lines(&with("x")) >= 1);
        }
        4 => {
            let before = bytes.split(|&c| c == b'"').next().unwrap_or_default();
            let on = [before, b" =p \"", bytes].concat();
            assert!(bytes.starts_with(b"#") || debug::is_on(&on));
        }
        5 => {
            let stat = Stat::parse(bytes);
            assert_eq!(stat, Stat::parse(bytes));
            // Whatever a process calls itself
            let named = [b"7 (", bytes, b") S 1 7 7 0 -1 4194560 100 0"].concat();
            let stat = Stat::parse(&named).expect("a line of the kernel's form");
            assert!(!stat.is_kernel_thread() && !stat.is_ending() && stat.parent == 1);
            if let Some(status) = Status::parse(bytes) {
                assert!(status.tracer == 0 || status != Status::confined(200));
            }
        }
        _ => {
            let (mut whole, mut wrong) = (0, false);
            for attribute in net::attribute::attributes(bytes) {
                assert!(!wrong, "something after the end");
                match attribute {
                    Ok((_, value)) => whole += 4 + value.len(),
                    Err(_) => wrong = true,
                }
            }
            assert!(whole <= bytes.len());
        }
    }
});
