//! What a proof of a log costs to check: form, path, the log's signature, and those of two witnesses. Called by `tools/bench/log.sh`.
//!
//! `bench_log PROOF ENTRY POLICY SECONDS` prints microseconds of processor time a proof, everything from the files' bytes each time,
//! the policy parsed once.

use std::time::Duration;
use vitrine_attest::tlog_policy::Policy;
use vitrine_attest::tlog_proof::Proof;

/// Proofs between two looks at the clock.
const BATCH: u32 = 50;

/// Processor time of this process, in user and in kernel mode.
fn cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

fn check(proof: &[u8], entry: &[u8], policy: &Policy) -> Result<(), String> {
    let proof = Proof::parse(proof)?;
    if !proof.stands(entry) {
        return Err("the entry is not in the tree".into());
    }
    policy.judge(&proof.note, &proof.checkpoint).map(|_| ()).map_err(|missing| missing.to_string())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, proof, entry, policy, seconds] = arguments.as_slice() else {
        return Err("usage: bench_log PROOF ENTRY POLICY SECONDS".into());
    };
    let (proof, entry, policy) = (std::fs::read(proof)?, std::fs::read(entry)?, std::fs::read(policy)?);
    let policy = Policy::parse(&policy).map_err(|mistakes| format!("{mistakes:?}"))?;
    let limit = Duration::from_secs(seconds.parse()?);
    check(&proof, &[&entry[..], b"x"].concat(), &policy).expect_err("another entry");
    let (begun, mut count) = (cpu(), 0);
    while cpu() - begun < limit {
        for _ in 0..BATCH {
            check(&proof, &entry, &policy)?;
        }
        count += BATCH;
    }
    println!("{:.1}", (cpu() - begun).as_secs_f64() * 1e6 / f64::from(count));
    Ok(())
}
