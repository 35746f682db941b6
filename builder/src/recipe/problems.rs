//! What a recipe may say: checked once, after merging, so that later stages can rely on it.

use super::{Compression, Debian, ImageSpec, Recipe};
use vitrine_attest::{Error, Result};

/// Bytes of the kernel command line with its final NUL (Linux, x86, `COMMAND_LINE_SIZE`).
const CMDLINE_LIMIT: usize = 2048;

/// Refuses a recipe with all its problems at once.
pub(super) fn refuse(recipe: &Recipe) -> Result<()> {
    let mut problems = Vec::new();
    identity(recipe, &mut problems);
    debian(&recipe.debian, &mut problems);
    image(&recipe.image, &mut problems);
    problems.extend(recipe.config.problems().into_iter().map(|p| format!("config.{p}")));
    for waiver in &recipe.waivers {
        if [&waiver.rule, &waiver.path, &waiver.reason].iter().any(|text| text.trim().is_empty()) {
            problems.push("a [[waiver]] lacks its rule, path or reason".into());
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    let file = recipe.file.display();
    Err(Error::input(
        format!("{file}: {}", problems.join("; ")),
        format!("correct {file} or what it inherits from, or use --set"),
    ))
}

fn identity(recipe: &Recipe, problems: &mut Vec<String>) {
    // both stand in os-release and in the measured image id, which is split at spaces
    if !is_name(&recipe.name, "-") {
        problems.push(format!("name {:?} has to be 1–64 of a–z, 0–9 and -, a letter or digit first", recipe.name));
    }
    let version = recipe.version.to_ascii_lowercase();
    if !is_name(&version, ".+~-") {
        problems.push(format!("version {:?} has to be 1–64 letters, digits and .+~-", recipe.version));
    }
    if let Some(date) = &recipe.release.not_after {
        if !is_date(date) {
            problems.push(format!("release.not_after {date:?} is no date like 2027-11-20"));
        }
    }
}

fn debian(debian: &Debian, problems: &mut Vec<String>) {
    if debian.architecture != "amd64" {
        problems.push(format!("debian.architecture is {:?}: only amd64 can be built", debian.architecture));
    }
    let suites = debian.extra.iter().map(|extra| &extra.suite).chain([&debian.suite]);
    for word in suites.chain(&debian.components).chain(debian.extra.iter().map(|extra| &extra.archive)) {
        if !is_name(word, ".-") {
            problems.push(format!("{word:?} is no name of a suite, component or archive"));
        }
    }
    if debian.packages.is_empty() || debian.components.is_empty() {
        problems.push("debian.packages or debian.components is empty".into());
    }
    for package in debian.packages.iter().chain(debian.without.keys()) {
        if !is_name(package, "+.-") {
            problems.push(format!("{package:?} is no package name"));
        }
    }
    for (package, reason) in &debian.without {
        if reason.trim().is_empty() {
            problems.push(format!("debian.without.{package} has no reason"));
        }
        if debian.packages.contains(package) {
            problems.push(format!("{package} is in debian.packages and in debian.without"));
        }
    }
}

fn image(image: &ImageSpec, problems: &mut Vec<String>) {
    for path in image.include.iter().chain([&image.kernel, &image.stub]) {
        let tail = path.strip_prefix('/').unwrap_or("");
        if tail.split('/').any(|part| part.is_empty() || part == "." || part == "..") || path.contains('\0') {
            problems.push(format!("{path:?} is not an absolute path without . and .."));
        }
    }
    for module in image.modules.iter().chain(&image.programs) {
        if !is_name(&module.to_ascii_lowercase(), "_-") {
            problems.push(format!("{module:?} is no module or program name"));
        }
    }
    if !image.cmdline.bytes().all(|b| (0x20..0x7f).contains(&b)) || image.cmdline.len() >= CMDLINE_LIMIT {
        problems.push(format!("image.cmdline has to be one line of ASCII shorter than {CMDLINE_LIMIT} bytes"));
    }
    let levels = match image.compression {
        Compression::Zstd => 1..=22,
        Compression::Gzip => 0..=9,
    };
    if !levels.contains(&image.level) {
        let (low, high) = (levels.start(), levels.end());
        problems.push(format!("image.level is {}, it has to be {low} to {high}", image.level));
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
