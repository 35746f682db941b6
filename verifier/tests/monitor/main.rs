//! The monitor against logs, witnesses and servers that are good, and against each that is not.

#[path = "../mock/mod.rs"]
mod mock;
#[path = "../person/mod.rs"]
mod person;

mod attacks;
mod hostile;
mod made;
mod quiet;
mod servers;

use made::MadeLog;
use mock::{Scene, SigningKey};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};
use vitrine_attest::dsse;
use vitrine_attest::statement::{Input, Statement, Subject};
use vitrine_attest::vkey::NoteKey;
use vitrine_attest::Sha256;

pub(crate) const ORIGIN: &str = "log.example/vitrine";

pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

pub(crate) fn secret(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

pub(crate) fn release_key(seed: u8) -> NoteKey {
    NoteKey::new("example.org/release", secret(seed).verifying_key()).unwrap()
}

/// A release of the mock server's image.
pub(crate) fn statement(version: &str, seq: u64) -> Statement {
    let mut statement = Scene::good().statement;
    (statement.predicate.image.version, statement.predicate.seq) = (version.into(), seq);
    statement
}

/// As an entry, signed with this key.
pub(crate) fn entry(statement: &Statement, seed: u8) -> Vec<u8> {
    dsse::sign(statement, &secret(seed)).unwrap().to_json().unwrap()
}

/// An entry of a kind that nobody knows.
pub(crate) fn other(n: usize) -> Vec<u8> {
    let subject = vec![Subject::new("x", Sha256::ZERO)];
    let any = Statement::about(subject, &format!("urn:example:{n}"), serde_json::json!({}));
    dsse::sign(&any, &secret(9)).unwrap().to_json().unwrap()
}

pub(crate) fn package(name: &str, version: &str) -> Input {
    let sha256 = Sha256::of(format!("{name}{version}").as_bytes());
    Input { kind: "deb".into(), name: name.into(), version: version.into(), sha256 }
}

/// A person who runs a monitor: a folder with files, and the program. Release key 1 is expected.
pub(crate) struct Here {
    folder: tempfile::TempDir,
}

/// What one run has said.
pub(crate) struct Said {
    pub code: i32,
    pub lines: Vec<Value>,
    pub errors: String,
}

impl Here {
    pub(crate) fn new() -> Self {
        let here = Self { folder: tempfile::tempdir().unwrap() };
        here.write("release.pub", format!("{}\n", release_key(1)));
        here
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vitrine-verify"));
        command.args(line.split_whitespace()).current_dir(self.folder.path());
        command
    }

    pub(crate) fn run(&self, line: &str) -> Output {
        self.command(line).output().unwrap()
    }

    #[track_caller]
    pub(crate) fn good(&self, line: &str) -> String {
        let output = self.run(line);
        let shown = format!("{}{}", text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(0), "{line}: {shown}");
        text(&output.stdout)
    }

    /// `log`: more lines of its table. The place is `log`, unless it says another.
    pub(crate) fn config(&self, log: &str, more: &str) {
        let place = if log.contains("place =") { "" } else { "place = \"log\"\n" };
        self.write(
            "monitor.toml",
            format!("version = 1\nstate = \"state\"\n[[log]]\n{place}policy = \"policy\"\nrelease_keys = [\"release.pub\"]\n{log}\n{more}"),
        );
    }

    pub(crate) fn round(&self) -> Said {
        self.round_with("")
    }

    pub(crate) fn round_with(&self, more: &str) -> Said {
        let output =
            self.run(&format!("monitor run monitor.toml --once --json --metrics metrics --html page.html {more}"));
        let lines = text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        Said { code: output.status.code().unwrap_or(-1), lines, errors: text(&output.stderr) }
    }

    /// A log of the program's own, with a policy without witnesses.
    pub(crate) fn real_log(&self) {
        self.good(&format!("log init log --origin {ORIGIN}"));
        let key = std::fs::read_to_string(self.path("log/log.pub")).unwrap();
        self.write("policy", format!("log {}\nquorum none\n", key.trim()));
    }

    pub(crate) fn append(&self, log: &str, entries: &[Vec<u8>]) {
        for entry in entries {
            self.write("entry", entry);
            self.good(&format!("log append {log} entry"));
        }
    }

    /// A log of the test's making, with its policy: witnesses 20 and 21 have to sign.
    pub(crate) fn made_log(&self, entries: Vec<Vec<u8>>) -> MadeLog {
        let log = MadeLog::new(entries);
        self.write("policy", log.policy());
        log.publish(&self.path("log"), log.entries.len(), &[now() - 60, now() - 30]);
        log
    }

    pub(crate) fn alerts(&self) -> Vec<Value> {
        let file = std::fs::read_to_string(self.path("state/state.json")).unwrap();
        let state: Value = serde_json::from_str(file.split_once('\n').unwrap().1).unwrap();
        state["alerts"].as_array().unwrap().clone()
    }

    /// What the program says of an evidence file: exit code and text.
    pub(crate) fn evidence(&self, alert: &Value, keys: &str) -> (i32, String) {
        let output = self.run(&format!("monitor evidence {} {keys}", alert["evidence"].as_str().unwrap()));
        (output.status.code().unwrap(), format!("{}{}", text(&output.stdout), text(&output.stderr)))
    }
}

impl Said {
    pub(crate) fn events(&self, event: &str) -> Vec<&Value> {
        self.lines.iter().filter(|line| line["event"] == event).collect()
    }

    pub(crate) fn kinds(&self) -> Vec<&str> {
        self.events("alert").iter().map(|line| line["kind"].as_str().unwrap()).collect()
    }

    #[track_caller]
    pub(crate) fn quiet(&self) {
        assert_eq!((self.code, self.kinds()), (0, vec![]), "{}\n{:#?}", self.errors, self.lines);
        assert!(self.events("trouble").is_empty(), "{:?}", self.lines);
    }

    /// Exactly one alert, of this kind.
    #[track_caller]
    pub(crate) fn one(&self, kind: &str) -> &Value {
        assert_eq!((self.code, self.kinds()), (1, vec![kind]), "{}\n{:#?}", self.errors, self.lines);
        self.events("alert")[0]
    }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), &to).unwrap();
        }
    }
}

/// A program that goes on; it is ended with the test.
pub(crate) struct Running(pub Child);

impl Running {
    pub(crate) fn start(mut command: Command) -> (Self, std::io::BufReader<std::process::ChildStdout>) {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let out = std::io::BufReader::new(child.stdout.take().unwrap());
        (Self(child), out)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
