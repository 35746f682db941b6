//! Which certificate signed an image: issuer and serial number out of a PKCS#7 SignedData, compared with certificates.
//!
//! It finds the entry of `db` that the firmware will use; it verifies nothing. The firmware does.

use crate::pe::Pe;
use crate::secure_boot::Signature;
use crate::{Error, Result};

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const INTEGER: u8 = 0x02;
/// `[0]` and `[1]`, constructed.
const CONTEXT_0: u8 = 0xa0;
const CONTEXT_1: u8 = 0xa1;

/// The certificate in `db` that lets this image start: the only one there is, or the one that the image's signature
/// names.
///
/// # Errors
/// When `db` holds no certificate, or several and none (or an unsigned image) can be matched.
pub(crate) fn authority<'v>(pe: &Pe<'_>, db: &[Signature<'v>]) -> Result<Signature<'v>> {
    let certificates: Vec<_> = db.iter().filter(|entry| entry.is_certificate()).copied().collect();
    match certificates[..] {
        [] => Err(Error::input(
            "Secure Boot variable db holds no certificate: nothing could start",
            "make it with `vitrine keygen`",
        )),
        [only] => Ok(only),
        _ => {
            let signers: Vec<_> = pe.signatures()?.into_iter().filter_map(signer).collect();
            certificates
                .into_iter()
                .find(|entry| identity(entry.data).is_some_and(|id| signers.contains(&id)))
                .ok_or_else(|| {
                    Error::input(
                        "db holds several certificates, and the image is not signed by one of them",
                        "predict from the signed image, or enrol only the certificate that signs images",
                    )
                })
        }
    }
}

/// (issuer, serial number), each a complete DER element.
type Identity<'a> = (&'a [u8], &'a [u8]);

/// IssuerAndSerialNumber of the first signer (RFC 2315, §9.1, §9.2, §6.7).
fn signer(pkcs7: &[u8]) -> Option<Identity<'_>> {
    let content_info = element(pkcs7, SEQUENCE)?;
    let (_, rest) = any(content_info.body)?;
    let signed_data = element(element(rest, CONTEXT_0)?.body, SEQUENCE)?;
    let (_, rest) = expect(signed_data.body, INTEGER)?;
    let (_, rest) = expect(rest, SET)?;
    let (_, mut rest) = expect(rest, SEQUENCE)?;
    for optional in [CONTEXT_0, CONTEXT_1] {
        if let Some((_, after)) = expect(rest, optional) {
            rest = after;
        }
    }
    let signer_info = element(element(rest, SET)?.body, SEQUENCE)?;
    let (_, rest) = expect(signer_info.body, INTEGER)?;
    let issuer_and_serial = element(rest, SEQUENCE)?;
    let (issuer, rest) = expect(issuer_and_serial.body, SEQUENCE)?;
    let (serial, _) = expect(rest, INTEGER)?;
    Some((issuer.whole, serial.whole))
}

/// Issuer and serial number of a certificate (RFC 5280, §4.1).
fn identity(certificate: &[u8]) -> Option<Identity<'_>> {
    let tbs = element(element(certificate, SEQUENCE)?.body, SEQUENCE)?;
    let (_, rest) = expect(tbs.body, CONTEXT_0)?;
    let (serial, rest) = expect(rest, INTEGER)?;
    let (_, rest) = expect(rest, SEQUENCE)?;
    let (issuer, _) = expect(rest, SEQUENCE)?;
    Some((issuer.whole, serial.whole))
}

/// One DER element (X.690, §8.1).
#[derive(Clone, Copy)]
struct Element<'a> {
    tag: u8,
    body: &'a [u8],
    whole: &'a [u8],
}

fn element(bytes: &[u8], tag: u8) -> Option<Element<'_>> {
    expect(bytes, tag).map(|(element, _)| element)
}

fn expect(bytes: &[u8], tag: u8) -> Option<(Element<'_>, &[u8])> {
    any(bytes).filter(|(element, _)| element.tag == tag)
}

/// The first element and what follows it. One-byte tags and lengths of up to four bytes, which is all that occurs.
fn any(bytes: &[u8]) -> Option<(Element<'_>, &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (digits.iter().fold(0, |value, digit| value << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    let (body, after) = rest.split_at_checked(length)?;
    Some((Element { tag, body, whole: &bytes[..bytes.len() - after.len()] }, after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pe::testpe;
    use crate::secure_boot::EFI_CERT_X509;

    fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let body = parts.concat();
        let mut out = vec![tag, 0x82];
        out.extend_from_slice(&(body.len() as u16).to_be_bytes());
        out.extend(body);
        out
    }

    fn certificate(issuer: &[u8], serial: u8) -> Vec<u8> {
        let version = der(CONTEXT_0, &[&der(INTEGER, &[&[2]])]);
        let tbs =
            der(SEQUENCE, &[&version, &der(INTEGER, &[&[serial]]), &der(SEQUENCE, &[]), &der(SEQUENCE, &[issuer])]);
        der(SEQUENCE, &[&tbs])
    }

    fn pkcs7(issuer: &[u8], serial: u8) -> Vec<u8> {
        let id = der(SEQUENCE, &[&der(SEQUENCE, &[issuer]), &der(INTEGER, &[&[serial]])]);
        let infos = der(SET, &[&der(SEQUENCE, &[&der(INTEGER, &[&[1]]), &id])]);
        let data = der(
            SEQUENCE,
            &[&der(INTEGER, &[&[1]]), &der(SET, &[]), &der(SEQUENCE, &[]), &der(CONTEXT_0, &[b"certificates"]), &infos],
        );
        der(SEQUENCE, &[&der(6, &[b"oid"]), &der(CONTEXT_0, &[&data])])
    }

    fn entry(data: &[u8]) -> Signature<'_> {
        Signature { kind: EFI_CERT_X509, owner: [0; 16], data }
    }

    #[test]
    fn the_signer_is_found_among_several() {
        let (one, two) = (certificate(b"issuer", 1), certificate(b"issuer", 2));
        let signed = testpe::sign(testpe::build(&[(".text", b"x")]), &pkcs7(b"issuer", 2));
        let pe = Pe::parse(&signed).unwrap();
        assert_eq!(authority(&pe, &[entry(&one), entry(&two)]).unwrap().data, two);
        assert_eq!(authority(&pe, &[entry(&one)]).unwrap().data, one, "a single entry is used unseen");
        assert!(authority(&pe, &[]).is_err());
        let stranger = certificate(b"another", 2);
        assert!(authority(&pe, &[entry(&one), entry(&stranger)]).is_err());
    }

    #[test]
    fn every_prefix_is_none_or_some_without_panic() {
        let (blob, certificate) = (pkcs7(b"issuer", 2), certificate(b"issuer", 2));
        assert_eq!(signer(&blob), identity(&certificate));
        assert!(signer(&blob).is_some());
        for end in 0..blob.len() {
            assert!(signer(&blob[..end]).is_none());
        }
        for end in 0..certificate.len() {
            assert!(identity(&certificate[..end]).is_none());
        }
    }
}
