//! Why a server does not take an order.

use crate::Error;
use std::fmt;

/// The code is all that leaves the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Too short or too long.
    Size,
    /// Not sealed to this server's channel key of this boot, or altered.
    Unsealed,
    /// What was sealed is not a well-formed order.
    Malformed,
    /// Not signed by the owner, or signed for another channel key.
    NotOwner,
    /// `seq` did not rise.
    Replay,
}

impl Refusal {
    /// Fixed code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Size => "order-size",
            Self::Unsealed => "order-unsealed",
            Self::Malformed => "order-malformed",
            Self::NotOwner => "order-not-owner",
            Self::Replay => "order-replay",
        }
    }

    fn what(self) -> &'static str {
        match self {
            Self::Size => "order is too short or too long",
            Self::Unsealed => "order was not sealed to this server's channel key",
            Self::Malformed => "order is malformed",
            Self::NotOwner => "order is not signed by the owner for this server",
            Self::Replay => "order is not newer than the last one",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let hint = format!("{refusal}: send it again with `vitrine-verify peers` and the owner's key");
        Error::artefact(refusal.what(), hint)
    }
}
