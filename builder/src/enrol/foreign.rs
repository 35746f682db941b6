//! Signature lists as a person has them: certificates, `.esl`, `.auth` (such as the UEFI Forum's `dbxupdate_x64.bin`), or a
//! file of efivarfs.

use super::update::data_of;
use crate::authenticode::Certificate;
use crate::keys::SIGNATURE_OWNER;
use vitrine_attest::secure_boot::{lists, signature_list};
use vitrine_attest::{Error, Result};

/// Bytes of a variable's attributes before its data in efivarfs (the kernel's Documentation/filesystems/efivarfs.rst).
const ATTRIBUTES: usize = 4;
/// EFI_VARIABLE_TIME_BASED_AUTHENTICATED_WRITE_ACCESS and the three before it: those of PK, KEK, db and dbx.
const AUTHENTICATED: [u8; ATTRIBUTES] = [0x27, 0, 0, 0];

/// The signature lists in `bytes`, with their owners as they are; a certificate becomes a list of ours.
///
/// # Errors
/// When it is none of these forms, or holds nothing.
pub fn signature_lists(bytes: &[u8]) -> Result<Vec<u8>> {
    if let Ok(certificate) = Certificate::parse(bytes) {
        return Ok(signature_list(SIGNATURE_OWNER, certificate.der()));
    }
    let data = match data_of(bytes)? {
        Some(data) => data,
        // what is a list as it stands has no attributes before it
        None if lists(bytes).is_ok() => bytes,
        None => bytes.strip_prefix(&AUTHENTICATED).unwrap_or(bytes),
    };
    let hint =
        "give a certificate (PEM or DER), a signature list (.esl), a signed update (.auth), or a file of efivarfs";
    let found = lists(data).map_err(|e| Error { hint: hint.into(), ..e })?;
    match found[..] {
        [] => Err(Error::input("it holds no signature list", hint)),
        _ => Ok(data.to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enrol::tests::{certificate, signer};
    use crate::enrol::time::Time;
    use crate::enrol::update::{Update, Variable, Write};
    use vitrine_attest::secure_boot::digest_list;
    use vitrine_attest::Sha256;

    #[test]
    fn every_form_gives_the_same_lists() {
        let dbx = digest_list([1; 16], &[Sha256([2; 32]), Sha256([3; 32])]);
        let update = Update {
            variable: Variable::Dbx,
            write: Write::Append,
            time: Time::parse("2025-01-01").unwrap(),
            data: dbx.clone(),
        };
        let of_efivarfs = [&AUTHENTICATED[..], &dbx].concat();
        for bytes in [dbx.clone(), update.signed(&signer("KEK")).unwrap(), of_efivarfs] {
            assert_eq!(signature_lists(&bytes).unwrap(), dbx);
        }
        let ours = signature_list(SIGNATURE_OWNER, certificate("db").der());
        assert_eq!(signature_lists(certificate("db").der()).unwrap(), ours);
    }

    #[test]
    fn other_bytes_are_refused() {
        let dbx = digest_list([1; 16], &[Sha256([2; 32])]);
        for bytes in [&b""[..], b"text", &AUTHENTICATED, &dbx[..dbx.len() - 1], &[&dbx[..], b"x"].concat()] {
            assert!(signature_lists(bytes).is_err(), "{bytes:?} was taken");
        }
    }
}
