//! What all cases share: one certified TPM, another one, the release key, the statement, a machine that booted as
//! predicted.

use crate::boot::Boot;
use crate::certificate::Maker;
use crate::firmware::{self, SHA256};
use crate::forge::{Attest, Forger};
use crate::machine::{Key, Machine, Signed, QUOTED};
use crate::session::{Draft, Opener};
use crate::swtpm::Factory;
use ed25519_dalek::SigningKey;
use std::rc::Rc;
use vitrine_attest::batch::Challenge;
use vitrine_attest::config::Config;
use vitrine_attest::digest::Key32;
use vitrine_attest::dsse;
use vitrine_attest::evidence::Evidence;
use vitrine_attest::expected::{ExpectedBoot, ExpectedEvent};
use vitrine_attest::fingerprint::Fingerprint;
use vitrine_attest::pcr::{Pcr, PcrValues};
use vitrine_attest::statement::{Image, Release, Statement, Subject, RELEASE_TYPE};
use vitrine_attest::vkey::NoteKey;
use vitrine_attest::{Error, Result, Sha256};

/// Name of the maker of TPMs whose key is ours.
pub const MAKER: &str = "a maker of our own";

/// The nonce of every session but those that have another for their defect.
pub fn nonce() -> Sha256 {
    Sha256::of(b"the nonce of the kit")
}

pub struct Stage {
    /// The TPM of the server.
    pub factory: Factory,
    /// Another TPM, of another machine, by another authority.
    pub other: Factory,
    /// A maker of TPMs whose keys are ours; in the trusted roots beside swtpm's authority.
    pub maker: Maker,
    /// Throw-away.
    pub release_key: SigningKey,
    pub statement: Statement,
    /// Booted as the statement predicts.
    pub machine: Rc<Machine>,
    pub boot: Boot,
    /// An attestation key of our own, in no TPM.
    pub forger: Forger,
}

impl Stage {
    /// Makes TPMs and keys; takes about ten seconds.
    pub fn new() -> Result<Self> {
        let (factory, other) = (Factory::new()?, Factory::new()?);
        let statement = statement()?;
        let machine = Machine::start(&factory)?;
        let boot = Boot::of(&statement.predicate, machine.ak.name()?);
        let machine = run(machine, &boot)?;
        Ok(Self {
            maker: Maker::new(MAKER)?,
            release_key: SigningKey::from_bytes(&crate::forge::random()?),
            forger: Forger::new()?,
            factory,
            other,
            statement,
            machine,
            boot,
        })
    }

    /// `release.pub`.
    pub fn key_text(&self) -> Result<String> {
        Ok(format!("{}\n", NoteKey::new("kit.example/release", self.release_key.verifying_key())?))
    }

    /// `ek-roots.pem`: swtpm's authority, then the maker of our own.
    pub fn roots(&self) -> Result<Vec<u8>> {
        Ok([self.factory.issuer()?, self.maker.pem().as_bytes().to_vec()].concat())
    }

    /// A signed statement's file.
    pub fn signed(&self, statement: &Statement) -> Result<Vec<u8>> {
        dsse::sign(statement, &self.release_key)?.to_json()
    }

    /// A session with the machine that booted as predicted.
    pub fn genuine(&self) -> Result<Draft> {
        self.session(&self.machine, &self.boot)
    }

    /// The same, and the evidence was changed on its way.
    pub fn sent(&self, change: impl FnOnce(&mut Evidence)) -> Result<Draft> {
        let mut draft = self.genuine()?;
        change(&mut draft.evidence);
        Ok(draft)
    }

    /// A session with a machine that booted otherwise, and says so.
    pub fn booted(&self, change: impl FnOnce(&mut Boot)) -> Result<Draft> {
        let mut boot = self.boot.clone();
        change(&mut boot);
        let machine = run(Machine::start(&self.factory)?, &boot)?;
        self.session(&machine, &boot)
    }

    /// A session with the machine, where this key of its TPM stands for the attestation key. The key is in PCR 15's
    /// record from the boot on, so that nothing but the key is wrong. `quote` gets what an honest quote would hold.
    pub fn with_key(
        &self,
        make: impl FnOnce(&Machine) -> Result<Key>,
        quote: impl FnOnce(&Machine, &Key, &Attest) -> Result<Signed>,
    ) -> Result<Draft> {
        let machine = Machine::start(&self.factory)?;
        let key = make(&machine)?;
        let boot = self.boot_of(&key.area);
        let machine = run(machine, &boot)?;
        let signed = quote(&machine, &key, &self.attest(&boot, &key.area)?)?;
        self.draft(&machine, &boot, key, signed)
    }

    /// A session in which the machine's own key signed something else than the agent's quote.
    pub fn signed_otherwise(&self, sign: impl FnOnce(&Machine, &Key, &[u8]) -> Result<Signed>) -> Result<Draft> {
        let extra_data = self.boot.binding(Challenge::Nonce(nonce())).extra_data();
        let signed = sign(&self.machine, &self.machine.ak, &extra_data.0)?;
        self.draft(&self.machine, &self.boot, self.machine.ak.clone(), signed)
    }

