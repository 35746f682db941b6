//! The rows that build the image of the exit recipe, signed, from ready programs.

use crate::condition::{Condition, CONDITIONS};
use crate::ground::{copy, Ground};
use crate::host::{self, HOSTS};
use crate::report::{Outcome, Report};
use crate::setting::{said, Setting, Tried};
use crate::whole::{names, text, vitrine};
use std::fs;
use std::path::{Path, PathBuf};

/// How an empty cache and a filled one are told apart.
const CACHE: &str = "echo $(ls store/cache 2>/dev/null | wc -l) kinds of kept data";

pub fn rows(ground: &Ground, report: &mut Report) {
    let first = Setting::new(ground, "first");
    first.fill(&ground.seed()).unwrap();
    let empty = first.ask(CACHE);
    let wanted = build(&first, "out", &[]).unwrap_or_else(|why| panic!("the first build: {why}"));
    let full = first.ask(CACHE);
    report.add("cache", &empty, &full, compared(&wanted, build(&first, "warm", &[])));
    controls(ground, &wanted, report);
    for (recipe, name) in HOSTS {
        let (second, outcome) = on(recipe, ground, &wanted);
        report.add(name, &first.ask(host::ASK), &second, outcome);
    }
    for condition in &CONDITIONS {
        let (answer, second, outcome) = row(ground, &first, &wanted, condition);
        report.add(condition.name, &answer, &second, outcome);
    }
    all_at_once(ground, &first, &wanted, report);
}

fn row(ground: &Ground, first: &Setting, wanted: &Path, condition: &Condition) -> (String, String, Outcome) {
    let answer = first.ask(condition.ask);
    match set(ground, condition.name, &[condition]) {
        Err(why) => (answer, "-".into(), Outcome::NotTried(why)),
        Ok(setting) => {
            let second = setting.ask(condition.ask);
            let outcome = match other(&answer, &second) {
                Ok(()) => compared(wanted, build(&setting, "out", &[])),
                Err(why) => Outcome::NotTried(why),
            };
            drop(fs::remove_dir_all(&setting.base));
            (answer, second, outcome)
        }
    }
}

/// A place in which all these conditions hold.
pub fn set(ground: &Ground, name: &str, conditions: &[&Condition]) -> Tried<Setting> {
    let mut setting = Setting::new(ground, &name.replace([':', ',', ' '], "-"));
    conditions.iter().try_for_each(|condition| (condition.before)(&mut setting))?;
    setting.fill(&ground.seed())?;
    conditions.iter().try_for_each(|condition| (condition.after)(&mut setting))?;
    Ok(setting)
}

/// All conditions that can be had together: one file system at a time, and a path as long as it gets through the last of them.
pub fn together(ground: &Ground) -> Vec<&'static Condition> {
    let left_out = |name: &str| name.starts_with("folder") || name.ends_with("tmpfs");
    let possible = |one: &&Condition| (one.before)(&mut Setting::new(ground, "possible")).is_ok();
    CONDITIONS.iter().filter(|one| !left_out(one.name)).filter(possible).collect()
}

fn all_at_once(ground: &Ground, first: &Setting, wanted: &Path, report: &mut Report) {
    let conditions = together(ground);
    let outcome = match set(ground, "all at once", &conditions) {
        Err(why) => Outcome::NotTried(why),
        Ok(setting) => {
            let hidden = |one: &&Condition| {
                let answers = other(&first.ask(one.ask), &setting.ask(one.ask));
                answers.err().map(|why| format!("{}: {why}", one.name))
            };
            match conditions.iter().find_map(hidden) {
                Some(why) => Outcome::NotTried(why),
                None => compared(wanted, build(&setting, "out", &[])),
            }
        }
    };
    report.add("at once, what can be", "none of these", &format!("{} of these", conditions.len()), outcome);
}

/// What does not show was not tried.
pub fn other(first: &str, second: &str) -> Tried<()> {
    match second {
        complaint if complaint.starts_with('(') => Err(format!("it cannot be had here: {complaint}")),
        same if same == first => Err("it is no other here".into()),
        _ => Ok(()),
    }
}

