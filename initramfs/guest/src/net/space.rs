//! Tests only: a network namespace of this machine's kernel, for the calling thread and as long as it lives.
#![allow(unsafe_code)]

use super::attribute::find;
use super::netlink::{raw, Netlink};
use netlink_packet_core::NLM_F_DUMP;
use netlink_sys::protocols::NETLINK_NETFILTER;
use rustix::thread::UnshareFlags;
use std::net::{IpAddr, UdpSocket};
use std::process::{Command, Output};
use std::time::Duration;

pub struct Space;

impl Space {
    /// None where a person who is not root runs the tests; in CI that is a failure.
    pub fn new() -> Option<Self> {
        // SAFETY: a test has a thread of its own, which shares nothing with others that depends on its namespace.
        let opened = unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNET) };
        let tools = ["ip", "nft"].iter().all(|tool| Command::new(tool).arg("-V").output().is_ok());
        if opened.is_ok() && tools {
            run("ip link set lo up");
            return Some(Self);
        }
        assert!(std::env::var_os("CI").is_none(), "CI must be able to open network namespaces, with ip and nft");
        eprintln!("skipped: needs root, ip and nft");
        None
    }

    /// With connection tracking, and with the addresses of two clients and of a server on the loopback interface.
    pub fn with_clients() -> Option<Self> {
        let space = Self::new()?;
        run("nft add table inet t");
        run("nft add chain inet t out { type filter hook output priority 0; }");
        run("nft add rule inet t out ct state new accept");
        for address in ["10.66.0.2/32", "10.66.0.9/32", "192.0.2.1/32"] {
            run(&format!("ip addr add {address} dev lo"));
        }
        for address in ["fd66::2/128", "fd66::9/128", "2001:db8::1/128"] {
            run(&format!("ip addr add {address} dev lo nodad"));
        }
        Some(space)
    }

    /// Each of these addresses says something to the server, until it hears it: new IPv6 addresses take their time.
    pub fn speak(&self, sources: &[&str]) {
        for source in sources {
            let source: IpAddr = source.parse().unwrap();
            let server: IpAddr = if source.is_ipv4() { "192.0.2.1" } else { "2001:db8::1" }.parse().unwrap();
            let (client, server) = (UdpSocket::bind((source, 0)).unwrap(), UdpSocket::bind((server, 9)).unwrap());
            server.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
            assert!((0..200).any(|_| {
                let _ = client.send_to(b"x", server.local_addr().unwrap());
                server.recv(&mut [0]).is_ok()
            }));
        }
    }

    /// Sources of all tracked connections.
    pub fn connections(&self) -> Vec<IpAddr> {
        let mut sources = Vec::new();
        let question = raw(1 << 8 | 1, NLM_F_DUMP, &[0; 4]).unwrap();
        let netlink = Netlink::open(NETLINK_NETFILTER).unwrap();
        netlink
            .dump(&question, |entry| {
                let addresses = find(find(&entry[20..], 1)?.unwrap(), 1)?.unwrap();
                sources.extend(find(addresses, 1)?.map(|v4| IpAddr::from(<[u8; 4]>::try_from(v4).unwrap())));
                sources.extend(find(addresses, 3)?.map(|v6| IpAddr::from(<[u8; 16]>::try_from(v6).unwrap())));
                Ok(())
            })
            .unwrap();
        sources
    }
}

/// Runs a command that must succeed, and gives what it printed.
pub fn run(command: &str) -> String {
    let mut words = command.split_whitespace();
    let Output { status, stdout, stderr } =
        Command::new(words.next().unwrap()).args(words).output().expect("the command starts");
    assert!(status.success(), "{command}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).expect("text")
}