    /// A session with an attestation key of our own, whose attest has one change. The maker of the TPM helped, or its
    /// key was stolen: the credential is opened all the same.
    pub fn forged(&self, change: impl FnOnce(&mut Attest)) -> Result<Draft> {
        self.forged_with(&self.forger.area, |attest| {
            change(attest);
            self.forger.sign(&attest.bytes())
        })
    }

    /// The same with this public area as the attestation key's, and any way to sign.
    pub fn forged_with(&self, area: &[u8], sign: impl FnOnce(&mut Attest) -> Result<Signed>) -> Result<Draft> {
        let boot = self.boot_of(area);
        let signed = sign(&mut self.attest(&boot, area)?)?;
        let mut draft = self.draft(&self.machine, &boot, self.machine.ak.clone(), signed)?;
        draft.evidence.ak_pub = area.to_vec();
        draft.opener = Opener::Anybody;
        Ok(draft)
    }

    /// The genuine boot, with this attestation key.
    pub fn boot_of(&self, area: &[u8]) -> Boot {
        let mut boot = self.boot.clone();
        boot.record.ak_name = name_of(area);
        boot
    }

    /// The attest that a TPM would make of this boot with the key of this area.
    pub fn attest(&self, boot: &Boot, area: &[u8]) -> Result<Attest> {
        Ok(Attest::quote(area, &boot.binding(Challenge::Nonce(nonce())).extra_data(), &boot.registers()?))
    }

    /// The session of a machine after this boot.
    pub fn session(&self, machine: &Rc<Machine>, boot: &Boot) -> Result<Draft> {
        let extra_data = boot.binding(Challenge::Nonce(nonce())).extra_data();
        let signed = machine.quote(&machine.ak, QUOTED, &extra_data.0, "sha256")?;
        self.draft(machine, boot, machine.ak.clone(), signed)
    }

    /// The session of a machine after this boot, in which this key signed this.
    pub fn draft(&self, machine: &Rc<Machine>, boot: &Boot, key: Key, signed: Signed) -> Result<Draft> {
        let nonce = nonce();
        let evidence = Evidence {
            ek_cert: machine.ek_cert.clone(),
            ek_pub: machine.ek_pub.clone(),
            ak_pub: key.area.clone(),
            attest: signed.attest,
            signature: signed.signature,
            ..boot.evidence(&nonce)?
        };
        Ok(Draft { nonce, evidence, opener: Opener::Tpm(Rc::clone(machine), key) })
    }
}

/// The SHA-256 name, also of areas that name another hash.
fn name_of(area: &[u8]) -> Vec<u8> {
    [&SHA256.to_be_bytes()[..], &Sha256::of(area).0].concat()
}

/// Lets the machine measure and record this boot.
pub fn run(machine: Machine, boot: &Boot) -> Result<Rc<Machine>> {
    machine.measure(&boot.log.events)?;
    machine.record(&boot.runtime()?)?;
    Ok(Rc::new(machine))
}

/// The release that the machines of the kit run.
fn statement() -> Result<Statement> {
    let owner = Key32(SigningKey::from_bytes(&[2; 32]).verifying_key().to_bytes());
    let text = format!(r#"{{"owner":"{owner}","wireguard":{{"addresses":["10.66.0.1/24","fd66::1/64"]}}}}"#);
    let config: Config =
        serde_json::from_str(&text).map_err(|e| Error::bug(format!("the kit's configuration: {e}")))?;
    let (authenticode, config_digest) = (Sha256::of(b"the published image"), config.digest()?);
    let image = Image {
        name: "exit".into(),
        version: "1.0".into(),
        lock: Sha256::of(b"the kit's lock"),
        authenticode,
        initramfs: Sha256::of(b"published initramfs"),
        stub_version: 257,
    };
    let release = Release {
        fingerprint: Fingerprint::new(authenticode, config_digest),
        image,
        config,
        config_digest,
        boot: predicted(),
        cmdline: firmware::CMDLINE.into(),
        inputs: vec![],
        waivers: vec![],
        app: None,
        seq: 1,
        not_after: None,
    };
    let unsigned = Sha256::of(b"the published image before it was signed");
    Ok(Statement::about(vec![Subject::new("image", unsigned)], RELEASE_TYPE, release))
}

/// What the statement predicts: the genuine log's events in the registers that firmware and kernel extend.
fn predicted() -> ExpectedBoot {
    let mut pcrs = PcrValues::default();
    for pcr in Pcr::QUOTED.into_iter().filter(|&pcr| pcr != Pcr::RUNTIME) {
        pcrs.0.insert(pcr, Sha256::ZERO);
    }
    let mut events = vec![];
    for event in firmware::genuine().events {
        let quoted = Pcr::QUOTED.into_iter().find(|pcr| u32::from(pcr.index()) == event.pcr);
        if let (Some(pcr), Some(digest)) = (quoted, event.digest(SHA256)) {
            let digest = Sha256(digest.try_into().unwrap_or_default());
            pcrs.extend(pcr, digest);
            events.push(ExpectedEvent { pcr, digest, what: event.what });
        }
    }
    ExpectedBoot { pcrs, events }
}
