//! What PID 1 and its children tell each other: one JSON object a line, over a Unix stream socket on the child's
//! descriptor 3.
//!
//! ```text
//! init → agent     {"config_digest":"…","keys":{…},"image_id":"exit 0.1.0 …","facts":{…},"port":8787,"firmware_log":"…"}
//! agent → init     {"measured":true} · {"failed":"<fixed code>"}
//! init → agent     {"serve":true}
//! agent → init     {"order":"<base64>"}
//! init → agent     {"answer":"<base64>"} · {"refused":"<fixed code>"} · {"rotated":[{…}]} · {"attach":"<64 hex>"}
//! init → agent     {"violation":"watch.mounts"}
//!
//! init → resolver  {"resolver":{…},"addresses":["10.66.0.1"],"tls_key":"<base64>"}
//! resolver → init  {"blocked":12}
//!
//! init → gateway   {"gateway":{…},"addresses":["10.66.0.1"],"tls_key":"<base64>","quiet_after":"1m"}
//! gateway → init   {"counts":[{"upstream":"provider","class":{"outcome":"ok"},"count":7},…]} · {"quiet":true}
//!
//! init → launcher  {"app":{…}}
//!
//! init → metrics   {"port":9469}
//! init → metrics   {"text":"…"}
//! ```
//! End of file, or any other line, means that the other side is gone or does not mean us: the child ends, and init
//! starts another one.

use crate::boot::{BootFacts, BootKeys};
use crate::config::{App, Gateway, Resolver, Span, MOST_UPSTREAMS};
use crate::digest::base64_bytes;
use crate::rotation::RotatedKey;
use crate::watch::Rule;
use crate::Sha256;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Bytes of the first line to the agent: a firmware log of 1 MiB in base64, and everything else.
pub const INTRODUCTION_LIMIT: usize = 2 << 20;
/// Bytes of every other line: a sealed order of 32 KiB in base64 is 43 KiB.
pub const LINE_LIMIT: usize = 64 << 10;

/// The first line to the agent. It stays in RAM for an agent that has to be started again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Introduction {
    pub config_digest: Sha256,
    pub keys: BootKeys,
    /// For an agent that is started again after a rotation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rotated: Vec<RotatedKey>,
    /// `<name> <version> <lock digest>`.
    pub image_id: String,
    pub facts: BootFacts,
    /// TCP port to serve on.
    pub port: u16,
    /// `binary_bios_measurements`.
    #[serde(with = "base64_bytes")]
    pub firmware_log: Vec<u8>,
    /// An earlier agent of this boot has extended PCR 15; a second time would make all evidence worthless.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub measured_already: bool,
    /// PID 1 has found this and extended PCR 14; the agent is a later one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub violation: Option<Rule>,
    /// What the owner has ordered the server to hand out; see [`crate::attachments`]. A later agent has the digest and not the
    /// bytes: somebody has to bring them again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attached: Option<Sha256>,
}

/// What the agent hears after that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ToAgent {
    /// The network is up.
    Serve(bool),
    /// To an order: sealed to whoever sealed the order, see [`crate::order`].
    Answer(#[serde(with = "base64_bytes")] Vec<u8>),
    /// To an order that could not be opened, so that nobody can be answered in secret.
    Refused(String),
    /// From now on these are part of the evidence.
    Rotated(Vec<RotatedKey>),
    /// PID 1 has found this and extended PCR 14: its event is part of the evidence for ever.
    Violation(Rule),
    /// The owner has ordered this: bytes with another SHA-256 are handed out no longer, nor taken. Comes before the answer to the
    /// order, so that the owner can bring them at once.
    Attach(Option<Sha256>),
}

/// What the agent says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FromAgent {
    Measured(bool),
    /// A TPM step failed, by a fixed code.
    Failed(String),
    /// A sealed order, untouched.
    Order(#[serde(with = "base64_bytes")] Vec<u8>),
}

/// The only line to the resolver. Descriptor 4 is the blocklist, open for reading, when the configuration has one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResolverStart {
    pub resolver: Resolver,
    /// The server's addresses inside the tunnel, to listen on.
    pub addresses: Vec<IpAddr>,
    /// The TLS key of the boot for DoT and DoH.
    pub tls_key: TlsKey,
}

/// ECDSA P-256, PKCS#8 DER (RFC 5208), in base64; wiped when dropped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(transparent)]
pub struct TlsKey(#[serde(with = "base64_bytes")] pub Vec<u8>);

/// What the resolver says, at most every ten seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FromResolver {
    /// Questions refused because of the blocklist since this resolver's start.
    Blocked(u64),
}

/// The only line to the gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewayStart {
    pub gateway: Gateway,
    /// The server's addresses inside the tunnel; they stand in its certificate.
    pub addresses: Vec<IpAddr>,
    /// The TLS key of the boot.
    pub tls_key: TlsKey,
    /// [`FromGateway::Quiet`] is wanted after so long without a request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet_after: Option<Span>,
}

/// The only line to the launcher, which becomes the operator's own program. That one says nothing: a byte from it is its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppStart {
    pub app: App,
}

