//! Sockets, interfaces, rules and settings in a network of their own.

use super::*;
use crate::net::space::{run, Space};
use crate::sysctl::{Presence, Setting};
use rustix::net::netlink::{KOBJECT_UEVENT, NETFILTER};
use rustix::net::{bind, socket_with, AddressFamily, Protocol, SocketFlags, SocketType};
use std::collections::BTreeSet;
use std::net::UdpSocket;

fn own() -> BTreeSet<u64> {
    let mut numbers = BTreeSet::new();
    for entry in std::fs::read_dir("/proc/thread-self/fd").unwrap().flatten() {
        let link = std::fs::read_link(entry.path()).unwrap_or_default();
        numbers.extend(process::socket(link.as_os_str().as_encoded_bytes()));
    }
    numbers
}

fn raw(family: AddressFamily, protocol: Option<Protocol>) -> std::os::fd::OwnedFd {
    socket_with(family, SocketType::RAW, SocketFlags::CLOEXEC, protocol).unwrap()
}

#[test]
fn listeners_are_found() {
    let Some(_space) = Space::new() else { return };
    let mut sockets = Sockets::open(&Trees::open().unwrap()).unwrap();
    let mut buffer = Buffer::new();
    let mut look = || sockets.look(&mut buffer, &own());
    assert_eq!(look(), Ok(None));
    let fine = (UdpSocket::bind("127.0.0.1:0").unwrap(), crate::net::rtnl::Routing::open().unwrap());
    assert_eq!(look(), Ok(None), "what PID 1 has");
    drop(fine);

    let every_frame = Protocol::from_raw(std::num::NonZeroU32::new(u32::from(3u16.to_be())).unwrap());
    let packet = raw(AddressFamily::PACKET, Some(every_frame));
    assert_eq!(look(), Ok(Some(Rule::Sockets)));
    drop(packet);
    assert_eq!(look(), Ok(None));
    for family in [AddressFamily::INET, AddressFamily::INET6] {
        let raw = raw(family, Some(rustix::net::ipproto::UDP));
        assert_eq!(look(), Ok(Some(Rule::Sockets)));
        drop(raw);
    }
    let folder = tempfile::tempdir().unwrap();
    let named = std::os::unix::net::UnixDatagram::bind(folder.path().join("log")).unwrap();
    assert_eq!(look(), Ok(Some(Rule::Sockets)), "somebody waits for messages");
    drop(named);
    assert_eq!(look(), Ok(None));
}

#[test]
fn listeners_to_the_kernel_are_found() {
    let Some(_space) = Space::new() else { return };
    let mut sockets = Sockets::open(&Trees::open().unwrap()).unwrap();
    let mut buffer = Buffer::new();
    let mut look = |own: &BTreeSet<u64>| sockets.look(&mut buffer, own);
    assert_eq!(look(&own()), Ok(None));
    // New connections, links that change, devices that appear
    for (protocol, groups) in [(Some(NETFILTER), 1), (None, 1), (Some(KOBJECT_UEVENT), 1), (Some(KOBJECT_UEVENT), 0)] {
        let socket = raw(AddressFamily::NETLINK, protocol);
        bind(&socket, &rustix::net::netlink::SocketAddrNetlink::new(0, groups)).unwrap();
        assert_eq!(look(&own()), Ok(Some(Rule::Sockets)), "{groups}");
    }
    let socket = raw(AddressFamily::NETLINK, None);
    bind(&socket, &rustix::net::netlink::SocketAddrNetlink::new(0, 0)).unwrap();
    assert_eq!(look(&own()), Ok(None));
    assert_eq!(look(&BTreeSet::new()), Ok(Some(Rule::Sockets)), "another program's");
}

#[test]
fn interfaces_are_the_servers() {
    let Some(_space) = Space::new() else { return };
    run("ip link add outer type veth peer name cable");
    let mut links = Links::new();
    assert_eq!((links.look(0), links.look(0)), (Ok(None), Ok(None)));
    assert_eq!(links.look(1), Ok(Some(Rule::Interfaces)), "a tunnel is missing");
    run("ip link set outer promisc on");
    assert_eq!(links.look(0), Ok(Some(Rule::Interfaces)));
    run("ip link set outer promisc off");
    assert_eq!(links.look(0), Ok(None));
    run("ip link add mirror type veth peer name wg0");
    assert_eq!(links.look(0), Ok(Some(Rule::Interfaces)));
    assert_eq!(Links::new().look(1), Ok(Some(Rule::Interfaces)), "the name makes no tunnel");
    run("ip link del mirror");
    assert_eq!(links.look(0), Ok(None));
    run("tc qdisc add dev outer clsact");
    assert_eq!(links.look(0), Ok(Some(Rule::Interfaces)));
}

#[test]
fn every_change_of_the_rules_is_found() {
    let Some(_space) = Space::new() else { return };
    run("nft add table inet t");
    run("nft add chain inet t out { type filter hook output priority 0; }");
    let looks = |ruleset: &Ruleset| [false, true].map(|thoroughly| ruleset.look(thoroughly));
    let first = Ruleset::open().unwrap();
    assert_eq!(looks(&first), [Ok(None); 2]);
    run("nft add rule inet t out ct state new accept");
    assert_eq!(looks(&first), [Ok(Some(Rule::Firewall)); 2]);
    run("nft flush chain inet t out");
    assert_eq!(looks(&first), [Ok(Some(Rule::Firewall)); 2], "taken back, and still seen");
    let second = Ruleset::open().unwrap();
    assert_eq!((first.same_content(&second), looks(&second)), (true, [Ok(None); 2]));
    run("nft add chain inet t in { type filter hook input priority 0; policy drop; }");
    assert!(!second.same_content(&Ruleset::open().unwrap()));
}

#[test]
fn settings_are_read_back() {
    let Some(_space) = Space::new() else { return };
    const NAME: &str = "net/ipv4/conf/all/log_martians";
    static WANTED: [Setting; 2] =
        [Setting(NAME, "0", Presence::Required), Setting("net/none", "0", Presence::Optional)];
    static MISSING: [Setting; 1] = [Setting("net/none", "0", Presence::Required)];
    let trees = Trees::open().unwrap();
    assert!(Settings::open(&trees, MISSING.iter()).is_err());
    let (mut settings, mut buffer) = (Settings::open(&trees, WANTED.iter()).unwrap(), Buffer::new());
    assert_eq!(settings.look(&mut buffer), Ok(None));
    let path = ["/proc/sys/", NAME].concat();
    std::fs::write(&path, "1").unwrap();
    assert_eq!(settings.look(&mut buffer), Ok(Some(Rule::Settings)));
    std::fs::write(&path, "0").unwrap();
    assert_eq!(settings.look(&mut buffer), Ok(None));
}

/// This machine has what the image has not: a disk, or no rule could be broken here.
#[test]
fn disks_are_found() {
    if std::fs::read_to_string("/proc/diskstats").is_ok_and(|disks| disks.is_empty()) {
        eprintln!("skipped: this machine has no disk");
        return;
    }
    let Some(_space) = Space::new() else { return };
    let devices = Devices::open(&Trees::open().unwrap()).unwrap();
    assert_eq!(devices.look(&mut Buffer::new()), Ok(Some(Rule::Disks)));
}
