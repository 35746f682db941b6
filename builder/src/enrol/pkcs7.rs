//! PKCS#7 SignedData over a variable update (UEFI 2.10 §8.2.2; RFC 2315 §9): detached, SHA-256, one signer, one certificate.
//!
//! Two things differ from an image's signature: there are no authenticated attributes, so the signature is over the message
//! itself, and no ContentInfo is around it. §8.2.2 allows both forms of the latter; efitools writes this one, and old edk2 reads
//! only this one.

use crate::authenticode::der::{context, set_of, tlv, INTEGER, OCTET_STRING, OID, SEQUENCE, SET};
use crate::authenticode::spc::{algorithm, RSA_ENCRYPTION, SHA256};
use crate::authenticode::Certificate;

/// 1.2.840.113549.1.7.1, `data`
const DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01];

/// `SignedData`, version 1. `signature` is RSASSA-PKCS1-v1_5 with SHA-256.
pub fn signed_data(certificate: &Certificate, signature: &[u8]) -> Vec<u8> {
    let signer = tlv(
        SEQUENCE,
        &[
            &tlv(INTEGER, &[&[1]]),
            &tlv(SEQUENCE, &[certificate.issuer(), certificate.serial()]),
            &algorithm(SHA256),
            &algorithm(RSA_ENCRYPTION),
            &tlv(OCTET_STRING, &[signature]),
        ],
    );
    tlv(
        SEQUENCE,
        &[
            &tlv(INTEGER, &[&[1]]),
            &set_of(SET, vec![algorithm(SHA256)]),
            &tlv(SEQUENCE, &[&tlv(OID, &[DATA])]),
            &tlv(context(0), &[certificate.der()]),
            &set_of(SET, vec![signer]),
        ],
    )
}
