//! Files that are no code, but name packages or commands: manifests, Dockerfiles, units.

use crate::fact::{short, Arg, Fact, Kind};
use crate::language::{Dialect, Language, Manifest};
use crate::parse::{self, Trouble};
use toml::Value;

/// Hands the facts of a manifest to `sink`; each with the language whose rules are for it.
///
/// # Errors
/// What could not be judged.
pub fn read(manifest: Manifest, text: &str, sink: &mut dyn FnMut(Language, Fact)) -> Result<(), Trouble> {
    match manifest {
        Manifest::Cargo => cargo(text, sink),
        Manifest::PyProject => pyproject(text, sink),
        Manifest::Npm => npm(text, sink),
        Manifest::GoMod => go_mod(text, sink),
        Manifest::Requirements => requirements(text, sink),
        Manifest::Procfile => {
            let commands = text.lines().enumerate().filter_map(|(at, line)| Some((at, line.split_once(':')?.1)));
            shell(commands.map(|(at, line)| (at, line.to_string())), sink)
        }
        Manifest::Dockerfile => shell(docker(text).into_iter(), sink),
        Manifest::Unit => unit(text, sink),
    }
}

fn number(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX).saturating_add(1)
}

/// Line on which a name stands first, counted from 1.
fn line_of(text: &str, name: &str) -> u32 {
    text.find(name).map_or(1, |at| number(text[..at].matches('\n').count()))
}

fn dependency(language: Language, text: &str, name: &str, sink: &mut dyn FnMut(Language, Fact)) {
    sink(language, Fact::new(Kind::Dependency, name, line_of(text, name)));
}

fn cargo(text: &str, sink: &mut dyn FnMut(Language, Fact)) -> Result<(), Trouble> {
    let value: Value = toml::from_str(text).map_err(|_| Trouble::Line(1))?;
    let tables = [Some(&value), value.get("workspace")].into_iter().flatten();
    let targets = value.get("target").and_then(Value::as_table).into_iter().flatten().map(|(_, table)| table);
    for table in tables.chain(targets) {
        for (key, entry) in table.get("dependencies").and_then(Value::as_table).into_iter().flatten() {
            let name = entry.get("package").and_then(Value::as_str).unwrap_or(key);
            dependency(Language::Rust, text, name, sink);
        }
    }
    Ok(())
}

fn pyproject(text: &str, sink: &mut dyn FnMut(Language, Fact)) -> Result<(), Trouble> {
    let value: Value = toml::from_str(text).map_err(|_| Trouble::Line(1))?;
    let project = value.get("project");
    let list = project.and_then(|project| project.get("dependencies"));
    let extras = project.and_then(|project| project.get("optional-dependencies")).and_then(Value::as_table);
    let lists = list.into_iter().chain(extras.into_iter().flatten().map(|(_, list)| list));
    for entry in lists.filter_map(Value::as_array).flatten().filter_map(Value::as_str) {
        dependency(Language::Python, text, requirement(entry), sink);
    }
    let poetry = value.get("tool").and_then(|tool| tool.get("poetry")).and_then(|poetry| poetry.get("dependencies"));
    for (name, _) in poetry.and_then(Value::as_table).into_iter().flatten() {
        dependency(Language::Python, text, name, sink);
    }
    Ok(())
}

/// `sentry-sdk` of `sentry-sdk[flask]>=2 ; python_version > "3"`
fn requirement(line: &str) -> &str {
    let end = line.find(|c: char| !(c.is_alphanumeric() || "._-".contains(c))).unwrap_or(line.len());
    &line[..end]
}

fn requirements(text: &str, sink: &mut dyn FnMut(Language, Fact)) -> Result<(), Trouble> {
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if !line.is_empty() && !line.starts_with(['#', '-']) {
            sink(Language::Python, Fact::new(Kind::Dependency, requirement(line), number(at)));
        }
    }
    Ok(())
}

fn npm(text: &str, sink: &mut dyn FnMut(Language, Fact)) -> Result<(), Trouble> {
    let value: serde_json::Value =
        serde_json::from_str(text).map_err(|e| Trouble::Line(u32::try_from(e.line()).unwrap_or(1)))?;
    for table in ["dependencies", "optionalDependencies", "peerDependencies"] {
        for (name, _) in value.get(table).and_then(|table| table.as_object()).into_iter().flatten() {
            let line = line_of(text, &format!("\"{name}\""));
            sink(Language::JavaScript, Fact::new(Kind::Dependency, name, line));
        }
    }
    // what runs in the image, not what makes or publishes the package
    let scripts = ["start", "prestart", "poststart", "serve", "server", "worker"];
    let table = value.get("scripts").and_then(|table| table.as_object());
    let commands = scripts.iter().filter_map(|name| table?.get(*name)?.as_str());
    shell(commands.map(|command| (line_of(text, command) as usize - 1, command.to_string())), sink)
}

