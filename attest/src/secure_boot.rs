//! The Secure Boot variables that a server's firmware holds, and how the firmware measures them into PCR 7.
//!
//! `secure-boot.json`, made by `vitrine keygen` (each value is the variable's complete data, base64):
//! ```json
//! {"pk":"oVnApeSU…","kek":"oVnApeSU…","db":"oVnApeSU…","dbx":""}
//! ```

use crate::cursor::{Cursor, Short};
use crate::digest::base64_bytes;
use crate::{Error, Result, Sha256};
use serde::{Deserialize, Serialize};

/// A GUID as it stands in memory: the first three fields little-endian (UEFI 2.10, appendix A).
pub type Guid = [u8; 16];

/// `8be4df61-93ca-11d2-aa0d-00e098032b8c`: vendor of `SecureBoot`, `PK` and `KEK` (UEFI 2.10, §3.3).
pub const EFI_GLOBAL_VARIABLE: Guid =
    [0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93, 0xd2, 0x11, 0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c];
/// `d719b2cb-3d3a-4596-a3bc-dad00e67656f`: vendor of `db` and `dbx` (UEFI 2.10, §32.6.1).
pub const EFI_IMAGE_SECURITY_DATABASE: Guid =
    [0xcb, 0xb2, 0x19, 0xd7, 0x3a, 0x3d, 0x96, 0x45, 0xa3, 0xbc, 0xda, 0xd0, 0x0e, 0x67, 0x65, 0x6f];
/// `a5c059a1-94e4-4aa7-87b5-ab155c2bf072`: a signature list of DER certificates (UEFI 2.10, §32.4.1).
pub const EFI_CERT_X509: Guid =
    [0xa1, 0x59, 0xc0, 0xa5, 0xe4, 0x94, 0xa7, 0x4a, 0x87, 0xb5, 0xab, 0x15, 0x5c, 0x2b, 0xf0, 0x72];
/// `c1c41626-504c-4092-aca9-41f936934328`: a signature list of SHA-256 image digests (UEFI 2.10, §32.4.1).
pub const EFI_CERT_SHA256: Guid =
    [0x26, 0x16, 0xc4, 0xc1, 0x4c, 0x50, 0x92, 0x40, 0xac, 0xa9, 0x41, 0xf9, 0x36, 0x93, 0x43, 0x28];

/// Data of the variable `SecureBoot` while it is enforced.
pub const ON: &[u8] = &[1];
/// Data of the variable `SecureBoot` in setup mode: the firmware could, but no PK is enrolled.
pub const OFF: &[u8] = &[0];

/// Bytes of EFI_SIGNATURE_LIST before its signatures: type, list size, header size, signature size.
const LIST_HEADER: usize = 16 + 4 + 4 + 4;
/// Bytes of the owner's GUID before each signature.
const OWNER: usize = 16;
/// Entries in one variable. Microsoft's dbx has about 400; firmware stores hold 64 KiB or so.
const SIGNATURE_LIMIT: usize = 4096;

const HINT: &str =
    "make the keys again with `vitrine keygen`, or write the variables' complete data into secure-boot.json";

/// What is enrolled: each is the variable's complete data, one or more EFI_SIGNATURE_LIST after each other.
/// Public; everything that PCR 7 depends on besides the firmware itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variables {
    #[serde(with = "base64_bytes")]
    pub pk: Vec<u8>,
    #[serde(with = "base64_bytes")]
    pub kek: Vec<u8>,
    #[serde(with = "base64_bytes")]
    pub db: Vec<u8>,
    /// May be empty: nothing is revoked.
    #[serde(with = "base64_bytes")]
    pub dbx: Vec<u8>,
}

/// One variable as it goes into PCR 7.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measured<'a> {
    pub vendor: Guid,
    pub name: &'static str,
    pub data: &'a [u8],
}

impl Measured<'_> {
    /// The digest that the firmware extends: SHA-256 over [`variable_data`].
    pub fn digest(&self) -> Sha256 {
        Sha256::of(&variable_data(self.vendor, self.name, self.data))
    }
}

impl Variables {
    /// No keys: each variable that does not exist is measured with empty data.
    pub fn none() -> Self {
        Self { pk: vec![], kek: vec![], db: vec![], dbx: vec![] }
    }

