//! The folder that all drivers know.

use crate::Result;
use base64::{engine::general_purpose::STANDARD, Engine as _};
use std::path::Path;

/// Begins what is no refusal: there was nothing to judge.
pub const MISSING: &str = "nothing to judge";

pub type Hash = [u8; 32];

pub fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|e| format!("{MISSING}: {}: {e}", path.display()))
}

pub fn text(path: &Path) -> Result<String> {
    String::from_utf8(read(path)?).map_err(|e| e.to_string())
}

pub fn put(path: &Path, bytes: impl AsRef<[u8]>) -> Result<()> {
    let failed = |e: std::io::Error| format!("{MISSING}: {}: {e}", path.display());
    path.parent().map_or(Ok(()), std::fs::create_dir_all).map_err(failed)?;
    std::fs::write(path, bytes).map_err(failed)
}

pub fn base64(bytes: impl AsRef<[u8]>) -> String {
    STANDARD.encode(bytes)
}

pub fn entries(folder: &Path) -> Result<Vec<Vec<u8>>> {
    let text = text(&folder.join("entries"))?;
    text.lines().map(|line| STANDARD.decode(line).map_err(|e| e.to_string())).collect()
}

pub fn roots(folder: &Path) -> Result<Vec<Hash>> {
    let text = text(&folder.join("roots"))?;
    let root = |line: &str| STANDARD.decode(line.split_once(' ')?.1).ok()?.try_into().ok();
    text.lines().map(|line| root(line).ok_or_else(|| format!("roots: {line}"))).collect()
}

pub fn put_roots(folder: &Path, roots: &[Hash]) -> Result<()> {
    let lines: Vec<String> =
        roots.iter().enumerate().map(|(size, root)| format!("{size} {}\n", base64(root))).collect();
    put(&folder.join("roots"), lines.concat())
}

/// The files of `notes`, each with its name.
pub fn notes(folder: &Path) -> Result<Vec<(String, Vec<u8>)>> {
    let folder = folder.join("notes");
    let files = std::fs::read_dir(&folder).map_err(|e| format!("{MISSING}: {}: {e}", folder.display()))?;
    let notes: Vec<_> = files
        .flatten()
        .map(|file| Ok((file.file_name().to_string_lossy().into_owned(), read(&file.path())?)))
        .collect::<Result<_>>()?;
    if notes.is_empty() {
        return Err(format!("{MISSING}: {} is empty", folder.display()));
    }
    Ok(notes)
}
