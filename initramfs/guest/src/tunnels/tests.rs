use super::*;
use crate::net::space::{run, Space};
use crate::net::wireguard::tests::Client;
use std::time::{Duration, Instant};

fn wireguard(text: &str) -> config::WireGuard {
    serde_json::from_str(text).unwrap()
}

#[test]
fn generations_take_turns() {
    let rotation = r#"{"every":"60s","overlap":"20s","ports":[3,4]}"#;
    let config = wireguard(&format!(r#"{{"ports":[1,2],"addresses":[],"rotation":{rotation}}}"#));
    for generation in 0..4 {
        let ports: Vec<u16> = numbers(&config, generation).map(|n| config.all_ports()[n]).collect();
        assert_eq!(ports, config.ports_of(generation));
    }
    let fixed = wireguard(r#"{"ports":[1,2],"addresses":[]}"#);
    assert_eq!((numbers(&fixed, 0), numbers(&fixed, 1)), (0..2, 0..2));
}

#[test]
fn marks_and_tables_are_those_of_the_firewall() {
    assert_eq!((Number(0).name(), Number(0).mark(), Number(0).table()), ("wg0", 1, Table(100)));
    assert_eq!((Number(7).name(), Number(7).mark(), Number(7).table()), ("wg7", 8, Table(107)));
}

#[test]
fn sessions_end_after_three_minutes() {
    for (handshake, now, expected) in [
        (1000, 1000, true),
        (1000, 1179, true),
        (1000, 1180, false),
        (1001, 1000, true),
        (1000, 400, false),
        (0, 100, false),
        (-1, 0, false),
        (i64::MIN, 0, false),
    ] {
        assert_eq!(is_recent(handshake, now), expected, "{handshake} {now}");
    }
}

/// A kernel with WireGuard judges; the machines of `make test` have one.
pub fn space() -> Option<Space> {
    let space = Space::new()?;
    let known = std::process::Command::new("ip").args("link add probe type wireguard".split(' ')).output();
    if known.is_ok_and(|output| output.status.success()) {
        run("ip link del probe");
        return Some(space);
    }
    eprintln!("skipped: this kernel has no WireGuard");
    None
}

pub fn sample(ports: &str) -> (Config, Tunnels, KeyPair) {
    let text = format!(r#"{{"wireguard":{{"addresses":["10.66.0.1/16","fd66::1/64"],{ports}}}}}"#);
    let config: Config = serde_json::from_str(&text).unwrap();
    let key = KeyPair::generate().unwrap();
    let tunnels = Tunnels::open(&config, &Routing::open().unwrap(), &key).unwrap();
    (config, tunnels, key)
}

const TURNS: &str = r#""ports":[51820,443],"rotation":{"every":"60s","overlap":"20s","ports":[51821,4443]}"#;

fn cidr(text: &str) -> Vec<Cidr> {
    vec![text.parse().unwrap()]
}

pub fn wait(what: &str, mut until: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !until() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn the_kernel_has_two_generations() {
    let Some(_space) = space() else { return };
    let (_, mut tunnels, key) = sample(TURNS);
    let mut peers = Peers::new(key.public, vec!["10.66.0.1/16".parse().unwrap()], 10);
    let peer = KeyPair::generate().unwrap().public;
    tunnels.add_peer(&peer, &cidr("10.66.0.2/32")).unwrap();
    peers.added(peer, cidr("10.66.0.2/32"));
    assert_eq!(run("ip -4 route").trim(), "10.66.0.0/16 dev wg0 scope link src 10.66.0.1");
    assert_eq!(run("ip -4 route show table 101").trim(), "10.66.0.0/16 dev wg1 scope link src 10.66.0.1");
    assert!(run("ip -6 rule").contains("1003:\tfrom all fwmark 0x4 lookup 103"));

    let second = KeyPair::generate().unwrap();
    tunnels.begin(1, &second, &peers).unwrap();
    assert_eq!(run("ip -4 route").trim(), "10.66.0.0/16 dev wg2 scope link src 10.66.0.1");
    assert_eq!(tunnels.live().len(), 4);
    for number in 0..4 {
        assert_eq!(tunnels.states(Number(number)).unwrap()[..].len(), 1, "wg{number} has the peer");
    }
    tunnels.end(0).unwrap();
    tunnels.end(0).unwrap();
    assert_eq!(tunnels.live(), [Number(2), Number(3)]);
    assert!(run("ip route get 10.66.0.1").starts_with("local "), "the server's own address stays");
    assert!(run("ip -6 route get fd66::1").starts_with("local "));
    assert!(run("ip -6 route get fd66::2").contains("dev wg2"));
    tunnels.begin(2, &KeyPair::generate().unwrap(), &peers).unwrap();
    assert_eq!(run("ip -4 route").trim(), "10.66.0.0/16 dev wg0 scope link src 10.66.0.1");
}

#[test]
fn a_generation_that_cannot_begin_leaves_nothing() {
    let Some(_space) = space() else { return };
    let (_, mut tunnels, key) = sample(TURNS);
    let peers = Peers::new(key.public, vec![], 10);
    let taken = std::net::UdpSocket::bind("0.0.0.0:4443").unwrap();
    assert!(tunnels.begin(1, &key, &peers).is_err(), "its second port belongs to somebody else");
    assert_eq!(tunnels.live(), [Number(0), Number(1)]);
    assert!(!run("ip link").contains("wg2"));
    assert_eq!(run("ip -4 route").trim(), "10.66.0.0/16 dev wg0 scope link src 10.66.0.1");
    drop(taken);
    tunnels.begin(1, &key, &peers).unwrap();
    assert_eq!(tunnels.live().len(), 4);
}

/// A client's session is seen and wiped, and the client can come back.
#[test]
fn sessions_are_seen_and_wiped() {
    let Some(_space) = space() else { return };
    let (_, tunnels, key) = sample(r#""ports":[51820,443]"#);
    let client = Client::new("client", key.public);
    let networks = cidr("10.66.0.2/32");
    tunnels.add_peer(&client.public, &networks).unwrap();
    let quiet = |number| !tunnels.states(Number(number)).unwrap()[0].leaves_traces();
    assert!(quiet(0) && quiet(1) && !tunnels.online(&client.public).unwrap());
    assert_eq!(tunnels.sessions(), Ok(0));

    client.speak_to(443);
    wait("a handshake", || tunnels.online(&client.public).unwrap());
    let states = tunnels.states(Number(1)).unwrap();
    assert!(states[0].endpoint && states[0].received >= 148 && states[0].sent >= 92, "one handshake at least");
    assert!(states[0].key == client.public && quiet(0), "not on the other interface");
    assert_eq!(tunnels.sessions(), Ok(1));

    tunnels.renew(Number(1), [(&client.public, networks.as_slice())]).unwrap();
    assert!(quiet(1) && !tunnels.online(&client.public).unwrap());
    client.speak_to(443);
    wait("a new handshake", || tunnels.online(&client.public).unwrap());
    tunnels.remove_peer(&client.public).unwrap();
    assert!(tunnels.states(Number(1)).unwrap().is_empty());
    assert_eq!(tunnels.forget(), Ok(true));
}

/// Times are printed: `cargo test ten_thousand -- --nocapture`.
#[test]
fn ten_thousand_peers() {
    let Some(_space) = space() else { return };
    let (_, tunnels, key) = sample(r#""ports":[51820]"#);
    let mut peers = Peers::new(key.public, vec!["10.66.0.1/16".parse().unwrap()], 10_000);
    for number in 0..10_000u32 {
        let mut peer = [1; 32];
        peer[..4].copy_from_slice(&number.to_be_bytes());
        let address = std::net::Ipv4Addr::from(0x0a42_0100 + number);
        peers.added(Key32(peer), vec![Cidr { address: address.into(), prefix: 32 }]);
    }
    let timed = |what: &str, work: &dyn Fn()| {
        let start = Instant::now();
        work();
        eprintln!("{what}: {:?}", start.elapsed());
    };
    timed("add 10,000", &|| tunnels.wireguard.add("wg0", peers.each()).unwrap());
    timed("read 10,000", &|| assert_eq!(tunnels.states(Number(0)).unwrap().len(), 10_000));
    timed("renew 256", &|| tunnels.renew(Number(0), peers.each().take(256)).unwrap());
    timed("forget 10,000", &|| {
        tunnels.are_over(peers.each().flat_map(|(_, networks)| networks));
        assert_eq!(tunnels.forget(), Ok(true));
    });
    assert_eq!(tunnels.states(Number(0)).unwrap().len(), 10_000);
}
