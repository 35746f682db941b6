//! `vitrine-verify log`

mod append;
mod find;
mod fsck;
mod get;
mod serve;

use super::beacon::read_keys;
use super::Done;
use crate::cli::{IndexArgs, InitArgs, Log, LogAction, RefreshArgs, RotateArgs};
use crate::files;
use crate::log::{self, Config, Folder, Writer};
use std::io::Write as _;
use std::path::Path;
use vitrine_attest::tlog_policy::TLOG_POLICY_LIMIT;
use vitrine_attest::vkey::NoteKey;
use vitrine_attest::{Error, Result};

pub fn run(args: &Log) -> Result<Done> {
    match &args.action {
        LogAction::Init(args) => init(args),
        LogAction::Append(args) => append::run(args),
        LogAction::Refresh(args) => refresh(args),
        LogAction::Get(args) => get::run(args),
        LogAction::Find(args) => find::run(args),
        LogAction::Index(args) => index(args),
        LogAction::Fsck(args) => fsck::run(args),
        LogAction::Serve(args) => serve::run(args),
        LogAction::RotateKey(args) => rotate(args),
    }
}

/// The keys that were given, or those of the log in the folder.
fn trusted(key: Option<&Path>, log: &str) -> Result<Vec<NoteKey>> {
    match key {
        Some(path) => read_keys(path),
        None => match Config::read(&Folder::new(Path::new(log))) {
            Ok(config) => config.public(),
            Err(_) => Err(Error::input("nobody said whose log this is", "give the log's key with --key")),
        },
    }
}

/// Brings the index up after entries were published. That it cannot be written is told, and is no failure: the entries are there, and
/// are found without it.
pub(super) fn indexed(writer: &Writer) {
    // there nothing is ever deleted: not at every change
    if writer.config().bucket.is_some() {
        return;
    }
    if let Err(error) = writer.index(false) {
        // standard error may be gone, too
        let _ = writeln!(
            std::io::stderr(),
            "the entries are published; the index is not up to them: {error}\nthen run `vitrine-verify log index`"
        );
    }
}

fn index(args: &IndexArgs) -> Result<Done> {
    let writer = Writer::open(&args.dir)?;
    let done = writer.index(args.anew)?;
    Ok(Done::ok(format!(
        "the index of {} has {} entries under {} keys; {} files written\n",
        writer.config().origin,
        done.size,
        done.records,
        done.written
    )))
}

#[cfg(feature = "object-storage")]
fn begin(args: &InitArgs, witnesses: Option<&[u8]>) -> Result<Config> {
    let (Some(bucket), Some(endpoint)) = (&args.bucket.bucket, &args.bucket.endpoint) else {
        return log::init(&args.dir, &args.origin, witnesses);
    };
    let at = log::BucketAt::parse(bucket, endpoint, &args.bucket.region)?;
    let ca = args.bucket.ca.as_deref().map(|path| files::read(path, 1 << 20)).transpose()?;
    log::init_bucket(&args.dir, &args.origin, at, witnesses, ca.as_deref())
}

#[cfg(not(feature = "object-storage"))]
fn begin(args: &InitArgs, witnesses: Option<&[u8]>) -> Result<Config> {
    log::init(&args.dir, &args.origin, witnesses)
}

fn init(args: &InitArgs) -> Result<Done> {
    let witnesses = args.witnesses.as_deref().map(|path| files::read(path, TLOG_POLICY_LIMIT)).transpose()?;
    let config = begin(args, witnesses.as_deref())?;
    let mut text = format!(
        "{} is the log {}, without entries.\nIts key, for everybody who checks it ({}):\n",
        args.dir.display(),
        config.origin,
        args.dir.join("log.pub").display()
    );
    for key in &config.keys {
        text += &format!("{}\n", key.key);
    }
    Ok(Done::ok(text))
}

fn refresh(args: &RefreshArgs) -> Result<Done> {
    let mut writer = Writer::open(&args.dir)?;
    writer.refresh()?;
    indexed(&writer);
    Ok(Done::ok(format!("{} is published with {} entries\n", writer.config().origin, writer.size())))
}

fn rotate(args: &RotateArgs) -> Result<Done> {
    let text = if args.retire {
        let old = log::retire(&args.dir)?;
        format!("{old}\nsigns no more, and its private half is removed.\n")
    } else {
        let new = log::begin_rotation(&args.dir)?;
        let mut writer = Writer::open(&args.dir)?;
        writer.refresh().map_err(|e| e.within("there is a second key, which has not signed yet"))?;
        // or the index would be signed by nobody once the older one is gone
        indexed(&writer);
        format!(
            "{new}\nsigns beside the older key from now on. Give it to everybody who checks the log, witnesses \
            first;\nthen run this again with --retire.\n"
        )
    };
    Ok(Done::ok(text))
}
