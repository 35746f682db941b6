//! Releases of small images, signed by keys of the test, and folders to put them into.

use crate::testpe::{minimal_stub, StubShape};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use tempfile::TempDir;
use vitrine_attest::dsse;
use vitrine_attest::evidence::ImageId;
use vitrine_attest::predicate::sign;
use vitrine_attest::predict::predict;
use vitrine_attest::revocation::{Reason, Revocation};
use vitrine_attest::statement::Statement;
use vitrine_attest::Sha256;
use vitrine_builder::statement::{release, statement, Facts};
use vitrine_builder::uki::{assemble, Parts};
use vitrine_builder::{authenticode, keys};

/// One keys folder for all tests: RSA keys take a while to make.
pub fn keys_folder() -> &'static Path {
    static FOLDER: OnceLock<TempDir> = OnceLock::new();
    let made = FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        keys::generate(folder.path(), "test").unwrap();
        folder
    });
    made.path()
}

/// What a release says.
#[derive(Clone)]
pub struct Says<'a> {
    pub name: &'a str,
    pub version: &'a str,
    pub seq: u64,
    pub not_after: Option<&'a str>,
}

impl<'a> Says<'a> {
    pub fn new(version: &'a str, seq: u64) -> Self {
        Self { name: "exit", version, seq, not_after: None }
    }
}

/// The unsigned image of a release: another one for each name and version.
pub fn image(says: &Says) -> Vec<u8> {
    image_with(says, "quiet")
}

pub fn image_with(says: &Says, cmdline: &str) -> Vec<u8> {
    let stub = minimal_stub(&StubShape::default());
    let (name, version, lock) = (says.name, says.version, Sha256::ZERO);
    let os_release = format!("ID=vitrine\nIMAGE_ID={name}\nIMAGE_VERSION={version}\nVITRINE_LOCK={lock}\n");
    let parts = Parts {
        stub: &stub,
        os_release: &os_release,
        cmdline,
        kernel_release: "6",
        initrd: &[7; 40_000],
        kernel: &stub,
    };
    assemble(&parts).unwrap()
}

pub fn stated(says: &Says) -> Statement {
    let signed = authenticode::sign(&image(says), &keys::image_signer(keys_folder()).unwrap()).unwrap();
    let variables = keys::variables(&keys_folder().join("secure-boot.json")).unwrap();
    let config = serde_json::from_str(r#"{"wireguard":{"addresses":["10.66.0.1/24"]}}"#).unwrap();
    let id = ImageId { name: says.name.into(), version: says.version.into(), lock: Sha256::ZERO };
    let facts = Facts {
        id: &id,
        config: &config,
        initramfs: Sha256::ZERO,
        inputs: vec![],
        waivers: &[],
        app: None,
        seq: says.seq,
        not_after: says.not_after,
    };
    let release = release(&facts, &predict(&signed, Some(&variables)).unwrap()).unwrap();
    statement(Sha256::of(&image(says)), release)
}

pub struct World {
    pub dir: TempDir,
    pub folder: PathBuf,
}

impl World {
    /// With an EFI system partition, though not on FAT.
    pub fn esp() -> Self {
        let world = Self::netboot();
        fs::create_dir(world.folder.join("EFI")).unwrap();
        world
    }

    pub fn netboot() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("place");
        fs::create_dir(&folder).unwrap();
        Self { dir, folder }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The output folder of a build.
    pub fn build(&self, says: &Says) -> PathBuf {
        let out = self.path(&format!("{}-{}-{}", says.name, says.version, says.seq));
        fs::create_dir_all(&out).unwrap();
        let signed = authenticode::sign(&image(says), &keys::image_signer(keys_folder()).unwrap()).unwrap();
        fs::write(out.join("image.efi"), signed).unwrap();
        self.state(&out.join("release.dsse.json"), &stated(says));
        out
    }

    /// Signs a statement.
    pub fn state(&self, path: &Path, statement: &Statement) {
        let envelope = dsse::sign(statement, &keys::release_key(keys_folder()).unwrap()).unwrap();
        fs::write(path, envelope.to_json().unwrap()).unwrap();
    }

    /// Revokes a release by its fingerprint, signed with the release key in `keys`.
    pub fn revoke(&self, says: &Says, keys: &Path, name: &str) -> PathBuf {
        let statement = stated(says);
        let revocation = Revocation {
            fingerprint: Some(statement.predicate.fingerprint),
            statement: None,
            reason: Reason::Vulnerability,
            text: "use a later one".into(),
            date: "2026-11-23".parse().unwrap(),
            seq: 1,
        };
        let envelope = sign(statement.subject, revocation, &keys::release_key(keys).unwrap()).unwrap();
        let path = self.path(name);
        fs::write(&path, envelope.to_json().unwrap()).unwrap();
        path
    }

    /// `slots VERB FOLDER --key … --json …`
    pub fn slots(&self, verb: &str, more: &[&str]) -> Output {
        slots(&self.folder, verb, more).output().unwrap()
    }

    /// What it prints when it is done.
    pub fn good(&self, verb: &str, more: &[&str]) -> Value {
        let output = self.slots(verb, more);
        assert_eq!(output.status.code(), Some(0), "{verb} {more:?}: {}", errors(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    pub fn install(&self, says: &Says) -> Value {
        self.good("install", &[text(&self.build(says))])
    }

    /// Both installed, the second one active.
    pub fn updated(&self, old: &Says, new: &Says) {
        for says in [old, new] {
            self.install(says);
            self.good("activate", &[]);
        }
    }

    /// It ends with this exit code and these words; what machines start stays.
    pub fn bad(&self, verb: &str, more: &[&str], code: i32, words: &str) {
        let before = self.started();
        let output = self.slots(verb, more);
        assert_eq!(output.status.code(), Some(code), "{verb} {more:?}: {}", errors(&output));
        assert!(errors(&output).contains(words), "no \"{words}\" in {}", errors(&output));
        assert_eq!(
            errors(&output).trim_end().lines().count(),
            3,
            "what is done, what happened, what to do: {}",
            errors(&output)
        );
        assert_eq!(self.started(), before);
    }

    /// The bytes that machines start.
    pub fn started(&self) -> Option<Vec<u8>> {
        let esp = self.folder.join("EFI/BOOT/BOOTX64.EFI");
        fs::read(if self.folder.join("EFI").is_dir() { esp } else { self.folder.join("exit.efi") }).ok()
    }

    pub fn assert_starts(&self, says: &Says) {
        let built = fs::read(self.build(says).join("image.efi")).unwrap();
        assert!(self.started() == Some(built), "{} is not what machines start", says.version);
    }
}

/// `--json` comes first, so that progress is the first line on standard error.
pub fn slots(folder: &Path, verb: &str, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vitrine"));
    command.args(["--json", "slots", verb]).arg(folder).args(more).arg("--key").arg(keys_folder().join("release.pub"));
    command
}

pub fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Names of all files below a folder, sorted.
pub fn files(folder: &Path) -> Vec<String> {
    let mut found = vec![];
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        match entry.file_type().unwrap().is_dir() {
            true => found.extend(files(&entry.path()).into_iter().map(|below| format!("{name}/{below}"))),
            false => found.push(name),
        }
    }
    found.sort();
    found
}
