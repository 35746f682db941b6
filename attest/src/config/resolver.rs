//! The resolver inside the tunnel.

use super::{ProviderKey, Span};
use crate::Sha256;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};

/// ```toml
/// [config.resolver]
/// upstream = { mode = "recursive" }
/// transports = ["plain", "dot", "doh"]
/// cache = { entries = 20000, ttl = "5m" }
/// forget_after = "1m"
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Resolver {
    pub upstream: Upstream,
    /// How clients may ask; all inside the tunnel only, on the server's tunnel addresses.
    pub transports: Vec<Transport>,
    pub cache: Cache,
    /// The resolver ends itself, and with it every name in its memory, when nobody has asked for this long.
    pub forget_after: Span,
    /// SHA-256 of `/etc/vitrine/blocklist`, the baked-in list. Set by `vitrine build` from `image.blocklist`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocklist: Option<Sha256>,
}

/// Ports are fixed: 53 (UDP and TCP), 853, 443.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// RFC 1035, UDP and TCP.
    Plain,
    /// RFC 7858.
    Dot,
    /// RFC 8484, at `/dns-query`.
    Doh,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cache {
    /// Answers kept at most; 0 keeps none.
    pub entries: u32,
    /// Longest time an answer is kept, whatever its TTL says.
    pub ttl: Span,
}

/// Where answers come from. DNSSEC is validated in every mode (RFC 4035).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "lowercase", deny_unknown_fields)]
pub enum Upstream {
    /// From the authoritative servers, with strict QNAME minimisation (RFC 9156).
    Recursive {
        /// Root servers; empty: those of IANA.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        roots: Vec<IpAddr>,
        /// DNSKEY records of the root, `<flags> <protocol> <algorithm> <base64>` (RFC 4034 §2.2); empty: IANA's.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        trust_anchors: Vec<String>,
    },
    /// From another resolver, always encrypted.
    Forward {
        servers: Vec<ForwardServer>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        trust_anchors: Vec<String>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForwardServer {
    pub protocol: ForwardProtocol,
    /// With the port: DoT has 853, DoH and DNSCrypt have 443.
    pub address: SocketAddr,
    /// The name in its certificate; with DNSCrypt the provider's name, `2.dnscrypt-cert.…`.
    pub name: String,
    /// Certificate of the only CA that may vouch for it, DER in base64; none: the public ones of Mozilla.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust: Option<String>,
    /// DNSCrypt only, and needed there: the key that signs the provider's certificates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<ProviderKey>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ForwardProtocol {
    Dot,
    Doh,
    /// Version 2, over UDP and TCP.
    DnsCrypt,
}

impl Default for Upstream {
    fn default() -> Self {
        Self::Recursive { roots: vec![], trust_anchors: vec![] }
    }
}

impl Default for Cache {
    fn default() -> Self {
        Self { entries: 20_000, ttl: Span::seconds(300) }
    }
}

impl Default for Resolver {
    fn default() -> Self {
        Self {
            upstream: Upstream::default(),
            transports: vec![Transport::Plain, Transport::Dot, Transport::Doh],
            cache: Cache::default(),
            forget_after: Span::seconds(60),
            blocklist: None,
        }
    }
}

/// An entry has some 500 bytes: 256 MiB.
const MOST_ENTRIES: u32 = 500_000;
/// Names must not outlive what `shared/reference/dataplane.md` measured.
const LONGEST_TTL: Span = Span::seconds(300);
const LONGEST_MEMORY: Span = Span::seconds(3600);
const MOST_SERVERS: usize = 8;
/// DNSCrypt version 2, §12: the version is part of the name.
const PROVIDER: &str = "2.dnscrypt-cert.";

impl Resolver {
    pub(super) fn problems(&self, problems: &mut Vec<String>) {
        if self.transports.is_empty() {
            problems.push("resolver.transports is empty: nobody could ask".into());
        }
        if (1..self.transports.len()).any(|n| self.transports[..n].contains(&self.transports[n])) {
            problems.push("resolver.transports: one is named twice".into());
        }
        if self.cache.entries > MOST_ENTRIES {
            problems.push(format!("resolver.cache.entries: at most {MOST_ENTRIES}"));
        }
        if self.cache.ttl > LONGEST_TTL {
            problems.push(format!("resolver.cache.ttl: at most {LONGEST_TTL}"));
        }
        if !(Span::seconds(1)..=LONGEST_MEMORY).contains(&self.forget_after) {
            problems.push(format!("resolver.forget_after has to be 1s to {LONGEST_MEMORY}"));
        }
        if let Upstream::Forward { servers, .. } = &self.upstream {
            if servers.is_empty() || servers.len() > MOST_SERVERS {
                problems.push(format!("resolver.upstream.servers: 1 to {MOST_SERVERS} are needed"));
            }
            for server in servers {
                server.problems(problems);
            }
        }
    }
}

impl ForwardServer {
    fn problems(&self, problems: &mut Vec<String>) {
        let address = self.address;
        if address.port() == 0 {
            problems.push(format!("resolver.upstream.servers: {address} has no port"));
        }
        let letters = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        if self.name.is_empty() || self.name.len() > 253 || !self.name.chars().all(letters) {
            problems.push(format!("resolver.upstream.servers: {:?} is no server name", self.name));
        }
        let place = format!("resolver.upstream.servers: {address}");
        match self.protocol {
            ForwardProtocol::DnsCrypt => self.dnscrypt_problems(&place, problems),
            ForwardProtocol::Dot | ForwardProtocol::Doh if self.key.is_some() => {
                problems.push(format!("{place}: key is for dnscrypt; dot and doh have trust"));
            }
            ForwardProtocol::Dot | ForwardProtocol::Doh => {}
        }
    }

    fn dnscrypt_problems(&self, place: &str, problems: &mut Vec<String>) {
        let zone = self.name.strip_prefix(PROVIDER);
        if !zone.is_some_and(|zone| zone.split('.').all(|label| (1..=63).contains(&label.len()))) {
            problems.push(format!("{place}: with dnscrypt, name is the provider's, {PROVIDER}…"));
        }
        match &self.key {
            None => problems.push(format!("{place}: dnscrypt needs key, the provider's Ed25519 public key")),
            Some(key) if !key.is_usable() => problems.push(format!("{place}: key is no Ed25519 public key")),
            Some(_) => {}
        }
        if self.trust.is_some() {
            problems.push(format!("{place}: trust is for dot and doh; dnscrypt has key"));
        }
    }
}

#[cfg(test)]
#[path = "resolver_tests.rs"]
mod tests;
