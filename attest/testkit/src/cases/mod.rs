//! The cases: one function for each file of the kit.

mod activation;
mod batch;
mod boot;
mod controls;
mod demands;
mod form;
mod inputs;
mod keys;
mod log;
mod log_form;
mod quote;
mod release;
mod runtime;
mod signature;

use crate::list::List;
use crate::session::{Draft, Session};
use crate::{host, Stage};
use std::path::Path;
use vitrine_attest::{Error, Result};

/// What a case gives.
#[derive(Default)]
pub struct Files {
    /// Empty where the list names the session of another case.
    pub session: Vec<u8>,
    /// Where the defect is in the statement, or needs another one.
    pub statement: Option<Vec<u8>>,
    /// `demands/CASE.NAME`.
    pub demands: Vec<(&'static str, Vec<u8>)>,
}

type Make = fn(&Stage) -> Result<Files>;
type Group = &'static [(&'static str, Make)];

const GROUPS: &[Group] = &[
    controls::ALL,
    inputs::ALL,
    form::ALL,
    keys::ALL,
    activation::ALL,
    signature::ALL,
    quote::ALL,
    batch::ALL,
    log_form::ALL,
    log::ALL,
    boot::ALL,
    runtime::ALL,
    release::ALL,
    demands::ALL,
];

/// All cases by name.
pub fn all() -> impl Iterator<Item = (&'static str, Make)> {
    GROUPS.iter().flat_map(|group| group.iter().copied())
}

/// A session carried through.
fn done(draft: Result<Draft>) -> Result<Files> {
    whole(draft?.finish()?)
}

fn whole(session: Session) -> Result<Files> {
    Ok(Files { session: session.file()?, ..Files::default() })
}

/// Makes the whole kit in `folder`: `trust/`, `statements/`, `demands/`, `cases/`. The last one is removed when all of the new one is
/// made.
///
/// # Errors
/// When a tool fails, or the list and the functions name different cases.
pub fn generate(list: &List, folder: &Path) -> Result<()> {
    if let Some(case) = list.cases.iter().find(|case| !all().any(|(name, _)| name == case.name)) {
        return Err(Error::bug(format!("nothing makes the case {}", case.name)));
    }
    let files = make_all(list, &Stage::new()?)?;
    for part in ["trust", "statements", "demands", "cases"] {
        let path = folder.join(part);
        if path.exists() {
            std::fs::remove_dir_all(&path).map_err(host)?;
        }
        std::fs::create_dir_all(&path).map_err(host)?;
    }
    files.iter().try_for_each(|(name, bytes)| std::fs::write(folder.join(name), bytes).map_err(host))
}

/// Names below the kit's folder, and what belongs there.
fn make_all(list: &List, stage: &Stage) -> Result<Vec<(String, Vec<u8>)>> {
    let mut all_files = vec![
        ("trust/release.dsse.json".into(), stage.signed(&stage.statement)?),
        ("trust/release.pub".into(), stage.key_text()?.into_bytes()),
        ("trust/ek-roots.pem".into(), stage.roots()?),
    ];
    for (name, make) in all() {
        let listed = list.cases.iter().find(|case| case.name == name);
        let case = listed.ok_or_else(|| Error::bug(format!("cases.toml does not list {name}")))?;
        let files = make(stage).map_err(|e| e.within(name.to_owned()))?;
        if case.session.is_some() != files.session.is_empty() && case.exit != 2 {
            return Err(Error::bug(format!("{name}: the list and the function do not agree whose session it is")));
        }
        if case.session.is_none() {
            all_files.push((case.file(), files.session));
        }
        all_files.extend(files.demands.into_iter().map(|(file, bytes)| (format!("demands/{name}.{file}"), bytes)));
        all_files.extend(files.statement.map(|statement| (format!("statements/{name}.dsse.json"), statement)));
    }
    Ok(all_files)
}