    /// The five variables in the order of measurement (TCG PC Client Platform Firmware Profile 1.05, §3.3.4.8).
    /// `state` is the data of `SecureBoot`: [`ON`], [`OFF`], or empty where the firmware has no Secure Boot at all.
    pub fn measured<'a>(&'a self, state: &'a [u8]) -> [Measured<'a>; 5] {
        let global = |name, data| Measured { vendor: EFI_GLOBAL_VARIABLE, name, data };
        let database = |name, data| Measured { vendor: EFI_IMAGE_SECURITY_DATABASE, name, data };
        [
            global("SecureBoot", state),
            global("PK", &self.pk),
            global("KEK", &self.kek),
            database("db", &self.db),
            database("dbx", &self.dbx),
        ]
    }

    /// PCR 7 once an image was started for this entry of `db`, with Secure Boot on: what [`crate::predict`] says of
    /// that image, from the variables alone.
    pub fn pcr7(&self, authority: &Signature<'_>) -> Sha256 {
        let separator = Sha256::of(crate::predict::SEPARATOR);
        let events = self.measured(ON).map(|variable| variable.digest());
        let events = events.into_iter().chain([separator, authority.authority_digest()]);
        events.fold(Sha256::ZERO, crate::pcr::extend)
    }

    /// The entries of `db`.
    ///
    /// # Errors
    /// When `db` is not a sequence of well-formed signature lists.
    pub fn db_entries(&self) -> Result<Vec<Signature<'_>>> {
        signatures(&self.db).map_err(|e| e.within("Secure Boot variable db"))
    }

    /// Checks the form of all four, and that those which must not be empty are not.
    ///
    /// # Errors
    /// Names the variable that is wrong.
    pub fn check(&self) -> Result<()> {
        for (name, data, may_be_empty) in
            [("PK", &self.pk, false), ("KEK", &self.kek, false), ("db", &self.db, false), ("dbx", &self.dbx, true)]
        {
            let entries = signatures(data).map_err(|e| e.within(format!("Secure Boot variable {name}")))?;
            if entries.is_empty() && !may_be_empty {
                return Err(Error::input(format!("Secure Boot variable {name} holds no certificate"), HINT));
            }
        }
        Ok(())
    }
}

/// One EFI_SIGNATURE_DATA and the type of the list it stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signature<'a> {
    /// [`EFI_CERT_X509`], [`EFI_CERT_SHA256`], …
    pub kind: Guid,
    pub owner: Guid,
    /// DER for a certificate, 32 bytes for a digest.
    pub data: &'a [u8],
}

impl Signature<'_> {
    pub fn is_certificate(&self) -> bool {
        self.kind == EFI_CERT_X509
    }

    /// The digest of the EV_EFI_VARIABLE_AUTHORITY event when this entry of `db` let an image start:
    /// UEFI_VARIABLE_DATA whose data is this one EFI_SIGNATURE_DATA (PC Client Profile 1.05, §3.3.4.8, §10.2.6).
    pub fn authority_digest(&self) -> Sha256 {
        let entry = [&self.owner, self.data].concat();
        Sha256::of(&variable_data(EFI_IMAGE_SECURITY_DATABASE, "db", &entry))
    }
}

/// An EFI_SIGNATURE_LIST that holds one certificate (UEFI 2.10, §32.4.1):
/// `type[16] listsize[4] headersize[4]=0 signaturesize[4] owner[16] der`.
///
/// # Panics
/// When the certificate is 4 GiB or longer.
pub fn signature_list(owner: Guid, der: &[u8]) -> Vec<u8> {
    let signature_size = u32::try_from(OWNER + der.len()).expect("a certificate is far shorter than 4 GiB");
    let list_size = signature_size + LIST_HEADER as u32;
    let mut list = Vec::with_capacity(LIST_HEADER + OWNER + der.len());
    list.extend_from_slice(&EFI_CERT_X509);
    list.extend_from_slice(&list_size.to_le_bytes());
    list.extend_from_slice(&0u32.to_le_bytes());
    list.extend_from_slice(&signature_size.to_le_bytes());
    list.extend_from_slice(&owner);
    list.extend_from_slice(der);
    list
}

