//! `vitrine-verify witness`

use super::{print, Done};
use crate::cli::{AddLog, InitWitness, ServeWitness, ShowWitness, Witness, WitnessAction};
use crate::clock::timestamp;
use crate::witness::{serve, Folder};
use crate::{files, http_serve};
use serde_json::json;
use std::fmt::Write as _;
use std::path::Path;
use vitrine_attest::canonical::to_canonical_json;
use vitrine_attest::event_log::printable;
use vitrine_attest::vkey::{NoteKey, TEXT_LIMIT};
use vitrine_attest::{Error, Result};

pub fn run(args: &Witness) -> Result<Done> {
    match &args.action {
        WitnessAction::Init(args) => init(args),
        WitnessAction::AddLog(args) => add_log(args),
        WitnessAction::Serve(args) => serve(args),
        WitnessAction::Show(args) => show(args),
    }
}

fn init(args: &InitWitness) -> Result<Done> {
    #[cfg(feature = "ml-dsa")]
    if args.ml_dsa {
        let keys = Folder::at(&args.folder).init_ml_dsa(&args.name)?;
        return Ok(Done::ok(keys.map(|key| format!("{key}\n")).concat()));
    }
    let key = Folder::at(&args.folder).init(&args.name)?;
    Ok(Done::ok(format!("{key}\n")))
}

fn add_log(args: &AddLog) -> Result<Done> {
    let key = log_key(&args.key)?;
    let locked = Folder::at(&args.folder).lock()?;
    let mut book = locked.read()?;
    if !book.add(&key)? {
        return Ok(Done::ok(format!("trusted before: {}\n", key.name())));
    }
    locked.write(&book)?;
    let count = book.logs.get(key.name()).map_or(0, |log| log.keys.len());
    Ok(Done::ok(format!("witnessed: {} ({count} key{})\n", key.name(), if count == 1 { "" } else { "s" })))
}

/// A key's text, or the name of a file with it. No key is a file's name by chance.
fn log_key(given: &str) -> Result<NoteKey> {
    let hint = "give the log's key, <name>+<key id>+<base64>, or a file with it";
    if let Ok(key) = NoteKey::of_log(given) {
        return Ok(key);
    }
    let bytes = files::read(Path::new(given), TEXT_LIMIT).map_err(|e| Error::input(e.what, hint))?;
    let text = std::str::from_utf8(&bytes).unwrap_or_default(); // what is not text is no key either
    NoteKey::of_log(text.strip_suffix('\n').unwrap_or(text))
        .map_err(|_| Error::input(format!("{given} holds no key of a log"), hint))
}

fn serve(args: &ServeWitness) -> Result<Done> {
    let witness = serve::Witness::new(Folder::at(&args.folder).lock()?)?;
    let (listener, address) = http_serve::listen(args.listen)?;
    let ended = http_serve::signals()?;
    for key in [Some(witness.key()), witness.second_key()].into_iter().flatten() {
        eprintln!("witness {key}");
    }
    print(&format!("listening on http://{address}"))?;
    witness.serve(listener, ended)?;
    Ok(Done::ok(String::new()))
}

fn show(args: &ShowWitness) -> Result<Done> {
    let folder = Folder::at(&args.folder);
    let (key, second, book) = (folder.key()?, folder.second_key()?, folder.read()?);
    if args.json {
        let mut value = json!({ "v": 1, "key": key.to_string(), "logs": book.logs });
        if let Some(second) = second {
            value["ml_dsa_key"] = second.to_string().into();
        }
        return Ok(Done::ok(format!("{}\n", String::from_utf8_lossy(&to_canonical_json(&value)?))));
    }
    let mut text = format!("{key}\n");
    if let Some(second) = second {
        let _ = writeln!(text, "{second}");
    }
    for (origin, log) in &book.logs {
        let _ = writeln!(text, "\n{}", printable(origin));
        let mut line = |name: &str, value: &str| {
            let _ = writeln!(text, "  {name:<8} {}", printable(value));
        };
        log.keys.iter().for_each(|key| line("Key", key));
        match &log.last {
            None => line("Signed", "nothing yet"),
            Some(last) => {
                line("Signed", &timestamp(last.time));
                line("Entries", &last.size.to_string());
                line("Root", &last.root.to_string());
            }
        }
        if log.fork.is_some() {
            line("FORKED", "the log has signed two histories; `--json` has both checkpoints: publish them");
        }
    }
    Ok(Done::ok(text))
}
