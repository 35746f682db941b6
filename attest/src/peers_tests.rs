//! Rules for peers, one by one and all together.

use super::*;

const A: Key32 = Key32([1; 32]);
const B: Key32 = Key32([2; 32]);

fn nets(text: &[&str]) -> Vec<Cidr> {
    text.iter().map(|one| one.parse().unwrap()).collect()
}

fn peers() -> Peers {
    Peers::new(Key32([9; 32]), nets(&["10.66.0.1/24", "fd66::1/64"]), 3)
}

fn check(peers: &Peers, peer: &Key32, text: &[&str]) -> Result<(), &'static str> {
    peers.check(peer, &nets(text)).map_err(|refusal| refusal.0)
}

#[test]
fn inside_the_tunnel_and_nowhere_else() {
    let peers = peers();
    assert_eq!(check(&peers, &A, &["10.66.0.2/32", "fd66::2/128"]), Ok(()));
    assert_eq!(check(&peers, &A, &["10.66.0.128/25"]), Ok(()));
    for bad in ["10.66.1.2/32", "10.66.0.0/23", "0.0.0.0/0", "::/0", "fd66:0:0:1::/64", "10.66.0.130/25"] {
        assert_eq!(check(&peers, &A, &["10.66.0.2/32", bad]), Err("allowed-ips"), "{bad}");
    }
    assert_eq!(check(&peers, &A, &[]), Err("allowed-ips"));
    assert_eq!(check(&peers, &Key32([9; 32]), &["10.66.0.2/32"]), Err("own-key"));
}

#[test]
fn not_the_servers_own_address() {
    for bad in ["10.66.0.1/32", "10.66.0.0/24", "10.66.0.0/25", "fd66::/127"] {
        assert_eq!(check(&peers(), &A, &[bad]), Err("own-address"), "{bad}");
    }
}

#[test]
fn not_another_peers() {
    let mut peers = peers();
    peers.added(A, nets(&["10.66.0.8/29", "fd66::8/125", "10.66.0.9/32"]));
    for bad in ["10.66.0.8/32", "10.66.0.15/32", "10.66.0.8/30", "10.66.0.8/29", "fd66::a/128"] {
        assert_eq!(check(&peers, &B, &[bad]), Err("overlap"), "{bad}");
        assert_eq!(check(&peers, &A, &[bad]), Ok(()), "its own");
    }
    assert_eq!(check(&peers, &B, &["10.66.0.16/32", "10.66.0.7/32", "fd66::7/128"]), Ok(()));
    peers.added(A, nets(&["10.66.0.32/27"]));
    assert_eq!(check(&peers, &B, &["10.66.0.8/32"]), Ok(()), "former networks are free");
    assert_eq!(check(&peers, &B, &["10.66.0.32/32"]), Err("overlap"));
    peers.removed(&A);
    assert_eq!(check(&peers, &B, &["10.66.0.32/32"]), Ok(()));
    assert!(peers.taken.is_empty() && peers.known.is_empty());
}

#[test]
fn one_peer_may_not_hide_anothers_network() {
    let mut peers = peers();
    peers.added(A, nets(&["10.66.0.16/32"]));
    peers.added(B, nets(&["10.66.0.18/32"]));
    assert_eq!(check(&peers, &A, &["10.66.0.16/28"]), Err("overlap"));
}

#[test]
fn no_more_than_allowed() {
    let mut peers = peers();
    for n in 2..5 {
        let key = Key32([n; 32]);
        let network = format!("10.66.0.{n}/32");
        assert_eq!(check(&peers, &key, &[&network]), Ok(()));
        peers.added(key, nets(&[&network]));
    }
    assert_eq!(check(&peers, &Key32([5; 32]), &["10.66.0.5/32"]), Err("peer-full"));
    assert_eq!(check(&peers, &B, &["10.66.0.5/32"]), Ok(()), "a known peer may change");
    assert_eq!((peers.len(), peers.networks(&B)), (3, Some(nets(&["10.66.0.2/32"]).as_slice())));
    assert!(peers.each().map(|(key, _)| key.0[0]).eq([2, 3, 4]));
}

fn set(peers: &[(Key32, &[&str])]) -> BTreeMap<Key32, Vec<Cidr>> {
    peers.iter().map(|(key, text)| (*key, nets(text))).collect()
}

