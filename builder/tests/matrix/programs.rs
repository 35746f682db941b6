//! The rows that compile the programs in the toolchain's root and build an image of them: on this machine as it is, under all
//! other conditions at once, and on two other distributions.

use crate::condition::CONDITIONS;
use crate::ground::{copy, sources, Ground};
use crate::host::{self, HOSTS};
use crate::image::{build, compared, entered, other, set, together};
use crate::report::{Outcome, Report};
use crate::setting::{said, Setting, Tried};
use crate::whole::names;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// What the first compilation left, and where.
#[derive(Debug)]
pub struct First {
    ground: Ground,
    setting: Setting,
    programs: PathBuf,
    image: PathBuf,
}

impl First {
    pub fn programs(&self) -> PathBuf {
        self.programs.clone()
    }
}

pub fn rows(report: &mut Report) -> First {
    let ground = Ground::new(None);
    sources(&ground.seed().join("source"));
    let first = first(ground, report);
    let ground = &first.ground;
    let kept = compile(&first.setting, "kept");
    report.add("programs: cache", "cold", "warm", both(&first, &first.setting, kept));
    opposite(ground, &first, report);
    for (recipe, name) in HOSTS {
        let answer = first.setting.ask(host::ASK);
        match entered(recipe, ground) {
            Err(why) => report.add(&format!("programs, {name}"), &answer, "-", Outcome::NotTried(why)),
            Ok(setting) => {
                let outcome = both(&first, &setting, compile(&setting, "programs"));
                report.add(&format!("programs, {name}"), &answer, &setting.ask(host::ASK), outcome);
                drop(fs::remove_dir_all(&setting.base));
            }
        }
    }
    first
}

/// Packages and crates come from wherever this machine gets them; all later rows have them from here, and no network.
fn first(ground: Ground, report: &mut Report) -> First {
    let setting = Setting::new(&ground, "first");
    setting.fill(&ground.seed()).unwrap();
    let mut command = Command::new(setting.at("vitrine"));
    command.args(["compile", &setting.at("source/recipes/toolchain.lock.toml"), "--source", &setting.at("source")]);
    command.args(["--out", &setting.at("programs"), "--quiet"]).env("VITRINE_CACHE", setting.at("store"));
    let output = command.output().unwrap();
    assert!(output.status.success(), "the first compilation: {}", String::from_utf8_lossy(&output.stderr));
    let programs = setting.bring("programs").unwrap();
    let image = build(&setting, "out", &[]).unwrap_or_else(|why| panic!("the first build: {why}"));
    let seed = ground.seed();
    fs::remove_dir_all(seed.join("store/sha256")).unwrap();
    copy(&setting.folder.join("store/sha256"), &seed.join("store/sha256"));
    report.add("programs: the first time", "as this machine is", "-", Outcome::Made(names(&programs).len()));
    First { ground, setting, programs, image }
}

/// The conditions that go together, a row for each: one compilation is what became of all.
fn opposite(ground: &Ground, first: &First, report: &mut Report) {
    let conditions = together(ground);
    let setting = match set(ground, "opposite", &conditions) {
        Ok(setting) => setting,
        Err(why) => return report.add("programs: conditions at once", "-", "-", Outcome::NotTried(why)),
    };
    let outcome = both(first, &setting, compile(&setting, "programs"));
    let number = format!("{} of the following", conditions.len());
    report.add("programs: conditions at once", "none of the following", &number, outcome.clone());
    for one in &CONDITIONS {
        let (answer, tried) = (first.setting.ask(one.ask), conditions.iter().any(|other| other.name == one.name));
        let second = if tried { setting.ask(one.ask) } else { "-".into() };
        let outcome = match other(&answer, &second) {
            Ok(()) if tried => outcome.clone(),
            Err(why) if tried => Outcome::NotTried(why),
            _ => Outcome::NotTried("not with the others, or not on this machine".into()),
        };
        report.add(&format!("programs, {}", one.name), &answer, &second, outcome);
    }
    drop(fs::remove_dir_all(&setting.base));
}

fn compile(setting: &Setting, out: &str) -> Tried<PathBuf> {
    let [program, lock, source, folder] =
        ["vitrine", "source/recipes/toolchain.lock.toml", "source", out].map(|name| setting.at(name));
    let words = [&program, "compile", &lock, "--source", &source, "--out", &folder, "--offline", "--quiet"];
    let output = setting.run(&words);
    match output.status.success() {
        true => setting.bring(out),
        false => Err(said(&output)),
    }
}

/// The programs, and when they are alike an image of them, built in the same place.
fn both(first: &First, setting: &Setting, programs: Tried<PathBuf>) -> Outcome {
    match compared(&first.programs, programs) {
        Outcome::Alike(files) => match compared(&first.image, build(setting, "image", &[])) {
            Outcome::Alike(more) => Outcome::Alike(files + more),
            other => other,
        },
        other => other,
    }
}
