//! V19: the server's logs lead to the quoted digest.
//!
//! Proves that the logs tell the whole story of the quoted registers, so that what they say of causes can be used.

use super::Check;
use crate::case::{pcr_digest, Case};
use crate::outcome::{CheckResult, Failure};
use vitrine_attest::digest::hex;

pub const CHECK: Check = Check { code: "V19", title: "the logs lead to the quoted values", run };

fn run(case: &Case) -> CheckResult {
    let (replayed, quote) = (case.replayed()?, case.quote()?);
    let Some(expected) = pcr_digest(replayed) else { return Err(Failure::not_reached("no values").into()) };
    if case.same(&expected.0, &quote.digest) {
        return Ok(String::new());
    }
    let detail = "the logs are not those of this boot, or something was measured outside them (such as the fuse)";
    Err(Failure::differs("replay-differs", detail, expected, hex(&quote.digest)).into())
}
