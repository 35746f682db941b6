use super::*;
use crate::testing::vector;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
};

/// 2025-11-20, when the vectors were taken.
const NOW: u64 = 1_763_600_000;

/// A TPMT_PUBLIC with the ECC or RSA EK template and the key of this certificate.
fn ek_of(certificate: &[u8]) -> Public {
    let info = der::Elements(der::public_key_info(certificate).unwrap()).expect(der::SEQUENCE).unwrap();
    let key = &der::Elements(info).nth(1).unwrap().content[1..];
    let policy = [0x83; 32];
    let head = |kind: u8| [&[0, kind, 0, 0x0b, 0, 3, 0, 0xb2, 0, 32][..], &policy, &[0, 6, 0, 128, 0, 0x43]].concat();
    let area = if key[0] == 4 {
        [&head(0x23)[..], &[0, 0x10, 0, 3, 0, 0x10, 0, 32], &key[1..33], &[0, 32], &key[33..]].concat()
    } else {
        let n = der::Elements(der::Elements(key).expect(der::SEQUENCE).unwrap()).expect(der::INTEGER).unwrap();
        [&head(1)[..], &[0, 0x10, 8, 0, 0, 0, 0, 0, 1, 0], unsigned(n)].concat()
    };
    Public::parse(&area).unwrap()
}

fn der_of(pem: &[u8]) -> Vec<u8> {
    use rustls_pki_types::pem::PemObject as _;
    CertificateDer::from_pem_slice(pem).unwrap().to_vec()
}

#[test]
fn real_certificates_of_a_cloud() {
    let names = ["uca_tpm_rsa_enc_cert.pem", "uca_tpm_ecc_enc_cert.pem"];
    for name in names {
        let (Some(leaf), Some(issuer), Some(other)) = (
            vector(&format!("ek-certs/{name}")),
            vector("ek-certs/tpm_ek_intermediate_3.crt"),
            vector("ek-certs/gcp_ek_ak_ca_root.crt"),
        ) else {
            return;
        };
        let (leaf, roots) = (der_of(&leaf), Roots::parse(&[other.clone(), issuer.clone()].concat()).unwrap());
        let endorsement = verify(&leaf, &ek_of(&leaf), &roots, NOW).unwrap();
        assert_eq!(endorsement, Endorsement { certificate: Sha256::of(&leaf), root: Sha256::of(&issuer) });
        let strangers = Roots::parse(&other).unwrap();
        assert_eq!(verify(&leaf, &ek_of(&leaf), &strangers, NOW).unwrap_err().code(), "ek-chain-untrusted");
        let far_future = 4_000_000_000;
        assert_eq!(verify(&leaf, &ek_of(&leaf), &roots, far_future).unwrap_err().code(), "ek-chain-untrusted");
    }
}

#[test]
fn one_tpms_certificate_with_another_key() {
    let (Some(rsa), Some(ecc), Some(issuer)) = (
        vector("ek-certs/uca_tpm_rsa_enc_cert.pem"),
        vector("ek-certs/uca_tpm_ecc_enc_cert.pem"),
        vector("ek-certs/tpm_ek_intermediate_3.crt"),
    ) else {
        return;
    };
    let (rsa, ecc, roots) = (der_of(&rsa), der_of(&ecc), Roots::parse(&issuer).unwrap());
    assert_eq!(verify(&rsa, &ek_of(&ecc), &roots, NOW), Err(EkProblem::OtherKey));
    assert_eq!(verify(&ecc, &ek_of(&rsa), &roots, NOW), Err(EkProblem::OtherKey));
}

/// A CA and a leaf for an endorsement key, made for one test.
struct Made {
    leaf: Vec<u8>,
    roots: Roots,
}

fn made(usages: Vec<ExtendedKeyUsagePurpose>) -> Made {
    let ca_key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::default();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.distinguished_name.push(DnType::CommonName, "a test CA");
    let root = ca.self_signed(&ca_key).unwrap();
    let mut leaf = CertificateParams::default();
    leaf.extended_key_usages = usages;
    leaf.custom_extensions.push(CustomExtension::from_oid_content(&[2, 5, 29, 9], vec![0x30, 0]));
    let leaf = leaf.signed_by(&KeyPair::generate().unwrap(), &Issuer::new(ca, ca_key)).unwrap();
    Made { leaf: leaf.der().to_vec(), roots: Roots::parse(root.der()).unwrap() }
}

fn ek_usage() -> Vec<ExtendedKeyUsagePurpose> {
    vec![ExtendedKeyUsagePurpose::Other(vec![2, 23, 133, 8, 1])]
}

#[test]
fn padding_of_nv() {
    let Made { leaf, roots } = made(ek_usage());
    let ek = ek_of(&leaf);
    for padding in [vec![], vec![0; 500], vec![0xff; 500]] {
        let padded = [leaf.clone(), padding].concat();
        assert_eq!(verify(&padded, &ek, &roots, NOW).unwrap().certificate, Sha256::of(&leaf));
    }
    for junk in [vec![1], vec![0, 0xff], vec![0xff, 0]] {
        let padded = [leaf.clone(), junk].concat();
        assert_eq!(verify(&padded, &ek, &roots, NOW).unwrap_err().code(), "ek-certificate-malformed");
    }
}