fn on(recipe: &str, ground: &Ground, wanted: &Path) -> (String, Outcome) {
    match entered(recipe, ground) {
        Err(why) => ("-".into(), Outcome::NotTried(why)),
        Ok(setting) => (setting.ask(host::ASK), compared(wanted, build(&setting, "out", &[]))),
    }
}

/// A place in the root of this recipe.
pub fn entered(recipe: &str, ground: &Ground) -> Tried<Setting> {
    let mut setting = Setting::new(ground, recipe);
    setting.fill(&ground.seed())?;
    host::enter(recipe, &mut setting)?;
    Ok(setting)
}

/// The files of a build, in a folder that the test can read.
pub fn build(setting: &Setting, out: &str, more: &[&str]) -> Tried<PathBuf> {
    let [program, recipe, lock, programs, keys, folder] =
        ["vitrine", "recipes/exit.toml", "lock.toml", "programs", "keys", out].map(|name| setting.at(name));
    let mut words = vec![program.as_str(), "build", &recipe, "--lock", &lock, "--programs", &programs];
    words.extend(["--keys", &keys, "--out", &folder, "--offline", "--quiet"]);
    let output = setting.run(&[&words, more].concat());
    match output.status.success() {
        true => setting.bring(out),
        false => Err(said(&output)),
    }
}

pub fn compared(wanted: &Path, found: Tried<PathBuf>) -> Outcome {
    match found {
        Err(why) => Outcome::Failed(why),
        Ok(found) => match difference(wanted, &found) {
            None => Outcome::Alike(names(wanted).len()),
            Some(what) => Outcome::Different(what),
        },
    }
}

/// Every file of both folders, byte by byte. What differs is named by `vitrine diff`, as far as that looks.
fn difference(a: &Path, b: &Path) -> Option<String> {
    let read = |folder: &Path, name: &str| fs::read(folder.join(name)).unwrap();
    let differs = match names(a) == names(b) {
        false => Some(format!("{:?} and {:?}", names(a), names(b))),
        true => names(a).into_iter().find(|name| read(a, name) != read(b, name)),
    }?;
    let output = vitrine(&["diff", text(a), text(b)]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    match output.status.code() {
        Some(1) => Some(said.lines().map(str::trim).take(4).collect::<Vec<_>>().join("; ")),
        _ => Some(differs),
    }
}

/// Builds that differ on purpose, so that a matrix that sees nothing is seen.
fn controls(ground: &Ground, wanted: &Path, report: &mut Report) {
    let setting = Setting::new(ground, "controls");
    setting.fill(&ground.seed()).unwrap();
    let ports = build(&setting, "ports", &["--set", "config.wireguard.ports=[51999]"]);
    report.add("control: another port", "as in the recipe", "51999", noticed(wanted, ports, "stage 1 is the first"));
    let program = setting.folder.join("programs/vitrine-metrics");
    let mut bytes = fs::read(&program).unwrap();
    bytes.push(0);
    fs::remove_file(&program).unwrap(); // a link to the seed's
    fs::write(&program, bytes).unwrap();
    drop(fs::remove_file(setting.folder.join("programs/programs.json"))); // it would be refused beside its record
    drop(fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)));
    let longer = build(&setting, "longer", &[]);
    report.add("control: a longer program", "as built", "1 byte more", noticed(wanted, longer, "stage 3 is the first"));
    let altered = setting.base.join("altered");
    copy(wanted, &altered);
    let sbom = fs::read_to_string(altered.join("sbom.cdx.json")).unwrap();
    fs::write(altered.join("sbom.cdx.json"), sbom + " ").unwrap();
    let outcome = noticed(wanted, Ok(altered), "sbom.cdx.json");
    report.add("control: a longer list of parts", "as built", "1 byte more", outcome);
}

fn noticed(wanted: &Path, found: Tried<PathBuf>, what: &str) -> Outcome {
    match compared(wanted, found) {
        Outcome::Different(said) if said.starts_with(what) => Outcome::Noticed(said),
        other => Outcome::Failed(format!("{what:?} was to be said, not {other:?}")),
    }
}
