//! AMD SEV-SNP: a report of 1184 bytes, and the certificates of the key that signed it.

mod chain;
mod report;

pub use chain::{Leaf, Product, Tcb};
pub use report::{Report, Signer, REPORT_LENGTH, SIGNED_LENGTH};

use super::Verified;
use crate::outcome::Failure;
use crate::policy::CpuPolicy;

/// Chain, signature, and that certificate and report speak of the same chip and versions (AMD publication 57230, §4); then
/// what no policy allows, and what this one demands.
///
/// # Errors
/// The first thing that does not hold.
pub fn verify(
    bytes: &[u8],
    chain: &[Vec<u8>],
    roots: &[Vec<u8>],
    policy: &CpuPolicy,
    now: u64,
) -> Result<Verified, Failure> {
    let report = Report::parse(bytes)?;
    let leaf = Leaf::verify(chain, roots, now)?;
    if leaf.signer != report.signer {
        return Err(Failure::new("cpu-signer-differs", "the certificate is for another kind of key than the report's"));
    }
    if !leaf.signed(&bytes[..SIGNED_LENGTH], &Report::signature(bytes)?) {
        return Err(Failure::new("cpu-signature-invalid", "the certificate's key did not sign the report"));
    }
    same_platform(&report, &leaf)?;
    forbidden(&report)?;
    minimum(&leaf.tcb, policy)?;
    let chip = match (report.signer, report.chip()) {
        (Signer::Vlek, _) => "a cloud's key (VLEK)".into(),
        (Signer::Vcek, Some(chip)) => format!("chip {}…", &chip[..16]),
        (Signer::Vcek, None) => "a chip that the machine's owner does not name".into(),
    };
    let smt = if report.smt() { "SMT allowed" } else { "SMT not allowed" };
    Ok(Verified {
        report_data: report.report_data,
        measurement: report.measurement,
        words: format!(
            "AMD SEV-SNP, {}, {chip}, {}, privilege level {}, {smt}",
            leaf.product_name, leaf.tcb, report.vmpl
        ),
    })
}

/// The key is derived from the chip and the versions, so what the certificate says of both has to be what the report says.
fn same_platform(report: &Report, leaf: &Leaf) -> Result<(), Failure> {
    let reported = Tcb::of(leaf.product, report.reported_tcb);
    if reported != leaf.tcb {
        let what = "security versions of the report's key";
        return Err(Failure::differs("cpu-tcb-differs", what, leaf.tcb.to_string(), reported.to_string()));
    }
    let same_chip = match (&leaf.chip_id, report.chip()) {
        (Some(id), Some(_)) => {
            let (id_part, rest) = report.chip_id.split_at(id.len().min(report.chip_id.len()));
            id_part == id.as_slice() && rest.iter().all(|&byte| byte == 0)
        }
        // hidden by the machine's owner (MASK_CHIP_ID), or a key of a cloud
        (_, None) | (None, _) => true,
    };
    if !same_chip {
        return Err(Failure::new("cpu-chip-differs", "the certificate is for another chip than the report names"));
    }
    Ok(())
}

/// Whoever may debug a guest, or take it along, reads its memory.
fn forbidden(report: &Report) -> Result<(), Failure> {
    if report.debuggable() {
        return Err(Failure::new("cpu-debug-allowed", "the machine's owner may debug the guest and read its memory"));
    }
    if report.migratable() {
        return Err(Failure::new("cpu-migration-allowed", "a migration agent may take the guest's memory elsewhere"));
    }
    Ok(())
}

fn minimum(tcb: &Tcb, policy: &CpuPolicy) -> Result<(), Failure> {
    let below = tcb.parts().into_iter().zip(policy.min_tcb.parts()).any(|((_, got), (_, least))| got < least);
    if below {
        let least = format!("{} or later", policy.min_tcb);
        let what = "security versions of the processor's firmware";
        return Err(Failure::differs("cpu-tcb-too-old", what, least, tcb.to_string()));
    }
    Ok(())
}
