//! The operator's command after a reboot. No shell: program and arguments as they were given.

use crate::report::Keys;
use std::ffi::OsString;
use std::process::{Command, Stdio};

/// Runs it to its end. Its output goes to stderr, so that stdout holds our lines alone. None: it did not run, or was
/// ended by a signal.
pub fn run(command: &[OsString], server: &str, keys: &Keys) -> Option<i32> {
    let (program, arguments) = command.split_first()?;
    let ended = Command::new(program)
        .args(arguments)
        .env("VITRINE_SERVER", server)
        .env("VITRINE_WG_KEY", keys.wireguard.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::from(std::io::stderr()))
        .status();
    match ended {
        Ok(status) => status.code(),
        Err(error) => {
            eprintln!("{}: {error}", program.to_string_lossy());
            None
        }
    }
}
