//! What a recipe may say: checked once, after merging, so that later stages can rely on it. Everything that is wrong is
//! said at once, with file and line.

use super::tree::{Place, Placed};
use super::{Compression, Debian, ImageSpec, Pid1, Recipe};
use std::collections::BTreeSet;
use vitrine_attest::{Error, Result};

/// Bytes of the kernel command line with its final NUL (Linux, x86, `COMMAND_LINE_SIZE`).
const CMDLINE_LIMIT: usize = 2048;

/// Everything that is wrong with a recipe, each with the place of the key it is about.
pub(super) struct Problems<'a> {
    merged: &'a Placed,
    found: Vec<(Place, String)>,
    /// Values that could not be read: what is said about their stand-ins is no problem of the recipe.
    mended: Vec<Vec<String>>,
}

impl<'a> Problems<'a> {
    pub fn of(merged: &'a Placed) -> Self {
        Self { merged, found: vec![], mended: vec![] }
    }

    /// Notes a problem with the value of a key such as `image.level`.
    pub fn note(&mut self, key: &str, text: impl Into<String>) {
        let path: Vec<String> = key.split('.').map(String::from).collect();
        if !self.mended.iter().any(|mended| mended.starts_with(&path) || path.starts_with(mended)) {
            self.found.push((self.merged.place_of(&path).clone(), text.into()));
        }
    }

    /// Notes a value that could not be read.
    pub fn mended(&mut self, path: &[String], message: &str) {
        let place = self.merged.place_of(path).clone();
        self.found.push((place, message.to_string()));
        self.mended.push(path.to_vec());
    }

    /// # Errors
    /// Blame Input, one line for each problem, when there is any.
    pub fn refuse(mut self) -> Result<()> {
        if self.found.is_empty() {
            return Ok(());
        }
        self.found.sort();
        self.found.dedup();
        let files: BTreeSet<&str> = self.found.iter().map(|(place, _)| place.file.as_str()).collect();
        let hint = format!("correct {}", files.into_iter().collect::<Vec<_>>().join(", "));
        let lines: Vec<String> = self.found.iter().map(|(place, text)| format!("{place}: {text}")).collect();
        Err(Error::input(lines.join("\n"), hint))
    }
}

/// Looks at everything.
pub(super) fn collect(recipe: &Recipe, problems: &mut Problems<'_>) {
    identity(recipe, problems);
    debian(&recipe.debian, problems);
    image(&recipe.image, problems);
    whole(recipe, problems);
    for problem in recipe.config.problems() {
        // they begin with their key
        let key = problem.split([' ', ':']).next().unwrap_or_default();
        // [app] is where the recipe says it
        if key == "app" || key.starts_with("app.") {
            problems.note(key, problem.as_str());
            continue;
        }
        problems.note(&format!("config.{key}"), format!("config.{problem}"));
    }
    for (n, waiver) in recipe.waivers.iter().enumerate() {
        if [&waiver.rule, &waiver.path, &waiver.reason].iter().any(|text| text.trim().is_empty()) {
            problems.note(&format!("waiver.{n}"), "a [[waiver]] lacks its rule, path or reason");
        }
    }
}

fn identity(recipe: &Recipe, problems: &mut Problems<'_>) {
    // both stand in os-release and in the measured image id, which is split at spaces
    if !is_name(&recipe.name, "-") {
        let text = format!("name {:?} has to be 1–64 of a–z, 0–9 and -, a letter or digit first", recipe.name);
        problems.note("name", text);
    }
    let version = recipe.version.to_ascii_lowercase();
    if !is_name(&version, ".+~-") {
        problems.note("version", format!("version {:?} has to be 1–64 letters, digits and .+~-", recipe.version));
    }
    if let Some(date) = &recipe.release.not_after {
        if !is_date(date) {
            problems.note("release.not_after", format!("release.not_after {date:?} is no date like 2027-11-20"));
        }
    }
}

