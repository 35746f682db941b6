//! A server with a TPM in software, for tests only: complete evidence that is accepted, and a handle for every part
//! of it, so that a test can change one thing.
#![allow(dead_code)] // each test program uses its own part

mod log;
mod pid1;
mod tpm;

#[allow(unused_imports)] // each test program uses its own part
pub use pid1::Pid1;
use std::time::{SystemTime, UNIX_EPOCH};
pub use tpm::{Parts, Tpm};
use vitrine_attest::batch::Challenge;
use vitrine_attest::boot::{BootKeys, BootRecord};
use vitrine_attest::canonical::to_canonical_json;
use vitrine_attest::config::Config;
use vitrine_attest::credential::{make_credential, proof};
use vitrine_attest::digest::Key32;
use vitrine_attest::dsse::{self, Envelope};
use vitrine_attest::evidence::*;
use vitrine_attest::expected::{ExpectedBoot, ExpectedEvent};
use vitrine_attest::fingerprint::Fingerprint;
use vitrine_attest::pcr::{Pcr, PcrValues};
use vitrine_attest::rotation::RotatedKey;
use vitrine_attest::statement::*;
use vitrine_attest::tpm::Public;
use vitrine_attest::vkey::NoteKey;
use vitrine_attest::watch::Rule;
use vitrine_attest::Sha256;
use vitrine_verifier::case::Inputs;
use vitrine_verifier::exchange::{Activation, Answer, Exchange, Source};
use vitrine_verifier::promise::Promise;

pub use ed25519_dalek::SigningKey;

/// Everything of one check, to be changed before it is judged.
pub struct Scene {
    pub tpm: Tpm,
    pub release_key: SigningKey,
    pub owner_key: SigningKey,
    pub statement: Statement,
    /// What the server measured; begins as what the statement predicts.
    pub firmware_log: Vec<u8>,
    pub record: BootRecord,
    /// WireGuard keys made since the boot.
    pub rotated: Vec<RotatedKey>,
    /// What the server's watch has found.
    pub violation: Option<Rule>,
    pub image_id: String,
    pub nonce: Sha256,
    /// Changes what the TPM signs.
    pub parts: Parts,
}

impl Scene {
    pub fn good() -> Self {
        let tpm = Tpm::new();
        let owner_key = SigningKey::from_bytes(&[2; 32]);
        let statement = statement(&owner_key);
        let release = &statement.predicate;
        let image = &release.image;
        Self {
            firmware_log: log::of(&release.boot.events),
            record: BootRecord {
                config_digest: release.config_digest,
                keys: BootKeys {
                    wg_pub: Key32([0x57; 32]),
                    channel_pub: Key32(channel_pub()),
                    sign_pub: Key32(signing_key().verifying_key().to_bytes()),
                    tls_spki: Sha256::of(b"the TLS key of the boot"),
                },
                ak_name: Public::parse(&tpm.ak_area).unwrap().name().unwrap(),
                facts: vitrine_attest::boot::BootFacts::sealed(),
            },
            image_id: ImageId { name: image.name.clone(), version: image.version.clone(), lock: image.lock }
                .to_string(),
            rotated: vec![],
            violation: None,
            nonce: Sha256::of(b"a fresh nonce"),
            parts: Parts::default(),
            release_key: SigningKey::from_bytes(&[1; 32]),
            owner_key,
            statement,
            tpm,
        }
    }

