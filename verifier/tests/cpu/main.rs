//! Reports of processors (feature `cpu-evidence`): genuine ones of AMD and Intel, and level L3 from end to end with a maker
//! of our own. No machine with such a processor takes part.

mod accepted;
mod genuine;
mod maker;
#[path = "../mock/mod.rs"]
mod mock;
#[path = "../person/mod.rs"]
mod person;
mod program;
mod refused;

use maker::{Chip, Maker};
use mock::Scene;
use std::sync::OnceLock;
use vitrine_attest::tpm::Attest;
use vitrine_verifier::cpu::{report_data, CpuDemands, CpuEvidence};
use vitrine_verifier::demands::Demands;
use vitrine_verifier::outcome::Status;
use vitrine_verifier::policy::CpuPolicy;
use vitrine_verifier::report::{judge_with, Report};
use vitrine_verifier::verdict::Level;

/// One maker for all tests: its RSA keys take a while.
fn maker() -> &'static Maker {
    static MAKER: OnceLock<Maker> = OnceLock::new();
    MAKER.get_or_init(Maker::new)
}

/// What the quote of this scene's evidence has as extraData, as report data.
fn data_of(evidence: &vitrine_attest::evidence::Evidence) -> [u8; 64] {
    report_data(&Attest::parse(&evidence.attest).unwrap().extra_data).unwrap()
}

fn given(report: Vec<u8>, chain: Vec<Vec<u8>>) -> CpuDemands {
    CpuDemands { evidence: CpuEvidence::SevSnp { report, chain }, roots: vec![maker().root.clone()] }
}

/// An accepted server, with what the processor says of it.
fn judged(cpu: impl FnOnce([u8; 64]) -> Option<CpuDemands>, policy: CpuPolicy, accept: Level) -> Report {
    let scene = Scene::good();
    let evidence = scene.evidence();
    let mut demands = Demands { cpu: cpu(data_of(&evidence)), ..Demands::at(accept) };
    demands.policy.cpu = policy;
    judge_with(scene.inputs_of(evidence), demands).1
}

/// A report of this chip, changed before it is signed.
fn signed(chip: &Chip, policy: CpuPolicy, change: impl FnOnce(&mut [u8])) -> Report {
    let cpu = |data| Some(given(maker().report(chip, &data, change), maker().chain(chip)));
    judged(cpu, policy, Level::L1)
}

/// `V28 cpu-tcb-differs` for each failed check.
fn failures(report: &Report) -> Vec<String> {
    let failed = report.checks.iter().filter(|check| check.status == Status::Failed);
    failed.map(|check| format!("{} {}", check.code, check.reason.unwrap())).collect()
}
