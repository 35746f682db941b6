//! The crates of the workspace that the programs are made from, and the workspace's manifest cut down to them.

use super::PROGRAMS;
use crate::bounded;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use toml::{Table, Value};
use vitrine_attest::{Error, Result};

/// Bytes of a manifest.
const LIMIT: u64 = 1 << 20;

/// Gives the bytes of a file by its path below the workspace's folder.
type Files<'a> = &'a dyn Fn(&str) -> io::Result<Vec<u8>>;

/// Folder of each needed crate, by the crate's name, and the manifest of a workspace with them alone.
#[derive(Debug)]
pub struct Members {
    pub folders: BTreeMap<String, String>,
    pub manifest: String,
}

impl Members {
    /// Reads the workspace in `root`.
    ///
    /// # Errors
    /// [`vitrine_attest::Blame::Input`] when it is not the workspace with the programs.
    pub fn of(root: &Path) -> Result<Self> {
        Self::find(&|path| bounded::read(&root.join(path), LIMIT), root)
    }

    /// The same of files by path below the workspace's folder.
    pub fn of_files(files: &BTreeMap<String, Vec<u8>>) -> Result<Self> {
        let found = |path: &str| files.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into());
        Self::find(&found, Path::new(""))
    }

    fn find(files: Files<'_>, root: &Path) -> Result<Self> {
        let mut manifest = read(files, root, "Cargo.toml")?;
        let all = all(files, root, &manifest)?;
        let mut todo: Vec<String> = PROGRAMS.iter().map(|(_, package, _)| package.to_string()).collect();
        let mut folders = BTreeMap::new();
        while let Some(name) = todo.pop() {
            let Some((folder, member)) = all.get(&name) else {
                return Err(wrong(root, format!("the workspace has no crate {name}")));
            };
            if folders.insert(name, folder.clone()).is_none() {
                todo.extend(dependencies(member).filter(|name| all.contains_key(*name)).map(String::from));
            }
        }
        cut(&mut manifest, &folders);
        let manifest = toml::to_string(&manifest).map_err(|e| Error::bug(format!("manifest: {e}")))?;
        Ok(Self { folders, manifest })
    }
}

fn read(files: Files<'_>, root: &Path, path: &str) -> Result<Table> {
    let bytes = files(path).map_err(|e| wrong(root, format!("{path}: {e}")))?;
    let text = String::from_utf8(bytes).map_err(|_| wrong(root, format!("{path}: not UTF-8")))?;
    toml::from_str(&text).map_err(|e| wrong(root, format!("{path}: {}", e.message())))
}

/// Name, folder and manifest of each member.
fn all(files: Files<'_>, root: &Path, manifest: &Table) -> Result<BTreeMap<String, (String, Table)>> {
    let members = manifest.get("workspace").and_then(|workspace| workspace.get("members")).and_then(Value::as_array);
    let members = members.ok_or_else(|| wrong(root, "Cargo.toml has no workspace.members".into()))?;
    let mut all = BTreeMap::new();
    for folder in members.iter().filter_map(Value::as_str) {
        let member = read(files, root, &format!("{folder}/Cargo.toml"))?;
        let name = member.get("package").and_then(|package| package.get("name")).and_then(Value::as_str);
        let name = name.ok_or_else(|| wrong(root, format!("{folder}/Cargo.toml names no package")))?.to_string();
        all.insert(name, (folder.to_string(), member));
    }
    Ok(all)
}

/// All kinds: Cargo reads the manifests of a member's dev-dependencies, too.
fn dependencies(member: &Table) -> impl Iterator<Item = &str> {
    let tables = ["dependencies", "dev-dependencies", "build-dependencies"];
    tables
        .into_iter()
        .filter_map(|table| member.get(table)?.as_table())
        .flat_map(|table| table.keys().map(String::as_str))
}

/// Other members go, and the profiles of tests, which name crates that are then unknown.
fn cut(manifest: &mut Table, folders: &BTreeMap<String, String>) {
    if let Some(Value::Table(workspace)) = manifest.get_mut("workspace") {
        let members = folders.values().cloned().map(Value::String).collect();
        workspace.insert("members".into(), Value::Array(members));
        workspace.remove("exclude");
    }
    if let Some(Value::Table(profiles)) = manifest.get_mut("profile") {
        profiles.retain(|name, _| ["release", "image", "gateway"].contains(&name));
    }
}

fn wrong(root: &Path, why: String) -> Error {
    let hint = "give the folder of vitrine's own sources with --source DIR";
    Error::input(format!("{} does not hold the sources of the programs: {why}", root.display()), hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_this_workspace() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let members = Members::of(root).unwrap();
        assert_eq!(members.folders["vitrine-guest"], "initramfs/guest");
        assert!(members.folders.contains_key("vitrine-attest") && members.folders.contains_key("vitrine-sandbox"));
        assert!(!members.folders.contains_key("vitrine-builder") && !members.folders.contains_key("vitrine-verifier"));
        let manifest: Table = toml::from_str(&members.manifest).unwrap();
        assert_eq!(manifest["profile"]["image"]["codegen-units"].as_integer(), Some(1));
        assert_eq!(manifest["workspace"]["members"].as_array().unwrap().len(), members.folders.len());
        assert!(manifest["profile"].get("dev").is_none());
    }

    #[test]
    fn another_folder() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Members::of(dir.path()).unwrap_err().hint.contains("--source"));
        std::fs::write(dir.path().join("Cargo.toml"), "[workspace]\nmembers = []\n").unwrap();
        assert!(Members::of(dir.path()).unwrap_err().what.contains("has no crate"));
    }
}
