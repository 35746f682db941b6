//! The table of deeds. None: the kernel refused it, and the test sees that nothing happens.
#![allow(unsafe_code)]

use crate::net::netlink::{raw, Netlink};
use crate::net::rtnl::Routing;
use netlink_packet_core::{NLM_F_ACK, NLM_F_CREATE};
use netlink_packet_route::link::{LinkFlags, LinkMessage};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::protocols::NETLINK_NETFILTER;
use rustix::fs::{memfd_create, open, openat, unlink, MemfdFlags, Mode, OFlags};
use rustix::mount::{
    fsconfig_create, fsmount, fsopen, mount, mount_remount, unmount, FsMountFlags, FsOpenFlags, MountAttrFlags,
    MountFlags, UnmountFlags,
};
use rustix::net::netlink::{SocketAddrNetlink, NETFILTER};
use rustix::net::{bind, socket, AddressFamily, Protocol, SocketAddrUnix, SocketType};
use rustix::process::{kill_process, waitpid, Pid, Signal, WaitOptions};
use std::os::fd::{AsFd as _, OwnedFd};

pub type Undo = Box<dyn FnOnce()>;

pub struct Deed {
    pub name: &'static str,
    pub act: fn() -> Option<Undo>,
}

macro_rules! deeds {
    ($($name:literal => $act:expr,)*) => { &[$(Deed { name: $name, act: || $act }),*] };
}

/// In the order of the rules that see them.
pub const DEEDS: &[Deed] = deeds! {
    "mount" => mounted(),
    "writable-root" => writable_root(),
    "file" => file(),
    "file-gone" => file_gone(),
    "memory-file" => held(memfd_create("log", MemfdFlags::CLOEXEC).ok()?),
    "process" => process(),
    "process-gone" => process_gone(),
    "packet-socket" => held(socket(AddressFamily::PACKET, SocketType::RAW, protocol(3u16.to_be().into())).ok()?),
    "raw-socket" => held(socket(AddressFamily::INET, SocketType::RAW, protocol(17)).ok()?),
    "listener" => listener(),
    "named-socket" => named_socket(),
    "interface" => interface(),
    "promiscuous" => promiscuous(),
    "rule" => rule(),
    "setting" => setting("sys/net/ipv4/conf/all/log_martians", "1\n", "0\n"),
    "core-pattern" => setting("sys/kernel/core_pattern", "/tmp/core\n", "\n"),
    "console" => setting("sys/kernel/printk", "7\n", "1\n"),
    "taint" => setting("sys/kernel/tainted", "64\n", "0\n"),
    "kernel-messages" => setting("dynamic_debug/control", "module wireguard +p\n", "module wireguard -p\n"),
};

fn held(descriptor: OwnedFd) -> Option<Undo> {
    Some(Box::new(move || drop(descriptor)))
}

fn protocol(number: u32) -> Option<Protocol> {
    std::num::NonZeroU32::new(number).map(Protocol::from_raw)
}

fn mounted() -> Option<Undo> {
    mount("tmpfs", "/var/log", "tmpfs", MountFlags::empty(), None).ok()?;
    Some(Box::new(|| _ = unmount("/var/log", UnmountFlags::DETACH)))
}

fn writable_root() -> Option<Undo> {
    let sealed = MountFlags::NODEV | MountFlags::NOSUID;
    mount_remount("/", sealed, c"").ok()?;
    Some(Box::new(move || _ = mount_remount("/", sealed | MountFlags::RDONLY, c"")))
}

const LOG: &str = "/tmp/log";

fn create() -> Option<()> {
    open(LOG, OFlags::CREATE | OFlags::WRONLY | OFlags::CLOEXEC, Mode::RUSR).ok().map(drop)
}

fn file() -> Option<Undo> {
    create()?;
    Some(Box::new(|| _ = unlink(LOG)))
}

fn file_gone() -> Option<Undo> {
    create()?;
    unlink(LOG).ok()?;
    Some(Box::new(|| {}))
}

