//! `[app]`: a program of the operator's own in the image. See `docs/gateway.md`, "A program of your own".

use super::complete::beside;
use super::problems::Problems;
use super::source::Source;
use super::tree::Placed;
use super::{app_program, Recipe};
use crate::waiver_file;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use vitrine_attest::app_facts::AppProgram;
use vitrine_attest::config::{App, AppLimits, Span};
use vitrine_attest::statement::Waiver;
use vitrine_attest::Sha256;
use vitrine_initramfs::{ImagePath, APP_ROOT};

/// Where the operator's files lie, as the program sees it.
pub const SRV: &str = "/srv";
/// Bytes of one file, and of all files of one folder.
const FILE_LIMIT: u64 = 64 << 20;
const FOLDER_LIMIT: u64 = 128 << 20;

/// ```toml
/// [app]
/// files = "app"
/// include = ["/usr/bin/python3.13", "/usr/lib/python3.13/**"]
/// command = ["/usr/bin/python3.13", "-I", "-B", "/srv/server.py"]
/// port = 8000
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppSpec {
    /// A folder, relative to the recipe that says so: becomes `/srv`.
    pub files: String,
    /// What the audit reads, when that is not [`Self::files`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sources: Option<String>,
    /// Exceptions to rules of the audit: a file with `[[waiver]]`, relative to the recipe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waivers: Option<String>,
    /// Languages that the audit leaves out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub without: Vec<String>,
    /// Paths, patterns, folders of the locked packages; what they link to follows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub include: Vec<String>,
    /// Patterns: what stays out of what patterns and folders of `include` bring.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
    pub command: Vec<String>,
    pub port: u16,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, String>,
    /// [`App::forget_after`]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forget_after: Option<Span>,
    #[serde(default)]
    pub limits: AppLimits,
}

impl AppSpec {
    /// What the image's configuration says of it.
    pub fn config(&self) -> App {
        App {
            command: self.command.clone(),
            port: self.port,
            environment: self.environment.clone(),
            forget_after: self.forget_after.unwrap_or(App::FORGET_AFTER),
            limits: self.limits,
        }
    }
}

/// What the folders of `[app]` hold, by path inside: `lib/a.py`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppInput {
    pub files: BTreeMap<String, Vec<u8>>,
    /// Of `app.sources`; None: the audit reads the files, which are not kept twice for it.
    sources: Option<BTreeMap<String, Vec<u8>>>,
    pub waivers: Vec<Waiver>,
    pub program: AppProgram,
}

impl AppInput {
    /// What the audit reads.
    pub fn sources(&self) -> &BTreeMap<String, Vec<u8>> {
        self.sources.as_ref().unwrap_or(&self.files)
    }

    /// Of everything in it: two inputs with one digest give one image and one report.
    pub fn digest(&self) -> Sha256 {
        let waivers = self.waivers.iter().map(|waiver| format!("{waiver:?}\n")).collect::<String>();
        let parts = [listing(&self.files), listing(self.sources()), waivers];
        Sha256::of_parts(&[b"vitrine app v1\0", &parts.map(|part| Sha256::of(part.as_bytes()).0).concat()])
    }

    /// [`vitrine_attest::app_facts::AppFacts::sources`]
    pub fn sources_digest(&self) -> Sha256 {
        Sha256::of(listing(self.sources()).as_bytes())
    }
}

/// `<64 hex>  <path>` each, as `sha256sum` writes it.
fn listing(files: &BTreeMap<String, Vec<u8>>) -> String {
    files.iter().map(|(path, bytes)| format!("{}  {path}\n", Sha256::of(bytes))).collect()
}

/// Puts the program into the configuration, and reads its folders.
pub(super) fn complete(recipe: &mut Recipe, merged: &Placed, source: &dyn Source, problems: &mut Problems) {
    let Some(spec) = &recipe.app else {
        if recipe.config.app.is_some() {
            problems.note("config.app", "config.app is set by [app], which is missing");
        }
        return;
    };
    let app = spec.config();
    if recipe.config.app.as_ref().is_some_and(|said| *said != app) {
        problems.note("config.app", "config.app is set by [app], and says something else: leave it out");
    }
    recipe.config.app = Some(app);
    reserved(recipe, problems);
    patterns(spec, problems);
    match read(spec, merged, source) {
        Ok(input) => recipe.app_input = Some(input),
        Err((key, why)) => problems.note(key, format!("{key}: {why}")),
    }
}

/// What lies below `/app` is the program's, and nothing of it comes by another way.
fn reserved(recipe: &Recipe, problems: &mut Problems) {
    for path in recipe.image.files.keys().filter(|path| *path == APP_ROOT || path.starts_with(&format!("{APP_ROOT}/")))
    {
        problems
            .note("image.files", format!("image.files: {path} lies in the root of [app]; put the file into app.files"));
    }
}

fn patterns(spec: &AppSpec, problems: &mut Problems) {
    for (key, list) in [("app.include", &spec.include), ("app.exclude", &spec.exclude)] {
        for path in list {
            if ImagePath::parse(path.strip_suffix('/').unwrap_or(path)).is_err() {
                problems.note(key, format!("{key}: {path:?} is not an absolute path without . and .."));
            }
        }
    }
}

/// A key, and what is wrong there.
pub(super) type Wrong = (&'static str, String);

fn read(spec: &AppSpec, merged: &Placed, source: &dyn Source) -> Result<AppInput, Wrong> {
    let at = |key: &str, name: &str| beside(merged, &["app".into(), key.into()]).join(name);
    let files = folder(&at("files", &spec.files), source).map_err(|why| ("app.files", why))?;
    let program = app_program::of(spec, &files)?;
    let sources = spec.sources.as_ref().map(|name| folder(&at("sources", name), source));
    let sources = sources.transpose().map_err(|why| ("app.sources", why))?;
    let waivers = match &spec.waivers {
        Some(name) => waivers(&at("waivers", name), source).map_err(|why| ("app.waivers", why))?,
        None => vec![],
    };
    Ok(AppInput { files, sources, waivers, program })
}

/// Everything in a folder, up to the limits.
fn folder(path: &Path, source: &dyn Source) -> Result<BTreeMap<String, Vec<u8>>, String> {
    let within = |e: std::io::Error| format!("{}: {e}", path.display());
    let (mut files, mut left) = (BTreeMap::new(), FOLDER_LIMIT);
    for name in source.list(path).map_err(within)? {
        let inside =
            name.to_str().ok_or_else(|| format!("{} has a name that is no text", path.join(&name).display()))?;
        ImagePath::parse(&format!("{SRV}/{inside}")).map_err(|e| e.what)?;
        let whole = path.join(&name);
        let bytes = source.read(&whole, FILE_LIMIT.min(left)).map_err(|e| match e.kind() {
            std::io::ErrorKind::FileTooLarge => format!(
                "{} is too large: a file has at most {} MiB, a folder {} MiB",
                whole.display(),
                FILE_LIMIT >> 20,
                FOLDER_LIMIT >> 20
            ),
            _ => format!("{}: {e}", whole.display()),
        })?;
        left -= bytes.len() as u64;
        files.insert(inside.to_string(), bytes);
    }
    match files.is_empty() {
        true => Err(format!("{} holds no file", path.display())),
        false => Ok(files),
    }
}

fn waivers(path: &Path, source: &dyn Source) -> Result<Vec<Waiver>, String> {
    let waivers = waiver_file::read(path, source).map_err(|e| e.what)?;
    waivers.ok_or_else(|| format!("{} is no UTF-8", path.display()))
}

#[cfg(test)]
#[path = "app_tests.rs"]
mod tests;
