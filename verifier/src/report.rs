//! What a check gives to read: by people, or as JSON with a stable form.

use crate::app_report::AppReport;
use crate::case::{Case, Inputs};
use crate::clock::date;
use crate::demands::Demands;
use crate::exchange::Source;
use crate::explanation::Explanation;
use crate::grounds::{self, Ground};
use crate::memory::{Memory, MemoryReport, Off};
use crate::outcome::{CheckReport, Status};
use crate::promise::{Giver, Givers};
use crate::verdict::{Level, Verdict};
use crate::{checks, limits};
use serde::Serialize;
use std::fmt::Write as _;
use vitrine_attest::canonical::to_canonical_json;
use vitrine_attest::config::Config;
use vitrine_attest::digest::Key32;
use vitrine_attest::event_log::printable;
use vitrine_attest::evidence::Evidence;
use vitrine_attest::fingerprint::Fingerprint;
use vitrine_attest::pcr::PcrValues;
use vitrine_attest::rotation;
use vitrine_attest::{Result, Sha256};

/// Version of the JSON form.
const VERSION: u32 = 3;

/// The result of one check, complete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    pub v: u32,
    pub verdict: Verdict,
    /// Why it was rejected, in a word each; empty otherwise.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub grounds: Vec<Ground>,
    /// What the first line says beside the verdict. Never empty when a check was skipped.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
    pub level: Option<Level>,
    pub source: Source,
    /// Who has handed on statement and proof.
    pub papers: Givers,
    /// What the statement says; none when its signature does not hold.
    pub release: Option<ReleaseReport>,
    /// The keys to use; none unless accepted, so that nobody takes those of a rejected server.
    pub keys: Option<Keys>,
    pub memory: MemoryReport,
    /// PCR 0-3 as the firmware's log tells them; for a policy's `[firmware]`.
    pub firmware: Option<PcrValues>,
    pub checks: Vec<CheckReport>,
    /// What differs first, and why, when it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explanation: Option<Explanation>,
    pub not_proven: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReleaseReport {
    pub fingerprint: Fingerprint,
    pub image: String,
    pub version: String,
    pub lock: Sha256,
    pub config_digest: Sha256,
    pub waivers: usize,
    /// A program of the operator's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app: Option<AppReport>,
}

/// ```json
/// {"boot":"…=","channel":"…=","generation":1,"ports":[51821],"tls_spki":"<64 hex>","wireguard":"…="}
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Keys {
    /// WireGuard's newest: the one for a client to use.
    pub wireguard: Key32,
    /// 0: the key of the boot; n: made at the n-th rotation since.
    pub generation: u32,
    /// UDP ports on which the newest key answers; a client may use any of them.
    pub ports: Vec<u16>,
    /// WireGuard's of generation 0. It is new at each boot, so it names the boot.
    pub boot: Key32,
    /// Orders are sealed to it.
    pub channel: Key32,
    /// Of DNS over TLS and HTTPS inside the tunnel.
    pub tls_spki: Sha256,
}

impl Keys {
    fn of(evidence: &Evidence, config: &Config) -> Self {
        let (generation, wireguard) = rotation::newest(&evidence.rotated, &evidence.keys);
        Self {
            wireguard,
            generation,
            ports: config.wireguard.ports_of(generation).to_vec(),
            boot: evidence.keys.wg_pub,
            channel: evidence.keys.channel_pub,
            tls_spki: evidence.keys.tls_spki,
        }
    }
}

/// [`judge_with`] without memory.
pub fn judge(inputs: Inputs, accept: Level) -> (Case, Report) {
    judge_with(inputs, Demands::at(accept))
}

/// Runs every check and gives the verdict.
pub fn judge_with(inputs: Inputs, demands: Demands) -> (Case, Report) {
    let case = Case::new(inputs, demands);
    let checks: Vec<CheckReport> = checks::ALL.iter().map(|check| check.report(&case)).collect();
    let (verdict, level) = Verdict::of(&checks, case.demands.level);
    let keys = match (case.evidence(), case.release()) {
        (Ok(evidence), Ok(release)) if verdict == Verdict::Accepted => Some(Keys::of(evidence, &release.config)),
        _ => None,
    };
    let report = Report {
        v: VERSION,
        verdict,
        remarks: remarks(&case, &checks, verdict),
        level,
        source: case.inputs.exchange.source.clone(),
        papers: case.inputs.promise.givers(),
        release: release(&case),
        keys,
        not_proven: limits::not_proven(&case, level),
        memory: MemoryReport::of(&case),
        firmware: case.firmware_registers().ok(),
        grounds: if verdict == Verdict::Rejected { grounds::of(&case, &checks) } else { vec![] },
        explanation: None,
        checks,
    };
    (case, report)
}

fn release(case: &Case) -> Option<ReleaseReport> {
    let release = case.release().ok()?;
    Some(ReleaseReport {
        fingerprint: release.fingerprint,
        image: release.image.name.clone(),
        version: release.image.version.clone(),
        lock: release.image.lock,
        config_digest: release.config_digest,
        waivers: release.waivers.len(),
        app: AppReport::of(release),
    })
}

