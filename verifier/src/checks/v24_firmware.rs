//! V24: PCR 0-3 are as the policy pins them: the machine's firmware, its settings, and the option ROMs.
//!
//! The values are those that the firmware's log leads to. No quote holds these registers, so whoever relays or makes up
//! evidence can write others: this finds an update or another machine, not somebody who lies about it. Without a
//! pin a register is only observed.

use super::Check;
use crate::case::Case;
use crate::outcome::{CheckResult, Failure};
use crate::policy::Pin;
use vitrine_attest::pcr::Pcr;
use vitrine_attest::Sha256;

pub const CHECK: Check = Check { code: "V24", title: "the machine's firmware is as pinned", run };

fn run(case: &Case) -> CheckResult {
    let policy = &case.demands.policy;
    if !policy.pins_firmware() {
        return Ok("PCR 0-3 are observed, not compared".into());
    }
    let found = case.firmware_registers()?;
    let differs = |(pcr, pin): (&Pcr, &Pin)| match pin {
        Pin::OneOf(allowed) => {
            let got = found.get(*pcr).unwrap_or(Sha256::ZERO);
            (!allowed.contains(&got)).then(|| (*pcr, allowed.clone(), got))
        }
        Pin::Observed => None,
    };
    let differing: Vec<_> = policy.firmware.iter().filter_map(differs).collect();
    let Some((first, allowed, got)) = differing.first() else {
        return Ok("as pinned, by the firmware's log".into());
    };
    let others: Vec<String> = differing[1..].iter().map(|(pcr, ..)| pcr.to_string()).collect();
    let and = if others.is_empty() { String::new() } else { format!(" (and {})", others.join(", ")) };
    let detail = format!("{first}: {}{and}, by the firmware's log", first.meaning());
    let allowed: Vec<String> = allowed.iter().map(Sha256::to_string).collect();
    Err(Failure::differs("firmware-changed", detail, allowed.join(" or "), got).into())
}
