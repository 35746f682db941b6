//! `vitrine compile`, step by step.

use super::crates::CargoLock;
use super::ingredients::{Ingredients, CARGO_LOCK_LIMIT};
use super::key::{flags, profile, Inputs, ENVIRONMENT, TARGET};
use super::plan::{Bind, Plan};
use super::record::Record;
use super::{root, sandbox, vendor, Linked, PROGRAMS};
use crate::archive::Mirrors;
use crate::bounded;
use crate::progress::Progress;
use crate::store::{failed, Store};
use rustix::fs::{flock, FlockOperation};
use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use vitrine_attest::{Error, Result, Sha256};
use vitrine_initramfs::Content;

/// Bytes of a program.
const PROGRAM_LIMIT: u64 = 64 << 20;
/// Kind of the kept programs in the store.
const KIND: &str = "programs";

/// What to compile, and with what.
#[derive(Debug)]
pub struct Job<'a> {
    pub ingredients: &'a Ingredients,
    /// Folder of the workspace, where cargo fetches crates that are missing. None: they are in the store.
    pub source: Option<&'a Path>,
    pub store: &'a Store,
    /// None: no network.
    pub mirrors: Option<&'a Mirrors>,
    /// This program: it is run again, in the sandbox.
    pub program: &'a Path,
    pub progress: &'a Progress,
}

/// The programs by name, and where they come from.
#[derive(Debug)]
pub struct Compiled {
    pub programs: Vec<(&'static str, Vec<u8>)>,
    pub record: Record,
    /// They were in the store.
    pub kept: bool,
}

/// Compiles the programs, or takes those that the same inputs gave before.
///
/// # Errors
/// [`vitrine_attest::Blame::Host`] when something is missing or the machine allows no sandbox;
/// [`vitrine_attest::Blame::Input`] when the sources do not compile, with what the compiler says.
pub fn compile(job: &Job) -> Result<Compiled> {
    let given = job.ingredients;
    let inputs = given.inputs()?;
    if let Some(kept) = kept(job.store, &inputs)? {
        return Ok(kept);
    }
    let room = Room::take(job.store, inputs.toolchain, job.progress)?;
    if let Some(kept) = kept(job.store, &inputs)? {
        return Ok(kept); // somebody else was faster
    }
    let root = prepare(job, &room, inputs.toolchain)?;
    given.sources.write(&room.work.join("vitrine"))?;
    write(&room.work.join("vitrine/Cargo.lock"), &given.pinned)?;
    for linked in [Linked::Static, Linked::StaticFast, Linked::Dynamic] {
        build(job, &room, &root, linked)?;
    }
    unchanged(&room.work.join("vitrine/Cargo.lock"), &CargoLock::parse(&given.pinned)?)?;
    keep(job.store, &inputs, &room)
}

/// Everything that is read, before the first process starts.
fn prepare(job: &Job, room: &Room, toolchain: Sha256) -> Result<PathBuf> {
    job.ingredients.gather(job.source, job.mirrors, job.store, job.progress)?;
    let root = root::make(&job.ingredients.lock, toolchain, &room.folder, job.store, job.progress)?;
    fs::create_dir_all(room.work.join("build")).map_err(|e| failed("folder cannot be made", &room.work, &e))?;
    vendor::lay_out(&job.ingredients.crates, &room.work.join("cargo"), job.store, job.progress)?;
    Ok(root)
}

/// The folder of one toolchain in the store, for one process at a time.
#[derive(Debug)]
struct Room {
    folder: PathBuf,
    /// Empty at first, removed at the end.
    work: PathBuf,
    _lock: File,
}

impl Room {
    fn take(store: &Store, toolchain: Sha256, progress: &Progress) -> Result<Self> {
        let folder = store.root().join("toolchain").join(toolchain.to_string());
        fs::create_dir_all(&folder).map_err(|e| failed("folder cannot be made", &folder, &e))?;
        // paths in mounts: a relative store would be looked for elsewhere
        let folder = folder.canonicalize().map_err(|e| failed("folder cannot be found", &folder, &e))?;
        let path = folder.join("lock");
        let lock = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
        let lock = lock.map_err(|e| failed("file cannot be written", &path, &e))?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            progress.step("wait for another `vitrine compile` with the same store");
            flock(&lock, FlockOperation::LockExclusive)
                .map_err(|e| failed("file cannot be locked", &path, &e.into()))?;
        }
        let work = folder.join("work");
        root::remove(&work)?;
        fs::create_dir(&work).map_err(|e| failed("folder cannot be made", &work, &e))?;
        Ok(Self { folder, work, _lock: lock })
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let _ = root::remove(&self.work); // what stays is removed before the next use
    }
}

