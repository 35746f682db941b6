//! Numbers that other programs draw by lot: here they follow from the image, so that the same image gives the same medium.
//!
//! ```text
//! SHA-256( L("vitrine-export-1") ‖ L(name) ‖ L(SHA-256 of image.efi) )        L(x) = 16-bit big-endian length ‖ x
//! ```
//! A GUID is the first 16 bytes, as an RFC 9562 UUID of version 8 (names `disk`, `partition`); the volume's serial number the
//! first 4 bytes, little-endian (name `volume`).

use std::fmt;
use vitrine_attest::digest::hex;
use vitrine_attest::lengths::prefixed;
use vitrine_attest::Sha256;

/// What the numbers follow from: the SHA-256 of the whole image file, signature included.
#[derive(Debug, Clone, Copy)]
pub struct Identity(pub Sha256);

impl Identity {
    pub fn guid(&self, name: &str) -> Guid {
        let mut bytes = self.bytes::<16>(name);
        bytes[6] = bytes[6] & 0x0f | 0x80; // version 8 (RFC 9562, §5.8)
        bytes[8] = bytes[8] & 0x3f | 0x80; // variant (§4.1)
        Guid(bytes)
    }

    /// Of the FAT volume.
    pub fn serial(&self) -> u32 {
        u32::from_le_bytes(self.bytes("volume"))
    }

    fn bytes<const N: usize>(&self, name: &str) -> [u8; N] {
        let digest = Sha256::of(&prefixed(&[b"vitrine-export-1", name.as_bytes(), &self.0 .0]));
        std::array::from_fn(|at| digest.0[at])
    }
}

/// In the order in which it is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guid(pub [u8; 16]);

impl Guid {
    /// Its first three fields are little-endian on a disk (UEFI 2.10, appendix A).
    pub fn on_disk(&self) -> [u8; 16] {
        let mut bytes = self.0;
        bytes[..4].reverse();
        bytes[4..6].reverse();
        bytes[6..8].reverse();
        bytes
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = hex(&self.0);
        write!(f, "{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rule is documented: whoever changes it changes every medium and its PCR 5.
    #[test]
    fn the_rule() {
        let identity = Identity(Sha256::of(b"image"));
        let guid = identity.guid("disk").to_string();
        assert_eq!((guid.len(), &guid[14..15]), (36, "8"));
        assert!("89ab".contains(&guid[19..20]));
        assert_ne!(identity.guid("disk"), identity.guid("partition"));
        assert_ne!(identity.guid("disk"), Identity(Sha256::of(b"Image")).guid("disk"));
        assert_ne!(identity.serial(), Identity(Sha256::of(b"Image")).serial());
    }

    #[test]
    fn fields_are_turned_on_disk() {
        let guid = Guid(std::array::from_fn(|at| at as u8));
        assert_eq!(guid.to_string(), "00010203-0405-0607-0809-0a0b0c0d0e0f");
        assert_eq!(guid.on_disk(), [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15]);
    }
}
