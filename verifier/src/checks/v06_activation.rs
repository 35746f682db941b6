//! V06: the TPM with the endorsement key also holds the attestation key (TPM 2.0 Part 1, "Credential Protection").
//!
//! We encrypted a fresh secret to the EK for the AK's name; only the TPM that holds both can open it, and the server
//! answered with an HMAC under it over our message, which names M1 and M2. Proves that this quote was made by that
//! TPM. For a saved record it convinces only the one who saved it.
//!
//! A file of evidence alone has nobody to activate a credential. It passes when this memory has accepted the same
//! attestation key under the same endorsement key before: no other TPM can hold it, as V05 and V13 show that it never leaves
//! the one that it was made in.

use super::Check;
use crate::case::Case;
use crate::clock::date;
use crate::exchange::{Activation, Answer};
use crate::outcome::{CheckResult, Failure, Stop};
use vitrine_attest::credential::proof;
use vitrine_attest::digest::hex;
use vitrine_attest::evidence::{transcript, ActivationRequest, ActivationResponse, VERSION};

pub const CHECK: Check = Check { code: "V06", title: "that TPM holds the attestation key", run };

fn run(case: &Case) -> CheckResult {
    let Some(Activation { m1, answer }) = &case.inputs.exchange.activation else {
        return remembered(case);
    };
    let (m3, m4, secret) = match answer {
        Answer::Given { m3, m4, secret } => (m3, m4, secret),
        Answer::Refused(code) => {
            return Err(Failure::new("activation-refused", format!("the server did not activate it: {code}")).into())
        }
        Answer::NotAsked(why) => return Err(Failure::not_reached(why).into()),
    };
    let request: ActivationRequest =
        serde_json::from_slice(m3).map_err(|e| Failure::new("activation-malformed", format!("M3: {e}")))?;
    let ours = transcript(m1, &case.inputs.exchange.evidence);
    if request.transcript != ours {
        let detail = "the credential was made for other messages";
        return Err(Failure::differs("activation-transcript-differs", detail, ours, request.transcript).into());
    }
    let response: ActivationResponse =
        serde_json::from_slice(m4).map_err(|e| Failure::new("activation-malformed", format!("M4: {e}")))?;
    if response.v != VERSION || !case.same(&proof(secret, m3).0, &response.proof.0) {
        return Err(Failure::new("activation-wrong", "the server does not know the secret of the credential").into());
    }
    Ok(String::new())
}

/// Servers are remembered only once they have activated a credential.
fn remembered(case: &Case) -> CheckResult {
    let record = case.demands.memory.of(&case.server_id()?);
    match record.filter(|record| case.ak_name().is_ok_and(|name| hex(&name) == record.boot.ak_name)) {
        Some(record) => Ok(format!("as it showed when it was last accepted, {}", date(record.last_seen))),
        None => Err(Stop::Skipped(
            "nobody can activate a credential for a file, and no earlier check of this TPM is remembered",
        )),
    }
}
