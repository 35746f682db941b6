use super::*;
use crate::net::outer::Outer;
use crate::net::rtnl::Routing;
use crate::net::space::{run, Space};
use crate::net::wireguard::tests::Client;
use crate::tunnels::tests::{sample, space, wait};
use std::net::IpAddr;

const IDLE: Duration = Duration::from_secs(6);
const TICK: Duration = Duration::from_secs(1);
/// Of a test on an emulated machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Shorter times than a configuration may have, and a card of a file.
fn janitor(card: &std::path::Path) -> Janitor {
    let now = Instant::now();
    Janitor {
        idle: IDLE,
        tick: TICK,
        started: now,
        next: now,
        watches: Default::default(),
        owed: BTreeSet::new(),
        slabs: Slabs::open().unwrap(),
        shrunk: now,
        turn: 0,
        turnover: Turnover::open_at(card).unwrap(),
    }
}

fn addresses(text: [&str; 2]) -> [IpAddr; 2] {
    text.map(|one| one.parse().unwrap())
}

/// Two clients on two ports: one goes, one stays. What the first leaves behind is gone after its time, and the other
/// does not notice.
#[test]
fn one_client_goes_and_one_stays() {
    let Some(space) = space().and_then(|_| Space::with_clients()) else { return };
    let (mut config, tunnels, key) = sample(r#""ports":[51820,443]"#);
    config.network = serde_json::from_str(r#"{"mode":"static","addresses":[]}"#).unwrap();
    let lo = Routing::open().unwrap().index_of("lo").unwrap();
    let outside = Outside::open(&config, Routing::open().unwrap(), Outer { index: lo, mac: [0; 6] }).unwrap();
    let mut peers = Peers::new(key.public, config.wireguard.addresses.clone(), 10);
    let clients = ["goes", "stays"].map(|name| Client::new(name, key.public));
    for (client, networks) in clients.iter().zip([["10.66.0.2/32", "fd66::2/128"], ["10.66.0.9/32", "fd66::9/128"]]) {
        let networks: Vec<_> = networks.map(|one| one.parse().unwrap()).to_vec();
        tunnels.add_peer(&client.public, &networks).unwrap();
        peers.added(client.public, networks);
        client.speak_to(443);
        wait("a handshake", || tunnels.online(&client.public).unwrap());
    }
    space.speak(&["10.66.0.2", "10.66.0.9", "fd66::2", "fd66::9"]);
    let card = std::env::temp_dir().join(format!("vitrine-card-{}", std::process::id()));
    std::fs::write(&card, "0\n").unwrap();
    let mut janitor = janitor(&card);

    run("ip link del goes");
    let start = Instant::now();
    let (mut spoken, mut left) = (start, true);
    while left && start.elapsed() < PATIENCE {
        // Another handshake now and then is what tells it from one that went
        if spoken.elapsed() > IDLE / 3 {
            clients[1].speak_to(443);
            spoken = Instant::now();
        }
        janitor.tick(Instant::now(), &tunnels, &peers, &outside);
        std::thread::sleep(TICK / 4);
        let states = tunnels.states(tunnels.live()[1]).unwrap();
        let traces = |client: &Client| states.iter().find(|state| state.key == client.public).unwrap().leaves_traces();
        assert!(traces(&clients[1]), "the one that stays");
        left = traces(&clients[0]);
    }
    assert!(!left && start.elapsed() >= IDLE, "{:?}", start.elapsed());
    assert!(janitor.turnover.wake().is_some(), "receive buffers are to be turned over");
    assert!(tunnels.online(&clients[1].public).unwrap() && !tunnels.online(&clients[0].public).unwrap());
    let connections = space.connections();
    let of = |clients: [&str; 2]| addresses(clients).iter().filter(|one| connections.contains(one)).count();
    assert_eq!((of(["10.66.0.2", "fd66::2"]), of(["10.66.0.9", "fd66::9"])), (0, 2));
    std::fs::remove_file(card).unwrap();
}

/// Somebody could be alive there.
#[test]
fn nobody_is_judged_while_an_interface_cannot_be_read() {
    let Some(_space) = space() else { return };
    let (config, tunnels, key) = sample(r#""ports":[51820,443]"#);
    let peers = Peers::new(key.public, config.wireguard.addresses, 10);
    let card = std::env::temp_dir().join(format!("vitrine-card-unread-{}", std::process::id()));
    std::fs::write(&card, "0\n").unwrap();
    let mut janitor = janitor(&card);
    assert!(!janitor.clean(Instant::now(), &tunnels, &peers));
    run(&format!("ip link del {}", crate::net::TUNNELS[1]));
    assert!(janitor.look(Instant::now(), &tunnels).is_err());
    assert!(janitor.clean(Instant::now(), &tunnels, &peers), "soon again");
    std::fs::remove_file(card).unwrap();
}
