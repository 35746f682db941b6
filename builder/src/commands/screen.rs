//! `vitrine screen`

use super::sources::Sources;
use super::Outcome;
use crate::cli::Screen;
use crate::progress::Progress;
use crate::steps::{Screened, Staged, Workshop};
use serde_json::Value;
use std::fmt::Write as _;
use vitrine_attest::{Blame, Error, Result};

pub fn run(args: &Screen, progress: &Progress) -> Result<Outcome> {
    let hint = "name a recipe, or give --source DIR";
    let inputs = args.inputs.as_ref().ok_or_else(|| Error::input("there is nothing to screen", hint))?;
    let sources = Sources::gather(inputs, progress)?;
    let with = Workshop { store: &sources.store, programs: &sources.programs, progress };
    let staged = Staged::new(sources.locked, &with)?;
    let (mut text, mut json) = (String::new(), Value::Null);
    let screened = Screened::new(staged, |findings| {
        for masked in &findings.masked {
            // writing to a String cannot fail
            let _ = writeln!(text, "masked    {}  {}", masked.rule, masked.path);
        }
        text += &findings.report.to_string();
        json = serde_json::to_value(findings).map_err(|e| Error::bug(format!("findings have no JSON form: {e}")))?;
        Ok(())
    });
    let code = match screened {
        Ok(_) => 0,
        // a refusal is the answer here, and the findings above say why
        Err(e) if e.blame == Blame::Artefact && json != Value::Null => 1,
        Err(e) => return Err(e),
    };
    text += if code == 0 { "let through\n" } else { "refused\n" };
    Ok(Outcome { text: text.into_bytes(), json: Some(json), code })
}
