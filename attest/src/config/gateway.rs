//! The gateway: an HTTPS server in front of an API, that forgets each request.

use super::{Cidr, Span};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

/// ```toml
/// [config.gateway]
/// port = 443
/// reach = ["outside", "tunnel"]
/// routes = [{ prefix = "/v1/", upstream = "provider" }]
/// upstreams.provider = { addresses = ["192.0.2.10:443"], name = "api.example" }
/// headers.request.add = []
/// limits = { connections = 4096, idle = "1m" }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gateway {
    /// TCP.
    #[serde(default = "default_port")]
    pub port: u16,
    /// From where it may be called.
    #[serde(default = "default_reach")]
    pub reach: Vec<Reach>,
    /// The longest prefix that fits decides; a request that fits none is answered with 404.
    pub routes: Vec<Route>,
    /// By name; the names are labels of the metrics.
    pub upstreams: BTreeMap<String, GatewayUpstream>,
    #[serde(default)]
    pub headers: Headers,
    #[serde(default)]
    pub limits: Limits,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reach {
    Outside,
    Tunnel,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Begins with `/`. It fits whole segments: `/v1` fits `/v1` and `/v1/x`, not `/v10`; `/v1/` fits what is below alone.
    pub prefix: String,
    pub upstream: String,
    /// Methods that are passed on; all others are answered with 405. Empty: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<String>,
}

/// A server that answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewayUpstream {
    /// Tried in this order, and only before a byte of the request was sent.
    pub addresses: Vec<SocketAddr>,
    /// The name in its certificate, and in the Host header that it gets.
    pub name: String,
    /// `tls`, or `plain` for addresses on this machine or inside the tunnel only.
    #[serde(default)]
    pub protocol: UpstreamProtocol,
    /// Certificate of the only CA that may vouch for it, DER in base64; none: the public ones of Mozilla.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UpstreamProtocol {
    #[default]
    Tls,
    Plain,
}

/// Headers that are passed on, in lower case. All others are dropped, and so is what names a client (RFC 7239, `x-forwarded-for`)
/// and what belongs to one connection (RFC 9110 §7.6.1), whatever stands here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Headers {
    pub request: Vec<String>,
    pub response: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Connections of clients at a time; one more is closed at once.
    pub connections: u32,
    /// Requests that are being answered at a time; one more gets 503.
    pub requests: u32,
    /// Bytes of a request body; 0: any.
    pub body: u64,
    /// To send the whole header of a request, and for the TLS handshake.
    pub header: Span,
    /// To reach an upstream: connection and TLS handshake, for each of its addresses.
    pub connect: Span,
    /// Between two pieces of a body, either way; also the wait for the upstream's answer, and for a client's next request.
    pub idle: Span,
    /// For a request from its first byte to the last one of the answer.
    pub total: Span,
}

fn default_port() -> u16 {
    443
}

fn default_reach() -> Vec<Reach> {
    vec![Reach::Outside, Reach::Tunnel]
}

impl Default for Headers {
    fn default() -> Self {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_string()).collect();
        Self {
            request: owned(&["accept", "authorization", "content-encoding", "content-type"]),
            response: owned(&["cache-control", "content-encoding", "content-type", "retry-after"]),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4096,
            requests: 1024,
            body: 0,
            header: Span::seconds(10),
            connect: Span::seconds(5),
            idle: Span::seconds(60),
            total: Span::seconds(3600),
        }
    }
}

const MOST_ROUTES: usize = 64;
/// The page of metrics has lines for each.
pub const MOST_UPSTREAMS: usize = 8;
const MOST_ADDRESSES: usize = 8;
const MOST_HEADERS: usize = 64;
const MOST_CONNECTIONS: u32 = 16_384;
const LONGEST_PREFIX: usize = 256;
/// Kept for one connection, or set by the gateway itself (RFC 9110 §7.6.1, RFC 9112 §6, RFC 9113 §8.2.2).
const OF_THE_CONNECTION: [&str; 11] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
];
/// They exist to say who a client is.
const OF_THE_CLIENT: [&str; 12] = [
    "cf-connecting-ip",
    "client-ip",
    "fastly-client-ip",
    "forwarded",
    "from",
    "true-client-ip",
    "via",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-forwarded",
    "x-forwarded-for",
    "x-real-ip",
];
/// RFC 9110 §9.3 and RFC 5789, without CONNECT and TRACE: one is a tunnel past the gateway, the other echoes a request.
pub const METHODS: [&str; 7] = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];

impl Gateway {
    /// What a route or an upstream is told about the tunnel: `inside` says whether an address lies in it.
    pub(super) fn problems(&self, tunnel: &[Cidr], problems: &mut Vec<String>) {
        if self.port == 0 {
            problems.push("gateway.port is 0".into());
        }
        if self.reach.is_empty() || (1..self.reach.len()).any(|n| self.reach[..n].contains(&self.reach[n])) {
            problems.push("gateway.reach is outside, tunnel, or both, each once".into());
        }
        self.route_problems(problems);
        if self.upstreams.is_empty() || self.upstreams.len() > MOST_UPSTREAMS {
            problems.push(format!("gateway.upstreams: 1 to {MOST_UPSTREAMS} are needed"));
        }
        for (name, upstream) in &self.upstreams {
            upstream.problems(name, tunnel, problems);
        }
        self.headers.problems(problems);
        self.limits.problems(problems);
    }

