//! Hash algorithms of PCR banks, by their TCG number.

use std::fmt;

/// TPM_ALG_ID (TCG Algorithm Registry, §6.10). Numbers that we cannot compute may stand in a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Algorithm(pub u16);

impl Algorithm {
    pub const SHA1: Self = Self(0x0004);
    pub const SHA256: Self = Self(0x000b);
    pub const SHA384: Self = Self(0x000c);
    pub const SHA512: Self = Self(0x000d);
    pub const SM3_256: Self = Self(0x0012);

    /// Bytes of a digest; `None` for algorithms that are not known here.
    pub fn size(self) -> Option<usize> {
        match self {
            Self::SHA1 => Some(20),
            Self::SHA256 | Self::SM3_256 => Some(32),
            Self::SHA384 => Some(48),
            Self::SHA512 => Some(64),
            _ => None,
        }
    }

    /// Hash of joined byte strings; `None` for algorithms that cannot be computed here (SM3, unknown ones).
    pub fn hash(self, parts: &[&[u8]]) -> Option<Vec<u8>> {
        fn with<D: sha2::Digest>(parts: &[&[u8]]) -> Vec<u8> {
            let mut hasher = D::new();
            for part in parts {
                hasher.update(part);
            }
            hasher.finalize().to_vec()
        }
        match self {
            Self::SHA1 => Some(with::<sha1::Sha1>(parts)),
            Self::SHA256 => Some(crate::Sha256::of_parts(parts).0.to_vec()),
            Self::SHA384 => Some(with::<sha2::Sha384>(parts)),
            Self::SHA512 => Some(with::<sha2::Sha512>(parts)),
            _ => None,
        }
    }
}

impl fmt::Display for Algorithm {
    /// As tpm2-tools writes them: `sha256`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::SHA1 => f.write_str("sha1"),
            Self::SHA256 => f.write_str("sha256"),
            Self::SHA384 => f.write_str("sha384"),
            Self::SHA512 => f.write_str("sha512"),
            Self::SM3_256 => f.write_str("sm3_256"),
            Self(other) => write!(f, "algorithm {other:#06x}"),
        }
    }
}
