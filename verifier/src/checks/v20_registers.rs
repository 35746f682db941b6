//! V20: the statement predicts every register of the policy, and each one is as predicted in the logs.
//!
//! 12, 13 and 14 have to be zero: a statement that allows something else there is refused. The reason is that of the
//! first register that differs, the words name all. That the values are the TPM's own is V15's and V19's. PCR 0–3
//! (the firmware) are V24's. What the server's watch found is said in the words; that it is what the TPM holds is
//! V19's.

use super::Check;
use crate::case::Case;
use crate::outcome::{CheckResult, Failure};
use vitrine_attest::pcr::{Pcr, PcrValues};
use vitrine_attest::watch::Violation;
use vitrine_attest::Sha256;

pub const CHECK: Check = Check { code: "V20", title: "every quoted register is as predicted", run };

fn run(case: &Case) -> CheckResult {
    check_prediction(&case.release()?.boot.pcrs)?;
    let (predicted, replayed) = (case.predicted()?, case.replayed()?);
    let of = |values: &PcrValues, pcr| values.get(pcr).unwrap_or(Sha256::ZERO);
    let differing = case.differing()?;
    match differing.split_first() {
        None => Ok(String::new()),
        Some((&first, others)) => {
            let mut detail = in_words(first, others);
            if differing.contains(&Pcr::FUSE) {
                if let Some(violation) = Violation::first(&case.evidence()?.runtime_log) {
                    detail = format!("{detail}; {violation}");
                }
            }
            Err(Failure::differs(reason(first), detail, of(predicted, first), of(replayed, first)).into())
        }
    }
}

/// `PCR 9: kernel command line and initramfs (and PCR 12)`.
fn in_words(first: Pcr, others: &[Pcr]) -> String {
    let others: Vec<String> = others.iter().map(Pcr::to_string).collect();
    let and = if others.is_empty() { String::new() } else { format!(" (and {})", others.join(", ")) };
    format!("{first}: {}{and}", first.meaning())
}

fn check_prediction(predicted: &PcrValues) -> Result<(), Failure> {
    let policy: Vec<Pcr> = Pcr::QUOTED.into_iter().filter(|&pcr| pcr != Pcr::RUNTIME).collect();
    let stated: Vec<Pcr> = predicted.0.keys().copied().collect();
    if stated != policy {
        let list = |pcrs: &[Pcr]| pcrs.iter().map(|pcr| pcr.index().to_string()).collect::<Vec<_>>().join(",");
        let detail = "registers in the statement";
        return Err(Failure::differs("prediction-incomplete", detail, list(&policy), list(&stated)));
    }
    for pcr in [Pcr::KERNEL_OVERRIDES, Pcr::EXTENSIONS, Pcr::FUSE] {
        let value = predicted.get(pcr).unwrap_or(Sha256::ZERO);
        if value != Sha256::ZERO {
            let detail = format!("the statement allows a {pcr} that is not zero");
            return Err(Failure::differs("prediction-not-zero", detail, Sha256::ZERO, value));
        }
    }
    Ok(())
}

fn reason(pcr: Pcr) -> &'static str {
    match pcr.index() {
        4 => "pcr-4-differs",
        7 => "pcr-7-differs",
        9 => "pcr-9-differs",
        11 => "pcr-11-differs",
        12 => "pcr-12-not-zero",
        13 => "pcr-13-not-zero",
        14 => "pcr-14-not-zero",
        _ => "pcr-15-differs",
    }
}
