//! Evidence of the processor beside that of the TPM: AMD SEV-SNP reports and Intel TDX quotes (feature `cpu-evidence`).
//!
//! The guest has the processor sign the same digest that stands in the TPM quote's extraData. What is read here is the
//! processor's word that it was asked by a guest whose memory is hidden from the machine's owner; that this guest is the
//! server's, only the launch measurement can say ([`crate::checks`], V28).

mod demands;
mod file;
pub mod snp;
pub mod tdx;

pub use demands::{CpuDemands, TdxStatus};
pub use file::{CpuEvidence, Kind, FILE_LIMIT};

use crate::outcome::Failure;
use crate::policy::CpuPolicy;
use vitrine_attest::digest::hex;

/// What the evidence says, its signatures verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// What the guest had signed.
    pub report_data: [u8; 64],
    /// MEASUREMENT of SEV-SNP, MRTD of TDX.
    pub measurement: [u8; 48],
    /// For the report, in words.
    pub words: String,
}

/// Verifies signatures and what always has to hold, and what the policy demands of the platform. `now` in seconds since
/// 1970.
///
/// # Errors
/// The first thing that does not hold.
pub fn verify(given: &CpuDemands, policy: &CpuPolicy, now: u64) -> Result<Verified, Failure> {
    let verified = match &given.evidence {
        CpuEvidence::SevSnp { report, chain } => snp::verify(report, chain, &given.roots, policy, now)?,
        CpuEvidence::Tdx { quote, collateral } => tdx::verify(quote, collateral, &given.roots, policy, now)?,
    };
    if !policy.measurements.is_empty() && !policy.measurements.contains(&verified.measurement) {
        let allowed: Vec<String> = policy.measurements.iter().map(|measurement| hex(measurement)).collect();
        let what = "launch measurement of the protected machine";
        let got = hex(&verified.measurement);
        return Err(Failure::differs("cpu-measurement-refused", what, allowed.join(" or "), got));
    }
    Ok(verified)
}

/// What has to be signed: `extra_data ‖ 0…0`, 64 bytes. None when the digest has not 32 bytes.
pub fn report_data(extra_data: &[u8]) -> Option<[u8; 64]> {
    let digest = <[u8; 32]>::try_from(extra_data).ok()?;
    let mut out = [0; 64];
    out[..32].copy_from_slice(&digest);
    Some(out)
}
