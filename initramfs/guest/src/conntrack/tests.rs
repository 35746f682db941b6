use super::*;

fn networks(text: &[&str]) -> Vec<Cidr> {
    text.iter().map(|one| one.parse().unwrap()).collect()
}

fn conntrack(clients: &str) -> Conntrack {
    let text = format!(r#"{{"wireguard":{{"addresses":["10.66.0.1/24"]}},"firewall":{{"clients":"{clients}"}}}}"#);
    Conntrack::open(&serde_json::from_str(&text).unwrap()).unwrap()
}

/// An entry as the kernel shows it.
fn entry(source: &str, destination: &str) -> Vec<u8> {
    let (mut addresses, mut tuple, mut body) = (Vec::new(), Vec::new(), Vec::new());
    let family = match (source.parse().unwrap(), destination.parse().unwrap()) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            push(&mut addresses, 1, &source.octets()).unwrap();
            push(&mut addresses, 2, &destination.octets()).unwrap();
            INET
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            push(&mut addresses, 3, &source.octets()).unwrap();
            push(&mut addresses, 4, &destination.octets()).unwrap();
            INET6
        }
        _ => unreachable!("one family"),
    };
    push_nested(&mut tuple, TUPLE_IP, &addresses).unwrap();
    push_nested(&mut tuple, 2, &[5, 0, 1, 0, 17, 0, 0, 0]).unwrap();
    body.extend([family, 0, 0, 0]);
    push_nested(&mut body, TUPLE_ORIGINAL, &tuple).unwrap();
    push_nested(&mut body, 2, &[]).unwrap();
    push(&mut body, ZONE, &[0, 7]).unwrap();
    raw(GET, 0, &body).unwrap()
}

fn is_sought(clients: &str, sought: &[&str], entry: &[u8]) -> bool {
    conntrack(clients).matching(entry, &Networks::new(&networks(sought))).unwrap().is_some()
}

#[test]
fn entries_of_a_network_are_found() {
    let sought = ["10.66.0.8/29", "10.66.0.32/32", "fd66::8/125"];
    for (source, expected) in [("10.66.0.8", true), ("10.66.0.15", true), ("10.66.0.16", false), ("10.66.0.7", false)] {
        assert_eq!(is_sought("isolated", &sought, &entry(source, "192.0.2.1")), expected, "{source}");
    }
    assert!(is_sought("isolated", &sought, &entry("fd66::f", "2001:db8::1")));
    assert!(!is_sought("isolated", &sought, &entry("fd66::10", "2001:db8::1")));
}

#[test]
fn overlapping_networks_are_one() {
    let sought = Networks::new(&networks(&["10.66.0.9/32", "10.66.0.8/32", "10.66.0.8/29", "10.66.0.8/30"]));
    assert_eq!(sought.0.len(), 1);
    assert!(sought.contain("10.66.0.15".parse().unwrap()) && !sought.contain("10.66.0.16".parse().unwrap()));
}

#[test]
fn destinations_count_among_clients() {
    let to_it = entry("10.66.0.9", "10.66.0.8");
    assert!(!is_sought("isolated", &["10.66.0.8/32"], &to_it));
    assert!(is_sought("together", &["10.66.0.8/32"], &to_it));
}

#[test]
fn an_entry_is_deleted_by_its_own_tuple() {
    let entry = entry("10.66.0.8", "192.0.2.1");
    let sought = Networks::new(&networks(&["10.66.0.8/32"]));
    let request = conntrack("isolated").matching(&entry, &sought).unwrap().unwrap();
    assert_eq!(request[4..6], DELETE.to_ne_bytes());
    for kind in [TUPLE_ORIGINAL, ZONE] {
        let of = |bytes: &[u8]| find(&bytes[HEADERS..], kind).unwrap().unwrap().to_vec();
        assert_eq!(of(&request), of(&entry));
    }
}

#[test]
fn broken_entries_are_errors() {
    let whole = entry("10.66.0.8", "192.0.2.1");
    let sought = Networks::new(&networks(&["10.66.0.8/32"]));
    for length in 0..whole.len() - 12 {
        let found = conntrack("isolated").matching(&whole[..length], &sought);
        assert!(found.is_err() || length > HEADERS + 32, "{length}");
    }
}

/// The kernel of this machine judges: connections of one client end, those of another one live on.
#[test]
fn the_kernel_forgets_one_client_only() {
    let Some(space) = crate::net::space::Space::with_clients() else { return };
    for (sought, left) in [
        (&["10.66.0.2/32", "fd66::2/128"][..], ["10.66.0.9", "fd66::9"]),
        (&["10.66.0.0/29", "fd66::/125"], ["10.66.0.9", "fd66::9"]),
        (&["10.66.0.2/32"], ["10.66.0.9", "fd66::9"]),
        (&["fd66::2/128"], ["10.66.0.9", "fd66::9"]),
    ] {
        space.speak(&["10.66.0.2", "10.66.0.9", "fd66::2", "fd66::9"]);
        let connections = space.connections();
        assert_eq!(connections.len(), 4, "{connections:?}");
        conntrack("isolated").forget(&networks(sought)).unwrap();
        let (mut connections, mut left) = (space.connections(), left.map(|one| one.parse().unwrap()).to_vec());
        let other: [IpAddr; 2] = ["10.66.0.2", "fd66::2"].map(|one| one.parse().unwrap());
        left.extend(other.into_iter().filter(|one| !networks(sought).iter().any(|network| network.contains(*one))));
        connections.sort();
        left.sort();
        assert_eq!(connections, left);
        conntrack("isolated").forget(&networks(&["10.66.0.0/24", "fd66::/64"])).unwrap();
        assert!(space.connections().is_empty());
    }
}