#[test]
fn absent_cut_and_altered() {
    let Made { leaf, roots } = made(ek_usage());
    let ek = ek_of(&leaf);
    assert_eq!(verify(&[], &ek, &roots, NOW), Err(EkProblem::Absent));
    for length in 1..leaf.len() {
        assert_eq!(verify(&leaf[..length], &ek, &roots, NOW).unwrap_err().code(), "ek-certificate-malformed");
    }
    for i in 0..leaf.len() {
        let mut altered = leaf.clone();
        altered[i] ^= 1;
        assert!(verify(&altered, &ek, &roots, NOW).is_err(), "byte {i} was altered unseen");
    }
}

#[test]
fn another_usage_or_none() {
    let without = made(vec![]);
    assert_eq!(verify(&without.leaf, &ek_of(&without.leaf), &without.roots, NOW), Err(EkProblem::Usage));
    let server = made(vec![ExtendedKeyUsagePurpose::ServerAuth]);
    let error = verify(&server.leaf, &ek_of(&server.leaf), &server.roots, NOW).unwrap_err();
    assert_eq!(error.code(), "ek-chain-untrusted");
}

#[test]
fn a_ca_of_the_same_name() {
    let (one, two) = (made(ek_usage()), made(ek_usage()));
    let error = verify(&one.leaf, &ek_of(&one.leaf), &two.roots, NOW).unwrap_err();
    assert_eq!(error.code(), "ek-chain-untrusted");
}

/// The usage is looked for by itself too: an extended key usage of another kind is none.
#[test]
fn the_usage_is_that_of_an_endorsement_key() {
    assert!(has_ek_usage(&made(ek_usage()).leaf));
    assert!(!has_ek_usage(&made(vec![ExtendedKeyUsagePurpose::ServerAuth]).leaf));
    assert!(!has_ek_usage(&made(vec![]).leaf));
}

#[test]
fn another_key_of_the_same_kind() {
    let (one, two) = (made(ek_usage()), made(ek_usage()));
    assert_eq!(verify(&one.leaf, &ek_of(&two.leaf), &one.roots, NOW), Err(EkProblem::OtherKey));
    let ek = ek_of(&one.leaf);
    assert_eq!(same_key(&one.leaf, &ek), Some(true));
    // the same point under another algorithm, and on another curve
    for oid in [EC_OID, P256_OID] {
        let at = one.leaf.windows(oid.len()).position(|bytes| bytes == oid).unwrap();
        // in the key's own algorithm: the signature's begins with the same bytes, and stands before it
        let at = one.leaf[at + 1..].windows(oid.len()).position(|bytes| bytes == oid).map_or(at, |next| at + 1 + next);
        let mut altered = one.leaf.clone();
        altered[at + oid.len() - 1] ^= 0x08;
        assert_eq!(same_key(&altered, &ek), Some(false), "{oid:x?}");
    }
}

#[test]
fn another_rsa_key() {
    let Some(leaf) = vector("ek-certs/uca_tpm_rsa_enc_cert.pem") else { return };
    let leaf = der_of(&leaf);
    let ek = ek_of(&leaf);
    assert_eq!(same_key(&leaf, &ek), Some(true));
    let with = |change: fn(&mut u32, &mut Vec<u8>)| {
        let mut other = ek.clone();
        let KeyKind::Rsa { exponent, modulus, .. } = &mut other.kind else { panic!("it is RSA") };
        change(exponent, modulus);
        same_key(&leaf, &other)
    };
    assert_eq!(with(|exponent, _| *exponent = 3), Some(false));
    assert_eq!(with(|_, modulus| modulus[100] ^= 1), Some(false));
}

/// Text around a certificate counts; at the limit it is read.
#[test]
fn the_limit_of_a_roots_file() {
    use base64::{engine::general_purpose::STANDARD, Engine as _};
    let mut ca = CertificateParams::default();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = ca.self_signed(&KeyPair::generate().unwrap()).unwrap();
    let text = STANDARD.encode(root.der());
    let mut file = format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n").into_bytes();
    file.resize(ROOTS_LIMIT, b'\n');
    assert_eq!(Roots::parse(&file).unwrap().count(), 1);
    file.push(b'\n');
    assert!(Roots::parse(&file).unwrap_err().what.contains("more than 2097152 bytes"));
}

/// What is kept of a chain is what a new look would find, before, within and after the certificate's dates.
#[test]
fn a_kept_chain_ends_with_its_certificate() {
    let Made { leaf, roots } = made(ek_usage());
    let (ek, fresh) = (ek_of(&leaf), || Roots::joined(std::slice::from_ref(&roots)));
    let (not_before, not_after) = der::validity(&leaf).unwrap();
    verify(&leaf, &ek, &roots, NOW).unwrap();
    for now in [0, not_before - 1, not_before, NOW, not_after, not_after + 1, u64::MAX / 2] {
        let (kept, anew) = (verify(&leaf, &ek, &roots, now), verify(&leaf, &ek, &fresh(), now));
        assert_eq!(kept, anew, "at {now}");
        assert_eq!(kept.is_ok(), (not_before..=not_after).contains(&now), "at {now}");
    }
    // the chain is known, and the key is another one all the same
    let other = made(ek_usage());
    assert_eq!(verify(&leaf, &ek_of(&other.leaf), &roots, NOW), Err(EkProblem::OtherKey));
    assert_eq!(verify(&leaf, &ek, &other.roots, NOW).unwrap_err().code(), "ek-chain-untrusted");
}
