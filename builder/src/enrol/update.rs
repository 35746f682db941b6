//! A signed update of one Secure Boot variable: EFI_VARIABLE_AUTHENTICATION_2 and the new data (UEFI 2.10 §8.2.2).
//!
//! ```text
//! TimeStamp[16] dwLength[4] wRevision[2]=0x0200 wCertificateType[2]=0x0EF1 CertType[16] SignedData … data …
//! ```

use super::pkcs7::signed_data;
use super::time::Time;
use crate::authenticode::Signer;
use vitrine_attest::secure_boot::{Guid, EFI_GLOBAL_VARIABLE, EFI_IMAGE_SECURITY_DATABASE};
use vitrine_attest::{Error, Result};

/// EFI_VARIABLE_NON_VOLATILE | BOOTSERVICE_ACCESS | RUNTIME_ACCESS | TIME_BASED_AUTHENTICATED_WRITE_ACCESS (§8.2.1): what
/// UEFI asks of the four variables (§32.3).
const ATTRIBUTES: u32 = 0x27;
/// EFI_VARIABLE_APPEND_WRITE
const APPEND_WRITE: u32 = 0x40;
/// `4aafd29d-68df-49ee-8aa9-347d375665a7`: the certificate is a PKCS#7 SignedData.
const PKCS7_GUID: Guid =
    [0x9d, 0xd2, 0xaf, 0x4a, 0xdf, 0x68, 0xee, 0x49, 0x8a, 0xa9, 0x34, 0x7d, 0x37, 0x56, 0x65, 0xa7];
/// WIN_CERT_REVISION_2_0 and WIN_CERT_TYPE_EFI_GUID (§32.2.4), little-endian.
const REVISION_AND_TYPE: [u8; 4] = [0x00, 0x02, 0xf1, 0x0e];
/// Bytes of EFI_TIME.
const TIME: usize = 16;
/// Bytes of WIN_CERTIFICATE_UEFI_GUID before the SignedData; `dwLength` counts them.
const CERTIFICATE: usize = 4 + 2 + 2 + 16;

/// One of the four variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Variable {
    Pk,
    Kek,
    Db,
    Dbx,
}

impl Variable {
    /// Its name in the firmware, and of its files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pk => "PK",
            Self::Kek => "KEK",
            Self::Db => "db",
            Self::Dbx => "dbx",
        }
    }

    fn vendor(self) -> Guid {
        match self {
            Self::Pk | Self::Kek => EFI_GLOBAL_VARIABLE,
            Self::Db | Self::Dbx => EFI_IMAGE_SECURITY_DATABASE,
        }
    }
}

/// What becomes of the data that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    /// The new data stand in its place; none at all: the variable is deleted. The time stamp has to be later than that of the
    /// update before.
    Replace,
    /// The new data come behind it, entries that are there already are left out.
    Append,
}

impl Write {
    fn attributes(self) -> u32 {
        match self {
            Self::Replace => ATTRIBUTES,
            Self::Append => ATTRIBUTES | APPEND_WRITE,
        }
    }
}

/// An update that nobody has signed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    pub variable: Variable,
    pub write: Write,
    pub time: Time,
    /// Signature lists.
    pub data: Vec<u8>,
}

impl Update {
    /// What is signed: name in UTF-16 without a NUL, vendor, attributes, time stamp, data.
    fn message(&self) -> Vec<u8> {
        let mut out: Vec<u8> = self.variable.name().encode_utf16().flat_map(u16::to_le_bytes).collect();
        out.extend_from_slice(&self.variable.vendor());
        out.extend_from_slice(&self.write.attributes().to_le_bytes());
        out.extend_from_slice(&self.time.efi());
        out.extend_from_slice(&self.data);
        out
    }

    /// The bytes of a `.auth` file, for SetVariable with these attributes.
    ///
    /// # Errors
    /// When the signer fails.
    pub fn signed(&self, signer: &Signer) -> Result<Vec<u8>> {
        let pkcs7 = signed_data(signer.certificate(), &signer.sign(&self.message())?);
        let length = u32::try_from(CERTIFICATE + pkcs7.len()).map_err(|_| Error::bug("a signature of 4 GiB"))?;
        let mut out = self.time.efi().to_vec();
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&REVISION_AND_TYPE);
        out.extend_from_slice(&PKCS7_GUID);
        out.extend_from_slice(&pkcs7);
        out.extend_from_slice(&self.data);
        Ok(out)
    }
}

/// The data of a signed update; `None` when the bytes do not begin like one. The signature is not looked at: the firmware does that.
///
/// # Errors
/// When its length does not fit.
pub fn data_of(auth: &[u8]) -> Result<Option<&[u8]>> {
    let Some(header) = auth.get(TIME..TIME + CERTIFICATE) else { return Ok(None) };
    if header[4..8] != REVISION_AND_TYPE || header[8..] != PKCS7_GUID {
        return Ok(None);
    }
    let length = u32::from_le_bytes([header[0], header[1], header[2], header[3]]) as usize;
    let data = (length >= CERTIFICATE).then(|| auth[TIME..].get(length..)).flatten();
    data.map(Some).ok_or_else(|| {
        Error::input(format!("a signed update whose certificate of {length} bytes does not fit"), "get the file again")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn update(write: Write) -> Update {
        Update { variable: Variable::Db, write, time: Time::parse("2025-01-01").unwrap(), data: b"lists".to_vec() }
    }

    #[test]
    fn what_is_signed() {
        let message = update(Write::Replace).message();
        assert_eq!(message[..4], [b'd', 0, b'b', 0]);
        assert_eq!(message[4..20], EFI_IMAGE_SECURITY_DATABASE);
        assert_eq!(message[20..24], [0x27, 0, 0, 0]);
        assert_eq!((&message[24..26], &message[40..]), (&[0xe9, 0x07][..], &b"lists"[..]));
        assert_eq!(update(Write::Append).message()[20..24], [0x67, 0, 0, 0]);
    }

    #[test]
    fn data_are_read_back_and_lengths_that_lie_are_refused() {
        let signer = crate::enrol::tests::signer("KEK");
        let good = update(Write::Replace).signed(&signer).unwrap();
        assert_eq!(good, update(Write::Replace).signed(&signer).unwrap(), "the same input gave other bytes");
        assert_eq!(data_of(&good).unwrap(), Some(&b"lists"[..]));
        for length in [0, 23, good.len() as u32, u32::MAX] {
            let mut bad = good.clone();
            bad[16..20].copy_from_slice(&length.to_le_bytes());
            assert!(data_of(&bad).is_err(), "{length} was taken");
        }
        for end in 0..40 {
            assert_eq!(data_of(&good[..end]).unwrap(), None);
        }
        assert!(data_of(&good[..41]).is_err());
        assert_eq!(data_of(&[0; 100]).unwrap(), None);
    }
}
