//! One file per verb: from the command line's structs to an [`Outcome`].

mod build;
mod compile;
mod diff;
mod enrol;
mod export;
mod inspect;
mod keygen;
mod lock;
mod pages;
mod predict;
mod screen;
mod sign;
mod slots;
mod source_audit;
mod sources;
mod update;
mod vendor;

use crate::cli::{Cli, Command};
use crate::progress::{Progress, Shown};
use serde::Serialize;
use serde_json::Value;
use vitrine_attest::{Error, Result};

/// What a command has to say on standard output, and its exit code.
#[derive(Debug)]
pub struct Outcome {
    /// For people.
    pub text: Vec<u8>,
    /// For programs (`--json`); `None` where the text is the result in either case, such as a completion script.
    pub json: Option<Value>,
    /// 0 done, 1 refused or different.
    pub code: u8,
}

impl Outcome {
    fn new(text: impl Into<Vec<u8>>, json: &impl Serialize) -> Result<Self> {
        let json = serde_json::to_value(json).map_err(|e| Error::bug(format!("a result has no JSON form: {e}")))?;
        Ok(Self { text: text.into(), json: Some(json), code: 0 })
    }

    fn raw(bytes: Vec<u8>) -> Self {
        Self { text: bytes, json: None, code: 0 }
    }
}

/// Runs one command.
pub fn run(cli: Cli) -> Result<Outcome> {
    let progress = Progress::new(if cli.quiet { Shown::Nothing } else { Shown::Auto });
    match cli.command {
        Command::Keygen(args) => keygen::run(&args, &progress),
        Command::Lock(args) => lock::run(&args, &progress),
        Command::Compile(args) => compile::run(&args, &progress),
        Command::Update(args) => update::run(&args, &progress),
        Command::Vendor(args) => vendor::run(&args, &progress),
        Command::Build(args) => build::run(&args, &progress),
        Command::Screen(args) => screen::run(&args, &progress),
        Command::Inspect(args) => inspect::run(&args),
        Command::Predict(args) => predict::run(&args),
        Command::Diff(args) => diff::run(&args),
        Command::Sign(args) => sign::run(&args),
        Command::Export(args) => export::run(&args, &progress),
        Command::Enrol(args) => enrol::run(&args),
        Command::Slots(args) => slots::run(&args, &progress),
        Command::Completions(args) => pages::completions(&args),
        Command::Man(args) => pages::man(&args),
    }
}