fn build(job: &Job, room: &Room, root: &Path, linked: Linked) -> Result<()> {
    let packages: Vec<&str> =
        PROGRAMS.iter().filter(|(_, _, how)| *how == linked).map(|(_, package, _)| *package).collect();
    job.progress.step(&format!("compile {}", packages.join(", ")));
    let plan = plan(room, root, linked, &packages);
    let mut tell = |line: &str| {
        let line = line.trim_start();
        if line.starts_with("Compiling ") {
            job.progress.step(line);
        }
    };
    let ended = sandbox::run(job.program, &plan, &mut tell)?;
    match ended.code {
        0 => Ok(()),
        code => {
            let what = format!("cargo ended with {code} in the toolchain root:\n{}", ended.said.trim_end());
            Err(Error::input(what, "correct the sources, or the toolchain's recipe, as the compiler says"))
        }
    }
}

fn plan(room: &Room, root: &Path, linked: Linked, packages: &[&str]) -> Plan {
    let bind = |from: &str, writable| Bind { from: room.work.join(from), to: format!("/{from}"), writable };
    let mut command: Vec<String> = [
        "/usr/bin/cargo",
        "build",
        "--offline",
        "--config=source.crates-io.replace-with=\"locked\"",
        "--config=source.locked.directory=\"/cargo\"",
        "--profile",
        profile(linked),
        "--target",
        TARGET,
        "--target-dir",
        folder(linked),
    ]
    .map(String::from)
    .into();
    packages.iter().for_each(|package| command.extend(["-p".to_string(), package.to_string()]));
    let flags = [("RUSTFLAGS", flags(linked))];
    let environment = ENVIRONMENT.iter().chain(&flags);
    Plan {
        root: root.to_path_buf(),
        // cargo takes from its lock what other members alone need: so it may write there
        binds: vec![bind("vitrine", true), bind("cargo", false), bind("build", true)],
        environment: environment.map(|(name, value)| (name.to_string(), value.to_string())).collect(),
        command,
        folder: "/vitrine".into(),
        scratch: room.work.clone(),
    }
}

fn folder(linked: Linked) -> &'static str {
    match linked {
        Linked::Static | Linked::StaticFast => "/build/static",
        Linked::Dynamic => "/build/dynamic",
    }
}

/// Without the network, and with these crates alone, cargo has no other choice; here is the proof.
fn unchanged(path: &Path, before: &CargoLock) -> Result<()> {
    let bytes = bounded::read(path, CARGO_LOCK_LIMIT).map_err(|e| failed("file cannot be read", path, &e))?;
    let (before, after) = (before.all()?, CargoLock::parse(&bytes)?.all()?);
    match after.difference(&before).next() {
        None => Ok(()),
        Some(other) => Err(Error::artefact(
            format!("cargo took {}, which Cargo.lock does not pin", other.label()),
            "run `cargo metadata --locked` in the sources: manifests and Cargo.lock do not fit",
        )),
    }
}

fn keep(store: &Store, inputs: &Inputs, room: &Room) -> Result<Compiled> {
    let key = inputs.key()?;
    let mut programs = Vec::new();
    for (name, _, linked) in PROGRAMS {
        let path = room.work.join(&folder(linked)[1..]).join(TARGET).join(profile(linked)).join(name);
        let bytes = bounded::read(&path, PROGRAM_LIMIT).map_err(|e| failed("program cannot be read", &path, &e))?;
        programs.push((name, bytes));
    }
    for (name, bytes) in &programs {
        store.cache_put(KIND, &place(key, name), &Content::new(bytes.clone()))?;
    }
    Ok(compiled(inputs, programs, false))
}

/// The programs that these inputs gave before, when all are there with the bytes that they had.
fn kept(store: &Store, inputs: &Inputs) -> Result<Option<Compiled>> {
    let key = inputs.key()?;
    let find = |name: &str| store.cache_get(KIND, &place(key, name)).found();
    let found: Option<Vec<_>> = PROGRAMS.iter().map(|(name, _, _)| Some((*name, find(name)?.into_bytes()))).collect();
    Ok(found.map(|programs| compiled(inputs, programs, true)))
}

fn place(key: Sha256, name: &str) -> Sha256 {
    Sha256::of_parts(&[&key.0, name.as_bytes()])
}

fn compiled(inputs: &Inputs, programs: Vec<(&'static str, Vec<u8>)>, kept: bool) -> Compiled {
    let mut record = Record::new(inputs.toolchain, inputs.source, inputs.crates_digest(), TARGET);
    record.programs = programs.iter().map(|(name, bytes)| (name.to_string(), Sha256::of(bytes))).collect();
    Compiled { programs, record, kept }
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).map_err(|e| failed("file cannot be written", path, &e))
}

#[cfg(test)]
mod tests;
