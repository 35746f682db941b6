//! V13: the attestation key is a primary of the endorsement hierarchy.
//!
//! Its qualified name is `000B ‖ SHA-256(4000000B ‖ Name)`. A key of another hierarchy gets obfuscated counters, and a
//! key below another parent could have been loaded by somebody else.

use super::Check;
use crate::case::Case;
use crate::outcome::{CheckResult, Failure};
use vitrine_attest::digest::hex;

pub const CHECK: Check = Check { code: "V13", title: "the signer is a primary of the endorsement hierarchy", run };

fn run(case: &Case) -> CheckResult {
    let Some(expected) = case.ak()?.qualified_name() else {
        return Err(Failure::not_reached("the AK's name is not a SHA-256 name (V05)").into());
    };
    let got = &case.attest()?.qualified_signer;
    if *got == expected {
        return Ok(String::new());
    }
    let detail = "qualified name of the signing key";
    Err(Failure::differs("signer-not-endorsement-primary", detail, hex(&expected), hex(got)).into())
}
