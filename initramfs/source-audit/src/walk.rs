//! The files of a source tree, in one order everywhere, without following links.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders inside folders: deeper ones are listed as not judged.
const DEPTH: usize = 128;
/// Entries of a tree: more than any that is put into an image, and what keeps memory bounded.
pub const ENTRIES: usize = 1_000_000;

/// Something in the tree.
#[derive(Debug)]
pub enum Found {
    File(PathBuf),
    /// A path that cannot be judged, and why.
    Not(PathBuf, String),
}

/// Hands each file to `each`, sorted by path. `.git` is left out: it is no code, and packed.
pub fn walk(root: &Path, each: &mut dyn FnMut(Found)) {
    let mut todo = vec![(root.to_path_buf(), 0)];
    let mut seen = 0;
    while let Some((path, depth)) = todo.pop() {
        let kind = match fs::symlink_metadata(&path) {
            Ok(found) => found.file_type(),
            Err(e) => {
                each(Found::Not(path, format!("cannot be read: {}", e.kind())));
                continue;
            }
        };
        if kind.is_symlink() && path != root {
            link(root, path, each);
        } else if path.is_dir() {
            match entries(&path, &mut seen) {
                Ok(_) if depth == DEPTH => each(Found::Not(path, format!("is more than {DEPTH} folders deep"))),
                Ok(list) => todo.extend(list.into_iter().map(|path| (path, depth + 1))),
                Err(e) => each(Found::Not(path, format!("cannot be read: {}", e.kind()))),
            }
        } else if kind.is_file() || path == root {
            each(Found::File(path));
        } else {
            each(Found::Not(path, "is no file, folder or link".into()));
        }
        if seen > ENTRIES {
            each(Found::Not(
                root.to_path_buf(),
                format!("has more than {ENTRIES} entries, the rest was not looked at"),
            ));
            return;
        }
    }
}

/// Last one first: the caller takes from the end.
fn entries(folder: &Path, seen: &mut usize) -> std::io::Result<Vec<PathBuf>> {
    let mut list = Vec::new();
    for entry in fs::read_dir(folder)? {
        *seen += 1;
        if *seen > ENTRIES {
            break;
        }
        let entry = entry?;
        if entry.file_name() != ".git" {
            list.push(entry.path());
        }
    }
    list.sort_unstable_by(|a, b| b.cmp(a));
    Ok(list)
}

/// A link into the tree is judged where it points to; one out of it, or to nothing, is not judged.
fn link(root: &Path, path: PathBuf, each: &mut dyn FnMut(Found)) {
    let inside = |target: PathBuf| root.canonicalize().is_ok_and(|root| target.starts_with(root));
    match path.canonicalize() {
        Ok(target) if inside(target.clone()) => {}
        Ok(_) => each(Found::Not(path, "is a link out of the tree".into())),
        Err(_) => each(Found::Not(path, "is a link that leads nowhere".into())),
    }
}
