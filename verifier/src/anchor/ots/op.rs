//! What is done to bytes, one operation after the other.

use super::spell::{with_length, Reader};
use super::{APPEND, PREPEND, SHA256};
use vitrine_attest::Sha256;

/// Most bytes of an operation's argument and of what it makes.
const MESSAGE_LIMIT: usize = 4096;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Op {
    Sha256,
    Append(Vec<u8>),
    Prepend(Vec<u8>),
    /// Known by name, and not computed here: SHA-1, RIPEMD-160, Keccak-256, reverse, hexlify.
    Other(u8),
}

impl Op {
    pub(super) fn read(tag: u8, reader: &mut Reader<'_>) -> Result<Self, String> {
        match tag {
            SHA256 => Ok(Self::Sha256),
            APPEND | PREPEND => match reader.bytes(MESSAGE_LIMIT)? {
                [] => Err("an operation adds nothing".into()),
                bytes if tag == APPEND => Ok(Self::Append(bytes.to_vec())),
                bytes => Ok(Self::Prepend(bytes.to_vec())),
            },
            0x02 | 0x03 | 0x67 | 0xf2 | 0xf3 => Ok(Self::Other(tag)),
            other => Err(format!("{other:#04x} is no operation")),
        }
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Sha256 => out.push(SHA256),
            Self::Append(bytes) => {
                out.push(APPEND);
                with_length(bytes, out);
            }
            Self::Prepend(bytes) => {
                out.push(PREPEND);
                with_length(bytes, out);
            }
            Self::Other(tag) => out.push(*tag),
        }
    }

    /// What these bytes become; None: that is not computed here.
    pub(super) fn after(&self, message: &[u8]) -> Result<Option<Vec<u8>>, String> {
        let after = match self {
            Self::Sha256 => Sha256::of(message).0.to_vec(),
            Self::Append(bytes) => [message, bytes].concat(),
            Self::Prepend(bytes) => [bytes, message].concat(),
            Self::Other(_) => return Ok(None),
        };
        if after.len() > MESSAGE_LIMIT {
            return Err(format!("operations make more than {MESSAGE_LIMIT} bytes"));
        }
        Ok(Some(after))
    }
}
