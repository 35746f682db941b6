//! The table of peers, driven by any sequence of changes. Invariants:
//! - never a panic;
//! - `check` says the same as a model that compares every network with every other one;
//! - what is in the table never overlaps, and leaving it empties it;
//! - a difference, carried out, leads to exactly what was wanted, and the commitments agree.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::collections::BTreeMap;
use std::net::IpAddr;
use vitrine_attest::config::Cidr;
use vitrine_attest::digest::Key32;
use vitrine_attest::order::{commitment, merged};
use vitrine_attest::peers::{is_network, Peers};
use vitrine_attest::Sha256;

const OWN: Key32 = Key32([0xff; 32]);
const MOST: usize = 9;

fn tunnel() -> Vec<Cidr> {
    ["10.66.0.1/24", "fd66::1/120"].map(|text| text.parse().expect("a good network")).to_vec()
}

/// Four bytes: what to do and with whom, family, prefix, last part of the address.
fn change(bytes: &[u8]) -> (bool, Key32, Cidr) {
    let add = bytes[0] & 0x80 != 0;
    let key = if bytes[0] & 15 == 15 { OWN } else { Key32([bytes[0] & 15; 32]) };
    let (address, longest): (IpAddr, u8) = match bytes[1] & 1 {
        0 => ([10, 66, bytes[1] >> 7, bytes[3]].into(), 32),
        _ => ([0xfd66, 0, 0, 0, 0, 0, 0, u16::from(bytes[3])].into(), 128),
    };
    (add, key, Cidr { address, prefix: longest - bytes[2] % 12 })
}

fuzz_target!(|data: &[u8]| {
    let mut peers = Peers::new(OWN, tunnel(), MOST);
    let mut model: BTreeMap<Key32, Vec<Cidr>> = BTreeMap::new();
    let mut wanted: BTreeMap<Key32, Vec<Cidr>> = BTreeMap::new();
    for (add, key, network) in data.chunks_exact(4).map(change) {
        assert_eq!(peers.check(&key, &[network]).is_ok(), allowed(&model, &key, &network));
        if !add {
            peers.removed(&key);
            model.remove(&key);
        } else if peers.check(&key, &[network]).is_ok() {
            peers.added(key, vec![network]);
            model.insert(key, vec![network]);
        }
        wanted.entry(key).or_default().push(network);
        assert!(peers.each().map(|(key, networks)| (*key, networks.to_vec())).eq(model.clone()));
    }
    let Ok(difference) = peers.difference(&wanted) else { return };
    difference.remove.iter().for_each(|key| peers.removed(key));
    for (key, networks) in difference.add {
        assert_eq!(peers.check(&key, &networks), Ok(()));
        peers.added(key, networks);
    }
    assert!(peers.each().eq(wanted
        .iter()
        .map(|(k, n)| (k, merged(n)))
        .collect::<Vec<_>>()
        .iter()
        .map(|(k, n)| (*k, n.as_slice()))));
    let theirs = commitment(&Sha256::ZERO, peers.each());
    assert_eq!(
        theirs,
        commitment(&Sha256::ZERO, wanted.iter().rev().map(|(key, networks)| (key, networks.as_slice())))
    );
    wanted.keys().for_each(|key| peers.removed(key));
    assert!(peers.is_empty());
});

fn allowed(model: &BTreeMap<Key32, Vec<Cidr>>, key: &Key32, network: &Cidr) -> bool {
    let inside = tunnel().iter().any(|own| own.prefix <= network.prefix && own.contains(network.address));
    let own = tunnel().iter().any(|own| network.contains(own.address));
    let room = model.contains_key(key) || model.len() < MOST;
    let free = model.iter().all(|(owner, theirs)| owner == key || !theirs.iter().any(|other| other.overlaps(network)));
    *key != OWN && room && is_network(network) && inside && !own && free
}
