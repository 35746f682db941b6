//! Logs in object storage, against moto's S3 over HTTP: `tools/object-storage/store.py` makes its conditional writes atomic, lets
//! botocore judge every signature, and fails where a test says so.
//!
//! Without moto nothing is tested, and each test says so; with `VITRINE_OBJECT_STORAGE=required` they fail. What installs it:
//! `tools/object-storage/install.sh`.

mod crowd;
mod faults;
mod life;
mod refused;

use base64::{engine::general_purpose::STANDARD, Engine as _};
use serde_json::{json, Value};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

const ORIGIN: &str = "log.example/vitrine";
const BUCKET: &str = "transparency";
const REGION: &str = "eu-test-1";
const ID: &str = "AKIDTEST";
const SECRET: &str = "a/secret+of+tests";

/// A store of its own for one test; it ends with this value.
struct Store {
    child: Child,
    port: u16,
    agent: ureq::Agent,
}

/// Python with moto. None: it is not installed.
fn python() -> Option<&'static Path> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    let found = FOUND.get_or_init(|| {
        let below = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("object-storage/venv/bin/python");
        let named = std::env::var_os("VITRINE_MOTO_PYTHON").map(PathBuf::from);
        let mut all = named.into_iter().chain([below, "python3".into()]);
        all.find(|python| {
            let tried = Command::new(python).args(["-c", "import moto.server, flask"]).stderr(Stdio::null()).status();
            tried.is_ok_and(|status| status.success())
        })
    });
    let demanded = std::env::var("VITRINE_OBJECT_STORAGE").is_ok_and(|word| word == "required");
    assert!(found.is_some() || !demanded, "moto is not installed: run tools/object-storage/install.sh");
    if found.is_none() {
        eprintln!("skipped: moto is not installed; run tools/object-storage/install.sh");
    }
    found.as_deref()
}

impl Store {
    fn start() -> Option<Self> {
        Self::start_with(&[])
    }

