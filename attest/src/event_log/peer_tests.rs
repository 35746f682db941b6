//! Another program judges: `tpm2_eventlog` replays the same logs of real machines.

use super::tests::{expected_pcrs, Banks};
use super::EventLog;
use crate::digest::hex;
use crate::testing::vectors;
use std::path::Path;
use std::process::Command;

/// Logs that `tpm2_eventlog` of tpm2-tools 5.4 does not read: on the first it ends with SIGSEGV, the second (49 bytes, one
/// event that extends nothing) it refuses. Another version may read them.
const UNREAD: [&str; 2] = ["go-attestation-option_rom_eventlog", "go-attestation-short_no_action_eventlog"];

#[test]
fn logs_of_real_machines_replay_to_the_same_values() {
    if Command::new("tpm2_eventlog").arg("--version").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "tpm2-tools are needed in CI");
        eprintln!("skipped: install tpm2-tools");
        return;
    }
    let Some(mut files) = vectors("eventlog") else { return };
    files.retain(|file| file.extension().is_none_or(|end| end != "yaml"));
    let (mut banks, mut unread) = (0, Vec::new());
    for file in &files {
        let name = file.file_name().unwrap().to_str().unwrap();
        let Some(theirs) = theirs(file) else {
            unread.push(name.to_owned());
            continue;
        };
        assert_eq!(ours(file), theirs, "{name}");
        banks += theirs.len();
    }
    eprintln!("{banks} banks of {} logs are the same; tpm2_eventlog cannot read {unread:?}", files.len());
    assert!(banks > 15, "{banks} banks were compared");
    let new: Vec<_> = unread.iter().filter(|name| !UNREAD.contains(&name.as_str())).collect();
    assert!(new.is_empty(), "tpm2_eventlog does not read {new:?}");
}

/// The banks that the log is complete in. We give no value for others; `tpm2_eventlog` does not name them.
fn ours(file: &Path) -> Banks {
    let bytes = std::fs::read(file).unwrap();
    let log = EventLog::parse(&bytes).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let replayed = log.algorithms.iter().filter_map(|bank| Some((bank.to_string(), log.replay(*bank).ok()?)));
    replayed.map(|(bank, values)| (bank, values.into_iter().map(|(pcr, value)| (pcr, hex(&value))).collect())).collect()
}

/// None: it gave up.
fn theirs(file: &Path) -> Option<Banks> {
    let output = Command::new("tpm2_eventlog").arg(file).output().unwrap();
    if !output.status.success() {
        eprintln!("{}: {}", file.display(), String::from_utf8_lossy(&output.stderr).trim());
        return None;
    }
    Some(expected_pcrs(&String::from_utf8_lossy(&output.stdout)))
}
