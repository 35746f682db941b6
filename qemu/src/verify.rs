//! The shipped `vitrine-verify`, as a third party runs it: another program, judged by its exit code and report.

use crate::process::Process;
use crate::scratch::Scratch;
use crate::text;
use serde::{Deserialize, Deserializer};
use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use vitrine_attest::digest::Key32;
use vitrine_attest::pcr::Pcr;
use vitrine_attest::{Error, Result, Sha256};

/// Names the program, before all other places.
pub const VARIABLE: &str = "VITRINE_VERIFY";
const NAME: &str = "vitrine-verify";
/// A check takes seconds; a guest under TCG on a loaded machine may need a minute for a quote.
const PATIENCE: Duration = Duration::from_secs(240);
/// Largest output we read.
const OUTPUT_LIMIT: u64 = 16 << 20;

/// Where the program is, and a folder for what it writes.
pub struct Verifier {
    program: PathBuf,
    work: Scratch,
}

/// How one run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// 0 accepted or done, 1 rejected, 2 could not judge.
    pub exit_code: i32,
    pub stdout: String,
    /// Its last lines.
    pub stderr: String,
}

/// The parts of its JSON report that we look at.
#[derive(Debug, Clone, Deserialize)]
pub struct Report {
    pub verdict: String,
    pub keys: Option<Keys>,
    pub checks: Vec<Check>,
    /// With `--explain`: one line for each register that differs, the likely cause in words.
    #[serde(default, deserialize_with = "causes")]
    pub explanation: Vec<String>,
}

/// `{"remark":"…","differences":[{"pcr":12,"cause":"…","advice":"…",…}]}`
fn causes<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    struct Explanation {
        differences: Vec<Difference>,
    }
    #[derive(Deserialize)]
    struct Difference {
        pcr: Pcr,
        cause: String,
    }
    let explanation = Explanation::deserialize(deserializer)?;
    Ok(explanation.differences.iter().map(|difference| format!("{}: {}", difference.pcr, difference.cause)).collect())
}

#[derive(Debug, Clone, Deserialize)]
pub struct Keys {
    /// The newest.
    pub wireguard: Key32,
    /// Of [`Self::wireguard`]: 0 is the key of the boot.
    pub generation: u32,
    /// UDP ports on which it answers.
    pub ports: Vec<u16>,
    /// SHA-256 of the SubjectPublicKeyInfo of DNS over TLS and HTTPS.
    pub tls_spki: Sha256,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Check {
    pub code: String,
    pub status: String,
    pub reason: Option<String>,
    #[serde(default)]
    pub detail: String,
}

impl Verifier {
    /// `VITRINE_VERIFY`, else beside our own program, else in the PATH.
    ///
    /// # Errors
    /// When it is nowhere.
    pub fn find() -> Result<Self> {
        let named = std::env::var_os(VARIABLE).map(PathBuf::from);
        let beside = std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.join(NAME)));
        let path = std::env::var_os("PATH").unwrap_or_default();
        let in_path = std::env::split_paths(&path).map(|folder| folder.join(NAME));
        let program = match named {
            Some(program) => Some(program).filter(|p| p.is_file()),
            None => beside.into_iter().chain(in_path).find(|p| p.is_file()),
        };
        let program = program.ok_or_else(|| {
            Error::host(format!("{NAME} is not there"), format!("build it: make build, or set {VARIABLE} to its path"))
        })?;
        Ok(Self { program, work: Scratch::new()? })
    }

    pub fn program(&self) -> &Path {
        &self.program
    }

    /// A file in its folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.work.join(name)
    }

    /// Runs it to its end.
    ///
    /// # Errors
    /// When it cannot be started, crashes, or does not end within four minutes.
    pub fn run<I: IntoIterator<Item = S>, S: Into<OsString>>(&self, arguments: I) -> Result<Outcome> {
        let failed = |e: std::io::Error| Error::host(format!("running {NAME}: {e}"), "");
        let (stdout, stderr, state) = (self.work.join("stdout"), self.work.join("stderr"), self.work.join("state"));
        // each run sees the server first: guests begin with copies of one TPM, which a memory would find out
        let _ = fs::remove_dir_all(&state);
        let mut command = Command::new(&self.program);
        command
            .args(arguments.into_iter().map(Into::into))
            .env("XDG_STATE_HOME", state)
            .stdin(Stdio::null())
            .stdout(File::create(&stdout).map_err(failed)?)
            .stderr(File::create(&stderr).map_err(failed)?);
        let status = Process::start(NAME, "vitrine", command)?.finish(PATIENCE)?;
        let stderr = text::last_lines(&stderr, 10);
        let exit_code = status
            .and_then(|s| s.code())
            .ok_or_else(|| Error::host(format!("{NAME} crashed or did not end"), format!("it said: {stderr}")))?;
        if fs::metadata(&stdout).map_err(failed)?.len() > OUTPUT_LIMIT {
            return Err(Error::bug(format!("{NAME} printed more than 16 MiB")));
        }
        let stdout = fs::read_to_string(&stdout).map_err(failed)?;
        Ok(Outcome { exit_code, stdout, stderr })
    }
}

impl Report {
    /// # Errors
    /// When it is not the form we know.
    pub fn parse(json: &str) -> Result<Self> {
        serde_json::from_str(json)
            .map_err(|e| Error::host(format!("{NAME}'s report: {e}"), "use programs of one version: make build"))
    }

    /// Reason codes of the checks that failed, such as `pcr-9-differs`.
    pub fn reasons(&self) -> Vec<&str> {
        self.failed().filter_map(|check| check.reason.as_deref()).collect()
    }

    pub fn failed(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| check.status == "failed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_read() {
        let report = Report::parse(
            r#"{"v":1,"verdict":"rejected","level":null,"keys":null,"checks":[
                {"code":"V01","title":"x","status":"passed"},
                {"code":"V20","title":"y","status":"failed","reason":"pcr-9-differs","detail":"d"}],"not_proven":[],
                "explanation":{"remark":"r","differences":[{"pcr":9,"index":0,"cause":"c","advice":"a"}]}}"#,
        )
        .unwrap();
        assert_eq!((report.verdict.as_str(), report.reasons()), ("rejected", vec!["pcr-9-differs"]));
        assert_eq!(report.explanation, ["PCR 9: c"]);
        assert!(Report::parse("{}").is_err());
    }

    #[test]
    fn exit_code_and_output_of_a_program() {
        let verifier = Verifier { program: "/bin/sh".into(), work: Scratch::new().unwrap() };
        let outcome = verifier.run(["-c", "echo out; echo err >&2; exit 1"]).unwrap();
        assert_eq!(outcome, Outcome { exit_code: 1, stdout: "out\n".into(), stderr: "err".into() });
        assert!(verifier.run(["-c", "kill -9 $$"]).is_err());
    }
}