pub(super) fn debian(debian: &Debian, problems: &mut Problems<'_>) {
    if debian.architecture != "amd64" {
        let text = format!("debian.architecture is {:?}: only amd64 can be built", debian.architecture);
        problems.note("debian.architecture", text);
    }
    let extra = |key: &'static str| move |(n, word)| (format!("debian.extra.{n}.{key}"), word);
    let suites = debian.extra.iter().map(|extra| &extra.suite).enumerate().map(extra("suite"));
    let archives = debian.extra.iter().map(|extra| &extra.archive).enumerate().map(extra("archive"));
    let own = debian.components.iter().map(|word| ("debian.components".into(), word));
    for (key, word) in own.chain([("debian.suite".into(), &debian.suite)]).chain(suites).chain(archives) {
        if !is_name(word, ".-") {
            problems.note(&key, format!("{word:?} is no name of a suite, component or archive"));
        }
    }
    if debian.packages.is_empty() || debian.components.is_empty() {
        problems.note("debian.packages", "debian.packages or debian.components is empty");
    }
    let packages = debian.packages.iter().enumerate().map(|(n, name)| (format!("debian.packages.{n}"), name));
    let without = debian.without.keys().map(|name| (format!("debian.without.{name}"), name));
    for (key, package) in packages.chain(without) {
        if !is_name(package, "+.-") {
            problems.note(&key, format!("{package:?} is no package name"));
        }
    }
    for (package, reason) in &debian.without {
        let key = format!("debian.without.{package}");
        if reason.trim().is_empty() {
            problems.note(&key, format!("{key} has no reason"));
        }
        if debian.packages.contains(package) {
            problems.note(&key, format!("{package} is in debian.packages and in debian.without"));
        }
    }
}

fn image(image: &ImageSpec, problems: &mut Problems<'_>) {
    let include = image.include.iter().enumerate().map(|(n, path)| (format!("image.include.{n}"), path));
    for (key, path) in include.chain([("image.kernel".into(), &image.kernel), ("image.stub".into(), &image.stub)]) {
        let tail = path.strip_prefix('/').unwrap_or("");
        if tail.split('/').any(|part| part.is_empty() || part == "." || part == "..") || path.contains('\0') {
            problems.note(&key, format!("{path:?} is not an absolute path without . and .."));
        }
    }
    let modules = image.modules.iter().enumerate().map(|(n, name)| (format!("image.modules.{n}"), name));
    let programs = image.programs.iter().enumerate().map(|(n, name)| (format!("image.programs.{n}"), name));
    for (key, name) in modules.chain(programs) {
        if !is_name(&name.to_ascii_lowercase(), "_-") {
            problems.note(&key, format!("{name:?} is no module or program name"));
        }
    }
    if !image.cmdline.bytes().all(|b| (0x20..0x7f).contains(&b)) || image.cmdline.len() >= CMDLINE_LIMIT {
        let text = format!("image.cmdline has to be one line of ASCII shorter than {CMDLINE_LIMIT} bytes");
        problems.note("image.cmdline", text);
    }
    let levels = match image.compression {
        Compression::Zstd => 1..=22,
        Compression::Gzip => 0..=9,
    };
    if !levels.contains(&image.level) {
        let (low, high) = (levels.start(), levels.end());
        problems.note("image.level", format!("image.level is {}, it has to be {low} to {high}", image.level));
    }
}

/// A package that is only a dependency is not taken whole by mistake: the recipe names it twice.
fn whole(recipe: &Recipe, problems: &mut Problems<'_>) {
    for (n, package) in recipe.image.whole.iter().enumerate() {
        if !recipe.debian.packages.contains(package) {
            problems.note(&format!("image.whole.{n}"), format!("{package:?} of image.whole is not in debian.packages"));
        }
    }
    if recipe.image.pid1 == Pid1::Systemd && !recipe.image.whole.iter().any(|package| package == "systemd") {
        problems.note("image.pid1", "image.pid1 is \"systemd\", which has to be in image.whole");
    }
}

/// 1–64 of lower-case letters, digits and `more`, beginning with a letter or digit.
fn is_name(text: &str, more: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.len() <= 64 && text.starts_with(plain) && text.chars().all(|c| plain(c) || more.contains(c))
}

/// RFC 3339 full-date, without a calendar: `2027-11-20`.
fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let digits = |s: &str, n: usize| s.len() == n && s.bytes().all(|b| b.is_ascii_digit());
    let within = |s: &str, top: u8| s.parse::<u8>().is_ok_and(|n| (1..=top).contains(&n));
    matches!(parts[..], [y, m, d] if digits(y, 4) && digits(m, 2) && digits(d, 2) && within(m, 12) && within(d, 31))
}
