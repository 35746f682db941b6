//! What a measured boot of one image must look like: the form of a prediction (`8-pcrs.json`).

use crate::pcr::{Pcr, PcrValues};
use crate::Sha256;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How the firmware is set up; it changes PCR 4 and 7.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Platform {
    /// Secure Boot on, exactly the published keys enrolled. The only one a release is accepted on.
    SecureBoot,
    /// No Secure Boot variables at all. Predicted so that tests can compare; never accepted.
    NoSecureBoot,
}

/// One event that extends a PCR, as it will stand in the firmware's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedEvent {
    pub pcr: Pcr,
    pub digest: Sha256,
    /// For people: "Authenticode digest of the image", "separator", "kernel command line".
    pub what: String,
}

/// The predicted events in log order for the predictable registers (4, 7, 9, 11), and the final values of
/// every quoted register but 15. A register that must stay zero (12, 13, 14) is in `pcrs` with zero.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedBoot {
    pub pcrs: PcrValues,
    pub events: Vec<ExpectedEvent>,
}

/// `8-pcrs.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prediction {
    /// Version of the systemd-stub, which fixes the order of sections.
    pub stub_version: u32,
    /// Authenticode SHA-256 of the image.
    pub authenticode: Sha256,
    /// The kernel command line as measured (without its final NUL), so that a difference can be shown.
    pub cmdline: String,
    pub platforms: BTreeMap<Platform, ExpectedBoot>,
}
