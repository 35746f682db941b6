//! Our own programs on their way into the image: compiled by the workspace, inputs like any other, with hashes.

use crate::out;
use std::path::{Path, PathBuf};
use vitrine_attest::statement::Input;
use vitrine_attest::{Error, Result};
use vitrine_initramfs::Program;

/// Largest program, in bytes; ours have about 3 MB.
pub const PROGRAM_LIMIT: u64 = 64 << 20;
/// Folder beside the running program's folder, filled by `make programs`.
const BESIDE: &str = "image-programs";

/// Where the programs are: what the user says, else `image-programs` beside the folder of the running program
/// (`target/release/vitrine` → `target/image-programs`) or in it.
pub fn folder(chosen: Option<&Path>) -> Result<PathBuf> {
    if let Some(folder) = chosen {
        return Ok(folder.to_owned());
    }
    let program = std::env::current_exe().map_err(|e| {
        Error::host(format!("cannot find out where this program lies: {e}"), "give the folder with --programs DIR")
    })?;
    let near = program.ancestors().skip(1).take(2).map(|folder| folder.join(BESIDE));
    near.into_iter().find(|folder| folder.is_dir()).ok_or_else(|| {
        Error::input(
            format!("there is no folder {BESIDE} near {}", program.display()),
            "run `make programs`, or give the folder of vitrine-init and vitrine-agent with --programs DIR",
        )
    })
}

/// Reads the named programs.
///
/// # Errors
/// When one is missing or is no ELF file.
pub fn load(folder: &Path, names: &[String]) -> Result<Vec<Program>> {
    names.iter().map(|name| read(folder, name)).collect()
}

fn read(folder: &Path, name: &str) -> Result<Program> {
    let path = folder.join(name);
    let hint = "run `make programs`, or give the right folder with --programs DIR";
    let bytes = out::read(&path, PROGRAM_LIMIT).map_err(|e| Error { hint: hint.into(), ..e })?;
    of_bytes(name, bytes).map_err(|e| Error { hint: hint.into(), ..e.within(folder.display()) })
}

/// A program whose bytes are already here.
pub fn of_bytes(name: &str, bytes: Vec<u8>) -> Result<Program> {
    if !bytes.starts_with(b"\x7fELF") {
        return Err(Error::input(
            format!("{name} is not a Linux program"),
            "give the programs that `make programs` makes",
        ));
    }
    Ok(Program::new(name, &image_path(name), bytes))
}

/// `vitrine-init` → `/init`, `vitrine-agent` → `/usr/lib/vitrine/agent`.
fn image_path(name: &str) -> String {
    match name.strip_prefix("vitrine-").unwrap_or(name) {
        "init" => "/init".into(),
        short => format!("/usr/lib/vitrine/{short}"),
    }
}

/// The programs as inputs of a statement. Their version is this program's: they come from one source tree.
pub fn inputs(programs: &[Program]) -> impl Iterator<Item = Input> + '_ {
    programs.iter().map(|program| Input {
        kind: crate::sbom::PROGRAM.into(),
        name: program.name.clone(),
        version: env!("CARGO_PKG_VERSION").into(),
        sha256: program.content.sha256,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_refusals() {
        assert_eq!(image_path("vitrine-init"), "/init");
        assert_eq!(image_path("vitrine-agent"), "/usr/lib/vitrine/agent");
        let dir = tempfile::tempdir().unwrap();
        let names = ["vitrine-init".to_string()];
        let missing = load(dir.path(), &names).unwrap_err();
        assert!(missing.hint.contains("make programs"), "{missing}");
        std::fs::write(dir.path().join("vitrine-init"), "#!/bin/sh").unwrap();
        assert!(load(dir.path(), &names).unwrap_err().what.contains("not a Linux program"));
        std::fs::write(dir.path().join("vitrine-init"), "\x7fELF").unwrap();
        assert_eq!(inputs(&load(dir.path(), &names).unwrap()).next().unwrap().name, "vitrine-init");
    }
}
