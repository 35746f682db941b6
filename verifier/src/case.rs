//! Everything the checks look at, read once. What cannot be read stays here as a reason, so that every check can
//! still run and say why it was not reached.

use crate::demands::Demands;
use crate::exchange::Exchange;
use crate::memory::{Boot, LogSeen, ReleaseSeen, ServerId};
use crate::outcome::Failure;
use crate::promise::Promise;
use std::cell::OnceCell;
use std::sync::Arc;
use subtle::ConstantTimeEq as _;
use vitrine_attest::boot::{BootFacts, BootRecord, RuntimeEvent};
use vitrine_attest::digest::hex;
use vitrine_attest::ek::Roots;
use vitrine_attest::event_log::EventLog;
use vitrine_attest::evidence::Evidence;
use vitrine_attest::pcr::{extend, Pcr, PcrValues};
use vitrine_attest::statement::{Release, Statement};
use vitrine_attest::tpm::{Attest, Malformed, Public, Quote, Signature};
use vitrine_attest::{Error, Sha256};

/// What a person gives.
pub struct Inputs {
    pub exchange: Exchange,
    pub promise: Arc<Promise>,
    /// None: the EK's certificate is not looked at, and no more than level L1 is reached.
    pub roots: Option<Roots>,
    /// Seconds since 1970, UTC.
    pub now: u64,
}

/// Inputs and what was read from them.
pub struct Case {
    pub inputs: Inputs,
    pub demands: Demands,
    evidence: Result<Evidence, String>,
    structures: Option<Structures>,
    derived: Derived,
}

/// What several checks need: found out by the first of them that asks.
#[derive(Default)]
struct Derived {
    /// Of the firmware's log.
    firmware: OnceCell<Usable<PcrValues>>,
    replayed: OnceCell<Usable<PcrValues>>,
    recorded: OnceCell<Usable<Vec<RuntimeEvent>>>,
    predicted: OnceCell<Usable<PcrValues>>,
    differing: OnceCell<Usable<Vec<Pcr>>>,
    server: OnceCell<Usable<ServerId>>,
}

/// The TPM structures inside the evidence.
pub struct Structures {
    pub ek: Result<Public, Malformed>,
    pub ak: Result<Public, Malformed>,
    pub attest: Result<Attest, Malformed>,
    pub signature: Result<Signature, Malformed>,
}

type Usable<T> = Result<T, Failure>;

impl Case {
    pub fn new(inputs: Inputs, demands: Demands) -> Self {
        let evidence = serde_json::from_slice::<Evidence>(&inputs.exchange.evidence).map_err(|e| e.to_string());
        let structures = evidence.as_ref().ok().map(|evidence| Structures {
            ek: Public::parse(&evidence.ek_pub),
            ak: Public::parse(&evidence.ak_pub),
            attest: Attest::parse(&evidence.attest),
            signature: Signature::parse(&evidence.signature),
        });
        Self { inputs, demands, evidence, structures, derived: Derived::default() }
    }

    pub fn statement(&self) -> &Result<Statement, Error> {
        self.inputs.promise.statement()
    }

    pub fn parsed_evidence(&self) -> &Result<Evidence, String> {
        &self.evidence
    }

    pub fn structures(&self) -> Option<&Structures> {
        self.structures.as_ref()
    }

    /// The release, when the statement's signature holds.
    pub fn release(&self) -> Usable<&Release> {
        self.statement()
            .as_ref()
            .map(|statement| &statement.predicate)
            .map_err(|_| Failure::not_reached("the statement's signature does not hold (V21)"))
    }

    pub fn evidence(&self) -> Usable<&Evidence> {
        self.evidence.as_ref().map_err(|_| Failure::not_reached("the evidence cannot be read (V02)"))
    }

    pub fn ek(&self) -> Usable<&Public> {
        self.structure(|s| s.ek.as_ref().ok(), "the EK's public area cannot be read (V02)")
    }

    pub fn ak(&self) -> Usable<&Public> {
        self.structure(|s| s.ak.as_ref().ok(), "the AK's public area cannot be read (V02)")
    }

    pub fn attest(&self) -> Usable<&Attest> {
        self.structure(|s| s.attest.as_ref().ok(), "the attestation structure cannot be read (V02)")
    }

    pub fn signature(&self) -> Usable<&Signature> {
        self.structure(|s| s.signature.as_ref().ok(), "the signature cannot be read (V02)")
    }

    pub fn quote(&self) -> Usable<&Quote> {
        let quote = self.attest()?.quote.as_ref();
        quote.ok_or_else(|| Failure::not_reached("the attestation structure is no quote (V10)"))
    }

    fn structure<T>(&self, get: impl Fn(&Structures) -> Option<&T>, because: &str) -> Usable<&T> {
        self.evidence()?;
        self.structures.as_ref().and_then(get).ok_or_else(|| Failure::not_reached(because))
    }

    /// The AK's name, 34 bytes.
    pub fn ak_name(&self) -> Usable<Vec<u8>> {
        self.ak()?.name().ok_or_else(|| Failure::not_reached("the AK's name is not a SHA-256 name (V05)"))
    }

    /// The events that PCR 15 must record: the statement's configuration, the keys of the evidence, a sealed boot.
    pub fn recorded(&self) -> Usable<&[RuntimeEvent]> {
        once(&self.derived.recorded, || {
            let (release, evidence) = (self.release()?, self.evidence()?);
            let record = BootRecord {
                config_digest: release.config_digest,
                keys: evidence.keys.clone(),
                ak_name: self.ak_name()?,
                facts: BootFacts::sealed(),
            };
            record.events().map_err(|e| Failure::not_reached(&e.what))
        })
        .map(Vec::as_slice)
    }

