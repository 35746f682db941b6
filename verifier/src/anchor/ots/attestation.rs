//! Who says that bytes existed by some time.

use super::spell::{number, with_length, Reader};
use super::{ATTESTATION, BITCOIN, PENDING};

const PAYLOAD_LIMIT: usize = 8192;
const URI_LIMIT: usize = 1000;

/// Who says that bytes existed by some time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attestation {
    /// A calendar has been asked, or is to be: proves nothing.
    Pending(String),
    /// The bytes are the root over the transactions of the block of this height.
    Bitcoin(u64),
    /// Of another kind: proves nothing here.
    Other([u8; 8], Vec<u8>),
}

impl Attestation {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, String> {
        let mut tag = [0; 8];
        tag.copy_from_slice(reader.take(8)?);
        let payload = reader.bytes(PAYLOAD_LIMIT)?;
        let mut inside = Reader::new(payload);
        let attestation = match tag {
            PENDING => Self::Pending(address(inside.bytes(URI_LIMIT)?)?),
            BITCOIN => Self::Bitcoin(inside.number()?),
            _ => return Ok(Self::Other(tag, payload.to_vec())),
        };
        inside.end()?;
        Ok(attestation)
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let mut payload = Vec::new();
        let tag = match self {
            Self::Pending(calendar) => {
                with_length(calendar.as_bytes(), &mut payload);
                &PENDING
            }
            Self::Bitcoin(height) => {
                number(*height, &mut payload);
                &BITCOIN
            }
            Self::Other(tag, bytes) => {
                payload.extend(bytes);
                tag
            }
        };
        out.push(ATTESTATION);
        out.extend(tag);
        with_length(&payload, out);
    }
}

/// A calendar's address: only characters that the usual client takes, so nothing that could harm a terminal or a shell.
pub(super) fn address(bytes: &[u8]) -> Result<String, String> {
    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || b".-_/:".contains(byte);
    if bytes.is_empty() || bytes.len() > URI_LIMIT || !bytes.iter().all(fits) {
        return Err(
            "a calendar's address is longer than it can be, or has other characters than a-z, 0-9 and .-_/:".into()
        );
    }
    Ok(bytes.iter().map(|&byte| char::from(byte)).collect())
}
