//! One hash over all peers: the owner, who knows them, can compare; nobody else learns anything.

use crate::config::Cidr;
use crate::digest::Key32;
use crate::lengths::prefixed;
use crate::Sha256;
use std::collections::BTreeMap;
use std::net::IpAddr;
use zeroize::Zeroizing;

/// Separates this use of SHA-256 from every other one.
const DOMAIN: &[u8] = b"vitrine peers v1";

/// `SHA-256(L(DOMAIN) ‖ L(salt) ‖ L(key₀) ‖ L(networks₀) ‖ L(key₁) ‖ …)`, peers by key, networks [`merged`], each as
/// `family[1: 4 or 6] ‖ prefix[1] ‖ address[4 or 16]`.
///
/// Proves, when the salt is fresh and the answer authentic, that the server's PID 1 held exactly this set when it was
/// asked. It does not prove that it holds it still.
pub fn commitment<'a>(salt: &Sha256, peers: impl IntoIterator<Item = (&'a Key32, &'a [Cidr])>) -> Sha256 {
    let sorted: BTreeMap<&Key32, &[Cidr]> = peers.into_iter().collect();
    let mut bytes = Zeroizing::new(prefixed(&[DOMAIN, &salt.0]));
    for (key, networks) in sorted {
        let networks: Vec<u8> = merged(networks).iter().flat_map(network_bytes).collect();
        bytes.extend(prefixed(&[&key.0, &networks]));
    }
    Sha256::of(&bytes)
}

fn network_bytes(network: &Cidr) -> Vec<u8> {
    match network.address {
        IpAddr::V4(address) => [&[4, network.prefix][..], &address.octets()].concat(),
        IpAddr::V6(address) => [&[6, network.prefix][..], &address.octets()].concat(),
    }
}

/// Sorted by address, without those that lie inside others of the list.
pub fn merged(networks: &[Cidr]) -> Vec<Cidr> {
    let mut wide_first = networks.to_vec();
    wide_first.sort_by_key(|network| (network.prefix, network.address));
    let mut kept: Vec<Cidr> = Vec::with_capacity(wide_first.len());
    for network in wide_first {
        if !kept.iter().any(|outer| outer.contains(network.address)) {
            kept.push(network);
        }
    }
    kept.sort_unstable();
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nets(text: &[&str]) -> Vec<Cidr> {
        text.iter().map(|one| one.parse().unwrap()).collect()
    }

    const A: Key32 = Key32([1; 32]);
    const B: Key32 = Key32([2; 32]);
    const SALT: Sha256 = Sha256([7; 32]);

    #[test]
    fn spelling_and_sequence_do_not_matter() {
        let (a, b) = (nets(&["10.66.0.8/29", "fd66::8/128"]), nets(&["10.66.0.2/32"]));
        let base = commitment(&SALT, [(&A, a.as_slice()), (&B, &b)]);
        assert_eq!(base, commitment(&SALT, [(&B, b.as_slice()), (&A, &a)]));
        let spelt = nets(&["fd66::8/128", "10.66.0.9/32", "10.66.0.8/29", "10.66.0.8/29"]);
        assert_eq!(base, commitment(&SALT, [(&A, spelt.as_slice()), (&B, &b)]));
    }

    #[test]
    fn everything_else_does() {
        let (a, b) = (nets(&["10.66.0.8/29"]), nets(&["10.66.0.2/32"]));
        let base = commitment(&SALT, [(&A, a.as_slice()), (&B, &b)]);
        for other in [
            commitment(&Sha256::ZERO, [(&A, a.as_slice()), (&B, &b)]),
            commitment(&SALT, [(&A, a.as_slice())]),
            commitment(&SALT, [(&A, b.as_slice()), (&B, &a)]),
            commitment(&SALT, [(&A, nets(&["10.66.0.8/30"]).as_slice()), (&B, &b)]),
            commitment(&SALT, []),
        ] {
            assert_ne!(other, base);
        }
    }

    /// Printed by another program: `python3 -c 'import hashlib; …'`, see `docs/formats/order.md`.
    #[test]
    fn pinned_value() {
        let networks = nets(&["10.66.0.7/32", "fd66::7/128"]);
        let value = commitment(&SALT, [(&A, networks.as_slice())]);
        assert_eq!(value.to_string(), "12dd2d4ed022d6dddf23da5b86dc801b342725591eec392fa690ed221b2f72f9");
    }
}