    /// A scene whose configuration rotates keys.
    pub fn rotating() -> Self {
        let mut scene = Self::good();
        let rotation = serde_json::from_str(r#"{"every":"30d","overlap":"2d","ports":[51821]}"#).unwrap();
        scene.configure(|config| config.wireguard.rotation = Some(rotation));
        scene
    }

    /// Another configuration, in the statement and on the server.
    pub fn configure(&mut self, change: impl FnOnce(&mut Config)) {
        let release = &mut self.statement.predicate;
        change(&mut release.config);
        release.config_digest = release.config.digest().unwrap();
        release.fingerprint = Fingerprint::new(release.image.authenticode, release.config_digest);
        self.record.config_digest = release.config_digest;
    }

    /// As the machine does it: the TPM counts, and PID 1 makes new keys.
    pub fn reboot(&mut self, byte: u8) {
        self.parts.reset_count += 1;
        self.parts.clock += 60_000;
        self.new_keys(byte);
    }

    /// Other keys of a boot.
    pub fn new_keys(&mut self, byte: u8) {
        let keys = &mut self.record.keys;
        (keys.wg_pub, keys.channel_pub) = (Key32([byte; 32]), Key32([byte + 1; 32]));
        (keys.sign_pub, keys.tls_spki) = (Key32([byte + 2; 32]), Sha256([byte + 3; 32]));
    }

    /// A later key as PID 1 signs it.
    pub fn later_key(&self, generation: u32) -> RotatedKey {
        let wg_pub = Key32([0x60 + generation as u8; 32]);
        RotatedKey::sign(generation, wg_pub, &self.record.config_digest, &self.record.keys, &signing_key())
    }

    pub fn m1(&self) -> Vec<u8> {
        to_canonical_json(&EvidenceRequest { v: VERSION, nonce: self.nonce }).unwrap()
    }

    /// What the TPM's registers hold after what was measured.
    pub fn registers(&self) -> PcrValues {
        let log = vitrine_attest::event_log::EventLog::parse(&self.firmware_log).unwrap();
        let mut values = log.replay_sha256().unwrap();
        values.0.insert(Pcr::RUNTIME, self.record.pcr15().unwrap());
        if let Some(rule) = self.violation {
            values.extend(Pcr::FUSE, rule.event().digest);
        }
        values
    }

    /// M2.
    pub fn evidence(&self) -> Evidence {
        let binding = Binding {
            challenge: Challenge::Nonce(self.nonce),
            keys: &self.record.keys,
            rotated: &self.rotated,
            config_digest: &self.record.config_digest,
            image_id: &self.image_id,
        };
        let (attest, signature) = self.tpm.quote(&binding.extra_data(), &self.registers(), &self.parts);
        Evidence {
            v: VERSION,
            nonce: self.nonce,
            ek_cert: self.tpm.ek_cert.clone(),
            ek_pub: self.tpm.ek_area.clone(),
            ak_pub: self.tpm.ak_area.clone(),
            attest,
            signature,
            firmware_log: self.firmware_log.clone(),
            runtime_log: self.record.events().unwrap().into_iter().chain(self.violation.map(Rule::event)).collect(),
            keys: self.record.keys.clone(),
            rotated: self.rotated.clone(),
            image_id: self.image_id.clone(),
            batch: None,
        }
    }

    /// M4 to an M3.
    pub fn activate(&self, m3: &[u8]) -> Option<Vec<u8>> {
        let request: ActivationRequest = serde_json::from_slice(m3).unwrap();
        let secret = self.tpm.activate(&request.credential, &request.secret)?;
        Some(to_canonical_json(&ActivationResponse { v: VERSION, proof: proof(&secret, m3) }).unwrap())
    }

    pub fn envelope(&self) -> Envelope {
        dsse::sign(&self.statement, &self.release_key).unwrap()
    }

    pub fn key(&self) -> NoteKey {
        NoteKey::new("example.org/release", self.release_key.verifying_key()).unwrap()
    }

    pub fn inputs(&self) -> Inputs {
        self.inputs_of(self.evidence())
    }

    /// The inputs of a check that got this evidence; the credential is made and activated for it.
    pub fn inputs_of(&self, evidence: Evidence) -> Inputs {
        let (m1, m2) = (self.m1(), to_canonical_json(&evidence).unwrap());
        let answer = self.answer(&m1, &m2, &evidence);
        Inputs {
            exchange: Exchange {
                source: Source::Server("http://mock".into()),
                asked: None,
                nonce: self.nonce,
                evidence: m2,
                activation: Some(Activation { m1, answer }),
                beacon: None,
            },
            promise: Promise::new(self.envelope(), self.key()).into(),
            roots: Some(self.tpm.roots()),
            now: SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs(),
        }
    }

    fn answer(&self, m1: &[u8], m2: &[u8], evidence: &Evidence) -> Answer {
        let (Ok(ek), Ok(ak)) = (Public::parse(&evidence.ek_pub), Public::parse(&evidence.ak_pub)) else {
            return Answer::NotAsked("a key's public area cannot be read (V02)".into());
        };
        let secret = [0x5e; 32];
        let Ok(credential) = make_credential(&ek, &ak.name().unwrap_or_default(), &secret) else {
            return Answer::NotAsked("no credential can be made".into());
        };
        let request = ActivationRequest {
            v: VERSION,
            transcript: transcript(m1, m2),
            credential: credential.id_object,
            secret: credential.encrypted_secret,
        };
        let m3 = to_canonical_json(&request).unwrap();
        match self.activate(&m3) {
            Some(m4) => Answer::Given { m3, m4, secret },
            None => Answer::Refused("credential (status 400)".into()),
        }
    }

    /// Predicts what is in the log now, so that only what else a test changes is wrong.
    pub fn predict_from_log(&mut self) {
        let registers = self.registers();
        for (pcr, value) in &mut self.statement.predicate.boot.pcrs.0 {
            *value = registers.get(*pcr).unwrap_or(Sha256::ZERO);
        }
    }

    /// Adds an event to the firmware's log, as a machine would that measured it.
    pub fn measure(&mut self, pcr: u8, text: &str) {
        log::add(&mut self.firmware_log, u32::from(pcr), log::EV_IPL, Sha256::of(text.as_bytes()), text.as_bytes());
    }

    pub fn measure_raw(&mut self, pcr: u32, kind: u32, digest: Sha256, data: &[u8]) {
        log::add(&mut self.firmware_log, pcr, kind, digest, data);
    }
}

/// The channel key's secret in the mock server.
pub const CHANNEL_SECRET: [u8; 32] = [0x43; 32];

/// Of the boot, in PID 1 of the mock server.
pub fn signing_key() -> SigningKey {
    SigningKey::from_bytes(&[3; 32])
}

fn channel_pub() -> [u8; 32] {
    tpm::x25519_public(&CHANNEL_SECRET)
}

fn statement(owner: &SigningKey) -> Statement {
    let text = format!(
        r#"{{"owner":"{}","wireguard":{{"addresses":["10.66.0.1/24","fd66::1/64"]}}}}"#,
        Key32(owner.verifying_key().to_bytes())
    );
    let config: Config = serde_json::from_str(&text).unwrap();
    let (authenticode, config_digest) = (Sha256::of(b"the image"), config.digest().unwrap());
    let boot = boot();
    Statement {
        kind: STATEMENT_TYPE.into(),
        subject: vec![Subject { name: "image".into(), digest: [("sha256".into(), Sha256::ZERO)].into() }],
        predicate_type: RELEASE_TYPE.into(),
        predicate: Release {
            fingerprint: Fingerprint::new(authenticode, config_digest),
            image: Image {
                name: "exit".into(),
                version: "1.0".into(),
                lock: Sha256::of(b"lock"),
                authenticode,
                initramfs: Sha256::of(b"initramfs"),
                stub_version: 257,
            },
            config,
            config_digest,
            boot,
            cmdline: "audit=0 quiet".into(),
            inputs: vec![],
            waivers: vec![],
            app: None,
            seq: 1,
            not_after: Some("2199-12-31".into()),
        },
    }
}

fn boot() -> ExpectedBoot {
    let event = |pcr, what: &str| ExpectedEvent { pcr, digest: Sha256::of(what.as_bytes()), what: what.into() };
    let events = vec![
        event(Pcr::SECURE_BOOT, "Secure Boot is on"),
        event(Pcr::BOOT_LOADER, "the firmware calls a boot option"),
        event(Pcr::BOOT_LOADER, "Authenticode digest of the image"),
        event(Pcr::UKI_SECTIONS, "name of section .linux"),
        event(Pcr::KERNEL_INPUTS, "kernel command line"),
        event(Pcr::KERNEL_INPUTS, "initramfs"),
    ];
    let mut pcrs = PcrValues::default();
    for pcr in Pcr::QUOTED.into_iter().filter(|&pcr| pcr != Pcr::RUNTIME) {
        pcrs.0.insert(pcr, Sha256::ZERO);
    }
    for event in &events {
        pcrs.extend(event.pcr, event.digest);
    }
    ExpectedBoot { pcrs, events }
}
