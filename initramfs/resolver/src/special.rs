//! Names that nobody outside is asked for: they would tell strangers about the network of who asks.
//!
//! RFC 6303 (private reverse zones), RFC 7793 (carrier NAT), RFC 6761 (`localhost`, `invalid`, `test`), RFC 6762
//! (`local`), RFC 7686 (`onion`), RFC 8375 (`home.arpa`). All of them get NXDOMAIN here.

use crate::question::{WireName, NAME};

const ZONES: &[&str] = &[
    "localhost",
    "invalid",
    "test",
    "local",
    "onion",
    "home.arpa",
    "10.in-addr.arpa",
    "168.192.in-addr.arpa",
    "0.in-addr.arpa",
    "127.in-addr.arpa",
    "254.169.in-addr.arpa",
    "2.0.192.in-addr.arpa",
    "100.51.198.in-addr.arpa",
    "113.0.203.in-addr.arpa",
    "255.255.255.255.in-addr.arpa",
    "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa",
    "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa",
    "c.f.ip6.arpa",
    "d.f.ip6.arpa",
    "8.e.f.ip6.arpa",
    "9.e.f.ip6.arpa",
    "a.e.f.ip6.arpa",
    "b.e.f.ip6.arpa",
    "8.b.d.0.1.0.0.2.ip6.arpa",
];

/// Reverse zones of 172.16.0.0/12 and 100.64.0.0/10: second numbers from, to, first number.
const RANGES: &[(u8, u8, &str)] = &[(16, 31, "172.in-addr.arpa"), (64, 127, "100.in-addr.arpa")];

/// Whether the name is in one of these zones.
pub fn is_special(name: &WireName) -> bool {
    let mut buffer = [0; NAME];
    let Some(text) = name.text(&mut buffer) else { return false };
    ZONES.iter().any(|zone| below(text, zone.as_bytes()).is_some())
        || RANGES.iter().any(|(from, to, zone)| {
            let second = below(text, zone.as_bytes()).and_then(|left| left.rsplit(|byte| *byte == b'.').next());
            second.and_then(number).is_some_and(|second| (*from..=*to).contains(&second))
        })
}

/// What stands left of a zone: empty for the zone itself.
fn below<'a>(text: &'a [u8], zone: &[u8]) -> Option<&'a [u8]> {
    let left = text.strip_suffix(zone)?;
    if left.is_empty() {
        return Some(left);
    }
    left.strip_suffix(b".")
}

fn number(text: &[u8]) -> Option<u8> {
    std::str::from_utf8(text).ok()?.parse().ok()
}