fn fork(child: impl FnOnce()) -> Option<Pid> {
    // SAFETY: PID 1 has a single thread, so the child may do what the parent may. It leaves by `_exit`.
    match unsafe { libc::fork() } {
        0 => {
            child();
            // SAFETY: ends the process
            unsafe { libc::_exit(0) }
        }
        number => Pid::from_raw(number),
    }
}

fn process() -> Option<Undo> {
    let pid = fork(|| std::thread::sleep(std::time::Duration::from_secs(3600)))?;
    Some(Box::new(move || {
        let _ = kill_process(pid, Signal::KILL);
        let _ = waitpid(Some(pid), WaitOptions::empty());
    }))
}

/// An orphan that lives for a moment: PID 1 inherits it.
fn process_gone() -> Option<Undo> {
    let parent = fork(|| _ = fork(|| {}))?;
    waitpid(Some(parent), WaitOptions::empty()).ok()?;
    Some(Box::new(|| {}))
}

fn listener() -> Option<Undo> {
    let socket = socket(AddressFamily::NETLINK, SocketType::RAW, Some(NETFILTER)).ok()?;
    bind(&socket, &SocketAddrNetlink::new(0, 1)).ok()?;
    held(socket)
}

fn named_socket() -> Option<Undo> {
    let socket = socket(AddressFamily::UNIX, SocketType::DGRAM, None).ok()?;
    bind(&socket, &SocketAddrUnix::new_abstract_name(b"log").ok()?).ok()?;
    held(socket)
}

fn interface() -> Option<Undo> {
    let routing = Routing::open().ok()?;
    let index = routing.create_wireguard("spy0", 1420).ok()?;
    Some(Box::new(move || _ = routing.delete(index)))
}

fn promiscuous() -> Option<Undo> {
    let set = |flags: LinkFlags| {
        let routing = Routing::open().ok()?;
        let mut link = LinkMessage::default();
        link.header.index = routing.index_of(crate::net::OUTER).ok()?.0;
        (link.header.flags, link.header.change_mask) = (flags, LinkFlags::Promisc);
        routing.request(RouteNetlinkMessage::SetLink(link), 0).ok()
    };
    set(LinkFlags::Promisc)?;
    Some(Box::new(move || _ = set(LinkFlags::empty())))
}

/// A table without rules: nothing about a packet changes.
fn rule() -> Option<Undo> {
    const NEW: u16 = 0xa00;
    const DELETE: u16 = 0xa02;
    let change = |kind: u16, flags: u16| {
        // nfgenmsg: family[1] ‖ version[1] ‖ subsystem[2]; NFTA_TABLE_NAME
        let edge = |kind| raw(kind, 0, &[0, 0, 0, 10]).ok();
        let name = [&[1, 0, 0, 0][..], &8u16.to_ne_bytes(), &1u16.to_ne_bytes(), b"spy\0"].concat();
        let batch = [edge(0x10)?, raw(kind, NLM_F_ACK | flags, &name).ok()?, edge(0x11)?].concat();
        Netlink::open(NETLINK_NETFILTER).ok()?.send(&batch, 1).ok().map(drop)
    };
    change(NEW, NLM_F_CREATE)?;
    Some(Box::new(move || _ = change(DELETE, 0)))
}

/// By a procfs of its own, which can be written.
fn setting(path: &'static str, value: &'static str, former: &'static str) -> Option<Undo> {
    let context = fsopen("proc", FsOpenFlags::FSOPEN_CLOEXEC).ok()?;
    fsconfig_create(context.as_fd()).ok()?;
    let proc = fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty()).ok()?;
    let write = move |text: &str| {
        let file = openat(&proc, path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
        rustix::io::write(file, text.as_bytes()).ok()
    };
    write(value)?;
    Some(Box::new(move || _ = write(former)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = DEEDS.iter().map(|deed| deed.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), DEEDS.len());
    }
}