fn remarks(case: &Case, checks: &[CheckReport], verdict: Verdict) -> Vec<String> {
    let mut remarks = Vec::new();
    let skipped: Vec<&str> =
        checks.iter().filter(|c| c.status == Status::Skipped && c.code != checks::CPU).map(|c| c.code).collect();
    if !skipped.is_empty() {
        let skipped = skipped.join(" and ");
        remarks.push(match verdict {
            Verdict::Accepted => format!("at level L1 only, as asked: {skipped} skipped"),
            Verdict::Rejected => format!("{skipped} skipped"),
            Verdict::CouldNotJudge => format!("{skipped} skipped: give what is missing, or --accept-level L1"),
        });
    }
    #[cfg(feature = "cpu-evidence")]
    if verdict == Verdict::CouldNotJudge && case.demands.level == Level::L3 && case.demands.cpu.is_none() {
        remarks.push("level L3 was asked for: give --cpu-evidence and --cpu-roots".into());
    }
    if matches!(case.demands.memory, Memory::Off(Off::Declined)) {
        remarks.push("nothing remembered, as asked".into());
    }
    match &case.inputs.exchange.source {
        Source::Server(_) => {}
        Source::Record(name) => remarks.push(format!("from messages saved in {name}, not asked now")),
        Source::Evidence(name) => remarks.push(format!("from a file, {name}: as fresh as the nonce you gave")),
        Source::Beacon(name) => remarks.push(format!("from a beacon, {name}: as fresh as its checkpoint")),
    }
    remarks
}

impl Report {
    /// Canonical JSON and a line end.
    pub fn json(&self) -> Result<String> {
        let mut bytes = to_canonical_json(self)?;
        bytes.push(b'\n');
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// For people, verdict first. Everything that came from the server is cleaned of control characters.
    pub fn text(&self) -> String {
        let mut out = self.verdict.to_string();
        if !self.grounds.is_empty() {
            let words: Vec<&str> = self.grounds.iter().map(|ground| ground.words()).collect();
            let _ = write!(out, "; {}", words.join(", "));
        }
        for remark in &self.remarks {
            let _ = write!(out, "; {}", printable(remark));
        }
        out.push_str("\n\n");
        self.write_facts(&mut out);
        out.push_str("\nChecks\n");
        for check in &self.checks {
            write_check(&mut out, check);
        }
        if let Some(explanation) = &self.explanation {
            write_explanation(&mut out, explanation);
        }
        write_list(&mut out, "Not proven", &self.not_proven);
        out
    }

    fn write_facts(&self, out: &mut String) {
        let mut fact = |name: &str, value: String| {
            let _ = writeln!(out, "{name:<14} {}", printable(&value));
        };
        match &self.source {
            Source::Server(name) => fact("Server", name.clone()),
            Source::Record(name) | Source::Evidence(name) | Source::Beacon(name) => fact("File", name.clone()),
        }
        for (name, giver) in [("Statement", Some(self.papers.statement)), ("Proof", self.papers.proof)] {
            if giver == Some(Giver::Server) {
                fact(name, "from the server, judged like a file of yours".into());
            }
        }
        match &self.memory {
            MemoryReport::Off | MemoryReport::Unreadable => {}
            MemoryReport::FirstSeen { server } => fact("Its TPM", format!("{server}, first seen")),
            MemoryReport::Known { server, first_seen, last_seen } => {
                let (first, last) = (date(*first_seen), date(*last_seen));
                fact("Its TPM", format!("{server}, known since {first}, last accepted {last}"));
            }
        }
        if let Some(release) = &self.release {
            fact("Fingerprint", release.fingerprint.to_string());
            fact("Image", format!("{} {}", release.image, release.version));
            fact("Lock", release.lock.to_string());
            fact("Configuration", release.config_digest.to_string());
            fact("Waivers", format!("{} in the statement: exceptions to screen rules, with reasons", release.waivers));
            if let Some(app) = &release.app {
                app.facts_into(&mut fact);
            }
        }
        match &self.keys {
            Some(keys) => write_keys(keys, &mut fact),
            None => fact("WireGuard key", "not shown: use no key of a server that was not accepted".into()),
        }
        match self.level {
            Some(level) => fact("Level", format!("{level}: {}", level.trust())),
            None => fact("Level", "none reached".into()),
        }
    }
}

fn write_keys(keys: &Keys, fact: &mut impl FnMut(&str, String)) {
    fact("WireGuard key", keys.wireguard.to_string());
    let ports: Vec<String> = keys.ports.iter().map(u16::to_string).collect();
    fact("UDP ports", ports.join(", "));
    if keys.generation > 0 {
        fact("Generation", format!("{}; at boot the key was {}", keys.generation, keys.boot));
    }
    fact("TLS key", format!("SHA-256 of SubjectPublicKeyInfo {}", keys.tls_spki));
}

fn write_check(out: &mut String, check: &CheckReport) {
    let mark = match check.status {
        Status::Passed => '✓',
        Status::Failed => '✗',
        Status::Skipped => '-',
    };
    let _ = write!(out, "  {mark} {} {}", check.code, check.title);
    if check.status == Status::Skipped {
        out.push_str(" [skipped]");
    }
    if let Some(reason) = check.reason {
        let _ = write!(out, " [{reason}]");
    }
    out.push('\n');
    for (name, value) in [
        ("", (!check.detail.is_empty()).then_some(&check.detail)),
        ("expected ", check.expected.as_ref()),
        ("got      ", check.got.as_ref()),
    ] {
        if let Some(value) = value {
            let _ = writeln!(out, "        {name}{}", printable(value));
        }
    }
}

fn write_explanation(out: &mut String, explanation: &Explanation) {
    let _ = writeln!(out, "\nExplanation\n  {}", explanation.remark);
    for difference in &explanation.differences {
        for line in difference.to_string().lines() {
            let _ = writeln!(out, "    {}", printable(line));
        }
    }
}

fn write_list(out: &mut String, title: &str, lines: &[String]) {
    let _ = write!(out, "\n{title}\n");
    for line in lines {
        let _ = writeln!(out, "  - {}", printable(line));
    }
}
