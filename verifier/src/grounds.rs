//! Why a server was rejected, in one word for what a person or a program does next. Derived from the checks, decides nothing.

use crate::case::Case;
use crate::outcome::{CheckReport, Status, NOT_REACHED};
use serde::Serialize;
use std::collections::BTreeSet;
use vitrine_attest::pcr::Pcr;

/// Stable words. Several can hold at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ground {
    /// Another image, command line or configuration was started, or is named.
    ImageChanged,
    /// PCR 0-3 are not as the policy pins them.
    FirmwareChanged,
    /// PCR 7: Secure Boot's state or keys.
    SecureBootChanged,
    /// PCR 14: the server's own watch has found something.
    FuseBlown,
    /// The TPM or the statement has gone back.
    Rollback,
    /// The statement cannot be used: signature, dates, content.
    Statement,
    /// No maker's certificate for the TPM, or it has not shown the key.
    Tpm,
    /// It is not shown to stand in a public log as demanded.
    Log,
    /// All is well but for what the policy wants.
    Policy,
    /// The evidence is not fresh, not whole, not bound, or does not fit together.
    Evidence,
}

impl Ground {
    pub fn words(self) -> &'static str {
        match self {
            Self::ImageChanged => "image changed",
            Self::FirmwareChanged => "firmware changed",
            Self::SecureBootChanged => "Secure Boot changed",
            Self::FuseBlown => "fuse blown",
            Self::Rollback => "rollback",
            Self::Statement => "statement not usable",
            Self::Tpm => "TPM not shown",
            Self::Log => "not shown to be public",
            Self::Policy => "policy not met",
            Self::Evidence => "evidence refused",
        }
    }
}

/// In order; empty when nothing failed.
pub fn of(case: &Case, checks: &[CheckReport]) -> Vec<Ground> {
    let failed = |code: &str| checks.iter().any(|c| c.code == code && c.status == Status::Failed);
    let reason = |code: &str| checks.iter().find(|c| c.code == code).and_then(|c| c.reason);
    // the logs are true: then they tell which registers differ, and V15 adds nothing
    let registers = match case.differing() {
        Ok(registers) if !failed("V19") => registers,
        _ => &[],
    };
    let other_configuration = reason("V22") == Some("runtime-config-differs");
    let mut grounds: BTreeSet<Ground> = registers.iter().filter_map(|pcr| register(*pcr)).collect();
    for check in checks.iter().filter(|c| c.status == Status::Failed && c.reason != Some(NOT_REACHED)) {
        match check.code {
            "V15" | "V20" if !registers.is_empty() => {}
            // the quote is bound to the server's own configuration, as V22 says
            "V11" if other_configuration => {}
            code => {
                grounds.insert(single(code, check.reason.unwrap_or_default()));
            }
        }
    }
    if grounds.is_empty() && checks.iter().any(|c| c.status == Status::Failed) {
        grounds.insert(Ground::Evidence);
    }
    grounds.into_iter().collect()
}

fn register(pcr: Pcr) -> Option<Ground> {
    match pcr.index() {
        7 => Some(Ground::SecureBootChanged),
        14 => Some(Ground::FuseBlown),
        // configuration, keys, facts: V22 says which
        15 => None,
        _ => Some(Ground::ImageChanged),
    }
}

fn single(code: &str, reason: &str) -> Ground {
    match (code, reason) {
        ("V16", "clock-not-safe") => Ground::Evidence,
        ("V16", _) | (_, "statement-went-back") => Ground::Rollback,
        ("V23", _) | (_, "runtime-config-differs") => Ground::ImageChanged,
        ("V24", _) => Ground::FirmwareChanged,
        ("V21" | "V30", _) | (_, "prediction-incomplete" | "prediction-not-zero") => Ground::Statement,
        ("V03" | "V04" | "V05" | "V06" | "V13", _) => Ground::Tpm,
        ("V29", _) => Ground::Log,
        ("V17" | "V25" | "V26" | "V27" | "V31", _) | ("V28", "cpu-tcb-too-old" | "cpu-measurement-refused") => {
            Ground::Policy
        }
        _ => Ground::Evidence,
    }
}

/// The exit code of `--detailed-exit-code` for a rejected server: 3 when nothing but the firmware changed, 4 when the
/// image did and nothing else is wrong but perhaps the firmware, 1 for all else.
pub fn exit_code(grounds: &[Ground]) -> u8 {
    let only = |allowed: &[Ground]| grounds.iter().all(|ground| allowed.contains(ground));
    match grounds {
        [] => 1,
        [Ground::FirmwareChanged] => 3,
        _ if only(&[Ground::ImageChanged, Ground::FirmwareChanged]) => 4,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::{exit_code, Ground};

    #[test]
    fn exit_codes() {
        use Ground::{FirmwareChanged, ImageChanged, Rollback, SecureBootChanged};
        for (grounds, code) in [
            (&[][..], 1),
            (&[FirmwareChanged], 3),
            (&[ImageChanged], 4),
            (&[ImageChanged, FirmwareChanged], 4),
            (&[ImageChanged, SecureBootChanged], 1),
            (&[FirmwareChanged, Rollback], 1),
            (&[SecureBootChanged], 1),
            (&[Rollback], 1),
        ] {
            assert_eq!(exit_code(grounds), code, "{grounds:?}");
        }
    }
}
