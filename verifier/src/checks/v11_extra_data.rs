//! V11: the quote holds our nonce, the server's keys with those made since, the configuration's digest and the image's name.
//!
//! Proves that the quote was made after we asked, and that none of these can be swapped. With a nonce that the person
//! named instead of a fresh one it proves no more than that the nonce was known to the server; with a beacon, whose nonce is
//! a log's checkpoint, that the quote was made after the checkpoint was signed.

use super::Check;
use crate::beacon::Checked;
use crate::case::Case;
use crate::clock::timestamp;
use crate::outcome::{CheckResult, Failure};
use vitrine_attest::digest::hex;
use vitrine_attest::evidence::Binding;

pub const CHECK: Check = Check { code: "V11", title: "the quote is fresh and bound to the server's keys", run };

/// Names are bounded so that they can be length-prefixed; real ones have under 150 bytes.
const IMAGE_ID_LIMIT: usize = 1024;

fn run(case: &Case) -> CheckResult {
    let (evidence, release, attest) = (case.evidence()?, case.release()?, case.attest()?);
    if evidence.image_id.len() > IMAGE_ID_LIMIT {
        return Err(Failure::new("image-id-too-long", "the image's name has more than 1024 bytes").into());
    }
    if let Some(Err(why)) = &case.inputs.exchange.beacon {
        return Err(Failure::new("checkpoint-untrusted", why.clone()).into());
    }
    let nonce = case.inputs.exchange.nonce;
    let Some(challenge) = evidence.challenge(&nonce) else {
        return Err(Failure::new("batch-path-wrong", "the nonce's path among those of one quote cannot be").into());
    };
    let expected = Binding {
        challenge,
        keys: &evidence.keys,
        rotated: &evidence.rotated,
        config_digest: &release.config_digest,
        image_id: &evidence.image_id,
    }
    .extra_data();
    if case.same(&expected.0, &attest.extra_data) {
        return Ok(case.inputs.exchange.beacon.as_ref().map_or_else(String::new, dated));
    }
    let detail = if evidence.nonce == nonce {
        "the quote is not bound to these keys, this configuration and this image"
    } else {
        "the quote answers another nonce: it may be an old one"
    };
    Err(Failure::differs("extra-data-differs", detail, expected, hex(&attest.extra_data)).into())
}

/// When the quote cannot have been made yet, and when it had been made.
fn dated(beacon: &Result<Checked, String>) -> String {
    let Ok(Checked { log, size, not_before, not_after, .. }) = beacon else { return String::new() };
    let after = match not_before {
        Some(time) => format!("made after {}, when {log} had {size} entries", timestamp(*time)),
        None => format!("made after {log} had {size} entries"),
    };
    match not_after {
        Some(time) => format!("{after}, and before {}, when it stood in a log itself", timestamp(*time)),
        None => after,
    }
}
