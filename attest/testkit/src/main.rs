//! `make-testkit [FOLDER]`: makes the adversary's test kit anew, with new keys. `FOLDER` holds `cases.toml`.

use std::path::PathBuf;
use std::process::ExitCode;
use vitrine_attest::{Error, Result};
use vitrine_testkit::{cases, list::List};

fn main() -> ExitCode {
    let folder = std::env::args_os().nth(1).map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    match make(&folder) {
        Ok(count) => {
            println!("{count} cases");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(error.exit_code())
        }
    }
}

fn make(folder: &std::path::Path) -> Result<usize> {
    let text = std::fs::read_to_string(folder.join("cases.toml"))
        .map_err(|e| Error::input(format!("cases.toml: {e}"), "name the folder that holds it"))?;
    let list = List::parse(&text)?;
    cases::generate(&list, folder)?;
    Ok(list.cases.len())
}
