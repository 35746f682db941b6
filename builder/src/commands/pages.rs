//! `vitrine completions`, `vitrine man`: made from the command line's structs.

use super::Outcome;
use crate::cli::{self, Cli};
use crate::out::{cannot, write_atomic};
use clap::CommandFactory as _;
use clap_mangen::Man;
use serde_json::json;
use std::path::Path;
use vitrine_attest::{Error, Result};

pub fn completions(args: &cli::Completions) -> Result<Outcome> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "vitrine", &mut script);
    Ok(Outcome::raw(script))
}

pub fn man(args: &cli::Man) -> Result<Outcome> {
    let mut command = Cli::command();
    command.build();
    let Some(folder) = &args.out else { return Ok(Outcome::raw(page(command)?)) };
    std::fs::create_dir_all(folder).map_err(|e| cannot("make folder", folder, &e))?;
    let written = all(&command).into_iter().map(|command| write(folder, command)).collect::<Result<Vec<_>>>()?;
    Outcome::new(format!("{}\n", written.join("\n")), &json!({ "written": written }))
}

/// The command, and all that are below it.
fn all(command: &clap::Command) -> Vec<clap::Command> {
    let below = command.get_subcommands().filter(|below| below.get_name() != "help").flat_map(all);
    std::iter::once(command.clone()).chain(below).collect()
}

fn write(folder: &Path, command: clap::Command) -> Result<String> {
    let path = folder.join(Man::new(command.clone()).get_filename());
    write_atomic(&path, &page(command)?)?;
    Ok(path.display().to_string())
}

fn page(command: clap::Command) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // no date: the same program gives the same page
    Man::new(command).date("").render(&mut bytes).map_err(|e| Error::bug(format!("man page: {e}")))?;
    Ok(bytes)
}
