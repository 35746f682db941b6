//! Drivers of crates that judge log formats: same commands and same folder as attest/examples/interop, see there. The first
//! argument names the peer: `signed_note`, `tlog_tiles` or `ct-merkle`.
#![forbid(unsafe_code)]

mod ct;
mod folder;
mod notes;
mod stream;
mod tiles;

use std::path::Path;
use std::process::ExitCode;

/// A refusal, in words; that a file is not there is told apart by [`folder::MISSING`].
type Result<T> = std::result::Result<T, String>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let Some((folder, command)) = arguments.split_last() else { return ExitCode::from(2) };
    let folder = Path::new(folder);
    let done = match command {
        ["signed_note", "judge", "notes"] => notes::judge(folder),
        ["tlog_tiles", "judge", "notes"] => tiles::judge_checkpoints(folder),
        ["tlog_tiles", "judge", "proofs"] => tiles::known(folder).and_then(|known| stream::judge(&known)),
        ["tlog_tiles", "judge", "tiles"] => tiles::judge(folder),
        ["tlog_tiles", "write"] => tiles::write(folder),
        ["tlog_tiles", "proofs"] => tiles::proofs(folder),
        ["ct-merkle", "judge", "roots"] => ct::judge_roots(folder),
        ["ct-merkle", "judge", "proofs"] => ct::known(folder).and_then(|known| stream::judge(&known)),
        ["ct-merkle", "write"] => ct::write(folder),
        ["ct-merkle", "proofs"] => ct::proofs(folder),
        _ => Err(format!("{}: unknown arguments", folder::MISSING)),
    };
    match done {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("rust: {why}");
            ExitCode::from(if why.starts_with(folder::MISSING) { 2 } else { 1 })
        }
    }
}
