//! The text of `wg-quick(8)`.

use super::endpoint::Endpoint;
use super::key::PrivateKey;
use crate::report::Keys;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use vitrine_attest::config::{Cidr, Config, Forward, Transport};
use zeroize::Zeroizing;

/// The client's side.
pub struct Client<'a> {
    pub private: &'a PrivateKey,
    pub addresses: &'a [Cidr],
    /// Empty: the server's own resolver, if it has one.
    pub dns: &'a [IpAddr],
    pub endpoint: Endpoint,
}

/// For one client of one server, both ends known.
pub fn configuration(client: &Client, server: &str, keys: &Keys, config: &Config) -> Zeroizing<String> {
    // long enough for every line, so that the private key is not left behind in a buffer that was too short
    let mut out = Zeroizing::new(String::with_capacity(16 << 10));
    let mut line = |text: &str| {
        let _ = writeln!(out, "{text}");
    };
    line(&format!("# {server} was accepted; this is its WireGuard key of generation {}.", keys.generation));
    if let Some(rotation) = &config.wireguard.rotation {
        line(&format!(
            "# It makes a new key every {}: make this file again within {}.",
            rotation.every, rotation.overlap
        ));
    }
    line(&format!("# Your public key, for the owner: {}", client.private.public()));
    line("[Interface]");
    line(&format!("PrivateKey = {}", *client.private.base64()));
    match client.addresses {
        [] => line("# Address = (missing: ask the owner which addresses are yours, then use --address)"),
        addresses => line(&format!("Address = {}", list(addresses))),
    }
    if let Some(dns) = dns(client, config) {
        line(&format!("DNS = {dns}"));
    }
    line(&format!("MTU = {}", config.wireguard.mtu));
    line("");
    line("[Peer]");
    line(&format!("PublicKey = {}", keys.wireguard));
    line(&format!("Endpoint = {}", client.endpoint));
    for port in keys.ports.iter().filter(|port| **port != client.endpoint.port) {
        line(&format!("# Endpoint = {}", Endpoint { host: client.endpoint.host.clone(), port: *port }));
    }
    line(&format!("AllowedIPs = {}", allowed_ips(config)));
    out
}

/// Only a resolver that answers on port 53 can be written here.
fn dns(client: &Client, config: &Config) -> Option<String> {
    if !client.dns.is_empty() {
        return Some(list(client.dns));
    }
    let plain = config.resolver.as_ref()?.transports.contains(&Transport::Plain);
    let addresses: Vec<IpAddr> = config.wireguard.addresses.iter().map(|own| own.address).collect();
    plain.then(|| list(&addresses))
}

/// Everything, IPv6 too where the server has none: otherwise it would leave beside the tunnel. A server that forwards
/// nothing gets only what is for itself.
fn allowed_ips(config: &Config) -> String {
    match config.forward {
        Forward::None => list(&config.wireguard.addresses.iter().map(network).collect::<Vec<_>>()),
        Forward::Nat | Forward::Routed6 => "0.0.0.0/0, ::/0".into(),
    }
}

/// Without host bits.
fn network(cidr: &Cidr) -> Cidr {
    let shift = u32::from(cidr.prefix);
    let address = match cidr.address {
        IpAddr::V4(address) => {
            let mask = !u32::MAX.checked_shr(shift).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from(u32::from(address) & mask))
        }
        IpAddr::V6(address) => {
            let mask = !u128::MAX.checked_shr(shift).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from(u128::from(address) & mask))
        }
    };
    Cidr { address, prefix: cidr.prefix }
}

fn list<T: ToString>(items: &[T]) -> String {
    items.iter().map(T::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use vitrine_attest::digest::Key32;
    use vitrine_attest::Sha256;

    fn keys() -> Keys {
        Keys {
            wireguard: Key32([1; 32]),
            generation: 0,
            ports: vec![51820, 443],
            boot: Key32([1; 32]),
            channel: Key32([2; 32]),
            tls_spki: Sha256::ZERO,
        }
    }

    fn config(more: &str) -> Config {
        serde_json::from_str(&format!(r#"{{"wireguard":{{"addresses":["10.66.0.1/24","fd66::1/64"]}}{more}}}"#))
            .unwrap()
    }

    fn lines(config: &Config, addresses: &[&str], dns: &[&str]) -> Vec<String> {
        let private = PrivateKey::generate().unwrap();
        let addresses: Vec<Cidr> = addresses.iter().map(|text| text.parse().unwrap()).collect();
        let dns: Vec<IpAddr> = dns.iter().map(|text| text.parse().unwrap()).collect();
        let endpoint = Endpoint { host: "[2001:db8::7]".into(), port: 51820 };
        let client = Client { private: &private, addresses: &addresses, dns: &dns, endpoint };
        let text = configuration(&client, "http://x", &keys(), config);
        assert!(text.contains(private.base64().as_str()));
        text.lines()
            .filter(|line| !line.starts_with("PrivateKey") && !line.contains("public key"))
            .map(String::from)
            .collect()
    }

    #[test]
    fn everything_through_the_tunnel() {
        let key = Key32([1; 32]);
        assert_eq!(
            lines(&config(r#","resolver":{}"#), &["10.66.0.7/32", "fd66::7/128"], &[]),
            [
                "# http://x was accepted; this is its WireGuard key of generation 0.",
                "[Interface]",
                "Address = 10.66.0.7/32, fd66::7/128",
                "DNS = 10.66.0.1, fd66::1",
                "MTU = 1420",
                "",
                "[Peer]",
                &format!("PublicKey = {key}"),
                "Endpoint = [2001:db8::7]:51820",
                "# Endpoint = [2001:db8::7]:443",
                "AllowedIPs = 0.0.0.0/0, ::/0",
            ]
        );
    }

    #[test]
    fn nothing_but_the_server() {
        let lines = lines(&config(r#","forward":"none""#), &[], &["9.9.9.9"]);
        assert!(lines.contains(&"AllowedIPs = 10.66.0.0/24, fd66::/64".to_string()), "{lines:#?}");
        assert!(lines.contains(&"DNS = 9.9.9.9".to_string()));
        assert!(lines[2].starts_with("# Address"));
    }

    #[test]
    fn resolvers_that_wg_quick_cannot_name() {
        for more in ["", r#","resolver":{"transports":["dot"]}"#] {
            assert!(!lines(&config(more), &[], &[]).iter().any(|line| line.starts_with("DNS")));
        }
    }

    #[test]
    fn networks() {
        for (cidr, expected) in
            [("10.66.0.1/0", "0.0.0.0/0"), ("10.66.0.1/32", "10.66.0.1/32"), ("fd66::1/128", "fd66::1/128")]
        {
            assert_eq!(network(&cidr.parse().unwrap()).to_string(), expected);
        }
    }
}
