//! Somebody follows the log while its operator lies in each way that the monitor's table names: each is found, and what proves it
//! convinces whoever has the keys.

use crate::images::Images;
use crate::machine::Running;
use crate::published::{Server, World};
use base64::{engine::general_purpose::STANDARD, Engine as _};
use ed25519_dalek::SigningKey;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use vitrine_attest::dsse::{self, Envelope};
use vitrine_attest::private_key;
use vitrine_attest::statement::Statement;

/// The monitor's file; what it remembers lies beside it.
pub struct Monitor<'w> {
    world: &'w World<'w>,
    name: &'static str,
}

/// What one round has told.
pub struct Round {
    code: i32,
    lines: Vec<Value>,
}

impl<'w> Monitor<'w> {
    /// `log`: more lines of its table, with the place; `more`: other tables.
    pub fn new(world: &'w World<'w>, name: &'static str, log: &str, more: &str) -> Self {
        let key = world.images.path("keys/release.pub");
        let text = format!(
            "version = 1\nstate = \"{name}-state\"\n[[log]]\npolicy = \"policy\"\nrelease_keys = [\"{}\"]\n{log}\n{more}",
            key.display()
        );
        world.write(name, &text);
        Self { world, name }
    }

    pub fn round(&self) -> Round {
        let outcome = self.world.run(&format!("monitor run {{{}}} --once --json --html {{page.html}}", self.name));
        let line = |line: &str| serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}"));
        let round = Round { code: outcome.exit_code, lines: outcome.stdout.lines().map(line).collect() };
        eprintln!("{}: exit code {}, {:?}", self.name, round.code, round.kinds());
        assert!(round.events("trouble").is_empty(), "{outcome:?}");
        round
    }

    /// Exit code of whoever judges the alert's file with the log's and the release key.
    fn judged(&self, alert: &Value) -> i32 {
        let (file, key) = (alert["evidence"].as_str().unwrap(), self.world.images.path("keys/release.pub"));
        self.world.run(&format!("monitor evidence {file} --key {{log/log.pub}} --key {}", key.display())).exit_code
    }
}

impl Round {
    fn events(&self, event: &str) -> Vec<&Value> {
        self.lines.iter().filter(|line| line["event"] == event).collect()
    }

    fn kinds(&self) -> Vec<&str> {
        self.events("alert").iter().map(|line| line["kind"].as_str().unwrap()).collect()
    }

    #[track_caller]
    pub fn quiet(&self) {
        assert_eq!((self.code, self.kinds()), (0, vec![]), "{:#?}", self.lines);
    }

    /// What is new are these, in any order.
    #[track_caller]
    fn finds(&self, kinds: &[&str]) -> &Value {
        let mut found = self.kinds();
        found.sort_unstable();
        assert_eq!((self.code, found.as_slice()), (1, kinds), "{:#?}", self.lines);
        self.events("alert")[0]
    }

    /// Among what is new is this.
    #[track_caller]
    fn has(&self, kind: &str) -> &Value {
        let found = self.events("alert").into_iter().find(|alert| alert["kind"] == kind);
        found.unwrap_or_else(|| panic!("no {kind}: {:#?}", self.lines))
    }
}

/// The log as it is served, with the server that was booted: nothing to tell, and the release is listed.
pub fn honest<'w>(world: &'w World<'w>, running: &Running, log: &Server) -> Monitor<'w> {
    let monitor = Monitor::new(world, "monitor", &format!("place = \"http://{}\"", log.address), &server(running));
    let round = monitor.round();
    round.quiet();
    assert_eq!(round.events("release").len(), 1, "{:#?}", round.lines);
    assert!(world.text("page.html").contains("zurich-1"));
    monitor
}

fn server(running: &Running) -> String {
    format!(
        "[[server]]\nname = \"zurich-1\"\nurl = \"{}\"\nek_roots = \"{}\"\n",
        running.guest.url(),
        running.guest.ek_roots().display()
    )
}

