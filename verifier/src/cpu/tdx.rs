//! Intel TDX: a quote, and what Intel publishes about the platform (collateral), both given as files.
//!
//! Chains, revocation lists, the quoting enclave and the platform's security version are the `dcap-qvl` crate's to judge,
//! at the root that the person gives. Nobody is asked over the network.

use super::Verified;
use crate::outcome::Failure;
use crate::policy::CpuPolicy;
use dcap_qvl::quote::Report;
use dcap_qvl::verify::QuoteVerifier;
use dcap_qvl::QuoteCollateralV3;

/// Largest quote in bytes; real ones have 5 KiB.
pub const QUOTE_LIMIT: usize = 64 << 10;

/// # Errors
/// When the quote does not hold under any of the roots, is of SGX, or the platform's status is none that the policy takes.
/// A TD that may be debugged never holds.
pub fn verify(
    quote: &[u8],
    collateral: &QuoteCollateralV3,
    roots: &[Vec<u8>],
    policy: &CpuPolicy,
    now: u64,
) -> Result<Verified, Failure> {
    if quote.len() > QUOTE_LIMIT {
        return Err(refused(format!("{} bytes, at most {QUOTE_LIMIT} are read", quote.len())));
    }
    let mut last = refused("no root was given".into());
    for root in roots {
        match QuoteVerifier::new(root.clone()).verify(quote, collateral, now) {
            Ok(verified) => return judge(&verified.report, &verified.status, policy),
            Err(error) => last = refused(format!("{error:#}")),
        }
    }
    Err(last)
}

fn judge(report: &Report, status: &str, policy: &CpuPolicy) -> Result<Verified, Failure> {
    let td = report.as_td10().ok_or_else(|| refused("it is of an SGX enclave, not of a TDX machine".into()))?;
    // TUD, the first byte: any bit of it, and a TD is not to be trusted (Intel TDX Module ABI, ATTRIBUTES)
    if td.td_attributes[0] != 0 {
        return Err(Failure::new("cpu-debug-allowed", "the machine's owner may debug the guest and read its memory"));
    }
    let allowed: Vec<&str> = policy.tdx_status.iter().map(|status| status.name()).collect();
    if !allowed.contains(&status) {
        let what = "what Intel says of the platform's security version";
        return Err(Failure::differs("cpu-tcb-too-old", what, allowed.join(" or "), status));
    }
    Ok(Verified { report_data: td.report_data, measurement: td.mr_td, words: format!("Intel TDX, {status}") })
}

fn refused(what: String) -> Failure {
    Failure::new("cpu-quote-refused", format!("TDX quote: {what}"))
}
