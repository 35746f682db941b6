//! What reaches level L3, and what does not raise a level.

use super::*;
use vitrine_verifier::cpu::snp::Tcb;
use vitrine_verifier::verdict::Verdict;

fn vouched(chip: &Chip) -> Report {
    signed(chip, CpuPolicy::default(), |_| {})
}

#[test]
fn a_processor_that_signed_the_same_digest_gives_l3() {
    let vlek = Chip { id: None, ..Chip::milan() };
    for chip in [Chip::milan(), Chip::turin(), Chip { product: "Genoa", ..Chip::milan() }, vlek] {
        let report = vouched(&chip);
        assert_eq!(failures(&report), [""; 0], "{}: {:?}", chip.product, report.checks.last());
        assert_eq!((report.verdict, report.level), (Verdict::Accepted, Some(Level::L3)));
        assert!(report.not_proven.iter().any(|line| line.contains("launch measurement was not judged")));
        assert!(!report.not_proven.iter().any(|line| line.contains("there is no CPU report")));
    }
}

#[test]
fn a_chip_that_its_owner_hides_is_taken() {
    let report = signed(&Chip::milan(), CpuPolicy::default(), |report| report[0x1a0..0x1e0].fill(0));
    assert_eq!((failures(&report), report.level), (vec![], Some(Level::L3)));
}

#[test]
fn without_a_report_nothing_changes() {
    for (accept, verdict, level) in [
        (Level::L1, Verdict::Accepted, Some(Level::L2)),
        (Level::L2, Verdict::Accepted, Some(Level::L2)),
        (Level::L3, Verdict::CouldNotJudge, None),
    ] {
        let report = judged(|_| None, CpuPolicy::default(), accept);
        assert_eq!((report.verdict, report.level), (verdict, level), "{accept}");
        let cpu = report.checks.iter().find(|check| check.code == "V28").unwrap();
        assert_eq!(cpu.status, Status::Skipped);
        assert!(report.not_proven.iter().any(|line| line.contains("there is no CPU report")));
    }
}

/// V28 raises nothing where the TPM's chain was not looked at.
#[test]
fn a_report_does_not_stand_in_for_the_tpm() {
    let scene = Scene::good();
    let evidence = scene.evidence();
    let chip = Chip::milan();
    let cpu = given(maker().report(&chip, &data_of(&evidence), |_| {}), maker().chain(&chip));
    for (accept, verdict, level) in
        [(Level::L1, Verdict::Accepted, Some(Level::L1)), (Level::L3, Verdict::CouldNotJudge, None)]
    {
        let mut inputs = scene.inputs_of(evidence.clone());
        inputs.roots = None;
        let report = judge_with(inputs, Demands { cpu: Some(cpu.clone()), ..Demands::at(accept) }).1;
        assert_eq!((report.verdict, report.level), (verdict, level), "{accept}");
    }
}

#[test]
fn what_the_policy_demands() {
    let with = |policy| signed(&Chip::milan(), policy, |_| {});
    let measured = |byte| CpuPolicy { measurements: vec![[1; 48], [byte; 48]], ..CpuPolicy::default() };
    let report = with(measured(0x4d));
    assert_eq!((failures(&report), report.level), (vec![], Some(Level::L3)));
    assert!(report.not_proven.iter().any(|line| line.contains("only its launch measurement was compared")));
    assert_eq!(failures(&with(measured(0x4e))), ["V28 cpu-measurement-refused"]);
    let least = |microcode| {
        let min_tcb = Tcb { fmc: 0, bootloader: 3, tee: 0, snp: 8, microcode };
        with(CpuPolicy { min_tcb, ..CpuPolicy::default() })
    };
    assert_eq!(failures(&least(115)), [""; 0]);
    let old = least(116);
    assert_eq!(failures(&old), ["V28 cpu-tcb-too-old"]);
    let check = old.checks.last().unwrap();
    assert!(check.expected.as_ref().unwrap().contains("microcode 116 or later"), "{check:?}");
    assert!(check.got.as_ref().unwrap().contains("microcode 115"), "{check:?}");
    let words: Vec<&str> = old.grounds.iter().map(|ground| ground.words()).collect();
    assert_eq!(words, ["policy not met"]);
}
