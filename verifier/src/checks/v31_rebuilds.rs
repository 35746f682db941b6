//! V31: as many others as the policy wants have built the image again, and got the same bytes.
//!
//! A verdict counts when one of the policy's rebuild keys signed it, and it is about the release's unsigned image. Each key
//! counts once, and never one that signs releases. A single verdict of theirs that differs refuses, however many agree. What
//! cannot be understood refuses, since it may be such a one; what a stranger signed is ignored.
//!
//! Proves that the holders of these keys say so. Whether they are different people, built it themselves and read what they
//! built is for the person to know who names them. Nothing about the server.

use super::Check;
use crate::case::Case;
use crate::outcome::{CheckResult, Failure};
use vitrine_attest::dsse::signers;

pub const CHECK: Check = Check { code: "V31", title: "independent rebuilds agree", run };

fn run(case: &Case) -> CheckResult {
    let Some(policy) = &case.demands.policy.rebuild else { return Ok(String::new()) };
    case.release()?;
    let subject = case.statement().as_ref().map(|statement| statement.subject.as_slice()).unwrap_or_default();
    let signs_releases = |key: &[u8]| {
        let named = &case.demands.policy.statement.keys;
        named.iter().chain([case.inputs.promise.key()]).any(|other| other.key().as_bytes() == key)
    };
    let mut agree = vec![];
    for file in case.demands.published.rebuilds.iter().flat_map(|given| given.iter()) {
        let (envelope, verdict) = match &file.said {
            Ok(said) => said,
            Err(why) => return Err(Failure::new("rebuild-verdict-unreadable", format!("{}: {why}", file.name)).into()),
        };
        if !verdict.is_about(subject) {
            continue;
        }
        let by = signers(envelope, &policy.keys).into_iter().filter(|key| !signs_releases(key.key().as_bytes()));
        for signer in by {
            if !verdict.equal {
                let stage = verdict.first_difference.as_deref().unwrap_or("not known");
                let detail = format!("{} got another image; first stage that differs: {stage}", signer.name());
                let (expected, got) = (verdict.image.expected, verdict.image.got);
                return Err(Failure::differs("rebuild-differs", detail, expected, got).into());
            }
            if !agree.contains(&signer) {
                agree.push(signer);
            }
        }
    }
    let names: Vec<&str> = agree.iter().map(|key| key.name()).collect();
    let names = if names.is_empty() { "nobody".into() } else { names.join(", ") };
    if agree.len() < policy.verdicts {
        let detail = format!("{} others have to have built the same image", policy.verdicts);
        return Err(Failure::differs("rebuild-verdicts-missing", detail, policy.verdicts, names).into());
    }
    Ok(format!("built again by {names}"))
}