/// An EFI_SIGNATURE_LIST of SHA-256 image digests (UEFI 2.10, §32.4.1), as dbx holds them.
///
/// # Panics
/// With more digests than 32 bits can count the bytes of.
pub fn digest_list(owner: Guid, digests: &[Sha256]) -> Vec<u8> {
    const ENTRY: usize = OWNER + 32;
    let list_size = u32::try_from(LIST_HEADER + digests.len() * ENTRY).expect("callers have at most 4,096 digests");
    let mut list = EFI_CERT_SHA256.to_vec();
    for size in [list_size, 0, ENTRY as u32] {
        list.extend_from_slice(&size.to_le_bytes());
    }
    for digest in digests {
        list.extend_from_slice(&owner);
        list.extend_from_slice(&digest.0);
    }
    list
}

/// One EFI_SIGNATURE_LIST: its bytes, and its entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List<'a> {
    pub whole: &'a [u8],
    pub entries: Vec<Signature<'a>>,
}

/// The entries of PK, KEK, db or dbx, of all its lists.
///
/// # Errors
/// Those of [`lists`].
pub fn signatures(data: &[u8]) -> Result<Vec<Signature<'_>>> {
    Ok(lists(data)?.into_iter().flat_map(|list| list.entries).collect())
}

/// Reads the data of PK, KEK, db or dbx: zero or more EFI_SIGNATURE_LIST without anything between or after them.
///
/// # Errors
/// When a size does not fit, or there are more than 4,096 entries.
pub fn lists(data: &[u8]) -> Result<Vec<List<'_>>> {
    let mut cursor = Cursor::new(data);
    let (mut found, mut left) = (Vec::new(), SIGNATURE_LIMIT);
    while !cursor.is_empty() {
        let at = cursor.offset();
        let entries = one_list(&mut cursor, left)
            .map_err(|why| Error::input(format!("signature list at byte {at}: {why}"), HINT))?;
        left -= entries.len();
        found.push(List { whole: &data[at..cursor.offset()], entries });
    }
    Ok(found)
}

/// At most `left` entries.
fn one_list<'a>(cursor: &mut Cursor<'a>, left: usize) -> std::result::Result<Vec<Signature<'a>>, String> {
    let mut found = Vec::new();
    let short = |short: Short| short.to_string();
    let kind = cursor.array().map_err(short)?;
    let list_size = cursor.len32().map_err(short)?;
    let header_size = cursor.len32().map_err(short)?;
    let signature_size = cursor.len32().map_err(short)?;
    let body = list_size.checked_sub(LIST_HEADER).ok_or_else(|| format!("its size {list_size} is too small"))?;
    let mut body = Cursor::new(cursor.take(body).map_err(short)?);
    body.take(header_size).map_err(short)?;
    let entries = body.rest();
    if signature_size < OWNER || entries.is_empty() || !entries.len().is_multiple_of(signature_size) {
        return Err(format!("{} bytes cannot be cut into signatures of {signature_size}", entries.len()));
    }
    for entry in entries.chunks_exact(signature_size) {
        if found.len() == left {
            return Err(format!("more than {SIGNATURE_LIMIT} entries"));
        }
        let (owner, data) = entry.split_at(OWNER);
        let mut guid = [0; OWNER];
        guid.copy_from_slice(owner);
        found.push(Signature { kind, owner: guid, data });
    }
    Ok(found)
}

