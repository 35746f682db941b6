//! What a recipe leaves to the builder: the programs that its configuration needs, the blocklist with its hash, and the
//! files that it brings along.

use super::app;
use super::problems::Problems;
use super::source::Source;
use super::tree::Placed;
use super::Recipe;
use crate::blocklist;
use std::path::Path;
use vitrine_attest::config::Level;
use vitrine_attest::{Result, Sha256};

/// Bytes of a list of two million names with comments.
const LIST_LIMIT: u64 = 128 << 20;
/// Bytes of one of `image.files`: configuration, not data.
const FILE_LIMIT: u64 = 4 << 20;

pub(super) fn complete(recipe: &mut Recipe, merged: &Placed, source: &dyn Source, problems: &mut Problems) {
    app::complete(recipe, merged, source, problems);
    programs(recipe, problems);
    if let Err(why) = names(recipe, merged, source) {
        problems.note("image.blocklist", why);
    }
    files(recipe, merged, source, problems);
}

/// Reads what `image.files` names. Paths in the image are checked like those of `image.include`.
fn files(recipe: &mut Recipe, merged: &Placed, source: &dyn Source, problems: &mut Problems) {
    for (target, name) in &recipe.image.files {
        let key = ["image".to_string(), "files".into(), target.clone()];
        let file = beside(merged, &key).join(name);
        let tail = target.strip_prefix('/').unwrap_or("");
        if tail.split('/').any(|part| part.is_empty() || part == "." || part == "..") || target.contains('\0') {
            problems.note("image.files", format!("{target:?} is not an absolute path without . and .."));
            continue;
        }
        match source.read(&file, FILE_LIMIT) {
            Ok(bytes) => {
                recipe.files.insert(target.clone(), bytes);
            }
            Err(e) => problems.note("image.files", format!("image.files: {} cannot be read: {e}", file.display())),
        }
    }
}

/// The folder of the recipe file that a value stands in; the working folder for `--set`.
pub(super) fn beside<'a>(merged: &'a Placed, key: &[String]) -> &'a Path {
    let place = merged.place_of(key);
    Path::new(&place.file).parent().filter(|_| place.line.is_some()).unwrap_or(Path::new(""))
}

fn programs(recipe: &mut Recipe, problems: &mut Problems) {
    let mut needed = vec!["vitrine-init", "vitrine-agent"];
    if recipe.config.resolver.is_some() {
        needed.push("vitrine-resolver");
    }
    if recipe.config.gateway.is_some() {
        needed.push("vitrine-gateway");
    }
    if recipe.config.app.is_some() {
        needed.push("vitrine-launcher");
    }
    if recipe.config.metrics.level != Level::L0 {
        needed.push("vitrine-metrics");
    }
    let programs = &mut recipe.image.programs;
    if programs.is_empty() {
        *programs = needed.into_iter().map(String::from).collect();
        return;
    }
    for program in needed.into_iter().filter(|needed| programs.iter().all(|named| named != needed)) {
        problems.note("image.programs", format!("image.programs lacks {program}, which the configuration needs"));
    }
}

/// Reads the list and puts its hash into the configuration.
fn names(recipe: &mut Recipe, merged: &Placed, source: &dyn Source) -> std::result::Result<(), String> {
    let said = recipe.config.resolver.as_ref().and_then(|resolver| resolver.blocklist);
    let Some(path) = &recipe.image.blocklist else {
        return match said {
            None => Ok(()),
            Some(_) => Err("config.resolver.blocklist is set by image.blocklist, which is missing".into()),
        };
    };
    let Some(resolver) = &mut recipe.config.resolver else {
        return Err("image.blocklist needs a config.resolver that refuses its names".into());
    };
    let folder = beside(merged, &["image".into(), "blocklist".into()]);
    let list = read(&folder.join(path), source).map_err(|e| format!("image.blocklist: {}", e.what))?;
    let digest = Sha256::of(&list);
    if said.is_some_and(|said| said != digest) {
        return Err(format!("config.resolver.blocklist is for another list: that of image.blocklist has {digest}"));
    }
    resolver.blocklist = Some(digest);
    recipe.blocklist = Some(list);
    Ok(())
}

fn read(path: &Path, source: &dyn Source) -> Result<Vec<u8>> {
    let name = path.display().to_string();
    let bytes = source
        .read(path, LIST_LIMIT)
        .map_err(|e| vitrine_attest::Error::input(format!("{name} cannot be read: {e}"), "check the path"))?;
    blocklist::normalise(&name, &bytes)
}
