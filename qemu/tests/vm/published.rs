//! From a build to a log with two witnesses to a server that is checked against it: the programs as shipped, each its own process.

use crate::attached::attached;
use crate::images::Images;
use crate::machine::{Judged, Running, PATIENCE};
use crate::monitored;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;
use vitrine_qemu::verify::{Outcome, Verifier};

/// A command that serves, until this value goes.
pub struct Server {
    pub address: String,
    child: Child,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    fn start(program: &Path, command: [&str; 2], folder: &Path, listen: &str) -> Self {
        let mut command_line = Command::new(program);
        command_line.args(command).arg(folder).args(["--listen", listen]).stdout(Stdio::piped());
        let mut child = command_line.stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on http://").expect("it says where it listens").to_owned();
        Self { address, child }
    }
}

struct Witness {
    folder: PathBuf,
    server: Server,
}

impl Witness {
    fn serve(program: &Path, folder: &Path, listen: &str) -> Self {
        Self { folder: folder.to_owned(), server: Server::start(program, ["witness", "serve"], folder, listen) }
    }

    /// The same at the same address, after something was done that it must not hold its folder for.
    fn pause(self, work: impl FnOnce()) -> Self {
        let Self { folder, server } = self;
        let address = server.address.clone();
        drop(server);
        work();
        Self::serve(Verifier::find().unwrap().program(), &folder, &address)
    }
}

pub struct World<'w> {
    verifier: Verifier,
    pub images: &'w Images,
    folder: tempfile::TempDir,
}

impl World<'_> {
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub fn write(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().into()
    }

    /// `{name}` stands for a path in the folder.
    pub fn run(&self, line: &str) -> Outcome {
        let word = |word: &str| match word.strip_prefix('{').and_then(|word| word.strip_suffix('}')) {
            Some(name) => self.path(name).into_os_string(),
            None => word.into(),
        };
        self.verifier.run(line.split(' ').map(word)).unwrap()
    }

    pub fn good(&self, line: &str) -> String {
        let outcome = self.run(line);
        assert_eq!(outcome.exit_code, 0, "{line}: {outcome:?}");
        outcome.stdout
    }

    fn witness_lines(&self, witnesses: &[Witness]) -> String {
        let each = witnesses.iter().enumerate().map(|(n, witness)| {
            let key = fs::read_to_string(witness.folder.join("witness.pub")).unwrap();
            format!("witness w{n} {} http://{}\n", key.trim(), witness.server.address)
        });
        each.chain(["group both all w0 w1\nquorum both\n".into()]).collect()
    }
}

pub fn published(images: &Images, running: &mut Running) {
    let world = World { verifier: Verifier::find().unwrap(), images, folder: tempfile::tempdir().unwrap() };
    let program = world.verifier.program().to_owned();
    let begun = Instant::now();
    let mut witnesses: Vec<Witness> = (0..2)
        .map(|n| {
            world.good(&format!("witness init {{w{n}}} --name witness{n}.example/w"));
            Witness::serve(&program, &world.path(&format!("w{n}")), "127.0.0.1:0")
        })
        .collect();
    world.write("witnesses", &world.witness_lines(&witnesses));
    world.good("log init {log} --origin log.example/vitrine --witnesses {witnesses}");
    // a build's folder of our own: what is beside the image there is written anew
    fs::create_dir(world.path("out")).unwrap();
    for name in ["release.dsse.json", "zero-log.dsse.json", "6-image.unsigned.efi"] {
        fs::copy(images.path(&format!("exit/{name}")), world.path(&format!("out/{name}"))).unwrap();
    }
    let publish = format!("publish {{out}} --log {{log}} --key {}", images.path("keys/release.pub").display());
    // nobody has told the witnesses of this log
    let outcome = world.run(&publish);
    assert!(outcome.exit_code == 2 && outcome.stderr.contains("does not witness this log"), "{outcome:?}");
    assert!(!world.path("out/release.tlog-proof").exists());
    witnesses = witnesses
        .into_iter()
        .map(|witness| {
            let folder = witness.folder.file_name().unwrap().to_str().unwrap().to_owned();
            witness.pause(|| _ = world.good(&format!("witness add-log {{{folder}}} --key {{log/log.pub}}")))
        })
        .collect();
    world.good(&publish);
    eprintln!("published after {:?}", begun.elapsed());
    assert!(world.path("out/zero-log.tlog-proof").exists());

    let log_key = world.text("log/log.pub");
    let policy = world.write("policy", &format!("log {log_key}{}", world.witness_lines(&witnesses)));
    let proof = world.path("out/release.tlog-proof").to_str().unwrap().to_owned();
    let check = |proof: Option<&str>, policy: &str| {
        let proof = proof.map(|proof| ["--proof", proof]).into_iter().flatten();
        let more: Vec<&str> = proof.chain(["--log-policy", policy]).collect();
        Judged::check(images, running.guest.url(), running.guest.ek_roots(), &more)
    };
    let judged = check(Some(&proof), &policy);
    judged.assert_accepted();
    offline(&world, &judged, &policy);

    // held back, another entry's, of another log, with too few witnesses
    check(None, &policy).assert_rejected(&["proof-missing"]);
    let other = world.path("out/zero-log.tlog-proof").to_str().unwrap().to_owned();
    check(Some(&other), &policy).assert_rejected(&["entry-not-in-log"]);
    world.good("log init {other} --origin log.example/vitrine");
    let (there, strange) = (world.text("policy"), world.text("other/log.pub"));
    let another = world.write("another", &there.replacen(&log_key, &strange, 1));
    check(Some(&proof), &another).assert_rejected(&["log-untrusted"]);
    let line = |text: &str| {
        text.lines().filter(|line| !line.contains("witness1.example")).collect::<Vec<_>>().join("\n") + "\n"
    };
    let alone = world.write("alone", &line(&world.text("out/release.tlog-proof")));
    check(Some(&alone), &policy).assert_rejected(&["quorum-missing"]);

    let log = Server::start(&program, ["log", "serve"], &world.path("log"), "127.0.0.1:0");
    let monitor = monitored::honest(&world, running, &log);
    revoked(&world, running, &policy, &proof);
    monitored::lies(&monitor, running);
    old_copy(&world, &witnesses);
    let [proof, other] = [proof, other].map(PathBuf::from);
    attached(&world, running, &policy, &proof, &other);
    assert!(begun.elapsed() < PATIENCE, "it takes too long");
}