    fn start_with(arguments: &[&str]) -> Option<Self> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tools/object-storage/store.py");
        let mut command = Command::new(python()?);
        command.arg(script).args(arguments).env("PYTHONDONTWRITEBYTECODE", "1");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let store = Self { child, port: line.trim().parse().expect("the store does not start"), agent: ureq::agent() };
        if arguments.is_empty() {
            store.ask(&json!({ "bucket": BUCKET }));
        }
        Some(store)
    }

    fn ask(&self, wish: &Value) -> Value {
        let mut answer =
            self.agent.post(format!("http://127.0.0.1:{}/_control", self.port)).send(wish.to_string()).unwrap();
        serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap()
    }

    /// From now on this happens to the requests of these numbers.
    fn faults(&self, faults: &[(usize, &str)]) {
        let faults: serde_json::Map<String, Value> =
            faults.iter().map(|(n, fault)| (n.to_string(), json!(fault))).collect();
        self.ask(&json!({"reset": true, "faults": faults}));
    }

    fn quiet(&self) {
        self.ask(&json!({"reset": true, "release": true}));
    }

    /// Those since [`Self::faults`].
    fn requests(&self) -> Vec<String> {
        let all = self.ask(&json!({}))["requests"].as_array().unwrap().clone();
        all.iter().map(|one| one.as_str().unwrap().into()).collect()
    }

    /// All objects, but for those of the probe.
    fn save(&self) -> Vec<(String, Vec<u8>)> {
        let names = self.list().into_iter().filter(|name| !name.contains("/probe-"));
        names.map(|name| (name.clone(), self.get(&name).unwrap())).collect()
    }

    /// Nothing but these.
    fn restore(&self, saved: &[(String, Vec<u8>)]) {
        self.ask(&json!({"reset": true, "empty": BUCKET}));
        saved.iter().for_each(|(name, bytes)| self.put(name, bytes));
    }

    fn wait_until_hanging(&self, child: &mut Child) -> bool {
        let begun = Instant::now();
        while self.ask(&json!({}))["hanging"] == json!(0) {
            assert!(begun.elapsed() < Duration::from_secs(30), "no request hangs");
            if child.try_wait().unwrap().is_some() {
                return false;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        true
    }

    fn get(&self, name: &str) -> Option<Vec<u8>> {
        let said = self.ask(&json!({"get": format!("{BUCKET}/{name}")}));
        said["base64"].as_str().map(|text| STANDARD.decode(text).unwrap())
    }

    fn put(&self, name: &str, bytes: &[u8]) {
        self.ask(&json!({"put": format!("{BUCKET}/{name}"), "base64": STANDARD.encode(bytes)}));
    }

    fn list(&self) -> Vec<String> {
        let all = self.ask(&json!({ "list": BUCKET }))["list"].as_array().unwrap().clone();
        all.iter().map(|one| one.as_str().unwrap().into()).collect()
    }

    fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Size and root that are published.
    fn published(&self) -> (u64, String) {
        let note = String::from_utf8(self.get("a/checkpoint").unwrap()).unwrap();
        let mut lines = note.lines().skip(1);
        (lines.next().unwrap().parse().unwrap(), lines.next().unwrap().into())
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vitrine-verify"));
    command
        .args(args)
        .env("AWS_ACCESS_KEY_ID", ID)
        .env("AWS_SECRET_ACCESS_KEY", SECRET)
        .env_remove("AWS_SESSION_TOKEN");
    command
}

fn verify(args: &[&str]) -> Output {
    command(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn good(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

fn bad(output: &Output, code: i32) -> String {
    assert_eq!(output.status.code(), Some(code), "{}{}", text(&output.stdout), text(&output.stderr));
    assert!(!text(&output.stderr).contains(SECRET), "the secret is told");
    text(&output.stderr)
}

/// What one machine has of a log.
struct Machine {
    folder: tempfile::TempDir,
}

impl Machine {
    fn dir(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn path(&self) -> String {
        self.dir().display().to_string()
    }

    fn init(store: &Store) -> Self {
        Self::init_with(store, &[])
    }

    fn init_with(store: &Store, more: &[&str]) -> Self {
        let machine = Self { folder: tempfile::tempdir().unwrap() };
        good(&machine.try_init(store, more));
        store.quiet();
        machine
    }

    fn try_init(&self, store: &Store, more: &[&str]) -> Output {
        let (path, bucket, endpoint) = (self.path(), format!("s3://{BUCKET}/a"), store.endpoint());
        let mut args = vec!["log", "init", &path, "--origin", ORIGIN, "--bucket", &bucket, "--endpoint", &endpoint];
        args.extend(["--region", REGION]);
        args.extend(more);
        verify(&args)
    }

    /// Another machine with the same keys.
    fn another(&self) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("log")).unwrap();
        for entry in std::fs::read_dir(self.dir()).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                std::fs::copy(&path, folder.path().join("log").join(path.file_name().unwrap())).unwrap();
            }
        }
        Self { folder }
    }

    /// In a file, so that no test has to change its own environment.
    fn keep_credentials(&self) {
        let mut new = std::fs::OpenOptions::new();
        let mut file = new.write(true).create_new(true).mode(0o600).open(self.dir().join("credentials")).unwrap();
        write!(file, "AWS_ACCESS_KEY_ID={ID}\nAWS_SECRET_ACCESS_KEY={SECRET}\n").unwrap();
    }

    fn beside(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.display().to_string()
    }

    fn append(&self, lines: &[String], batch: usize) -> Command {
        let file = self.beside("lines", lines.join("\n"));
        command(&["log", "append", &self.path(), "--json", "--lines", &file, "--batch", &batch.to_string()])
    }

    fn lines(&self, lines: &[String], batch: usize) -> String {
        good(&self.append(lines, batch).output().unwrap())
    }

    fn fsck(&self) -> Output {
        verify(&["log", "fsck", &self.path()])
    }

    /// All entries, in their order, from a log that is whole.
    fn entries(&self, store: &Store) -> Vec<String> {
        let told = good(&self.fsck());
        assert!(!told.contains("promised"), "{told}");
        let size = store.published().0;
        let mut all = vec![];
        for tile in 0..size.div_ceil(256) {
            let tile = vitrine_attest::tile::Tile::of_tree(0, tile, size).unwrap();
            let bundle = store.get(&format!("a/{}", tile.entries_path())).unwrap();
            let found = vitrine_attest::tile::entries(&bundle, tile.width).unwrap();
            all.extend(found.into_iter().map(|entry| String::from_utf8(entry.to_vec()).unwrap()));
        }
        all
    }
}

fn numbered(name: &str, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{name} {n}")).collect()
}

/// Each entry once.
fn each_once(found: &[String], expected: &[String]) {
    let sorted = |all: &[String]| {
        let mut all = all.to_vec();
        all.sort();
        all
    };
    assert_eq!(sorted(found), sorted(expected));
}
