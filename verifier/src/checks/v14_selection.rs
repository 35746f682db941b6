//! V14: exactly the registers of the policy are quoted, once, in the SHA-256 bank.
//!
//! Proves that no register was left out, quoted from another bank, or replaced by one that anybody can reset (16, 23).

use super::Check;
use crate::case::Case;
use crate::outcome::{CheckResult, Failure};
use vitrine_attest::tpm::{alg, PcrSelection};

pub const CHECK: Check = Check { code: "V14", title: "exactly the policy's registers are quoted", run };

fn run(case: &Case) -> CheckResult {
    let expected = PcrSelection { hash: alg::SHA256, bitmap: case.demands.policy.registers.bitmap().to_vec() };
    let got = &case.quote()?.selections;
    if *got == [expected.clone()] {
        return Ok(String::new());
    }
    let list: Vec<String> = got.iter().map(ToString::to_string).collect();
    let list = if list.is_empty() { "none".into() } else { list.join(" and ") };
    Err(Failure::differs("pcr-selection-differs", "selected registers", expected, list).into())
}
