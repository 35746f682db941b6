//! The checks, one a file, in order. Every check runs and is reported; nothing is accepted by default.
//!
//! Numbers up to V23 are those of the published list; V17 and those from V24 on compare with the person's policy, and pass
//! when it demands nothing. V30 and V31 look at what others say about the release.

mod v01_sizes;
mod v02_form;
mod v03_ek_chain;
mod v04_ek_template;
mod v05_ak_attributes;
mod v06_activation;
mod v07_algorithm;
mod v08_signature;
mod v09_magic;
mod v10_type;
mod v11_extra_data;
mod v12_consumed;
mod v13_signer;
mod v14_selection;
mod v15_digest;
mod v16_clock;
mod v17_tpm_firmware;
mod v18_log_form;
mod v19_replay;
mod v20_registers;
mod v21_statement;
mod v22_keys;
mod v23_image;
mod v24_firmware;
mod v25_release;
mod v26_age;
mod v27_memory;
#[cfg(feature = "cpu-evidence")]
mod v28_cpu;
mod v29_logged;
mod v30_revoked;
mod v31_rebuilds;

use crate::case::Case;
use crate::outcome::{CheckReport, CheckResult};

/// One check.
pub struct Check {
    /// Stable: `V08`.
    pub code: &'static str,
    /// What holds when it passes.
    pub title: &'static str,
    run: fn(&Case) -> CheckResult,
}

impl Check {
    pub fn report(&self, case: &Case) -> CheckReport {
        CheckReport::new(self.code, self.title, (self.run)(case))
    }
}

/// All checks, in the order of the report.
pub const ALL: &[&Check] = &[
    &v01_sizes::CHECK,
    &v02_form::CHECK,
    &v03_ek_chain::CHECK,
    &v04_ek_template::CHECK,
    &v05_ak_attributes::CHECK,
    &v06_activation::CHECK,
    &v07_algorithm::CHECK,
    &v08_signature::CHECK,
    &v09_magic::CHECK,
    &v10_type::CHECK,
    &v11_extra_data::CHECK,
    &v12_consumed::CHECK,
    &v13_signer::CHECK,
    &v14_selection::CHECK,
    &v15_digest::CHECK,
    &v16_clock::CHECK,
    &v17_tpm_firmware::CHECK,
    &v18_log_form::CHECK,
    &v19_replay::CHECK,
    &v20_registers::CHECK,
    &v21_statement::CHECK,
    &v22_keys::CHECK,
    &v23_image::CHECK,
    &v24_firmware::CHECK,
    &v25_release::CHECK,
    &v26_age::CHECK,
    &v27_memory::CHECK,
    #[cfg(feature = "cpu-evidence")]
    &v28_cpu::CHECK,
    &v29_logged::CHECK,
    &v30_revoked::CHECK,
    &v31_rebuilds::CHECK,
];

/// Code of the check that looks at the processor's own report; it is there with the feature `cpu-evidence` only.
pub const CPU: &str = "V28";
/// Code of the check that looks for the statement in a log.
pub const LOGGED: &str = v29_logged::CHECK.code;
/// Code of the check that proves who made the TPM.
pub const EK_CHAIN: &str = v03_ek_chain::CHECK.code;
/// Code of the check that proves that this TPM made the quote.
pub const ACTIVATION: &str = v06_activation::CHECK.code;