/// What the gateway says, counts at most every ten seconds: requests that are over, since its start, in classes. Nothing in it comes from a
/// request but the class that it fell into, and no two classes of one request stand together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FromGateway {
    /// Each upstream and class at most once; those without a request are left out. At most [`MOST_COUNTS`].
    Counts(Vec<Count>),
    /// There were requests, and for `quiet_after` there has been none: whatever is behind the gateway can forget them.
    Quiet(bool),
}

/// Requests of one class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Count {
    /// A name of `gateway.upstreams`; empty for requests that no route fits.
    pub upstream: String,
    pub class: Class,
    pub count: u64,
}

/// One way to sort requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    Outcome(Outcome),
    /// Index into [`LATENCIES`]: the first that is not shorter than the time to the answer's header.
    Latency(u8),
    /// Index into [`SIZES`]: the first that is not smaller than the request's and the answer's bodies together.
    Size(u8),
}

impl Class {
    /// Whether there is such a class.
    pub fn is_one(self) -> bool {
        match self {
            Self::Outcome(_) => true,
            Self::Latency(index) => usize::from(index) < LATENCIES.len(),
            Self::Size(index) => usize::from(index) < SIZES.len(),
        }
    }
}

/// Upper ends of the classes of time to the answer's header, in milliseconds; the last class is open.
pub const LATENCIES: [u64; 5] = [30, 300, 3000, 30_000, u64::MAX];
/// Upper ends of the classes of size, in bytes; the last class is open.
pub const SIZES: [u64; 5] = [1 << 10, 32 << 10, 1 << 20, 32 << 20, u64::MAX];
/// All classes of all upstreams, and of requests without one. A line has less than 128 bytes each, which [`LINE_LIMIT`] holds.
pub const MOST_COUNTS: usize = (MOST_UPSTREAMS + 1) * (Outcome::ALL.len() + LATENCIES.len() + SIZES.len());

/// How a request ended. The first four are classes of the upstream's status, the others are errors of this side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// 1xx to 2xx.
    Ok,
    Redirect,
    ClientError,
    ServerError,
    /// No route, method not allowed, malformed, or too large.
    Refused,
    /// Too many requests at a time.
    Overload,
    /// The upstream could not be reached, or its certificate is not right.
    Unreachable,
    /// The upstream did not answer in time.
    Timeout,
    /// The upstream's answer broke off, or was no HTTP.
    UpstreamBroke,
    /// The client left, or stopped sending.
    ClientLeft,
}

impl Outcome {
    pub const ALL: [Self; 10] = [
        Self::Ok,
        Self::Redirect,
        Self::ClientError,
        Self::ServerError,
        Self::Refused,
        Self::Overload,
        Self::Unreachable,
        Self::Timeout,
        Self::UpstreamBroke,
        Self::ClientLeft,
    ];

    /// As it is written.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Redirect => "redirect",
            Self::ClientError => "client-error",
            Self::ServerError => "server-error",
            Self::Refused => "refused",
            Self::Overload => "overload",
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::UpstreamBroke => "upstream-broke",
            Self::ClientLeft => "client-left",
        }
    }
}

/// What the metrics program hears.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ToMetrics {
    /// First: the TCP port to listen on.
    Port(u16),
    /// The page from now on, in the Prometheus text format.
    Text(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let json = |value: &ToAgent| serde_json::to_string(value).unwrap();
        assert_eq!(json(&ToAgent::Serve(true)), r#"{"serve":true}"#);
        assert_eq!(json(&ToAgent::Violation(Rule::Mounts)), r#"{"violation":"watch.mounts"}"#);
        assert_eq!(json(&ToAgent::Answer(vec![1, 2])), r#"{"answer":"AQI="}"#);
        assert_eq!(json(&ToAgent::Attach(None)), r#"{"attach":null}"#);
        assert_eq!(json(&ToAgent::Refused("order-size".into())), r#"{"refused":"order-size"}"#);
        assert_eq!(serde_json::to_string(&FromResolver::Blocked(3)).unwrap(), r#"{"blocked":3}"#);
        assert_eq!(serde_json::from_str::<FromAgent>(r#"{"order":"AQI="}"#).unwrap(), FromAgent::Order(vec![1, 2]));
    }

    #[test]
    fn counts_are_short() {
        let count = |class| Count { upstream: "a".repeat(32), class: Class::Outcome(class), count: u64::MAX };
        for outcome in Outcome::ALL {
            let text = serde_json::to_string(&count(outcome)).unwrap();
            assert!(text.contains(&["{\"outcome\":\"", outcome.word(), "\"}"].concat()), "{text}");
            assert!((text.len() + 1) * MOST_COUNTS < LINE_LIMIT, "{}", text.len());
        }
        assert!(Class::Latency(4).is_one() && !Class::Latency(5).is_one() && !Class::Size(5).is_one());
    }

    #[test]
    fn other_lines_are_refused() {
        for bad in ["{}", "[]", r#"{"order":"?"}"#, r#"{"measured":true,"x":1}"#, r#"{"serve":true}"#] {
            assert!(serde_json::from_str::<FromAgent>(bad).is_err(), "{bad}");
        }
    }
}