    /// The values that every quoted register must have: the statement's, and PCR 15 recomputed.
    pub fn predicted(&self) -> Usable<&PcrValues> {
        once(&self.derived.predicted, || {
            let mut values = self.release()?.boot.pcrs.clone();
            let extended = |value, event: &RuntimeEvent| extend(value, event.digest);
            values.0.insert(Pcr::RUNTIME, self.recorded()?.iter().fold(Sha256::ZERO, extended));
            Ok(values)
        })
    }

    /// The quoted registers as the server's logs tell them: the firmware's log, then the runtime log for PCR 15 and the fuse.
    /// A register without events is zero. Untrusted, until V19 has compared them with the quote.
    pub fn replayed(&self) -> Usable<&PcrValues> {
        once(&self.derived.replayed, || {
            let (evidence, log) = (self.evidence()?, self.firmware_log_values()?);
            let quoted = |&pcr: &Pcr| (pcr, log.get(pcr).unwrap_or(Sha256::ZERO));
            let mut values = PcrValues(Pcr::QUOTED.iter().map(quoted).collect());
            for event in &evidence.runtime_log {
                let fuse = event.pcr == Pcr::FUSE.index();
                values.extend(if fuse { Pcr::FUSE } else { Pcr::RUNTIME }, event.digest);
            }
            Ok(values)
        })
    }

    /// The quoted registers whose predicted value the logs do not lead to. Whether the logs are true is V19's.
    pub fn differing(&self) -> Usable<&[Pcr]> {
        once(&self.derived.differing, || {
            let (predicted, replayed) = (self.predicted()?, self.replayed()?);
            let of = |values: &PcrValues, pcr| values.get(pcr).unwrap_or(Sha256::ZERO);
            Ok(Pcr::QUOTED.into_iter().filter(|&pcr| of(predicted, pcr) != of(replayed, pcr)).collect())
        })
        .map(Vec::as_slice)
    }

    /// PCR 0-3 as the firmware's log tells them. No quote holds them: whoever relays evidence can change them.
    pub fn firmware_registers(&self) -> Usable<PcrValues> {
        let log = self.firmware_log_values()?;
        Ok(PcrValues(firmware_pcrs().map(|pcr| (pcr, log.get(pcr).unwrap_or(Sha256::ZERO))).collect()))
    }

    /// Every register that the firmware's log extends.
    fn firmware_log_values(&self) -> Usable<&PcrValues> {
        once(&self.derived.firmware, || {
            EventLog::parse(&self.evidence()?.firmware_log)
                .and_then(|log| log.replay_sha256())
                .map_err(|_| Failure::not_reached("the firmware's log cannot be replayed (V18)"))
        })
    }

    /// What is remembered of a server is kept under this.
    pub fn server_id(&self) -> Usable<ServerId> {
        once(&self.derived.server, || Ok(ServerId(Sha256::of(&self.evidence()?.ek_pub)))).copied()
    }

    /// What is remembered of its boot.
    pub fn boot(&self) -> Usable<Boot> {
        let (evidence, attest) = (self.evidence()?, self.attest()?);
        Ok(Boot {
            reset_count: attest.clock.reset_count,
            restart_count: attest.clock.restart_count,
            clock: attest.clock.clock,
            firmware_version: format!("{:016x}", attest.firmware_version),
            ak_name: hex(&self.ak_name()?),
            keys: evidence.keys.clone(),
            // a log that cannot be read is V18's
            firmware: self.firmware_registers().unwrap_or_default(),
        })
    }

    /// What is remembered of its statement.
    pub fn release_seen(&self) -> Usable<ReleaseSeen> {
        let release = self.release()?;
        Ok(ReleaseSeen {
            key: self.inputs.promise.key().to_string(),
            image: release.image.name.clone(),
            version: release.image.version.clone(),
            seq: release.seq,
            fingerprint: release.fingerprint,
        })
    }

    /// What is remembered of the log, when one is demanded and there is a proof: its name, and the tree.
    pub fn log_seen(&self) -> Option<(String, LogSeen)> {
        self.demands.policy.log.as_ref()?;
        LogSeen::of_proof(self.inputs.promise.proof()?)
    }

    /// Compares in constant time.
    pub fn same(&self, a: &[u8], b: &[u8]) -> bool {
        a.ct_eq(b).into()
    }
}

/// What is in the cell, or what is found out now; a failure counts as found out, too.
fn once<T>(cell: &OnceCell<Usable<T>>, find: impl FnOnce() -> Usable<T>) -> Usable<&T> {
    cell.get_or_init(find).as_ref().map_err(Clone::clone)
}

/// PCR 0-3: what the firmware measures of itself.
pub fn firmware_pcrs() -> impl Iterator<Item = Pcr> {
    (0..4).filter_map(Pcr::new)
}

/// `SHA-256(value ‖ value …)` in the order of [`Pcr::QUOTED`], as a TPM computes it for one SHA-256 selection
/// (TPM 2.0 Part 3, TPM2_Quote). None when a register is missing.
pub fn pcr_digest(values: &PcrValues) -> Option<Sha256> {
    let values: Option<Vec<[u8; 32]>> = Pcr::QUOTED.iter().map(|&pcr| values.get(pcr).map(|value| value.0)).collect();
    Some(Sha256::of(&values?.concat()))
}