/// UEFI_VARIABLE_DATA (PC Client Profile 1.05, §10.2.6): vendor GUID, u64 length of the name in characters,
/// u64 length of the data in bytes, the name as UTF-16LE without a NUL, the data.
pub fn variable_data(vendor: Guid, name: &str, data: &[u8]) -> Vec<u8> {
    let name: Vec<u16> = name.encode_utf16().collect();
    let mut out = Vec::with_capacity(32 + name.len() * 2 + data.len());
    out.extend_from_slice(&vendor);
    out.extend_from_slice(&(name.len() as u64).to_le_bytes());
    out.extend_from_slice(&(data.len() as u64).to_le_bytes());
    out.extend(name.iter().flat_map(|c| c.to_le_bytes()));
    out.extend_from_slice(data);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pcr::extend;

    #[test]
    fn list_round_trip() {
        let two = [signature_list([7; 16], b"first"), signature_list([8; 16], b"second one")].concat();
        let entries = signatures(&two).unwrap();
        assert_eq!(entries.len(), 2);
        assert_eq!((entries[1].owner, entries[1].data), ([8; 16], &b"second one"[..]));
        assert!(entries.iter().all(Signature::is_certificate));
        assert!(signatures(&[]).unwrap().is_empty());
    }

    #[test]
    fn lists_of_digests_and_their_bytes() {
        let digests = [Sha256([1; 32]), Sha256([2; 32])];
        let dbx = [digest_list([7; 16], &digests), signature_list([8; 16], b"certificate")].concat();
        let lists = lists(&dbx).unwrap();
        assert_eq!(lists.iter().map(|list| list.entries.len()).collect::<Vec<_>>(), [2, 1]);
        assert_eq!(lists.iter().flat_map(|list| list.whole).copied().collect::<Vec<_>>(), dbx);
        let entry = lists[0].entries[1];
        assert_eq!((entry.kind, entry.owner, entry.data), (EFI_CERT_SHA256, [7; 16], &[2; 32][..]));
        let most = digest_list([7; 16], &vec![Sha256::ZERO; SIGNATURE_LIMIT]);
        assert_eq!(signatures(&most).unwrap().len(), SIGNATURE_LIMIT);
        assert!(signatures(&[most, dbx].concat()).unwrap_err().what.contains("more than 4096"));
    }

    #[test]
    fn every_cut_and_wrong_size_is_refused() {
        let list = signature_list([7; 16], b"certificate");
        for end in 1..list.len() {
            assert!(signatures(&list[..end]).is_err(), "{end} bytes were taken");
        }
        for (at, what) in [(16, "list size"), (20, "header size"), (24, "signature size")] {
            for value in [0xffff_ffffu32, 1, u32::try_from(list.len()).unwrap() - 1] {
                let mut bad = list.clone();
                bad[at..at + 4].copy_from_slice(&value.to_le_bytes());
                assert!(signatures(&bad).is_err(), "{what} {value} was taken");
            }
        }
    }

    fn pcr7(state: &[u8]) -> String {
        let none = Variables::none();
        let value = none.measured(state).iter().fold(Sha256::ZERO, |value, v| extend(value, v.digest()));
        extend(value, Sha256::of(&[0; 4])).to_string()
    }

    /// OVMF without keys has `SecureBoot` = 0; firmware built without Secure Boot (tpm2-tools' `sd-boot-fedora37`
    /// log) does not have the variable.
    #[test]
    fn pcr7_without_keys() {
        assert_eq!(pcr7(OFF), "65caf8dd1e0ea7a6347b635d2b379c93b9a1351edc2afc3ecda700e534eb3068");
        assert_eq!(pcr7(&[]), "b5710bf57d25623e4019027da116821fa99f5c81e9e38b87671cc574f9281439");
    }

    /// A real firmware's digest of an absent `SecureBoot` variable (tpm2-tools' `arch-linux` log).
    #[test]
    fn form_of_variable_data() {
        let data = variable_data(EFI_GLOBAL_VARIABLE, "SecureBoot", &[]);
        assert_eq!(data.len(), 52);
        assert_eq!(data[16..32], [10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(data[32..36], [b'S', 0, b'e', 0]);
        assert_eq!(Sha256::of(&data).to_string(), "ce9ce386b52e099f3019e512a0d6062d6b560efe4ff3e5661c7525e2f9c263df");
    }

    #[test]
    fn json_form_and_check() {
        let list = signature_list([0; 16], b"x");
        let good = Variables { pk: list.clone(), kek: list.clone(), db: list, dbx: vec![] };
        let text = serde_json::to_string(&good).unwrap();
        assert_eq!(serde_json::from_str::<Variables>(&text).unwrap(), good);
        good.check().unwrap();
        let error = Variables { kek: vec![], ..good.clone() }.check().unwrap_err();
        assert!(error.what.contains("KEK"), "{error}");
        assert!(Variables { dbx: vec![1], ..good }.check().is_err());
    }

    #[test]
    fn owner_is_part_of_the_authority() {
        let entry = Signature { kind: EFI_CERT_X509, owner: [1; 16], data: b"der" };
        assert_ne!(entry.authority_digest(), Signature { owner: [2; 16], ..entry }.authority_digest());
    }
}
