//! `vitrine compile`

use super::Outcome;
use crate::archive::Mirrors;
use crate::cli::Compile as Args;
use crate::lock::Lock;
use crate::out::cannot;
use crate::progress::Progress;
use crate::store::{write_atomically, Store};
use crate::toolchain::{compile, Compiled, Job, RECORD};
use serde_json::json;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Instant;
use vitrine_attest::{Error, Result};

pub fn run(args: &Args, progress: &Progress) -> Result<Outcome> {
    let begun = Instant::now();
    let lock = Lock::load(&args.lock)?;
    let mirrors = match args.offline {
        true => None,
        false => Some(Mirrors::find(&args.mirrors.mirror)?),
    };
    let program = std::env::current_exe()
        .map_err(|e| Error::host(format!("cannot find out where this program lies: {e}"), "install it in a folder"))?;
    fs::create_dir_all(&args.out).map_err(|e| cannot("make folder", &args.out, &e))?;
    let store = Store::open(None)?;
    let source = &args.source;
    let job = Job { lock: &lock, source, store: &store, mirrors: mirrors.as_ref(), program: &program, progress };
    let compiled = compile(&job)?;
    write(&args.out, &compiled)?;
    let seconds = begun.elapsed().as_secs_f64();
    let record = &compiled.record;
    let mut text: String = record.programs.iter().map(|(name, sha256)| format!("{sha256}  {name}\n")).collect();
    let how = if compiled.kept { "kept from before" } else { "compiled" };
    text += &format!("{how} in {seconds:.1} s; toolchain {}, source {}\n", record.toolchain, record.source);
    Outcome::new(text, &json!({ "out": args.out, "kept": compiled.kept, "seconds": seconds, "record": record }))
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
