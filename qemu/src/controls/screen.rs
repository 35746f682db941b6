//! The masks and the screen, asked by the shipped `vitrine screen`.

use super::control::LOCK;
use super::{Control, Expected, Judge, Layer, Verdict, Waiver};
use crate::scratch::Scratch;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use vitrine_attest::{Error, Result};

/// Folder of programs with control features, beside `image-programs`: `make controls` fills it.
const PROGRAMS: &str = "control-programs";
const WAIVED: &str = "a mutation control: the layers behind the screen have to catch it";

/// Runs the screen on variants.
pub struct ScreenJudge<'a> {
    program: PathBuf,
    folder: &'a Path,
    /// Where recipes of what the screen refuses are left, with waivers: for the layers behind it.
    waived: Option<&'a Path>,
    work: Scratch,
}

/// The parts of `vitrine screen --json` that we look at.
#[derive(Debug, Deserialize)]
struct Findings {
    findings: Vec<Finding>,
    masked: Vec<Masked>,
}

#[derive(Debug, Deserialize)]
struct Finding {
    rule: String,
    path: String,
    #[serde(default)]
    waived: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Masked {
    rule: String,
    path: String,
}

impl<'a> ScreenJudge<'a> {
    /// # Errors
    /// When there is no `vitrine` beside this program, or no place for scratch files.
    pub fn new(folder: &'a Path, waived: Option<&'a Path>) -> Result<Self> {
        Ok(Self { program: beside("vitrine")?, folder, waived, work: Scratch::new()? })
    }

    /// Exit code and findings for a recipe's text.
    fn screen(&self, control: &Control, recipe: &str) -> Result<(i32, Findings)> {
        let path = self.work.path().join("recipe.toml");
        fs::write(&path, recipe).map_err(|e| Error::host(format!("{}: {e}", path.display()), "look at its folder"))?;
        let mut command = Command::new(&self.program);
        command.args(["--quiet", "--json", "screen"]).arg(&path).arg("--lock").arg(self.folder.join(LOCK));
        if let Some(feature) = &control.feature {
            command.arg("--programs").arg(beside(PROGRAMS)?.join(feature));
        }
        let output = command
            .output()
            .map_err(|e| Error::host(format!("{} does not start: {e}", self.program.display()), "run `make build`"))?;
        let code = output.status.code().unwrap_or(2);
        let said = String::from_utf8_lossy(&output.stderr);
        let findings = serde_json::from_slice(&output.stdout).map_err(|_| {
            let what = format!("{}: `vitrine screen` gave no findings: {}", control.name, said.trim());
            Error::host(what, "correct the control, or what the line above names")
        })?;
        Ok((code, findings))
    }

    /// With a waiver for exactly what was found, the same variant has to pass: then nothing else is wrong with it.
    fn waive(&self, control: &Control, findings: &Findings) -> Result<()> {
        let Some(folder) = self.waived else { return Ok(()) };
        let open = findings.findings.iter().filter(|finding| finding.waived.is_none());
        let waiver = |f: &Finding| Waiver { rule: f.rule.clone(), path: f.path.clone(), reason: WAIVED };
        let waivers: BTreeSet<Waiver> = open.map(waiver).collect();
        let recipe = control.recipe(self.folder, &waivers.into_iter().collect::<Vec<_>>())?;
        let (code, _) = self.screen(control, &recipe)?;
        if code != 0 {
            let what = format!("{}: is refused with waivers for all that was found", control.name);
            return Err(Error::artefact(what, "look at it with `vitrine screen`"));
        }
        let path = folder.join(format!("{}.toml", control.image_name()));
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&path, recipe))
            .map_err(|e| Error::input(format!("{}: {e}", path.display()), "give --waived a folder to write to"))
    }
}

