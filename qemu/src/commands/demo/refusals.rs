//! Tampered variants. Each has to be refused, with exit code 1 and for its own reason.

use super::super::files;
use super::parts::{Judgement, Parts};
use super::story::Story;
use super::unexpected;
use crate::boot::{Arrival, Options, SecureBoot};
use crate::tamper;
use crate::verify::{Outcome, Report};
use serde_json::Value;
use std::fs;
use std::path::Path;
use vitrine_attest::digest::base64_bytes;
use vitrine_attest::digest::hex;
use vitrine_attest::{Error, Result};

/// What has to be in a refusal.
struct Expected {
    /// One of these reason codes.
    reasons: &'static [&'static str],
    /// Words of the explanation.
    words: &'static str,
}

/// The firmware refuses it; on a machine without Secure Boot the verifier does.
pub fn changed_initramfs(parts: &Parts, story: &mut Story) -> Result<()> {
    let image = tamper::change_initramfs(&parts.image)?;
    story.step("Tampered: one byte of the initramfs changed, Secure Boot on")?;
    let mut options = Options { image, ..parts.options() };
    let (guest, arrival) = parts.try_boot(&options)?;
    guest.stop();
    match arrival {
        Arrival::RefusedByFirmware(words) => story.tell(&format!("refused by the firmware: {words}"))?,
        Arrival::Up(_) => return Err(unexpected("the firmware started an altered image", "")),
    }

    story.step("The same, Secure Boot off: it boots, and looks alike from outside")?;
    options.secure_boot = SecureBoot::Off;
    refused(parts, story, &options, "initramfs", &Expected { reasons: &["pcr-4-differs"], words: "section .initrd" })
}

/// The signed image boots with Secure Boot on; only PCR 9 and 12 tell.
pub fn smbios_command_line(parts: &Parts, story: &mut Story) -> Result<()> {
    story.step("Tampered: a kernel argument slipped in by the hypervisor (SMBIOS), Secure Boot on")?;
    let options = parts.options().smbios_string("io.systemd.stub.kernel-cmdline-extra=EVIL=1");
    let expected = Expected { reasons: &["pcr-9-differs", "pcr-12-not-zero"], words: "EVIL=1" };
    refused(parts, story, &options, "smbios", &expected)
}

/// The stub adds such files to the initramfs, whatever Secure Boot says.
pub fn credential_on_the_disk(parts: &Parts, story: &mut Story) -> Result<()> {
    story.step("Tampered: a credential file beside the image on the boot disk, Secure Boot on")?;
    let options = parts.options().esp_file("loader/credentials/evil.cred", b"EVIL");
    let expected = Expected { reasons: &["pcr-9-differs", "pcr-12-not-zero"], words: "credential" };
    refused(parts, story, &options, "credential", &expected)
}

/// Properly signed, but made for development.
pub fn development_image(parts: &Parts, out: &Path, story: &mut Story) -> Result<()> {
    story.step("The development image, with its console and shell, signed with the same keys")?;
    let options = Options { image: files::image(out)?, ..parts.options() };
    refused(parts, story, &options, "dev", &Expected { reasons: &["dev-image"], words: "" })
}

/// Evidence of the genuine server, answered to another question.
pub fn replayed_evidence(parts: &Parts, recorded: &Judgement, story: &mut Story) -> Result<()> {
    story.step("Replayed: the genuine server's evidence of before, as an answer to a new nonce")?;
    let evidence = parts.verifier.file("replayed.evidence.json");
    fs::write(&evidence, recorded_evidence(&recorded.record)?)
        .map_err(|e| Error::host(format!("{}: {e}", evidence.display()), ""))?;
    let roots = parts.verifier.file("genuine.pem");
    let mut arguments = parts.check_arguments(evidence, Some(&roots));
    arguments.extend(["--nonce".into(), hex(&crate::random::bytes::<32>()?).into(), "--json".into()]);
    let outcome = parts.verifier.run(arguments)?;
    let report = Report::parse(&outcome.stdout)?;
    judge(story, &outcome, &report, &Expected { reasons: &["extra-data-differs"], words: "" })
}