fn go_mod(text: &str, sink: &mut dyn FnMut(Language, Fact)) -> Result<(), Trouble> {
    let mut inside = false;
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        let entry = match (inside, line.strip_prefix("require ")) {
            (_, Some(rest)) if rest.trim() == "(" => {
                inside = true;
                continue;
            }
            (_, Some(rest)) => rest,
            (true, None) if line == ")" => {
                inside = false;
                continue;
            }
            (true, None) => line,
            _ => continue,
        };
        if let Some(name) = entry.split_whitespace().next().filter(|name| !name.starts_with("//")) {
            sink(Language::Go, Fact::new(Kind::Dependency, name, number(at)));
        }
    }
    Ok(())
}

/// Commands in shell form, each with its line counted from 0.
fn shell(commands: impl Iterator<Item = (usize, String)>, sink: &mut dyn FnMut(Language, Fact)) -> Result<(), Trouble> {
    let mut result = Ok(());
    for (at, command) in commands {
        let mut here =
            |fact: Fact| sink(Language::Shell, Fact { line: fact.line.saturating_add(number(at)) - 1, ..fact });
        if let Err(trouble) = parse::read(Language::Shell, Dialect::Plain, command.trim(), &mut here) {
            result = Err(match trouble {
                Trouble::Line(_) => Trouble::Line(number(at)),
                Trouble::Work => Trouble::Work,
            });
        }
    }
    result
}

/// RUN, CMD and ENTRYPOINT, in shell form or as a JSON list.
fn docker(text: &str) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    let mut open = false;
    for (at, line) in text.lines().enumerate() {
        let trimmed = line.trim();
        let body = match (open, trimmed.split_once(char::is_whitespace)) {
            _ if trimmed.starts_with('#') => continue,
            (true, _) => trimmed,
            (false, Some((verb, rest)))
                if ["RUN", "CMD", "ENTRYPOINT"].contains(&verb.to_ascii_uppercase().as_str()) =>
            {
                found.push((at, String::new()));
                rest
            }
            _ => continue,
        };
        open = body.ends_with('\\');
        if let Some((_, command)) = found.last_mut() {
            command.push_str(body.trim_end_matches('\\'));
        }
    }
    for (_, command) in &mut found {
        if let Ok(words) = serde_json::from_str::<Vec<String>>(command) {
            let quote = |word: &String| format!("'{}'", word.replace('\'', "'\\''"));
            *command = words.iter().map(quote).collect::<Vec<_>>().join(" ");
        }
    }
    found
}

/// systemd: commands, and settings as assignments. A service that says nothing of its output writes to the journal.
fn unit(text: &str, sink: &mut dyn FnMut(Language, Fact)) -> Result<(), Trouble> {
    let mut commands = Vec::new();
    let mut said = [("StandardOutput", false), ("StandardError", false)];
    let mut first = None;
    for (at, line) in text.lines().enumerate() {
        let Some((key, value)) = line.trim().split_once('=').filter(|(key, _)| !key.starts_with(['#', ';'])) else {
            continue;
        };
        let (key, value) = (key.trim(), value.trim());
        if key.starts_with("Exec") {
            first = first.or(Some(at));
            commands.push((at, value.trim_start_matches(['-', '@', ':', '+', '!', '|']).to_string()));
            continue;
        }
        for (name, seen) in &mut said {
            *seen |= *name == key;
        }
        setting(key, value, number(at), sink);
    }
    // StandardError inherits from StandardOutput
    if let (Some(at), false) = (first, said[0].1) {
        setting("StandardOutput", "journal", number(at), sink);
    }
    shell(commands.into_iter(), sink)
}

fn setting(key: &str, value: &str, line: u32, sink: &mut dyn FnMut(Language, Fact)) {
    let args = vec![Arg { name: "0".into(), text: short(value) }];
    sink(Language::Shell, Fact { args, ..Fact::new(Kind::Assign, key, line) });
}
