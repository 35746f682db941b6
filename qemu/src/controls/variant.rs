//! Variants of a server, screened and built by the shipped `vitrine`.

use super::control::Base;
use super::surroundings::{read, Surroundings};
use super::{Control, Verdict, Waiver};
use crate::scratch::Scratch;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use vitrine_attest::{Error, Result};

/// Folder of programs with control features, beside `image-programs`: `make controls` fills it.
const PROGRAMS: &str = "control-programs";
const WAIVED: &str = "a mutation control: the layers behind the screen have to catch it";

/// Makes variants.
pub struct Variants<'a> {
    program: PathBuf,
    folder: &'a Path,
    surroundings: Surroundings,
    lock: Option<PathBuf>,
    work: Scratch,
}

/// The parts of `vitrine screen --json` that we look at.
#[derive(Debug, Deserialize)]
pub struct Findings {
    pub findings: Vec<Finding>,
    pub masked: Vec<Masked>,
}

#[derive(Debug, Deserialize)]
pub struct Finding {
    pub rule: String,
    pub path: String,
    #[serde(default)]
    pub waived: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct Masked {
    pub rule: String,
    pub path: String,
}

impl<'a> Variants<'a> {
    /// # Errors
    /// When there is no `vitrine` beside this program, or no place for scratch files.
    pub fn new(folder: &'a Path, surroundings: Surroundings) -> Result<Self> {
        Self::by(beside("vitrine")?, folder, surroundings)
    }

    /// By this `vitrine`.
    ///
    /// # Errors
    /// When there is no place for scratch files.
    pub fn by(program: PathBuf, folder: &'a Path, surroundings: Surroundings) -> Result<Self> {
        Ok(Self { program, folder, surroundings, lock: None, work: Scratch::new()? })
    }

    /// The same with another lock than the one of the control's base.
    pub fn with_lock(self, lock: Option<PathBuf>) -> Self {
        Self { lock, ..self }
    }

    pub fn surroundings(&self) -> &Surroundings {
        &self.surroundings
    }

    /// Why this control cannot be tried.
    pub fn missing(&self, control: &Control) -> Option<Verdict> {
        let feature = control.feature.as_ref()?;
        let there = programs(feature).is_ok_and(|folder| folder.is_dir());
        (!there).then(|| Verdict::NotTried(format!("{feature} was not built: run `make controls`")))
    }

    /// Exit code and findings.
    ///
    /// # Errors
    /// When the screen cannot be run on it.
    pub fn screen(&self, control: &Control, base: Base, waivers: &[Waiver]) -> Result<(i32, Findings)> {
        let recipe = self.write(&control.recipe(self.folder, base, waivers)?)?;
        let output = self.vitrine(control, base, &["--quiet", "--json", "screen"], &recipe, &[])?;
        let said = String::from_utf8_lossy(&output.stderr);
        let findings = serde_json::from_slice(&output.stdout).map_err(|_| {
            let what = format!("{}: `vitrine screen` gave no findings: {}", control.name, said.trim());
            Error::host(what, "correct the control, or what the line above names")
        })?;
        Ok((output.status.code().unwrap_or(2), findings))
    }

    /// The recipe with a waiver for exactly what the screen found.
    ///
    /// # Errors
    /// When it is refused with them as well: then something else is wrong with it.
    pub fn waived(&self, control: &Control, base: Base) -> Result<String> {
        let (_, findings) = self.screen(control, base, &[])?;
        let open = findings.findings.iter().filter(|finding| finding.waived.is_none());
        let waiver = |f: &Finding| Waiver { rule: f.rule.clone(), path: f.path.clone(), reason: WAIVED };
        let waivers: Vec<Waiver> = open.map(waiver).collect::<BTreeSet<_>>().into_iter().collect();
        let (code, _) = self.screen(control, base, &waivers)?;
        if code != 0 {
            let what = format!("{}: is refused with waivers for all that was found", control.name);
            return Err(Error::artefact(what, "look at it with `vitrine screen`"));
        }
        control.recipe(self.folder, base, &waivers)
    }

    /// Builds it for the proof, in its surroundings. Gives the image's folder and that of its keys.
    ///
    /// # Errors
    /// When it cannot be built.
    pub fn build(&self, control: &Control) -> Result<(PathBuf, PathBuf)> {
        let (out, keys) = (self.work.path().join("out"), self.work.path().join("keys"));
        let base = Base::Proven(control.server);
        let recipe = self.write(&self.waived(control, base)?)?;
        if !keys.exists() {
            let made = Command::new(&self.program).arg("keygen").arg("--out").arg(&keys).output();
            succeeded("keygen", made.map_err(|e| self.unstarted(&e))?)?;
        }
        let mut set = self.surroundings.trust(control.server)?;
        set.push(format!("config.owner={}", read(&keys.join("owner.pub"), "look at its folder")?));
        let mut words: Vec<&OsStr> = vec!["--out".as_ref(), out.as_ref(), "--keys".as_ref(), keys.as_ref()];
        words.extend(as_options(&set));
        succeeded(&control.name, self.vitrine(control, base, &["--quiet", "build"], &recipe, &words)?)?;
        Ok((out, keys))
    }

    fn write(&self, recipe: &str) -> Result<PathBuf> {
        let path = self.work.path().join("recipe.toml");
        fs::write(&path, recipe).map_err(|e| Error::host(format!("{}: {e}", path.display()), "look at its folder"))?;
        Ok(path)
    }

    fn vitrine(&self, control: &Control, base: Base, verb: &[&str], recipe: &Path, more: &[&OsStr]) -> Result<Output> {
        let mut command = Command::new(&self.program);
        let lock = self.lock.clone().unwrap_or_else(|| self.folder.join(base.lock()));
        command.args(verb).arg(recipe).arg("--lock").arg(lock).args(more);
        if let Base::Proven(server) = base {
            command.args(as_options(&self.surroundings.of_recipe(server)?));
        }
        if let Some(feature) = &control.feature {
            command.arg("--programs").arg(programs(feature)?);
        }
        command.output().map_err(|e| self.unstarted(&e))
    }

    fn unstarted(&self, e: &std::io::Error) -> Error {
        Error::host(format!("{} does not start: {e}", self.program.display()), "run `make build`")
    }
}

fn as_options(set: &[String]) -> impl Iterator<Item = &OsStr> {
    set.iter().flat_map(|set| ["--set".as_ref(), OsStr::new(set)])
}

fn succeeded(what: &str, output: Output) -> Result<()> {
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(Error::artefact(format!("{what}: {}", said.trim()), "correct the control, or what the line above names"))
}

fn programs(feature: &str) -> Result<PathBuf> {
    beside(PROGRAMS).map(|folder| folder.join(feature))
}

/// A program or folder beside this program, or beside its folder.
fn beside(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe().map_err(|e| Error::host(format!("cannot find this program: {e}"), ""))?;
    let found = own.ancestors().skip(1).take(2).map(|folder| folder.join(name)).find(|path| path.exists());
    found.ok_or_else(|| Error::host(format!("there is no {name} beside {}", own.display()), "run `make build`"))
}