/// The release was revoked in the log; then the operator lies, with its own keys and, where it gets them, its witnesses' signatures.
pub fn lies(monitor: &Monitor<'_>, running: &Running) {
    let world = monitor.world;
    let was = monitor.round();
    assert!(was.finds(&["server-rejected"])["what"].as_str().unwrap().contains("V30 revoked"), "{:#?}", was.lines);
    copy(world, "log", "before");

    // a second release of the same version, which only some are given
    let release = statement(world.images);
    let key = fs::read(world.images.path("keys/release.key")).unwrap();
    let key = private_key::ed25519(&key, "the release key", "").unwrap();
    let mut second = release.clone();
    second.predicate.seq += 1;
    second.predicate.cmdline += " debug";
    append(world, "log", "second", &signed(&second, &key));
    let round = monitor.round();
    assert_eq!(monitor.judged(round.finds(&["two-releases"])), 0, "it proves it");

    // a release by somebody else
    let mut foreign = release;
    (foreign.predicate.image.version, foreign.predicate.seq) = ("9.9".into(), 99);
    append(world, "log", "foreign", &signed(&foreign, &SigningKey::from_bytes(&[9; 32])));
    assert_eq!(
        monitor.judged(monitor.round().finds(&["unexpected-key"])),
        2,
        "that others do not expect it is our word"
    );

    rebuilt(world);
    monitor.round().finds(&["rebuild-differs"]);

    // an older log than before
    let shorter = Monitor::new(world, "shorter", "place = \"before\"", "");
    copy(world, "monitor-state", "shorter-state");
    shorter.round().has("rollback");

    // it stands still
    std::thread::sleep(Duration::from_secs(2));
    Monitor::new(world, "freeze", "place = \"log\"\nmax_age = \"1s\"", "").round().has("freeze");

    // another history for others: the witnesses do not sign that, so the operator goes without
    fs::remove_file(world.path("before/witnesses")).unwrap();
    append(world, "before", "apart", b"what others are shown");
    let both = Monitor::new(world, "both", "place = \"log\"\nmirrors = [\"before\"]", "");
    assert_eq!(both.judged(both.round().has("split-view")), 0, "it proves it");
    // whoever is shown only that one learns it from the witnesses
    let apart = Monitor::new(world, "apart-view", "place = \"before\"", "").round();
    apart.has("too-few-witnesses");
    apart.has("witness-disagrees");

    // a log in which the server's image is not
    world.good("log init {private} --origin log.example/vitrine");
    append(world, "private", "dedicated", &world.images.read("dedicated/release.dsse.json"));
    let policy = format!("log {}quorum none\n", world.text("private/log.pub"));
    let private = Monitor::new(world, "unlogged", "place = \"private\"", &server(running));
    world.write("private-policy", &policy);
    world.write("unlogged", &world.text("unlogged").replace("\"policy\"", "\"private-policy\""));
    private.round().finds(&["unlogged-image"]);
}

/// Somebody builds the release again from what was published, but for one setting: another image, and a verdict that says so.
fn rebuilt(world: &World<'_>) {
    let exit = world.images.path("exit");
    let keys = Command::new("vitrine").args(["keygen", "--out"]).arg(world.path("rebuilder")).output().unwrap();
    assert!(keys.status.success(), "{keys:?}");
    let owner = STANDARD.encode(SigningKey::from_bytes(&[7; 32]).verifying_key().as_bytes());
    let recipe = Path::new(env!("CARGO_MANIFEST_DIR")).join("../recipes/exit.toml");
    let outcome = world.run(&format!(
        "rebuild {{out/release.dsse.json}} --recipe {} --lock {}/2-lock.toml --key-file {{rebuilder/release.key}} \
         --out {{verdict.dsse.json}} -- --set config.owner={owner}",
        recipe.display(),
        exit.display()
    ));
    assert_eq!(outcome.exit_code, 1, "{outcome:?}");
    world.good("log append {log} {verdict.dsse.json}");
}

fn signed(statement: &Statement, key: &SigningKey) -> Vec<u8> {
    dsse::sign(statement, key).unwrap().to_json().unwrap()
}

fn statement(images: &Images) -> Statement {
    let envelope = Envelope::from_json(&images.read("exit/release.dsse.json")).unwrap();
    serde_json::from_slice(&envelope.payload).unwrap()
}

fn append(world: &World<'_>, log: &str, name: &str, entry: &[u8]) {
    fs::write(world.path(name), entry).unwrap();
    world.good(&format!("log append {{{log}}} {{{name}}}"));
}

fn copy(world: &World<'_>, from: &str, to: &str) {
    let copied = Command::new("cp").arg("-r").args([world.path(from), world.path(to)]).status().unwrap();
    assert!(copied.success());
}
