//! Templates of the two keys, and where the endorsement key's certificate lies.
//!
//! Both keys are primaries of the endorsement hierarchy: the TPM derives the same key from the same template
//! every time, so nothing is stored and nothing is persisted in the TPM.

use tss_esapi::abstraction::ek::create_ek_public_from_default_template_2;
use tss_esapi::abstraction::AsymmetricAlgorithmSelection;
use tss_esapi::attributes::ObjectAttributesBuilder;
use tss_esapi::handles::NvIndexTpmHandle;
use tss_esapi::interface_types::algorithm::{HashingAlgorithm, PublicAlgorithm};
use tss_esapi::interface_types::ecc::EccCurve;
use tss_esapi::interface_types::key_bits::RsaKeyBits;
use tss_esapi::structures::{
    EccPoint, EccScheme, HashScheme, KeyDerivationFunctionScheme, Public, PublicBuilder, PublicEccParametersBuilder,
    SymmetricDefinitionObject,
};
use tss_esapi::Result;

/// An endorsement key of the low range (TCG EK Credential Profile 2.5, §2.2.1.4 and appendices B.3.3, B.3.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endorsement {
    /// Template L-2: ECC NIST P-256.
    EccP256,
    /// Template L-1: RSA 2048.
    Rsa2048,
}

impl Endorsement {
    /// In the order in which we look for a certificate. ECC first: a hardware TPM makes the key and opens a
    /// credential in a fraction of a second, where RSA takes seconds.
    pub const PREFERENCE: [Self; 2] = [Self::EccP256, Self::Rsa2048];

    /// Where no certificate is found. The level is then L1 whatever the key is; every TPM 2.0 has RSA.
    pub const FALLBACK: Self = Self::Rsa2048;

    /// NV index of the certificate, DER (EK Credential Profile 2.5, §2.2.1.4).
    pub fn certificate_index(self) -> Result<NvIndexTpmHandle> {
        NvIndexTpmHandle::new(match self {
            Self::EccP256 => 0x01c0_000a,
            Self::Rsa2048 => 0x01c0_0002,
        })
    }

    pub fn template(self) -> Result<Public> {
        let algorithm = match self {
            Self::EccP256 => AsymmetricAlgorithmSelection::Ecc(EccCurve::NistP256),
            Self::Rsa2048 => AsymmetricAlgorithmSelection::Rsa(RsaKeyBits::Rsa2048),
        };
        create_ek_public_from_default_template_2(algorithm, None)
    }
}

/// The attestation key: ECDSA P-256 with SHA-256. `restricted` makes it refuse to sign anything that looks like
/// an attestation and is none (TPM 2.0 Part 1, §25.1.5); noDA so that nobody can lock it out by guessing.
pub fn attestation_template() -> Result<Public> {
    let attributes = ObjectAttributesBuilder::new()
        .with_fixed_tpm(true)
        .with_fixed_parent(true)
        .with_sensitive_data_origin(true)
        .with_user_with_auth(true)
        .with_no_da(true)
        .with_restricted(true)
        .with_sign_encrypt(true)
        .with_decrypt(false)
        .build()?;
    PublicBuilder::new()
        .with_public_algorithm(PublicAlgorithm::Ecc)
        .with_name_hashing_algorithm(HashingAlgorithm::Sha256)
        .with_object_attributes(attributes)
        .with_ecc_parameters(
            PublicEccParametersBuilder::new()
                .with_symmetric(SymmetricDefinitionObject::Null)
                .with_ecc_scheme(EccScheme::EcDsa(HashScheme::new(HashingAlgorithm::Sha256)))
                .with_curve(EccCurve::NistP256)
                .with_key_derivation_function_scheme(KeyDerivationFunctionScheme::Null)
                .with_is_signing_key(true)
                .with_is_decryption_key(false)
                .with_restricted(true)
                .build()?,
        )
        .with_ecc_unique_identifier(EccPoint::default())
        .build()
}
