use super::*;
use crate::rule::Interface::{Outer, Tunnels};
use crate::rule::Match::{DestinationPort, From, Known, SourcePort, To, User};
use crate::rule::Transport::{Tcp, Udp};

fn config(more: &str) -> Config {
    let text = format!(r#"{{"wireguard":{{"addresses":["10.66.0.1/24","fd66::1/64"]}}{more}}}"#);
    serde_json::from_str(&text).expect("a sample configuration")
}

fn chain(config: &Config, name: &str) -> Chain {
    ruleset(config).into_iter().find(|chain| chain.name == name).unwrap()
}

#[test]
fn every_private_network_is_one() {
    for text in vitrine_attest::config::PRIVATE {
        text.parse::<Cidr>().unwrap();
    }
}

#[test]
fn without_forwarding_nothing_is_forwarded_or_translated() {
    let config = config(r#","forward":"none""#);
    let forward = chain(&config, "forward");
    assert_eq!((forward.policy, forward.rules.len()), (Policy::Drop, 0));
    assert!(ruleset(&config).iter().all(|chain| chain.kind == Kind::Filter && chain.name != "segment_size"));
}

#[test]
fn static_networks_have_no_dhcp_rules() {
    let config = config(r#","network":{"mode":"static","addresses":["192.0.2.1/24"]}"#);
    let has_dhcp = |rule: &Rule| rule.matches.iter().any(|m| matches!(m, SourcePort(Udp, 67 | 68)));
    assert!(!ruleset(&config).iter().flat_map(|chain| &chain.rules).any(has_dhcp));
    let own = Match::Destination("192.0.2.1/24".parse().unwrap());
    assert!(chain(&config, "forward").rules.iter().any(|r| r.action == Action::Drop && r.matches.contains(&own)));
}

#[test]
fn clients_reach_each_other_only_when_told() {
    let inside = |rule: &Rule| rule.matches.contains(&From(Tunnels)) && rule.matches.contains(&To(Tunnels));
    assert!(!chain(&config(""), "forward").rules.iter().any(inside));
    let together = config(r#","forward":"none","firewall":{"clients":"together"}"#);
    let forward = chain(&together, "forward");
    assert_eq!((forward.policy, forward.rules.len()), (Policy::Drop, 1));
    assert!(inside(&forward.rules[0]));
}

/// In every configuration: nobody outside begins a connection to a client, whatever the family.
#[test]
fn the_outside_never_begins() {
    for more in ["", r#","forward":"routed6""#, r#","firewall":{"clients":"together","reach":["10.0.0.0/8"]}"#] {
        for rule in chain(&config(more), "forward").rules {
            assert!(rule.matches.contains(&From(Tunnels)) || rule.matches.contains(&Known), "{rule:?}");
        }
    }
}

/// What is allowed comes before what is refused, and what is refused before everything else.
#[test]
fn reach_comes_first() {
    let rules = chain(&config(r#","firewall":{"reach":["10.1.0.0/16"]}"#), "forward").rules;
    let actions: Vec<_> = rules.iter().map(|rule| rule.action).collect();
    let accept = Action::Accept;
    assert_eq!((&actions[..3], actions.last()), (&[accept; 3][..], Some(&accept)));
    assert_eq!(actions[3..actions.len() - 1], [Action::Drop; vitrine_attest::config::PRIVATE.len()]);
}

#[test]
fn one_interface_needs_no_marks() {
    assert!(ruleset(&config("")).iter().all(|chain| !chain.name.starts_with("marks")));
}

/// Only the resolver's own user asks, only outwards.
#[test]
fn the_resolver_asks_only_what_it_may() {
    let forward = r#","resolver":{"upstream":{"mode":"forward","servers":[
        {"protocol":"dot","address":"192.0.2.53:853","name":"a"},
        {"protocol":"doh","address":"[2001:db8::1]:443","name":"b","trust":"x"},
        {"protocol":"dnscrypt","address":"192.0.2.54:443","name":"2.dnscrypt-cert.c"}]}}"#;
    let asks = |config: &Config| -> Vec<Rule> {
        let rules = chain(config, "output").rules.into_iter();
        rules.filter(|rule| rule.matches.iter().any(|m| matches!(m, User(_)))).collect()
    };
    let (recursive, forwarded) = (asks(&config(r#","resolver":{}"#)), asks(&config(forward)));
    assert_eq!((recursive.len(), forwarded.len(), asks(&config("")).len()), (2, 4, 0));
    for rule in recursive.iter().chain(&forwarded) {
        assert!(rule.matches.starts_with(&[To(Outer), User(201)]), "{rule:?}");
    }
    assert!(recursive.iter().all(|rule| rule.matches.len() == 3));
    assert!(forwarded
        .iter()
        .all(|rule| matches!(rule.matches[2], Match::Destination(c) if [32, 128].contains(&c.prefix))));
    // DNSCrypt is the one that needs both
    let udp: Vec<_> = forwarded.iter().filter(|rule| rule.matches.contains(&DestinationPort(Udp, 443))).collect();
    let there = Match::Destination("192.0.2.54/32".parse().unwrap());
    assert!(udp.len() == 1 && udp[0].matches.contains(&there));
    assert_eq!(forwarded.iter().filter(|rule| rule.matches.contains(&there)).count(), 2);
}

#[test]
fn metrics_are_for_those_who_are_named() {
    let page = |more: &str| -> Vec<Vec<Match>> {
        let rules = chain(&config(more), "input").rules.into_iter();
        rules.map(|rule| rule.matches).filter(|m| m.contains(&DestinationPort(Tcp, 9469))).collect()
    };
    assert!(page("").is_empty());
    assert_eq!(page(r#","metrics":{"level":"L1"}"#), [vec![From(Tunnels), DestinationPort(Tcp, 9469)]]);
    let from = r#","metrics":{"level":"L1","from":["10.66.0.2/32","192.0.2.0/24","0.0.0.0/0"]}"#;
    let first: Vec<_> = page(from).into_iter().map(|matches| matches[0].clone()).collect();
    assert_eq!(first, [From(Tunnels), From(Outer), From(Tunnels), From(Outer)]);
}

const GATEWAY: &str = r#","gateway":{"reach":["REACH"],"routes":[{"prefix":"/","upstream":"a"}],"upstreams":{"a":{
    "addresses":["192.0.2.1:443","[2001:db8::1]:8443","10.66.0.9:80","127.0.0.1:8000"],"name":"a.example"}}}"#;

/// The gateway alone calls its upstreams, each where it is, and nobody else.
#[test]
fn the_gateway_calls_only_its_upstreams() {
    let config = config(&GATEWAY.replace("REACH", "outside"));
    let rules = chain(&config, "output").rules;
    let calls: Vec<_> = rules.iter().filter(|rule| rule.matches.contains(&User(203))).collect();
    assert_eq!(calls.len(), 3, "loopback is open anyway");
    for (place, port) in [("10.66.0.9/32", 80), ("192.0.2.1/32", 443), ("2001:db8::1/128", 8443)] {
        let way = To(if port == 80 { Tunnels } else { Outer });
        let exact = [way, User(203), Match::Destination(place.parse().unwrap()), DestinationPort(Tcp, port)];
        assert!(calls.iter().any(|rule| rule.matches == exact), "{place}: {calls:?}");
    }
}

/// From outside untracked, both ways; from the tunnel on the server's addresses there; never more than was asked for.
#[test]
fn callers_of_the_gateway() {
    let outside = config(&GATEWAY.replace("REACH", "outside"));
    let inside = config(&GATEWAY.replace("REACH", "tunnel"));
    let (to, from) = (DestinationPort(Tcp, 443), SourcePort(Tcp, 443));
    let about = |config: &Config, name: &str, port: &Match| -> Vec<Rule> {
        chain(config, name)
            .rules
            .into_iter()
            .filter(|r| r.matches.contains(port) && !r.matches.contains(&User(203)))
            .collect()
    };
    let rule = |matches: &[Match], action| Rule { matches: matches.to_vec(), action };
    assert_eq!(about(&outside, "raw_in", &to), [rule(&[From(Outer), to.clone()], Action::Untracked)]);
    assert_eq!(about(&outside, "raw_out", &from), [rule(&[To(Outer), from.clone()], Action::Untracked)]);
    assert_eq!(about(&outside, "input", &to), [rule(&[From(Outer), to.clone()], Action::Accept)]);
    assert_eq!(about(&outside, "output", &from), [rule(&[To(Outer), from.clone()], Action::Accept)]);
    assert_eq!(about(&outside, "source_nat", &from).len(), 1, "a client's own port 443 leaves from another one");
    for name in ["raw_in", "raw_out", "output", "source_nat"] {
        assert!(about(&inside, name, &to).is_empty() && about(&inside, name, &from).is_empty(), "{name}");
    }
    let callers = about(&inside, "input", &to);
    assert_eq!(callers.len(), 2, "one for each address");
    assert!(callers.iter().all(|rule| rule.matches.contains(&From(Tunnels))));
}
