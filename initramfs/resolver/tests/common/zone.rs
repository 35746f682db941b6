//! Signed zones from text.

use hickory_proto::dnssec::crypto::EcdsaSigningKey;
use hickory_proto::dnssec::rdata::DNSKEY;
use hickory_proto::dnssec::{Algorithm, DigestType, DnssecSigner, SigningKey as _};
use hickory_proto::rr::{Name, RData, RrKey};
use hickory_proto::serialize::txt::Parser;
use hickory_server::dnssec::NxProofKind;
use hickory_server::store::in_memory::InMemoryZoneHandler;
use hickory_server::zone_handler::{AxfrPolicy, ZoneType};
use std::sync::Arc;
use std::time::Duration;

/// A zone's key.
pub struct Key {
    zone: Name,
    key: EcdsaSigningKey,
}

impl Key {
    pub fn new(zone: &str) -> Self {
        let der = EcdsaSigningKey::generate_pkcs8(Algorithm::ECDSAP256SHA256).unwrap();
        let key = EcdsaSigningKey::from_pkcs8(&der, Algorithm::ECDSAP256SHA256).unwrap();
        Self { zone: zone.parse().unwrap(), key }
    }

    fn dnskey(&self) -> DNSKEY {
        DNSKEY::new(true, true, false, self.key.to_public_key().unwrap())
    }

    /// The parent's DS record, as text.
    pub fn ds(&self) -> String {
        let key = self.dnskey();
        let digest = key.to_digest(&self.zone, DigestType::SHA256).unwrap();
        let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{} 300 IN DS {} 13 2 {hex}\n", self.zone, key.calculate_key_tag().unwrap())
    }

    /// As the configuration has trust anchors.
    pub fn anchor(&self) -> String {
        use base64::prelude::{Engine as _, BASE64_STANDARD};
        use hickory_proto::dnssec::PublicKey as _;
        let public = self.key.to_public_key().unwrap();
        format!("257 3 13 {}", BASE64_STANDARD.encode(public.public_bytes()))
    }

    fn signer(self) -> DnssecSigner {
        DnssecSigner::new(self.dnskey(), Box::new(self.key), self.zone, Duration::from_secs(86400))
    }
}

pub type Zone = InMemoryZoneHandler;

/// Reads a zone; with a key it is signed, with NSEC.
pub fn zone(origin: &str, text: &str, key: Option<Key>) -> Zone {
    let origin: Name = origin.parse().unwrap();
    let (_, records) = Parser::new(text, None, Some(origin.clone())).parse().unwrap();
    let proof = key.is_some().then_some(NxProofKind::Nsec);
    let mut zone = Zone::new(origin, records, ZoneType::Primary, AxfrPolicy::Deny, proof).unwrap();
    if let Some(key) = key {
        zone.add_zone_signing_key_mut(key.signer()).unwrap();
        zone.secure_zone_mut().unwrap();
    }
    zone
}

/// Changes a signed record behind the signature's back.
pub fn tamper(zone: &mut Zone, name: &str, data: RData) {
    let name: Name = name.parse().unwrap();
    let set = zone.records_get_mut().get_mut(&RrKey::new((&name).into(), data.record_type())).unwrap();
    let set = Arc::make_mut(set);
    let signatures = set.rrsigs().to_vec();
    let mut other = hickory_proto::rr::RecordSet::with_ttl(name, data.record_type(), 60);
    other.add_rdata(data);
    signatures.into_iter().for_each(|signature| other.insert_rrsig(signature));
    *set = other;
}
