//! What the firmware holds, before and after: from one set of variables to the next.

use crate::authenticode::Certificate;
use crate::keys::SIGNATURE_OWNER;
use vitrine_attest::secure_boot::{digest_list, lists, signature_list, signatures, Variables, EFI_CERT_SHA256};
use vitrine_attest::{Error, Result, Sha256};

/// A list of ours with this certificate alone.
pub fn list_of(certificate: &Certificate) -> Vec<u8> {
    signature_list(SIGNATURE_OWNER, certificate.der())
}

/// Whether a variable's data hold this certificate.
pub fn holds(data: &[u8], certificate: &Certificate) -> Result<bool> {
    Ok(signatures(data)?.iter().any(|entry| entry.is_certificate() && entry.data == certificate.der()))
}

/// PCR 7 of a machine with these variables, once it has started an image that this certificate signed.
pub fn pcr7(variables: &Variables, certificate: &Certificate) -> Result<Option<Sha256>> {
    let entries = variables.db_entries()?;
    let entry = entries.iter().find(|entry| entry.is_certificate() && entry.data == certificate.der());
    Ok(entry.map(|entry| variables.pcr7(entry)))
}

/// Puts the lists of `more` behind `data`, those left out that are there already.
pub fn add_lists(data: &mut Vec<u8>, more: &[u8]) -> Result<()> {
    for list in lists(more)? {
        if !lists(data)?.iter().any(|there| there.whole == list.whole) {
            data.extend_from_slice(list.whole);
        }
    }
    Ok(())
}

/// The data without this certificate's list.
///
/// # Errors
/// When the certificate stands in a list with others: then the rest of that list would change, too.
pub fn without(data: &[u8], certificate: &Certificate) -> Result<Vec<u8>> {
    let mut left = Vec::new();
    for list in lists(data)? {
        let is_there = list.entries.iter().any(|entry| entry.is_certificate() && entry.data == certificate.der());
        match (is_there, list.entries.len()) {
            (false, _) => left.extend_from_slice(list.whole),
            (true, 1) => {}
            (true, _) => {
                return Err(Error::input(
                    "db holds the old certificate in one list with others",
                    "make the list again with one certificate in each, as `vitrine enrol` does",
                ))
            }
        }
    }
    Ok(left)
}

/// A list of those digests that dbx does not hold yet, in their order, each once.
///
/// # Errors
/// When it holds all of them.
pub fn revocations(dbx: &[u8], digests: &[Sha256]) -> Result<Vec<u8>> {
    let entries = signatures(dbx)?;
    let mut new: Vec<Sha256> = Vec::new();
    for digest in digests {
        let is_there = entries.iter().any(|entry| entry.kind == EFI_CERT_SHA256 && entry.data == digest.0);
        if !is_there && !new.contains(digest) {
            new.push(*digest);
        }
    }
    if new.is_empty() {
        return Err(Error::input(
            "dbx holds what --revoke names already",
            "leave --revoke away, or name another image",
        ));
    }
    Ok(digest_list(SIGNATURE_OWNER, &new))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enrol::tests::certificate;

    #[test]
    fn certificates_come_and_go() {
        let (db, kek) = (certificate("db"), certificate("KEK"));
        let mut data = list_of(&db);
        add_lists(&mut data, &[list_of(&kek), list_of(&db), list_of(&kek)].concat()).unwrap();
        assert_eq!(data, [list_of(&db), list_of(&kek)].concat());
        assert!(holds(&data, &kek).unwrap() && !holds(&list_of(&db), &kek).unwrap());
        assert_eq!(without(&data, &db).unwrap(), list_of(&kek));
        assert_eq!(without(&list_of(&kek), &db).unwrap(), list_of(&kek));
    }

    /// One list may hold several certificates of one length.
    #[test]
    fn a_shared_list_is_not_taken_apart() {
        let (db, one) = (certificate("db"), list_of(&certificate("db")));
        let mut shared = [&one[..], &one[28..]].concat();
        let size = u32::try_from(shared.len()).unwrap();
        shared[16..20].copy_from_slice(&size.to_le_bytes());
        assert!(without(&shared, &db).unwrap_err().what.contains("with others"));
    }

    #[test]
    fn nothing_is_revoked_twice() {
        let (first, second) = (Sha256([1; 32]), Sha256([2; 32]));
        let dbx = revocations(&[], &[first, first]).unwrap();
        assert_eq!(signatures(&dbx).unwrap().len(), 1);
        let more = revocations(&dbx, &[first, second]).unwrap();
        assert_eq!(signatures(&more).unwrap()[0].data, second.0);
        assert!(revocations(&dbx, &[first]).unwrap_err().what.contains("already"));
    }
}
