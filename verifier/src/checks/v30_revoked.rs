//! V30: nobody who may has revoked the release, as far as the given lists tell.
//!
//! A revocation counts when it is signed by the key that signed the release, or by any of the policy's release keys: one is
//! enough, also where a release needs several, because refusing is the safe side. One that a stranger signed is ignored and
//! counted in the words: else anybody could revoke anything. A file that cannot be understood refuses, since it may be one.
//! It counts whatever its date is.
//!
//! Passes, and says so, when no list was given. It does **not** prove that the release was not revoked: somebody who
//! gives you an old list, or none, hides a revocation. Only a log that is watched shows that one was published.

use super::Check;
use crate::case::Case;
use crate::outcome::{CheckResult, Failure};
use vitrine_attest::dsse::signers;
use vitrine_attest::Sha256;

pub const CHECK: Check = Check { code: "V30", title: "the statement is not revoked", run };

fn run(case: &Case) -> CheckResult {
    let Some(given) = &case.demands.published.revocations else {
        return Ok("no revocation list was given".into());
    };
    let (release, promise) = (case.release()?, &case.inputs.promise);
    let envelope = promise.envelope().to_json().map_err(|e| Failure::not_reached(&e.what))?;
    let digest = Sha256::of(&envelope);
    let mut keys = vec![promise.key().clone()];
    keys.extend(case.demands.policy.statement.keys.iter().cloned());
    let (mut unreadable, mut strangers) = (None, 0);
    for file in given.iter() {
        match &file.said {
            Err(why) => unreadable = unreadable.or(Some((file, why))),
            Ok((envelope, revocation)) => match signers(envelope, &keys).first() {
                None => strangers += 1,
                Some(signer) if revocation.revokes(release, &digest) => {
                    let (reason, date, text) = (revocation.reason, &revocation.date, &revocation.text);
                    let detail = format!("{reason}, {date}, signed by {}: {text}", signer.name());
                    return Err(Failure::new("revoked", detail).into());
                }
                Some(_) => {}
            },
        }
    }
    if let Some((file, why)) = unreadable {
        return Err(Failure::new("revocation-unreadable", format!("{}: {why}", file.name)).into());
    }
    let ignored = match strangers {
        0 => String::new(),
        count => format!("; {count} ignored: signed by nobody who signs releases"),
    };
    Ok(format!("{} given, none of this release{ignored}", given.len()))
}
