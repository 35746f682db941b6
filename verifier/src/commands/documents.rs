//! Completions and the man page, both from `cli.rs`.

use super::Done;
use crate::cli::Cli;
use clap::{Command, CommandFactory as _};
use clap_complete::Shell;
use vitrine_attest::{Error, Result};

pub fn completions(shell: Shell) -> Result<Done> {
    let mut out = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "vitrine-verify", &mut out);
    text(out)
}

/// One page: the program, then each verb.
pub fn man() -> Result<Done> {
    let mut out = Vec::new();
    let mut command = Cli::command();
    command.build();
    let failed = |e: std::io::Error| Error::bug(format!("man page: {e}"));
    clap_mangen::Man::new(command.clone()).render(&mut out).map_err(failed)?;
    for verb in verbs(&command) {
        let page = clap_mangen::Man::new(verb);
        page.render_name_section(&mut out).map_err(failed)?;
        page.render_description_section(&mut out).map_err(failed)?;
        page.render_options_section(&mut out).map_err(failed)?;
    }
    text(out)
}

/// Every verb, `peers` with those below it.
fn verbs(command: &Command) -> Vec<Command> {
    let verbs = command.get_subcommands().filter(|verb| verb.get_name() != "help");
    verbs.flat_map(|verb| [vec![verb.clone()], self::verbs(verb)].concat()).collect()
}

fn text(out: Vec<u8>) -> Result<Done> {
    String::from_utf8(out).map(Done::ok).map_err(|_| Error::bug("a generated page is not UTF-8"))
}