/// One file, judged where nobody can be asked.
fn offline(world: &World<'_>, judged: &Judged, policy: &str) {
    let record = judged.record();
    fs::copy(record, world.path("saved.json")).unwrap();
    world.good("bundle --evidence {saved.json} --statement {out/release.dsse.json} --proof {out/release.tlog-proof} --out {server.vitrine}");
    let size = fs::metadata(world.path("server.vitrine")).unwrap().len();
    eprintln!("a bundle of {size} bytes");
    assert!(size <= 64 << 10);
    let key = world.images.path("keys/release.pub").display().to_string();
    let line = format!("check {{server.vitrine}} --accept-level L1 --key {key} --log-policy {policy}");
    world.good(&line);
    let bent = world.text("server.vitrine");
    let at = bent.len() / 2;
    let other = if bent.as_bytes()[at] == b'A' { "B" } else { "A" };
    fs::write(world.path("server.vitrine"), format!("{}{other}{}", &bent[..at], &bent[at + 1..])).unwrap();
    assert_ne!(world.run(&line).exit_code, 0, "one letter was changed");
}

/// The operator takes the release back, in the log; the same server is refused by who knows it.
fn revoked(world: &World<'_>, running: &Running, policy: &str, proof: &str) {
    let [key, secret] =
        ["keys/release.pub", "keys/release.key"].map(|name| world.images.path(name).display().to_string());
    world.good(&format!(
        "revoke --statement {{out/release.dsse.json}} --reason vulnerability --text broken --key-file {secret} --seq 1 --out {{revocation.dsse.json}}"
    ));
    world.good(&format!("publish {{out}} --log {{log}} --key {key} --also {{revocation.dsse.json}}"));
    assert!(world.path("revocation.tlog-proof").exists());
    let revocation = world.path("revocation.dsse.json").to_str().unwrap().to_owned();
    let more = ["--proof", proof, "--log-policy", policy, "--revocation", &revocation];
    Judged::check(world.images, running.guest.url(), running.guest.ek_roots(), &more).assert_rejected(&["revoked"]);
}

/// A log that was put back from yesterday would sign a second history: the witnesses know more of it than it does itself.
fn old_copy(world: &World<'_>, witnesses: &[Witness]) {
    assert_eq!(witnesses.len(), 2);
    let copy = Command::new("cp").arg("-r").args([world.path("log"), world.path("yesterday")]).status().unwrap();
    assert!(copy.success());
    world.write("today", "an entry of today");
    world.good("log append {log} {today}");
    world.write("fork", "another entry of today");
    let outcome = world.run("log append {yesterday} {fork}");
    assert!(outcome.exit_code == 1 && outcome.stderr.contains("it is an old copy"), "{outcome:?}");
    world.good("log fsck {log}");
    world.good("log fsck {yesterday}");
    world.good("log refresh {log}");
}
