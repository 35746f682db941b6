//! V27: the server is remembered, when the policy wants that.
//!
//! Without it, V16 has nothing to compare with, and says so. Proves that this TPM was accepted before by this memory.

use super::Check;
use crate::case::Case;
use crate::memory::Memory;
use crate::outcome::{CheckResult, Failure};
use crate::policy::FirstSeen;

pub const CHECK: Check = Check { code: "V27", title: "the server is remembered as the policy wants it", run };

fn run(case: &Case) -> CheckResult {
    let policy = &case.demands.policy.memory;
    let wanted = policy.required || policy.first_seen == FirstSeen::Refuse;
    match &case.demands.memory {
        Memory::Off(_) if wanted => {
            let detail = "the policy wants servers to be remembered: leave --no-state out, or name --state for a file";
            Err(Failure::new("nothing-remembered", detail).into())
        }
        memory if policy.first_seen == FirstSeen::Refuse && memory.of(&case.server_id()?).is_none() => {
            let detail = "the server is first seen, and the policy refuses that: check it once without this policy";
            Err(Failure::new("first-seen-refused", detail).into())
        }
        _ => Ok(String::new()),
    }
}
