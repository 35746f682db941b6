//! EK certificates of a maker of our own: for what swtpm's authority does not issue.

use crate::host;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, PublicKeyData,
    SignatureAlgorithm, PKCS_RSA_SHA256,
};
use vitrine_attest::tpm::{KeyKind, Public};
use vitrine_attest::{Error, Result};

/// tcg-kp-EKCertificate (TCG EK Credential Profile 2.5, §3.2.16).
pub const EK_USAGE: [u64; 5] = [2, 23, 133, 8, 1];

/// A certificate authority.
pub struct Maker {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    pub der: Vec<u8>,
}

impl Maker {
    pub fn new(name: &str) -> Result<Self> {
        let key = KeyPair::generate().map_err(host)?;
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.self_signed(&key).map_err(host)?;
        Ok(Self { pem: certificate.pem(), der: certificate.der().to_vec(), issuer: Issuer::new(params, key) })
    }

    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// A certificate for this EK; `change` makes it wrong.
    pub fn certify(&self, ek_pub: &[u8], change: impl FnOnce(&mut CertificateParams)) -> Result<Vec<u8>> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "a TPM");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::Other(EK_USAGE.to_vec())];
        change(&mut params);
        let key = RsaKey::of(ek_pub)?;
        Ok(params.signed_by(&key, &self.issuer).map_err(host)?.der().to_vec())
    }
}

/// RSAPublicKey (RFC 8017, A.1.1) of an EK.
struct RsaKey(Vec<u8>);

impl RsaKey {
    fn of(ek_pub: &[u8]) -> Result<Self> {
        match Public::parse(ek_pub)?.kind {
            KeyKind::Rsa { exponent, modulus, .. } => {
                let exponent = exponent.to_be_bytes();
                let numbers = [der(2, &positive(&modulus)), der(2, &positive(&exponent))].concat();
                Ok(Self(der(0x30, &numbers)))
            }
            KeyKind::Ecc(_) => Err(Error::bug("the kit's EK is an RSA key")),
        }
    }
}

impl PublicKeyData for RsaKey {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }
    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_RSA_SHA256
    }
}

/// Content of a DER INTEGER that is not negative.
fn positive(number: &[u8]) -> Vec<u8> {
    let zeros = number.iter().take_while(|&&byte| byte == 0).count();
    [&[0], &number[zeros..]].concat().into_iter().skip(usize::from(number[zeros] < 0x80)).collect()
}

fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let zeros = length.iter().take_while(|&&byte| byte == 0).count();
    match content.len() {
        short @ 0..=0x7f => [&[tag, short as u8], content].concat(),
        _ => [&[tag, 0x80 | (length.len() - zeros) as u8], &length[zeros..], content].concat(),
    }
}
