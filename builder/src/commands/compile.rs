//! `vitrine compile`

use super::sources::note_version;
use super::Outcome;
use crate::archive::Mirrors;
use crate::cli::Compile as Args;
use crate::lock::Lock;
use crate::out::cannot;
use crate::progress::Progress;
use crate::store::{write_atomically, Store};
use crate::toolchain::{compile, Compiled, Ingredients, Job, Record, RECORD};
use crate::vendor::{self, Part};
use serde_json::json;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Instant;
use vitrine_attest::{Error, Result};

pub fn run(args: &Args, progress: &Progress) -> Result<Outcome> {
    let begun = Instant::now();
    let store = Store::open(None)?;
    let (ingredients, expected) = ingredients(args, &store, progress)?;
    let mirrors = match args.offline || args.from.is_some() {
        true => None,
        false => Some(Mirrors::find(&args.mirrors.mirror)?),
    };
    let program = std::env::current_exe()
        .map_err(|e| Error::host(format!("cannot find out where this program lies: {e}"), "install it in a folder"))?;
    fs::create_dir_all(&args.out).map_err(|e| cannot("make folder", &args.out, &e))?;
    let source = args.from.is_none().then_some(args.source.as_path());
    let (given, mirrors) = (&ingredients, mirrors.as_ref());
    let job = Job { ingredients: given, source, store: &store, mirrors, program: &program, progress };
    let compiled = compile(&job)?;
    write(&args.out, &compiled)?;
    let record = &compiled.record;
    expected.map_or(Ok(()), |expected| alike(&expected, record, &args.out))?;
    let seconds = begun.elapsed().as_secs_f64();
    let mut text: String = record.programs.iter().map(|(name, sha256)| format!("{sha256}  {name}\n")).collect();
    let how = if compiled.kept { "kept from before" } else { "compiled" };
    text += &format!("{how} in {seconds:.1} s; toolchain {}, source {}\n", record.toolchain, record.source);
    if args.from.is_some() {
        text += "they are the programs of the archive\n";
    }
    Outcome::new(text, &json!({ "out": args.out, "kept": compiled.kept, "seconds": seconds, "record": record }))
}

/// With what an archive says should come of them.
fn ingredients(args: &Args, store: &Store, progress: &Progress) -> Result<(Ingredients, Option<Record>)> {
    let archive = match (&args.from, &args.lock) {
        (Some(archive), _) => archive,
        (None, Some(lock)) => return Ok((Ingredients::read(Lock::load(lock)?, &args.source)?, None)),
        (None, None) => return Err(Error::input("there is nothing to compile", "name a lock, or give --from FILE")),
    };
    progress.step(&format!("read {}", archive.display()));
    let mut vendored = vendor::open(archive, store, Part::Compiler)?;
    note_version(&vendored, progress);
    let record = vendored.record().map_err(|e| e.within(archive.display()))?;
    match vendored.compiler {
        Some(ingredients) => Ok((ingredients, record)),
        None => Err(Error::input(
            format!("{} has the programs, and nothing that they are compiled from", archive.display()),
            "make it with `vitrine vendor RECIPE --out FILE --toolchain LOCK`",
        )),
    }
}

/// # Errors
/// Blame Artefact when a program has other bytes than the archive's.
fn alike(expected: &Record, found: &Record, out: &Path) -> Result<()> {
    let differs = |(name, sha256): &(&String, &vitrine_attest::Sha256)| found.programs.get(*name) != Some(*sha256);
    match expected.programs.iter().find(differs) {
        None => Ok(()),
        Some((name, sha256)) => Err(Error::artefact(
            format!("{name} is not what the archive holds: expected {sha256}, got {:?}", found.programs.get(name)),
            format!(
                "compare {} with `programs` of the archive; it was made by other inputs than it says",
                out.display()
            ),
        )),
    }
}

/// The record goes first and comes last: programs beside a record are always those that it names.
fn write(out: &Path, compiled: &Compiled) -> Result<()> {
    let record = out.join(RECORD);
    match fs::remove_file(&record) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(cannot("remove", &record, &e)),
        _ => {}
    }
    for (name, bytes) in &compiled.programs {
        let path = out.join(name);
        write_atomically(&path, bytes)?;
        fs::set_permissions(&path, Permissions::from_mode(0o755)).map_err(|e| cannot("write", &path, &e))?;
    }
    write_atomically(&record, &compiled.record.to_json()?)
}