impl Judge for ScreenJudge<'_> {
    fn layers(&self) -> &'static [Layer] {
        &[Layer::Mask, Layer::Screen]
    }

    fn judge(&self, control: &Control, expected: &Expected) -> Result<Verdict> {
        if let Some(feature) = &control.feature {
            let folder = beside(PROGRAMS).map(|folder| folder.join(feature));
            if !folder.is_ok_and(|folder| folder.is_dir()) {
                return Ok(Verdict::NotTried(format!("{feature} was not built: run `make controls`")));
            }
        }
        let (code, findings) = self.screen(control, &control.recipe(self.folder, &[])?)?;
        if expected.layer == Layer::Mask {
            return Ok(masked(expected, &findings));
        }
        let verdict = refused(expected, code, &findings);
        if matches!(verdict, Verdict::Caught(_)) {
            self.waive(control, &findings)?;
        }
        Ok(verdict)
    }
}

/// Every path that the control names is gone, by one of the rules.
fn masked(expected: &Expected, findings: &Findings) -> Verdict {
    let gone = |path: &&String| {
        findings.masked.iter().any(|masked| masked.path == **path && expected.rules.contains(&masked.rule))
    };
    match expected.paths.iter().find(|path| !gone(path)) {
        Some(path) => Verdict::Missed(format!("{path} is still there")),
        None => Verdict::Caught(expected.rules.clone()),
    }
}

/// Refused, by one of the rules; what a development image may have does not count.
fn refused(expected: &Expected, code: i32, findings: &Findings) -> Verdict {
    let open = findings.findings.iter().filter(|finding| finding.waived.is_none());
    let found: BTreeSet<&String> = open.map(|finding| &finding.rule).collect();
    let hit: Vec<String> = found.iter().filter(|rule| expected.rules.contains(rule)).map(|r| r.to_string()).collect();
    match (code, hit.is_empty()) {
        (1, false) => Verdict::Caught(hit),
        (0, _) => Verdict::Missed("let through".into()),
        _ => Verdict::Missed(format!(
            "exit code {code}, found: {}",
            found.iter().map(|rule| rule.as_str()).collect::<Vec<_>>().join(", ")
        )),
    }
}

/// A program or folder beside this program, or beside its folder.
fn beside(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe().map_err(|e| Error::host(format!("cannot find this program: {e}"), ""))?;
    let found = own.ancestors().skip(1).take(2).map(|folder| folder.join(name)).find(|path| path.exists());
    found.ok_or_else(|| Error::host(format!("there is no {name} beside {}", own.display()), "run `make build`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected(layer: Layer) -> Expected {
        Expected { layer, rules: vec!["r".into()], paths: vec!["/p".into()] }
    }

    fn findings(json: &str) -> Findings {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn only_an_open_finding_of_the_expected_rule_counts() {
        let of = |code, json: &str| refused(&expected(Layer::Screen), code, &findings(json));
        let good = r#"{"findings":[{"rule":"r","path":"/p"}],"masked":[]}"#;
        assert_eq!(of(1, good), Verdict::Caught(vec!["r".into()]));
        assert!(matches!(of(0, good), Verdict::Missed(_)));
        assert!(matches!(of(2, good), Verdict::Missed(_)));
        assert!(matches!(of(1, &good.replace("\"r\"", "\"other\"")), Verdict::Missed(_)));
        let waived = good.replace("\"/p\"", "\"/p\",\"waived\":\"a development image\"");
        assert!(matches!(of(1, &waived), Verdict::Missed(_)));
    }

    #[test]
    fn each_path_has_to_be_masked() {
        let of = |json: &str| masked(&expected(Layer::Mask), &findings(json));
        let good = r#"{"findings":[],"masked":[{"rule":"r","path":"/p"}]}"#;
        assert_eq!(of(good), Verdict::Caught(vec!["r".into()]));
        assert!(matches!(of(&good.replace("/p", "/q")), Verdict::Missed(_)));
        assert!(matches!(of(&good.replace("\"r\"", "\"s\"")), Verdict::Missed(_)));
    }
}
