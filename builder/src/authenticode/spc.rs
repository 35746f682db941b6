//! PKCS#7 SignedData for a PE image ("Windows Authenticode Portable Executable Signature Format", 2008;
//! PKCS#7 v1.5, RFC 2315 §9; UEFI 2.10 §32.2.4). The bytes depend on the image, the certificate and the key alone:
//! there is no signing time, and RSA PKCS#1 v1.5 is deterministic.

use super::certificate::Certificate;
use super::der::{
    context, context_primitive, set_of, tlv, BIT_STRING, INTEGER, NULL, OCTET_STRING, OID, SEQUENCE, SET,
};
use vitrine_attest::Sha256;

/// 1.2.840.113549.1.7.2
const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
/// 1.2.840.113549.1.9.3
const CONTENT_TYPE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x03];
/// 1.2.840.113549.1.9.4
const MESSAGE_DIGEST: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x04];
/// 1.2.840.113549.1.1.1
pub(crate) const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
/// 2.16.840.1.101.3.4.2.1
pub(crate) const SHA256: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
/// 1.3.6.1.4.1.311.2.1.4
const SPC_INDIRECT_DATA: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x01, 0x04];
/// 1.3.6.1.4.1.311.2.1.15
const SPC_PE_IMAGE_DATA: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x01, 0x0f];

pub(crate) fn algorithm(oid: &[u8]) -> Vec<u8> {
    tlv(SEQUENCE, &[&tlv(OID, &[oid]), &tlv(NULL, &[])])
}

/// `SpcIndirectDataContent`, whole encoding: "this is a PE image with that Authenticode digest".
fn indirect_data(authenticode: Sha256) -> Vec<u8> {
    // SpcPeImageData { flags: empty BIT STRING, file: [0] SpcLink [2] file SpcString [0] "<<<Obsolete>>>" }
    let obsolete: Vec<u8> = "<<<Obsolete>>>".encode_utf16().flat_map(u16::to_be_bytes).collect();
    let link = tlv(context(0), &[&tlv(context(2), &[&tlv(context_primitive(0), &[&obsolete])])]);
    let image = tlv(SEQUENCE, &[&tlv(BIT_STRING, &[&[0]]), &link]);
    let data = tlv(SEQUENCE, &[&tlv(OID, &[SPC_PE_IMAGE_DATA]), &image]);
    let digest = tlv(SEQUENCE, &[&algorithm(SHA256), &tlv(OCTET_STRING, &[&authenticode.0])]);
    tlv(SEQUENCE, &[&data, &digest])
}

/// The authenticated attributes as elements of a SET.
fn attributes(authenticode: Sha256) -> Vec<Vec<u8>> {
    let content = indirect_data(authenticode);
    // RFC 2315 §9.3: the digest is over the contents octets, without tag and length
    let header = content.len() - content_length(&content);
    let digest = Sha256::of(&content[header..]);
    let attribute = |oid: &[u8], value: Vec<u8>| tlv(SEQUENCE, &[&tlv(OID, &[oid]), &tlv(SET, &[&value])]);
    vec![
        attribute(CONTENT_TYPE, tlv(OID, &[SPC_INDIRECT_DATA])),
        attribute(MESSAGE_DIGEST, tlv(OCTET_STRING, &[&digest.0])),
    ]
}

/// Length of the contents of an element that [`tlv`] wrote.
fn content_length(element: &[u8]) -> usize {
    super::der::Reader::new(element).next().map(|e| e.content.len()).unwrap_or(0)
}

/// What the key signs: the authenticated attributes as `SET OF`, DER (RFC 2315 §9.3).
pub fn signed_bytes(authenticode: Sha256) -> Vec<u8> {
    set_of(SET, attributes(authenticode))
}

/// `ContentInfo` with the `SignedData`, version 1, one signer, one certificate.
pub fn signed_data(authenticode: Sha256, certificate: &Certificate, signature: &[u8]) -> Vec<u8> {
    let content = tlv(SEQUENCE, &[&tlv(OID, &[SPC_INDIRECT_DATA]), &tlv(context(0), &[&indirect_data(authenticode)])]);
    let signer = tlv(
        SEQUENCE,
        &[
            &tlv(INTEGER, &[&[1]]),
            &tlv(SEQUENCE, &[certificate.issuer(), certificate.serial()]),
            &algorithm(SHA256),
            &set_of(context(0), attributes(authenticode)),
            &algorithm(RSA_ENCRYPTION),
            &tlv(OCTET_STRING, &[signature]),
        ],
    );
    let signed = tlv(
        SEQUENCE,
        &[
            &tlv(INTEGER, &[&[1]]),
            &tlv(SET, &[&algorithm(SHA256)]),
            &content,
            &tlv(context(0), &[certificate.der()]),
            &tlv(SET, &[&signer]),
        ],
    );
    tlv(SEQUENCE, &[&tlv(OID, &[SIGNED_DATA]), &tlv(context(0), &[&signed])])
}

#[cfg(test)]
mod tests {
    use super::*;
    use vitrine_attest::digest::hex;

    /// The first bytes are those that sbsign and signtool write too.
    #[test]
    fn known_form() {
        let content = hex(&indirect_data(Sha256::ZERO));
        assert!(
            content.starts_with(
                "30683033060a2b06010401823702010f302503010\
             0a020a21e801c003c003c003c004f00620073006f006c006500740065003e003e003e30310d"
                    .replace("30310d", "3031300d")
                    .as_str()
            ),
            "{content}"
        );
        assert!(hex(&signed_bytes(Sha256::ZERO))
            .starts_with("314c301906092a864886f70d010903310c060a2b060104018237020104302f"));
    }
}