/// M2 of the saved messages, the very bytes that came from the server.
fn recorded_evidence(record: &Path) -> Result<Vec<u8>> {
    let bad = |e: &dyn std::fmt::Display| Error::host(format!("{}: {e}", record.display()), "");
    let value: Value = serde_json::from_slice(&fs::read(record).map_err(|e| bad(&e))?).map_err(|e| bad(&e))?;
    base64_bytes::deserialize(&value["m2"]).map_err(|e| bad(&e))
}

/// Boots it and lets the verifier judge it.
fn refused(parts: &Parts, story: &mut Story, options: &Options, name: &str, expected: &Expected) -> Result<()> {
    let (guest, time) = parts.boot(options)?;
    story.tell(&format!("the server answers {:.1} s after power-on", time.as_secs_f32()))?;
    let judgement = parts.check(&guest, name)?;
    guest.stop();
    judge(story, &judgement.outcome, &judgement.report, expected)
}

/// Exit code 1, no key shown, and the reason that belongs to this attack.
fn judge(story: &mut Story, outcome: &Outcome, report: &Report, expected: &Expected) -> Result<()> {
    let text = summary(report);
    story.tell(&format!("{} (exit code {})\n{text}", report.verdict.to_uppercase(), outcome.exit_code))?;
    let reason = report.reasons().iter().any(|reason| expected.reasons.contains(reason));
    let explained = report.explanation.iter().any(|line| line.contains(expected.words)) || expected.words.is_empty();
    if outcome.exit_code != 1 || report.keys.is_some() || !reason || !explained {
        let wanted = format!("one of {} and \"{}\" was expected", expected.reasons.join(", "), expected.words);
        return Err(unexpected("this was not refused for its reason", &format!("{wanted}; got:\n{text}")));
    }
    Ok(())
}

/// The failed checks and the explanation.
fn summary(report: &Report) -> String {
    let mut lines = Vec::new();
    for check in report.failed() {
        let reason = check.reason.as_deref().unwrap_or_default();
        if reason != "not-reached" {
            lines.push(format!("{} {reason}: {}", check.code, check.detail));
        }
    }
    lines.extend(report.explanation.iter().map(|line| format!("because: {line}")));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(reason: &str, explanation: &str) -> Report {
        Report::parse(&format!(
            r#"{{"verdict":"rejected","keys":null,"explanation":{{"differences":[{{"pcr":9,"cause":"{explanation}"}}]}},"checks":[
                {{"code":"V20","status":"failed","reason":"{reason}","detail":"PCR 9"}}]}}"#
        ))
        .unwrap()
    }

    fn outcome(exit_code: i32) -> Outcome {
        Outcome { exit_code, stdout: String::new(), stderr: String::new() }
    }

    #[test]
    fn only_the_right_refusal_counts() {
        let expected = Expected { reasons: &["pcr-9-differs"], words: "EVIL" };
        let mut story = Story::begin(true);
        let mut judge = |code, report: &Report| judge(&mut story, &outcome(code), report, &expected);
        judge(1, &report("pcr-9-differs", "EVIL=1 was added")).unwrap();
        assert_eq!(judge(0, &report("pcr-9-differs", "EVIL=1")).unwrap_err().exit_code(), 1);
        assert!(judge(2, &report("pcr-9-differs", "EVIL=1")).is_err());
        assert!(judge(1, &report("signature-invalid", "EVIL=1")).is_err());
        assert!(judge(1, &report("pcr-9-differs", "something else")).is_err());
    }

    #[test]
    fn evidence_is_taken_out_of_a_record() {
        let folder = tempfile::tempdir().unwrap();
        let record = folder.path().join("record.json");
        fs::write(&record, r#"{"v":1,"m1":"","m2":"aGVsbG8="}"#).unwrap();
        assert_eq!(recorded_evidence(&record).unwrap(), b"hello");
        fs::write(&record, r#"{"v":1}"#).unwrap();
        assert!(recorded_evidence(&record).is_err());
    }
}
