//! What is looked for: values that exist nowhere but in one user's traffic.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use vitrine_attest::digest::{hex, Key32};
use vitrine_attest::{Error, Result};

/// What a canary stands for (claim A1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Where the user is on the Internet: IPv6.
    Endpoint,
    /// The same, of the user who comes by IPv4.
    Endpoint4,
    /// Where they go.
    Destination,
    Destination4,
    /// What they send.
    Payload,
    /// What they are sent.
    Answer,
    /// How they identify themselves to the other side.
    Credential,
    /// A name they ask for that exists.
    Name,
    /// A name they ask for that does not exist, that fails, or whose signature is wrong.
    FailedName,
    /// The times of their handshakes, in seconds, as a client writes them into its first message.
    HandshakeTime,
    /// The user's WireGuard key, public half.
    UserKey,
    /// The user's address inside the tunnel.
    UserAddress,
}

impl Kind {
    pub const ALL: [Self; 12] = [
        Self::Endpoint,
        Self::Endpoint4,
        Self::Destination,
        Self::Destination4,
        Self::Payload,
        Self::Answer,
        Self::Credential,
        Self::Name,
        Self::FailedName,
        Self::HandshakeTime,
        Self::UserKey,
        Self::UserAddress,
    ];

    /// The server is told these two by its owner and keeps them until its owner takes them back: without them it
    /// could not know its users. Everything else is traffic.
    pub fn is_membership(self) -> bool {
        matches!(self, Self::UserKey | Self::UserAddress)
    }

    /// The kernel cannot serve a user without these: a search that does not find them while a user is here finds
    /// nothing. The others may be gone when it looks.
    pub fn has_to_be_found(self) -> bool {
        matches!(self, Self::Endpoint | Self::Endpoint4 | Self::UserKey | Self::UserAddress)
    }

    pub fn words(self) -> &'static str {
        match self {
            Self::Endpoint => "user's address (IPv6)",
            Self::Endpoint4 => "user's address (IPv4)",
            Self::Destination => "destination (IPv6)",
            Self::Destination4 => "destination (IPv4)",
            Self::Payload => "payload sent",
            Self::Answer => "payload received",
            Self::Credential => "credential",
            Self::Name => "DNS name",
            Self::FailedName => "DNS name, failing",
            Self::HandshakeTime => "handshake time",
            Self::UserKey => "user's key",
            Self::UserAddress => "user's inner address",
        }
    }
}

/// What it is, before it is written in any form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Address(IpAddr),
    /// Two IPv4 addresses as they follow each other in a packet's header: four bytes alone stand in any memory.
    Pair(Ipv4Addr, Ipv4Addr),
    /// Bytes, which may also have been sent as text in hex.
    Bytes(Vec<u8>),
    Text(String),
    /// A DNS name without the last dot. Its first label is random.
    Name(String),
    /// Seconds since 1970.
    Time(u64),
}

/// One value to look for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canary {
    pub kind: Kind,
    pub value: Value,
}

/// Prefix of the addresses of users and destinations: documentation addresses (RFC 3849) that the world routes to itself.
pub const ENDPOINTS: [u8; 6] = [0x20, 0x01, 0x0d, 0xb8, 0x00, 0x52];
pub const DESTINATIONS: [u8; 6] = [0x20, 0x01, 0x0d, 0xb8, 0x00, 0x51];
/// The network of clients in the tunnel, see the recipe.
pub const INNER: [u8; 8] = [0xfd, 0x66, 0, 0, 0, 0, 0, 0];

/// An address with this prefix. No byte of the rest is zero, and none is below 16: it has one spelling, of one length,
/// in every form.
///
/// # Errors
/// When the kernel has no random bytes.
pub fn address<const N: usize>(prefix: [u8; N]) -> Result<Ipv6Addr> {
    let mut bytes: [u8; 16] = crate::random::bytes()?;
    for byte in &mut bytes {
        *byte |= 0x10;
    }
    bytes[..N].copy_from_slice(&prefix);
    Ok(bytes.into())
}

/// A user's address of 198.18.0.0/15 (RFC 2544), of as many digits as possible.
///
/// # Errors
/// When the kernel has no random bytes.
pub fn endpoint4() -> Result<Ipv4Addr> {
    let [a, b]: [u8; 2] = crate::random::bytes()?;
    Ok(Ipv4Addr::new(198, 18, 100 + a % 150, 100 + b % 150))
}

/// A destination of 198.51.100.0/24 (RFC 5737): clients may not go to networks that are not public, and the server
/// takes these as public ones.
///
/// # Errors
/// When the kernel has no random bytes.
pub fn destination4() -> Result<Ipv4Addr> {
    let [a]: [u8; 1] = crate::random::bytes()?;
    Ok(Ipv4Addr::new(198, 51, 100, 110 + a % 130))
}

/// A label of 24 random letters and digits.
///
/// # Errors
/// When the kernel has no random bytes.
pub fn label() -> Result<String> {
    let bytes: [u8; 24] = crate::random::bytes()?;
    Ok(bytes.iter().map(|byte| char::from(b"abcdefghijkmnpqrstuvwxyz23456789"[usize::from(byte % 32)])).collect())
}

/// Bytes to send, 24 of them, none zero.
///
/// # Errors
/// When the kernel has no random bytes.
pub fn token() -> Result<Vec<u8>> {
    let bytes: [u8; 24] = crate::random::bytes()?;
    Ok(bytes.iter().map(|byte| byte | 1).collect())
}

impl Canary {
    pub fn new(kind: Kind, value: Value) -> Self {
        Self { kind, value }
    }

    pub fn address(kind: Kind, address: impl Into<IpAddr>) -> Self {
        Self::new(kind, Value::Address(address.into()))
    }

    pub fn key(key: Key32) -> Self {
        Self::new(Kind::UserKey, Value::Bytes(key.0.to_vec()))
    }

    /// A token of [`crate::web::Web`], which is sent as text.
    ///
    /// # Errors
    /// Our own bug: it is no hex.
    pub fn of_hex(kind: Kind, text: &str) -> Result<Self> {
        let digits = |at: usize| text.get(at..at + 2).and_then(|two| u8::from_str_radix(two, 16).ok());
        let bytes: Option<Vec<u8>> = (0..text.len()).step_by(2).map(digits).collect();
        let bytes = bytes.ok_or_else(|| Error::bug(format!("{text} is no hex")))?;
        debug_assert_eq!(hex(&bytes), text);
        Ok(Self::new(kind, Value::Bytes(bytes)))
    }
}