    fn route_problems(&self, problems: &mut Vec<String>) {
        if self.routes.is_empty() || self.routes.len() > MOST_ROUTES {
            problems.push(format!("gateway.routes: 1 to {MOST_ROUTES} are needed"));
        }
        for (n, route) in self.routes.iter().enumerate() {
            let (prefix, upstream) = (&route.prefix, &route.upstream);
            if !is_plain_path(prefix) {
                problems.push(format!(
                    "gateway.routes: {prefix:?} has to begin with /, have no . or .. segment, no // and letters, digits and -._~/ only"
                ));
            }
            if self.routes[..n].iter().any(|other| other.prefix == route.prefix) {
                problems.push(format!("gateway.routes: {prefix:?} is there twice"));
            }
            if !self.upstreams.contains_key(upstream) {
                problems.push(format!(
                    "gateway.routes: {prefix:?} leads to {upstream:?}, which gateway.upstreams does not have"
                ));
            }
            for method in route.methods.iter().filter(|method| !METHODS.contains(&method.as_str())) {
                problems
                    .push(format!("gateway.routes: {prefix:?} names {method:?}; possible are {}", METHODS.join(", ")));
            }
        }
    }
}

/// A path in its only spelling, without anything that two servers could read differently.
fn is_plain_path(path: &str) -> bool {
    let letters = |c: char| c.is_ascii_alphanumeric() || "-._~/".contains(c);
    path.len() <= LONGEST_PREFIX
        && path.starts_with('/')
        && !path.contains("//")
        && path.chars().all(letters)
        && !path.split('/').any(|segment| segment == "." || segment == "..")
}

impl GatewayUpstream {
    fn problems(&self, name: &str, tunnel: &[Cidr], problems: &mut Vec<String>) {
        let place = format!("gateway.upstreams.{name}");
        let label = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.is_empty() || name.len() > 32 || !name.chars().all(label) {
            problems.push(format!("{place}: a name has 1 to 32 lower-case letters, digits and -"));
        }
        if self.addresses.is_empty() || self.addresses.len() > MOST_ADDRESSES {
            problems.push(format!("{place}.addresses: 1 to {MOST_ADDRESSES} are needed"));
        }
        let letters = |c: char| c.is_ascii_alphanumeric() || "-.".contains(c);
        if self.name.is_empty() || self.name.len() > 253 || !self.name.chars().all(letters) {
            problems.push(format!("{place}.name: {:?} is no server name", self.name));
        }
        for address in &self.addresses {
            if address.port() == 0 || address.ip().is_unspecified() || address.ip().is_multicast() {
                problems.push(format!("{place}.addresses: {address} is no server's address"));
            }
            if self.protocol == UpstreamProtocol::Plain && !near(address.ip(), tunnel) {
                problems
                    .push(format!("{place}: plain HTTP to {address} would be open to everybody on the way; use tls"));
            }
        }
        if self.protocol == UpstreamProtocol::Plain && self.trust.is_some() {
            problems.push(format!("{place}.trust is for tls"));
        }
    }
}

/// On this machine, or at the end of the tunnel.
fn near(address: IpAddr, tunnel: &[Cidr]) -> bool {
    address.is_loopback() || tunnel.iter().any(|network| network.contains(address))
}

impl Headers {
    fn problems(&self, problems: &mut Vec<String>) {
        for (place, names) in [("gateway.headers.request", &self.request), ("gateway.headers.response", &self.response)]
        {
            if names.len() > MOST_HEADERS {
                problems.push(format!("{place}: at most {MOST_HEADERS}"));
            }
            let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
            for name in names {
                if name.is_empty() || name.len() > 64 || !name.chars().all(letters) {
                    problems.push(format!("{place}: {name:?} is no name of a header in lower case"));
                }
                if OF_THE_CONNECTION.contains(&name.as_str()) {
                    problems.push(format!("{place}: {name} belongs to one connection and is never passed on"));
                }
                if OF_THE_CLIENT.contains(&name.as_str()) {
                    problems.push(format!("{place}: {name} says who a client is and is never passed on"));
                }
            }
        }
    }
}

impl Limits {
    fn problems(&self, problems: &mut Vec<String>) {
        if !(1..=MOST_CONNECTIONS).contains(&self.connections) {
            problems.push(format!("gateway.limits.connections has to be 1 to {MOST_CONNECTIONS}"));
        }
        if !(1..=MOST_CONNECTIONS).contains(&self.requests) {
            problems.push(format!("gateway.limits.requests has to be 1 to {MOST_CONNECTIONS}"));
        }
        let spans = [
            ("header", self.header, 60),
            ("connect", self.connect, 60),
            ("idle", self.idle, 3600),
            ("total", self.total, 86_400),
        ];
        for (name, span, most) in spans {
            let most = Span::seconds(most);
            if !(Span::seconds(1)..=most).contains(&span) {
                problems.push(format!("gateway.limits.{name} is {span}, it has to be 1s to {most}"));
            }
        }
    }
}

#[cfg(test)]
#[path = "gateway_tests.rs"]
mod tests;
