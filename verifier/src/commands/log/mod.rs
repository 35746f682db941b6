//! `vitrine-verify log`

mod append;
mod fsck;
mod get;
mod serve;

use super::Done;
use crate::beacon;
use crate::cli::{InitArgs, Log, LogAction, RefreshArgs, RotateArgs};
use crate::files;
use crate::log::{self, Writer};
use std::path::Path;
use vitrine_attest::tlog_policy::TLOG_POLICY_LIMIT;
use vitrine_attest::vkey::NoteKey;
use vitrine_attest::Result;

pub fn run(args: &Log) -> Result<Done> {
    match &args.action {
        LogAction::Init(args) => init(args),
        LogAction::Append(args) => append::run(args),
        LogAction::Refresh(args) => refresh(args),
        LogAction::Get(args) => get::run(args),
        LogAction::Fsck(args) => fsck::run(args),
        LogAction::Serve(args) => serve::run(args),
        LogAction::RotateKey(args) => rotate(args),
    }
}

/// Keys of logs in a file.
fn keys(path: &Path) -> Result<Vec<NoteKey>> {
    beacon::keys(&files::read(path, beacon::KEYS_FILE_LIMIT)?).map_err(|e| e.within(path.display()))
}

fn init(args: &InitArgs) -> Result<Done> {
    let witnesses = args.witnesses.as_deref().map(|path| files::read(path, TLOG_POLICY_LIMIT)).transpose()?;
    let config = log::init(&args.dir, &args.origin, witnesses.as_deref())?;
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
    Ok(Done::ok(format!("{} is published with {} entries\n", writer.config().origin, writer.size())))
}

fn rotate(args: &RotateArgs) -> Result<Done> {
    let text = if args.retire {
        let old = log::retire(&args.dir)?;
        format!("{old}\nsigns no more, and its private half is removed.\n")
    } else {
        let new = log::begin_rotation(&args.dir)?;
        let signed = Writer::open(&args.dir)?.refresh();
        signed.map_err(|e| e.within("there is a second key, which has not signed yet"))?;
        format!(
            "{new}\nsigns beside the older key from now on. Give it to everybody who checks the log, witnesses \
            first;\nthen run this again with --retire.\n"
        )
    };
    Ok(Done::ok(text))
}
