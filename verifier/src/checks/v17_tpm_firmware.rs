//! V17: the TPM's firmware is not older than the policy allows.
//!
//! The version is in the signed structure, and true for a key of the endorsement hierarchy (V13; for others a TPM hides
//! it). Makers count in ways of their own, so one minimum fits one kind of TPM. It does not prove that this version has
//! no flaw. Without a minimum it is shown.

use super::Check;
use crate::case::Case;
use crate::outcome::{CheckResult, Failure};

pub const CHECK: Check = Check { code: "V17", title: "the TPM's firmware is not too old", run };

fn run(case: &Case) -> CheckResult {
    let version = case.attest().map(|attest| attest.firmware_version);
    let Some(least) = case.demands.policy.min_firmware else {
        // what cannot be read is V02's
        return Ok(version.map_or(String::new(), |version| format!("version {version:016x}; no minimum was asked for")));
    };
    let version = version?;
    if version >= least {
        return Ok(format!("version {version:016x}"));
    }
    let (least, version) = (format!("{least:016x} or later"), format!("{version:016x}"));
    Err(Failure::differs("tpm-firmware-too-old", "version of the TPM's firmware", least, version).into())
}
