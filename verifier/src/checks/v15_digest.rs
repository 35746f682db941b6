//! V15: the quoted digest is that of the predicted values. This is the decision: it uses no value and no log of the
//! server's, only the signed statement and, for PCR 15, the keys that V11 binds.
//!
//! The TPM hashes with the hash of the signature scheme, SHA-256 by V07, not with the bank's. Proves what was started
//! and what it recorded about itself; not that it is still in that state, except for what extends PCR 14.

use super::Check;
use crate::case::{pcr_digest, Case};
use crate::outcome::{CheckResult, Failure};
use vitrine_attest::digest::hex;

pub const CHECK: Check = Check { code: "V15", title: "the quoted registers have the predicted values", run };

fn run(case: &Case) -> CheckResult {
    let (quote, predicted) = (case.quote()?, case.predicted()?);
    let Some(expected) = pcr_digest(predicted) else {
        return Err(Failure::not_reached("the statement predicts too few registers (V20)").into());
    };
    if case.same(&expected.0, &quote.digest) {
        return Ok(String::new());
    }
    let detail = "another image, configuration, firmware state or set of keys was measured; see --explain";
    Err(Failure::differs("pcr-digest-differs", detail, expected, hex(&quote.digest)).into())
}
