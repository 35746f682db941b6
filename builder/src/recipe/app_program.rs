//! The two shapes of a program in the image: a binary of the operator's, or an interpreter that runs audited sources.

use super::app::{AppSpec, Wrong, SRV};
use std::collections::BTreeMap;
use vitrine_attest::app_facts::AppProgram;
use vitrine_source_audit::is_code;

/// Letters of options by which interpreters take code from somewhere else than from their script: `-c`, `-e`, `-m`, `-p`, `-r`.
const CODE: &str = "cempr";

/// Which of both it is.
///
/// # Errors
/// It is neither; or it is one whose sources would not be what the audit reads.
pub fn of(spec: &AppSpec, files: &BTreeMap<String, Vec<u8>>) -> Result<AppProgram, Wrong> {
    // without a first word the configuration is refused
    let Some(program) = spec.command.first() else { return Ok(AppProgram::Binary) };
    match below_srv(program) {
        Some(name) => binary(spec, name, files),
        None => interpreted(spec, files),
    }
}

fn below_srv(word: &str) -> Option<&str> {
    word.strip_prefix(SRV)?.strip_prefix('/')
}

fn binary(spec: &AppSpec, name: &str, files: &BTreeMap<String, Vec<u8>>) -> Result<AppProgram, Wrong> {
    let wrong = |key, why: &str| Err((key, why.to_string()));
    match files.get(name) {
        None => Err(("app.command", format!("app.files holds no {name}"))),
        Some(bytes) if !bytes.starts_with(b"\x7fELF") => wrong(
            "app.command",
            "a script below /srv cannot be started; name its interpreter, and the script as the first word after it",
        ),
        Some(_) if spec.sources.is_none() => {
            wrong("app.sources", "the program is a binary, so name the folder of the sources that it was made from")
        }
        Some(_) => Ok(AppProgram::Binary),
    }
}

fn interpreted(spec: &AppSpec, files: &BTreeMap<String, Vec<u8>>) -> Result<AppProgram, Wrong> {
    let mut words = spec.command.iter().skip(1).skip_while(|word| is_plain_option(word));
    let script = words.next().map(String::as_str).unwrap_or_default();
    let name = below_srv(script).filter(|name| files.contains_key(*name)).ok_or_else(|| {
        let why = "the first word after the interpreter and its options (letters, none that brings code such as -c, -m) has to be a \
                   file of app.files below /srv";
        ("app.command", why.to_string())
    })?;
    if !is_code(name, &files[name]) {
        return Err((
            "app.command",
            format!("the source audit takes {script} for data: give it its language's extension"),
        ));
    }
    match &spec.sources {
        Some(sources) if *sources != spec.files => Err((
            "app.sources",
            "an interpreter runs app.files, so they are what the audit reads: leave app.sources out".into(),
        )),
        _ => Ok(AppProgram::Interpreted),
    }
}

fn is_plain_option(word: &str) -> bool {
    let letters =
        |letters: &str| !letters.is_empty() && letters.chars().all(|c| c.is_ascii_alphabetic() && !CODE.contains(c));
    word.strip_prefix('-').is_some_and(letters)
}
