//! The root of the operator's own program: a small tree of its own, which is `/app` in the image and `/` to the program.

use crate::cache::Content;
use crate::elf::is_elf;
use crate::libraries;
use crate::path::ImagePath;
use crate::sources::Sources;
use crate::take::Taker;
use crate::tree::{Entry, Layer, Node, Tree};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use vitrine_attest::{Error, Result, Sha256};

/// The program's root in the image.
pub const APP_ROOT: &str = "/app";
/// Origin of the operator's files.
const ORIGIN: &str = "app";

/// What a recipe's `[app]` puts into the image.
#[derive(Debug, Clone, Default)]
pub struct AppSelection {
    /// The operator's files by path in the program's root: `/srv/server.py`. A program or script can be executed, whatever its mode
    /// was on the disk that it comes from; nothing can be written.
    pub files: Vec<(String, Content)>,
    /// Paths, patterns, folders (with a final `/`) of packages.
    pub include: Vec<String>,
    /// Patterns: what patterns and folders of `include` bring and fits one of these stays out.
    pub exclude: Vec<String>,
    /// Path of the program in its root.
    pub program: String,
}

/// The program's root, by the paths that the program sees, with everything that its ELF files link to; and the names of the packages that
/// gave something.
///
/// # Errors
/// As [`crate::stage()`]; a program that is not there, is a link or a script; a line of `exclude` that fits nothing.
pub fn root(sources: &Sources<'_>, app: &AppSelection) -> Result<(Tree, BTreeSet<String>)> {
    let mut taker = Taker::new(sources);
    for (path, content) in &app.files {
        let mode = if runs(&content.bytes) { 0o555 } else { 0o444 };
        taker.tree.add_file(ImagePath::parse(path)?, content.clone(), mode, Layer::App, ORIGIN)?;
    }
    let mut unused: BTreeSet<&str> = app.exclude.iter().map(String::as_str).collect();
    for wanted in &app.include {
        taker.include_but(wanted, &app.exclude, &mut unused)?;
    }
    if let Some(pattern) = unused.first() {
        return Err(Error::input(
            format!("app.exclude: {pattern} fits nothing that the patterns of app.include bring"),
            "correct it, or take it out",
        ));
    }
    check_program(&taker.tree, &app.program)?;
    libraries::close(&mut taker)?;
    Ok((taker.tree, taker.contributed))
}

fn runs(bytes: &[u8]) -> bool {
    is_elf(bytes) || bytes.starts_with(b"#!")
}

fn check_program(tree: &Tree, program: &str) -> Result<()> {
    let refuse = |what: String, hint: &str| Err(Error::input(format!("app.command: {what}"), hint));
    match tree.get(&ImagePath::parse(program)?).map(|entry| (&entry.node, entry.mode)) {
        None | Some((Node::Directory, _)) => refuse(
            format!("there is no program {program} in the program's root"),
            "a file of app.files lies below /srv; name what a package has in app.include",
        ),
        Some((Node::Link(target), _)) => {
            refuse(format!("{program} is a link to {target}"), "name the program itself, in app.include as well")
        }
        Some((Node::File(content), _)) if !is_elf(&content.bytes) => refuse(
            format!("{program} is no program for amd64"),
            "for a script, name its interpreter, and the script as the first word after it",
        ),
        Some((Node::File(_), mode)) if mode & 0o111 == 0 => {
            refuse(format!("{program} cannot be executed: its package says so"), "name another program")
        }
        Some((Node::File(_), _)) => Ok(()),
    }
}

/// Puts the root into the image's tree, below [`APP_ROOT`].
///
/// # Errors
/// When something is there already, or a link of a package leads out of the root.
pub fn graft(tree: &mut Tree, root: &Tree) -> Result<()> {
    for (path, entry) in root.iter() {
        let node = match &entry.node {
            Node::Link(target) => Node::Link(relative(path, target)?),
            node => node.clone(),
        };
        let at = ImagePath::parse(&format!("{APP_ROOT}{path}"))?;
        tree.add(at, Entry { node, layer: Layer::App, ..entry.clone() })?;
    }
    Ok(())
}

/// A link of the root says the same to the program and in the image when it names no path from `/` on.
fn relative(path: &ImagePath, target: &str) -> Result<String> {
    path.follow(target)?; // leads nowhere else than into the root
    Ok(match target.strip_prefix('/') {
        None => target.to_string(),
        Some(rest) => format!("{}{rest}", "../".repeat(path.ancestors().count())),
    })
}

/// SHA-256 over what stands below [`APP_ROOT`] in an image's tree, see [`vitrine_attest::app_facts::AppFacts::files`]; `None` when there is
/// nothing.
pub fn app_digest(tree: &Tree) -> Option<Sha256> {
    let mut lines = String::new();
    for (path, entry) in tree.iter().filter(|(path, _)| path.is_below(APP_ROOT)) {
        let seen = &path.as_str()[APP_ROOT.len()..];
        // writing to a String cannot fail
        let _ = match &entry.node {
            Node::Directory => Ok(()),
            Node::File(content) => writeln!(lines, "{:06o} {}  {seen}", entry.full_mode(), content.sha256),
            Node::Link(target) => writeln!(lines, "{:06o} -> {target}  {seen}", entry.full_mode()),
        };
    }
    (!lines.is_empty()).then(|| Sha256::of(lines.as_bytes()))
}

#[cfg(test)]
#[path = "app_tests.rs"]
mod tests;
