//! Keys that sign made-up archives.

use pgp::composed::{
    ArmorOptions, CleartextSignedMessage, KeyType, SecretKeyParamsBuilder, SignedPublicKey, SignedSecretKey,
    SubkeyParamsBuilder,
};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{KeyFlags, Signature, SignatureConfig, SignatureType, Subpacket, SubpacketData};
use pgp::ser::Serialize as _;
use pgp::types::{Duration, KeyDetails as _, Password, Tag, Timestamp};
use rand_core::OsRng;

pub struct Signer {
    pub secret: SignedSecretKey,
}

/// Which key of a certificate signs.
#[derive(Clone, Copy)]
pub enum With {
    Primary,
    Subkey,
}

impl Signer {
    /// A certificate that began a day ago, whose primary key signs, with a signing subkey.
    pub fn new() -> Self {
        let began = Timestamp::from_secs(Timestamp::now().as_secs() - 86_400);
        let mut subkey = SubkeyParamsBuilder::default();
        subkey.key_type(KeyType::Ed25519Legacy).can_sign(true).created_at(began);
        let mut params = SecretKeyParamsBuilder::default();
        params
            .key_type(KeyType::Ed25519Legacy)
            .can_certify(true)
            .can_sign(true)
            .created_at(began)
            .primary_user_id("Archive <archive@example.org>".into())
            .subkeys(vec![subkey.build().unwrap()]);
        Self { secret: params.build().unwrap().generate(OsRng).unwrap() }
    }

    pub fn public(&self) -> SignedPublicKey {
        SignedPublicKey::from(self.secret.clone())
    }

    pub fn keyring(&self) -> Vec<u8> {
        self.public().to_bytes().unwrap()
    }

    pub fn fingerprint(&self, with: With) -> String {
        match with {
            With::Primary => vitrine_attest::digest::hex(self.secret.fingerprint().as_bytes()),
            With::Subkey => vitrine_attest::digest::hex(self.secret.secret_subkeys[0].key.fingerprint().as_bytes()),
        }
    }

    pub fn sign(&self, text: &str) -> String {
        self.sign_as(text, With::Primary, HashAlgorithm::Sha512, Timestamp::now(), None)
    }

    /// A clear-signed text with a signature of these properties.
    pub fn sign_as(&self, text: &str, with: With, hash: HashAlgorithm, made: Timestamp, life: Option<u32>) -> String {
        let fingerprint = match with {
            With::Primary => self.secret.fingerprint(),
            With::Subkey => self.secret.secret_subkeys[0].key.fingerprint(),
        };
        let mut config = SignatureConfig::v4(SignatureType::Text, self.secret.algorithm(), hash);
        config.hashed_subpackets = vec![
            Subpacket::regular(SubpacketData::SignatureCreationTime(made)).unwrap(),
            Subpacket::regular(SubpacketData::IssuerFingerprint(fingerprint)).unwrap(),
        ];
        if let Some(life) = life {
            let end = SubpacketData::SignatureExpirationTime(Duration::from_secs(life));
            config.hashed_subpackets.push(Subpacket::regular(end).unwrap());
        }
        let password = Password::empty();
        let message = match with {
            With::Primary => CleartextSignedMessage::new(text, config, &self.secret.primary_key, &password),
            With::Subkey => CleartextSignedMessage::new(text, config, &self.secret.secret_subkeys[0].key, &password),
        };
        message.unwrap().to_armored_string(ArmorOptions::default()).unwrap()
    }

    /// A signature that says it is over SHA-1; the libraries no longer make one.
    pub fn claim_sha1(&self, text: &str) -> String {
        let strong = self.sign(text);
        let (message, _) = CleartextSignedMessage::from_string(&strong).unwrap();
        let signature = &message.signatures()[0];
        let mut config = signature.config().unwrap().clone();
        config.hash_alg = HashAlgorithm::Sha1;
        let weak = Signature::from_config(config, [0; 2], signature.signature().unwrap().clone()).unwrap();
        let message = CleartextSignedMessage::new_many(text, |_| Ok(vec![weak])).unwrap();
        message.to_armored_string(ArmorOptions::default()).unwrap()
    }

    /// The certificate, with a newer self-signature that ends it so many seconds after it began.
    pub fn keyring_ending(&self, life: u32) -> Vec<u8> {
        let mut public = self.public();
        let key = &self.secret.primary_key;
        let mut flags = KeyFlags::default();
        flags.set_sign(true);
        let mut config = SignatureConfig::v4(SignatureType::CertPositive, key.algorithm(), HashAlgorithm::Sha512);
        let later = Timestamp::from_secs(Timestamp::now().as_secs() + 1);
        config.hashed_subpackets = [
            SubpacketData::SignatureCreationTime(later),
            SubpacketData::IssuerFingerprint(key.fingerprint()),
            SubpacketData::KeyFlags(flags),
            SubpacketData::KeyExpirationTime(Duration::from_secs(life)),
        ]
        .map(|data| Subpacket::regular(data).unwrap())
        .to_vec();
        let user = &mut public.details.users[0];
        let signed =
            config.sign_certification(key, &public.primary_key, &Password::empty(), Tag::UserId, &user.id).unwrap();
        user.signatures.push(signed);
        public.to_bytes().unwrap()
    }

    /// The certificate, revoked by itself.
    pub fn keyring_revoked(&self) -> Vec<u8> {
        let mut public = self.public();
        let key = &self.secret.primary_key;
        let mut config = SignatureConfig::v4(SignatureType::KeyRevocation, key.algorithm(), HashAlgorithm::Sha512);
        config.hashed_subpackets = [
            SubpacketData::SignatureCreationTime(Timestamp::now()),
            SubpacketData::IssuerFingerprint(key.fingerprint()),
        ]
        .map(|data| Subpacket::regular(data).unwrap())
        .to_vec();
        let signed = config.sign_key(key, &Password::empty(), &public.primary_key).unwrap();
        public.details.revocation_signatures.push(signed);
        public.to_bytes().unwrap()
    }

    /// The certificate whose subkey binding lacks its back signature's fitting key: the subkey is another's.
    pub fn keyring_with_foreign_subkey(&self, other: &Self) -> Vec<u8> {
        let mut public = self.public();
        public.public_subkeys = other.public().public_subkeys;
        public.to_bytes().unwrap()
    }
}