#[test]
fn differences() {
    const C: Key32 = Key32([3; 32]);
    let mut peers = peers();
    peers.added(A, nets(&["10.66.0.2/32"]));
    peers.added(B, nets(&["10.66.0.3/32"]));
    let same = set(&[(A, &["10.66.0.2/32", "10.66.0.2/32"]), (B, &["10.66.0.3/32"])]);
    let nothing = Changes { unchanged: 2, ..Changes::default() };
    assert_eq!(peers.difference(&same).unwrap(), Difference { changes: nothing, ..Difference::default() });
    // B takes A's network, C is new, A goes
    let wanted = set(&[(B, &["10.66.0.2/32"]), (C, &["10.66.0.3/32"])]);
    let difference = peers.difference(&wanted).unwrap();
    assert_eq!(difference.remove, [A, B]);
    assert_eq!(difference.add, [(B, nets(&["10.66.0.2/32"])), (C, nets(&["10.66.0.3/32"]))]);
    assert_eq!(difference.changes, Changes { added: 2, removed: 2, unchanged: 0 });
    assert_eq!(peers.difference(&BTreeMap::new()).unwrap().remove, [A, B]);
}

#[test]
fn sets_that_are_refused() {
    let mut peers = peers();
    peers.added(A, nets(&["10.66.0.2/32"]));
    let refused = |wanted: &[(Key32, &[&str])]| peers.difference(&set(wanted)).unwrap_err().0;
    assert_eq!(refused(&[(A, &["10.66.0.2/32"]), (B, &["10.66.0.2/31"])]), "overlap");
    assert_eq!(refused(&[(A, &["10.66.0.1/32"])]), "own-address");
    assert_eq!(refused(&[(Key32([9; 32]), &["10.66.0.3/32"])]), "own-key");
    let four: Vec<(Key32, Vec<String>)> = (2..6).map(|n| (Key32([n; 32]), vec![format!("10.66.0.{n}/32")])).collect();
    let four = four.iter().map(|(key, text)| (*key, nets(&[&text[0]]))).collect();
    assert_eq!(peers.difference(&four).unwrap_err().0, "peer-full");
}

/// However many peers there are, a check looks at what overlaps, not at all of them.
#[test]
fn ten_thousand_peers() {
    let mut peers = Peers::new(Key32([9; 32]), nets(&["10.64.0.1/10"]), 10_000);
    let key = |n: u32| {
        let mut key = [1; 32];
        key[..4].copy_from_slice(&n.to_be_bytes());
        Key32(key)
    };
    let network = |n: u32, prefix| Cidr { address: (0x0a40_0100 + n * 4).to_be_bytes().into(), prefix };
    for n in 0..10_000 {
        let wanted = network(n, 30);
        assert_eq!(peers.near(&wanted).count(), 0, "peer {n}");
        assert_eq!(peers.check(&key(n), &[wanted]), Ok(()));
        peers.added(key(n), vec![wanted]);
    }
    assert_eq!(peers.check(&key(10_000), &[network(10_000, 30)]), Err(Refusal("peer-full")));
    for n in 0..10_000 {
        assert_eq!(peers.near(&network(n, 32)).count(), 1, "peer {n}");
    }
    let wide: Cidr = "10.64.0.0/11".parse().unwrap();
    assert!(!peers.near(&wide).take(2).all(|owner| *owner == key(0)), "the second one decides already");
    let all = peers.each().map(|(key, networks)| (*key, networks.to_vec())).collect();
    assert_eq!(peers.difference(&all).unwrap().changes, Changes { unchanged: 10_000, ..Changes::default() });
    (0..10_000).for_each(|n| peers.removed(&key(n)));
    assert!(peers.is_empty() && peers.taken.is_empty());
}

/// What is left after it is what was there before it.
#[test]
fn new_memory_holds_the_same_peers() {
    let mut map: std::collections::BTreeMap<u32, u32> = (0..100).map(|number| (number, number * 2)).collect();
    map.retain(|number, _| number % 7 == 0);
    let before = map.clone();
    renewed(&mut map);
    assert_eq!(map, before);
    map.clear();
    renewed(&mut map);
    assert!(map.is_empty());
}
