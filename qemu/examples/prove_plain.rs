//! The proof's users and search on the plain Debian server alone, as JSON: `prove_plain FOLDER NAMES`, the folder of
//! tools/prove/plain.sh and the zones of tools/test-zones.sh. Needs root.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;
use vitrine_qemu::prove::plain::prove;
use vitrine_qemu::prove::run::{FLUSHED, TIMES};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, folder, names] = &arguments[..] else {
        eprintln!("prove_plain FOLDER NAMES");
        return ExitCode::from(2);
    };
    let times = [&TIMES[..], &[FLUSHED]].concat();
    let found = prove(Path::new(folder), Path::new(names), &times, Duration::from_secs(600), &mut |line| {
        eprintln!("{line}");
    });
    match found.map(|moments| serde_json::to_string(&moments)) {
        Ok(Ok(text)) => println!("{text}"),
        Ok(Err(error)) => eprintln!("{error}"),
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(error.exit_code());
        }
    }
    ExitCode::SUCCESS
}
