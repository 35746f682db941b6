//! What passes and what does not.

use crate::possible;
use crate::space::Space;
use crate::town::Town;
use std::io::{ErrorKind, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::time::Duration;

/// Long for a wire inside one machine, shorter than TCP's first repetition.
const WAIT: Duration = Duration::from_millis(500);

/// Listens on every address of a space.
fn listen(space: &Space, port: u16) -> TcpListener {
    space.inside(|| TcpListener::bind(("::", port))).unwrap()
}

fn connects(from: &Space, to: &str) -> bool {
    let to: SocketAddr = to.parse().unwrap();
    from.inside(|| TcpStream::connect_timeout(&to, WAIT)).is_ok()
}

/// A program of this user connects to `address/port`.
fn connects_as(from: &Space, user: u32, to: &str) -> bool {
    from.inside(|| {
        let mut command = Command::new("timeout");
        command.args(["1", "bash", "-c", &format!("exec 3<>/dev/tcp/{to}")]).uid(user).gid(user);
        command.output().unwrap().status.success()
    })
}

/// Who the listener sees when this connection is made; `None` when it cannot be.
fn seen(from: &Space, to: &str, listener: &TcpListener) -> Option<IpAddr> {
    let to: SocketAddr = to.parse().unwrap();
    from.inside(|| TcpStream::connect_timeout(&to, WAIT)).ok()?;
    Some(listener.accept().unwrap().1.ip().to_canonical())
}

fn udp(space: &Space, at: &str) -> UdpSocket {
    let socket = space.inside(|| UdpSocket::bind(at)).unwrap();
    socket.set_read_timeout(Some(WAIT)).unwrap();
    socket
}

/// Whether a datagram of one socket reaches the other.
fn arrives(from: &UdpSocket, to: &str, at: &UdpSocket) -> bool {
    from.send_to(b"x", to).unwrap();
    match at.recv_from(&mut [0; 8]) {
        Ok(_) => true,
        Err(e) => {
            assert!(matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{e}");
            false
        }
    }
}

#[test]
fn clients_reach_the_internet_under_the_servers_address() {
    if !possible() {
        return;
    }
    let town = Town::new("");
    let web = listen(&town.world, 80);
    for client in &town.clients {
        // the second one's answers come back by wg1 although the main table knows wg0 alone
        assert_eq!(seen(client, "203.0.113.9:80", &web), Some("198.51.100.1".parse().unwrap()));
        assert_eq!(seen(client, "[2001:db8:100::2]:80", &web), Some("2001:db8:100::1".parse().unwrap()));
        assert_eq!(seen(client, "10.99.0.1:80", &web), None, "a private network");
    }
}

/// A tunnel inside the tunnel, from the port that WireGuard has everywhere: its answers are not the server's.
#[test]
fn answers_to_the_servers_own_ports_come_back() {
    if !possible() {
        return;
    }
    let there_and_back = |town: &Town, from: &str, to: &str| {
        let (client, far) = (udp(&town.clients[0], from), udp(&town.world, to));
        client.send_to(b"x", to).unwrap();
        let (_, seen) = far.recv_from(&mut [0; 8]).unwrap();
        far.send_to(b"y", seen).unwrap();
        client.recv_from(&mut [0; 8]).unwrap();
        (seen.port(), client.local_addr().unwrap().port())
    };
    let town = Town::new("");
    for (from, to) in [("10.66.0.2:51820", "203.0.113.9:9"), ("[fd66::2]:51821", "[2001:db8:100::2]:9")] {
        let (seen, own) = there_and_back(&town, from, to);
        assert_ne!(seen, own);
    }
    let (seen, own) = there_and_back(&town, "10.66.0.2:51822", "203.0.113.9:9");
    assert_eq!(seen, own, "other ports stay as they are");
    let town = Town::new(r#","forward":"routed6""#);
    let (seen, own) = there_and_back(&town, "[fd66::2]:51820", "[2001:db8:100::2]:9");
    assert_eq!(seen, own, "nothing is translated");
}

#[test]
fn segments_fit_into_the_tunnel() {
    if !possible() {
        return;
    }
    let town = Town::new("");
    let web = listen(&town.world, 80);
    let open = town.clients[0].inside(|| TcpStream::connect("203.0.113.9:80")).unwrap();
    let there = web.accept().unwrap();
    for space in [&town.world, &town.clients[0]] {
        // 1420 − 40 of headers − 12 of time stamps
        let sockets = space.run(&["ss", "-Htin"]);
        assert!(sockets.contains(" mss:1368 "), "{sockets}");
    }
    drop((open, there));
}

#[test]
fn nobody_reaches_a_client() {
    if !possible() {
        return;
    }
    let town = Town::new("");
    let (_first, _second) = (listen(&town.clients[0], 80), listen(&town.clients[1], 80));
    for to in ["10.66.0.2:80", "[fd66::2]:80"] {
        assert!(!connects(&town.world, to) && !connects(&town.clients[1], to), "{to}");
    }
    assert!(!connects(&town.clients[0], "10.66.0.3:80"));
}

#[test]
fn the_configuration_can_say_otherwise() {
    if !possible() {
        return;
    }
    let more = r#","forward":"routed6","firewall":{"clients":"together","reach":["10.99.0.0/16"]}"#;
    let town = Town::new(more);
    let (web, _client) = (listen(&town.world, 80), listen(&town.clients[0], 80));
    // to wg0, where the main table sends it; the answers come back by wg1
    assert!(connects(&town.clients[1], "10.66.0.2:80") && connects(&town.clients[1], "[fd66::2]:80"));
    assert_eq!(seen(&town.clients[0], "10.99.0.1:80", &web), Some("198.51.100.1".parse().unwrap()));
    assert_eq!(seen(&town.clients[0], "[2001:db8:100::2]:80", &web), Some("fd66::2".parse().unwrap()));
    assert!(!connects(&town.world, "[fd66::2]:80") && !connects(&town.world, "10.66.0.2:80"));
}

#[test]
fn the_servers_services() {
    if !possible() {
        return;
    }
    let town = Town::new(r#","resolver":{},"metrics":{"level":"L1"}"#);
    let services: Vec<_> = [22, 53, 443, 853, 8787, 9469].map(|port| listen(&town.server, port)).into();
    for client in &town.clients {
        for port in [53, 443, 853, 8787, 9469] {
            for address in ["10.66.0.1", "[fd66::1]"] {
                assert!(connects(client, &format!("{address}:{port}")), "{address}:{port}");
            }
        }
        assert!(!connects(client, "10.66.0.1:22") && !connects(client, "198.51.100.1:53"));
    }
    assert!(connects(&town.world, "198.51.100.1:8787"));
    for closed in ["198.51.100.1:53", "198.51.100.1:9469", "198.51.100.1:22", "10.66.0.1:53", "[fd66::1]:853"] {
        assert!(!connects(&town.world, closed), "{closed}");
    }
    drop(services);
}

#[test]
fn forged_addresses_end_at_the_server() {
    if !possible() {
        return;
    }
    let town = Town::new("");
    let (sink, honest) = (udp(&town.world, "203.0.113.9:9"), udp(&town.clients[0], "10.66.0.2:0"));
    assert!(arrives(&honest, "203.0.113.9:9", &sink));
    assert!(!arrives(&udp(&town.clients[0], "192.168.7.2:0"), "203.0.113.9:9", &sink));
    let (tunnel, honest) = (udp(&town.server, "198.51.100.1:51821"), udp(&town.world, "198.51.100.2:0"));
    assert!(arrives(&honest, "198.51.100.1:51821", &tunnel));
    assert!(!arrives(&udp(&town.world, "10.66.0.9:0"), "198.51.100.1:51821", &tunnel));
}

/// The kernel's table of connections must not hold a client's outer address.
#[test]
fn the_outer_flow_is_not_tracked() {
    if !possible() {
        return;
    }
    let town = Town::new("");
    let count = || town.server.run(&["cat", "/proc/sys/net/netfilter/nf_conntrack_count"]).trim().to_string();
    for port in [51820, 51821] {
        let at = format!("198.51.100.1:{port}");
        let (tunnel, client) = (udp(&town.server, &at), udp(&town.world, "198.51.100.2:7777"));
        assert!(arrives(&client, &at, &tunnel) && arrives(&tunnel, "198.51.100.2:7777", &client));
        assert_eq!(count(), "0");
    }
    let (sink, client) = (udp(&town.world, "203.0.113.9:9"), udp(&town.clients[0], "10.66.0.2:0"));
    assert!(arrives(&client, "203.0.113.9:9", &sink));
    assert_eq!(count(), "1", "the counter works");
}

/// The server begins nothing; its resolver's user asks other resolvers and nobody else.
#[test]
fn only_declared_flows_leave() {
    if !possible() {
        return;
    }
    let town = Town::new(r#","resolver":{}"#);
    let (_dns, _web, _client) = (listen(&town.world, 53), listen(&town.world, 80), listen(&town.clients[0], 53));
    let connects = |user, to| connects_as(&town.server, user, to);
    assert!(connects(201, "203.0.113.9/53") && connects(201, "2001:db8:100::2/53"));
    assert!(!connects(0, "203.0.113.9/53") && !connects(200, "203.0.113.9/53") && !connects(202, "203.0.113.9/53"));
    assert!(!connects(201, "203.0.113.9/80") && !connects(201, "10.66.0.2/53"));
    let forward = Town::new(
        r#","resolver":{"upstream":{"mode":"forward","servers":[{"protocol":"dot","address":"203.0.113.9:853","name":"a"}]}}"#,
    );
    let _dot = (listen(&forward.world, 853), listen(&forward.world, 53));
    let connects = |to| connects_as(&forward.server, 201, to);
    assert!(connects("203.0.113.9/853"));
    assert!(!connects("198.51.100.2/853") && !connects("203.0.113.9/53"));
}

/// What connection tracking calls invalid is not translated, and must not leave as it is: here a segment of a
/// connection that the table has forgotten and may not take up again.
#[test]
fn no_address_of_the_tunnel_leaves() {
    if !possible() {
        return;
    }
    let town = Town::new("");
    town.server.feed(
        &["sysctl", "-q", "-p", "-"],
        "net.netfilter.nf_conntrack_tcp_loose=0\nnet.netfilter.nf_conntrack_tcp_timeout_established=1\n",
    );
    let seen = "table inet seen {\nchain seen {\ntype filter hook prerouting priority 0;
        ip saddr 10.66.0.0/24 counter\nip saddr 198.51.100.1 counter\n}\n}";
    town.world.feed(&["nft", "-f", "-"], seen);
    let web = listen(&town.world, 80);
    let mut client = town.clients[0].inside(|| TcpStream::connect("203.0.113.9:80")).unwrap();
    let there = web.accept().unwrap();
    std::thread::sleep(WAIT * 6);
    client.write_all(b"late").unwrap();
    std::thread::sleep(WAIT);
    let counters = town.world.run(&["nft", "list", "ruleset"]);
    assert!(counters.contains("10.66.0.0/24 counter packets 0 "), "{counters}");
    assert!(!counters.contains("198.51.100.1 counter packets 0 "), "{counters}");
    assert!(town.server.run(&["cat", "/proc/sys/net/netfilter/nf_conntrack_count"]).starts_with('0'));
    drop(there);
}
