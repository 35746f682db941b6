//! Completions and the man page, both from `cli.rs`.

use super::print;
use crate::cli::Cli;
use clap::CommandFactory as _;
use clap_complete::Shell;
use vitrine_attest::{Error, Result};

pub fn completions(shell: Shell) -> Result<u8> {
    let mut out = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "vitrine-qemu", &mut out);
    text(&out)
}

/// One page: the program, then each verb.
pub fn man() -> Result<u8> {
    let mut out = Vec::new();
    let mut command = Cli::command();
    command.build();
    let failed = |e: std::io::Error| Error::bug(format!("man page: {e}"));
    clap_mangen::Man::new(command.clone()).render(&mut out).map_err(failed)?;
    for verb in command.get_subcommands().filter(|verb| verb.get_name() != "help") {
        let page = clap_mangen::Man::new(verb.clone());
        page.render_name_section(&mut out).map_err(failed)?;
        page.render_description_section(&mut out).map_err(failed)?;
        page.render_options_section(&mut out).map_err(failed)?;
    }
    text(&out)
}

fn text(bytes: &[u8]) -> Result<u8> {
    print(std::str::from_utf8(bytes).map_err(|_| Error::bug("a generated page is not UTF-8"))?)?;
    Ok(0)
}
