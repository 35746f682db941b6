//! Fills the release statement: the one thing that a verifier trusts by signature.

use crate::out;
use vitrine_attest::app_facts::AppFacts;
use vitrine_attest::config::Config;
use vitrine_attest::evidence::ImageId;
use vitrine_attest::expected::{Platform, Prediction};
use vitrine_attest::fingerprint::Fingerprint;
use vitrine_attest::statement::{Image, Input, Release, Statement, Subject, Waiver, RELEASE_TYPE};
use vitrine_attest::zero_log::{ZeroLog, ZeroLogStatement, NOT_PROVEN};
use vitrine_attest::{Error, Result, Sha256};
use vitrine_initramfs::Report;

/// What a release is made from, besides the prediction.
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    pub id: &'a ImageId,
    pub config: &'a Config,
    /// SHA-256 of the uncompressed initramfs.
    pub initramfs: Sha256,
    /// Sorted here.
    pub inputs: Vec<Input>,
    pub waivers: &'a [Waiver],
    pub app: Option<AppFacts>,
    pub seq: u64,
    pub not_after: Option<&'a str>,
}

/// The fingerprint of an image with this configuration.
pub fn fingerprint(prediction: &Prediction, config: &Config) -> Result<Fingerprint> {
    Ok(Fingerprint::new(prediction.authenticode, config.digest()?))
}

/// The predicate of the statement.
///
/// # Errors
/// When the prediction has no Secure Boot platform: a release is accepted on no other.
pub fn release(facts: &Facts, prediction: &Prediction) -> Result<Release> {
    let boot = prediction.platforms.get(&Platform::SecureBoot).ok_or_else(|| {
        Error::input(
            "a release needs the enrolled Secure Boot keys, because PCR 7 depends on them",
            "give a keys folder with secure-boot.json, made by `vitrine keygen`",
        )
    })?;
    let mut inputs = facts.inputs.clone();
    inputs.sort();
    Ok(Release {
        fingerprint: fingerprint(prediction, facts.config)?,
        image: Image {
            name: facts.id.name.clone(),
            version: facts.id.version.clone(),
            lock: facts.id.lock,
            authenticode: prediction.authenticode,
            initramfs: facts.initramfs,
            stub_version: prediction.stub_version,
        },
        config: facts.config.clone(),
        config_digest: facts.config.digest()?,
        boot: boot.clone(),
        cmdline: prediction.cmdline.clone(),
        inputs,
        waivers: facts.waivers.to_vec(),
        app: facts.app.clone(),
        seq: facts.seq,
        not_after: facts.not_after.map(String::from),
    })
}

/// The statement about the unsigned image: anybody can rebuild that without a signing key.
pub fn statement(unsigned: Sha256, release: Release) -> Statement {
    Statement::about(vec![Subject::new(out::UNSIGNED, unsigned)], RELEASE_TYPE, release)
}

/// What the screen says about the same image. Its report is clean: nothing else gets as far as this.
pub fn zero_log(release: &Statement, report: &Report) -> Result<ZeroLogStatement> {
    let predicate = ZeroLog {
        hash: report.compliance_hash()?,
        policy: report.policy,
        rules: report.rules,
        screened_by: format!("vitrine {}", env!("CARGO_PKG_VERSION")),
        authenticode: release.predicate.image.authenticode,
        accepted: report.findings.len() as u64,
        waivers: release.predicate.waivers.clone(),
        not_proven: NOT_PROVEN.map(String::from).to_vec(),
    };
    Ok(ZeroLogStatement::new(release.subject.clone(), predicate))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::sbom::{DEB, PROGRAM};
    use std::collections::BTreeMap;
    use vitrine_attest::expected::ExpectedBoot;
    use vitrine_attest::pcr::PcrValues;

    fn prediction() -> Prediction {
        let boot = ExpectedBoot { pcrs: PcrValues::default(), events: vec![] };
        Prediction {
            stub_version: 257,
            authenticode: Sha256::of(b"image"),
            cmdline: "quiet".into(),
            platforms: BTreeMap::from([(Platform::SecureBoot, boot)]),
        }
    }

    pub fn sample() -> Release {
        let input = |kind: &str, name: &str, version: &str| Input {
            kind: kind.into(),
            name: name.into(),
            version: version.into(),
            sha256: Sha256::ZERO,
        };
        let config: Config = serde_json::from_str(r#"{"wireguard":{"addresses":["10.66.0.1/24"]}}"#).unwrap();
        let id = ImageId { name: "exit".into(), version: "1".into(), lock: Sha256::of(b"lock") };
        let facts = Facts {
            id: &id,
            config: &config,
            initramfs: Sha256::ZERO,
            inputs: vec![input(PROGRAM, "vitrine-init", "0.1.0"), input(DEB, "libc6", "2.41-12+b1")],
            waivers: &[],
            app: None,
            seq: 3,
            not_after: None,
        };
        release(&facts, &prediction()).unwrap()
    }

    #[test]
    fn inputs_are_sorted_and_digests_follow_the_configuration() {
        let release = sample();
        assert_eq!(release.inputs[0].name, "libc6");
        assert_eq!(release.config_digest, release.config.digest().unwrap());
        assert_eq!(release.fingerprint, Fingerprint::new(Sha256::of(b"image"), release.config_digest));
    }

    #[test]
    fn no_release_without_secure_boot() {
        let mut bare = prediction();
        bare.platforms.clear();
        let release = sample();
        let id = ImageId { name: "exit".into(), version: "1".into(), lock: Sha256::ZERO };
        let facts = Facts {
            id: &id,
            config: &release.config,
            initramfs: Sha256::ZERO,
            inputs: vec![],
            waivers: &[],
            app: None,
            seq: 0,
            not_after: None,
        };
        assert!(super::release(&facts, &bare).unwrap_err().what.contains("Secure Boot keys"));
    }
}
