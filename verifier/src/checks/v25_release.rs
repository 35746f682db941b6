//! V25: the statement is one that the policy allows: its key, how many of the keys, its image, its sequence number and version, its last day,
//! who compiled its programs, whether a program of the operator's own is among them.
//!
//! Proves nothing about the server: what the person decided beforehand about statements is kept. All that is not met is
//! named in the words, the reason is that of the first. That the signature holds, and the last day is not over, is V21's.

use super::Check;
use crate::case::Case;
use crate::clock::{date, day_of};
use crate::outcome::{CheckResult, Failure};
use crate::policy::{Dotted, ImagePolicy, OwnProgram, Policy, Programs, StatementPolicy};
use vitrine_attest::app_facts::AppFacts;
use vitrine_attest::config::Span;
use vitrine_attest::dsse::k_of_n;
use vitrine_attest::statement::{Image, Release};

pub const CHECK: Check = Check { code: "V25", title: "the statement is one that the policy allows", run };

const DAY: u64 = 86_400;

fn run(case: &Case) -> CheckResult {
    let policy = &case.demands.policy;
    if policy.statement == StatementPolicy::default() && policy.images.is_empty() {
        return Ok(String::new());
    }
    let release = case.release()?;
    let found = [
        key(case, policy),
        signers(case, policy),
        image(policy, release),
        last_day(policy, release, case.inputs.now),
        programs(policy, release),
        app(policy, release),
    ];
    let mut failures = found.into_iter().flatten();
    let Some(mut first) = failures.next() else { return Ok(String::new()) };
    for other in failures {
        first.detail = format!("{}; and {}", first.detail, other.detail);
    }
    Err(first.into())
}

fn key(case: &Case, policy: &Policy) -> Option<Failure> {
    let (keys, got) = (&policy.statement.keys, case.inputs.promise.key());
    if keys.is_empty() || keys.iter().any(|key| key.key() == got.key()) {
        return None;
    }
    let names: Vec<String> = keys.iter().map(ToString::to_string).collect();
    let detail = "the statement is signed by a key that the policy does not name";
    Some(Failure::differs("release-key-refused", detail, names.join(" or "), got))
}

/// Different keys of the policy's, whoever else has signed.
fn signers(case: &Case, policy: &Policy) -> Option<Failure> {
    let least = policy.statement.threshold?;
    let missing = k_of_n(case.inputs.promise.envelope(), &policy.statement.keys, least).err()?;
    Some(Failure::new("too-few-signers", missing.what))
}

fn image(policy: &Policy, release: &Release) -> Option<Failure> {
    if policy.images.is_empty() {
        return None;
    }
    match policy.images.get(&release.image.name) {
        None => {
            let names: Vec<&str> = policy.images.keys().map(String::as_str).collect();
            let detail = "the policy does not name this image";
            Some(Failure::differs("image-not-allowed", detail, names.join(" or "), &release.image.name))
        }
        Some(least) => sequence(least, release.seq).or_else(|| version(least, &release.image)),
    }
}

fn sequence(least: &ImagePolicy, got: u64) -> Option<Failure> {
    let least = least.min_seq.filter(|least| got < *least)?;
    Some(Failure::differs("release-too-old", "sequence number of the release", format!("{least} or later"), got))
}

fn version(least: &ImagePolicy, image: &Image) -> Option<Failure> {
    let least = least.min_version.as_ref()?;
    let expected = format!("{least} or later");
    match image.version.parse::<Dotted>() {
        Ok(got) if got >= *least => None,
        Ok(got) => Some(Failure::differs("version-too-old", "version of the image", expected, got)),
        Err(why) => Some(Failure::differs(
            "version-unreadable",
            format!("version of the image: {why}"),
            expected,
            &image.version,
        )),
    }
}

fn last_day(policy: &Policy, release: &Release, now: u64) -> Option<Failure> {
    let span: Span = policy.statement.expires_within?;
    let Some(last) = release.not_after.as_deref().and_then(day_of) else {
        return Some(Failure::new("expiry-missing", "the statement names no last day, and the policy wants one"));
    };
    let latest = (now + span.as_seconds()) / DAY;
    (last > latest).then(|| {
        let expected = format!("{} or earlier", date(latest * DAY));
        let got = release.not_after.clone().unwrap_or_default();
        Failure::differs("expiry-too-far", "last day of the statement", expected, got)
    })
}

fn programs(policy: &Policy, release: &Release) -> Option<Failure> {
    (policy.statement.programs == Programs::Locked && !release.programs_are_locked()).then(|| {
        let detail = "the statement names no toolchain and sources: its programs are a host's build, and the policy wants a locked one";
        Failure::new("programs-not-locked", detail)
    })
}

/// What the image starts is in its configuration, which is measured; what was audited is the operator's word.
fn app(policy: &Policy, release: &Release) -> Option<Failure> {
    if release.config.app.is_none() && release.app.is_none() {
        return None;
    }
    let audited = release.app.as_ref().is_some_and(AppFacts::is_audited);
    match policy.statement.app {
        OwnProgram::Any => None,
        OwnProgram::Audited if audited => None,
        OwnProgram::Audited => {
            let detail = "the image runs a program of the operator's own, and the statement does not say that what runs is what was audited";
            Some(Failure::new("app-not-audited", detail))
        }
        OwnProgram::None => {
            let detail = "the image runs a program of the operator's own, and the policy wants none";
            Some(Failure::new("app-not-allowed", detail))
        }
    }
}
