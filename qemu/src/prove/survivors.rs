//! What is left when the machine is off: every file that QEMU, swtpm and the firmware have written.

use super::memory::Hunt;
use super::report::Searched;
use std::fs::{self, File};
use std::path::Path;
use vitrine_attest::{Error, Result};

/// Files that are not the guest's: what we gave it, its frames on the wire, and the sockets.
const NOT_THE_GUESTS: [&str; 3] = ["frames.pcap", "in-use", "ek-roots.pem"];

/// Searches every file of a machine's folder, and those below it.
///
/// # Errors
/// When one cannot be read.
pub fn search(hunt: &Hunt, folder: &Path) -> Result<Vec<Searched>> {
    let mut all = Vec::new();
    walk(hunt, folder, "", &mut all)?;
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(all)
}

fn walk(hunt: &Hunt, folder: &Path, under: &str, all: &mut Vec<Searched>) -> Result<()> {
    let failed = |e: std::io::Error| Error::host(format!("{}: {e}", folder.display()), "");
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let (kind, name) = (entry.file_type().map_err(failed)?, entry.file_name().to_string_lossy().into_owned());
        if kind.is_dir() {
            walk(hunt, &entry.path(), &format!("{under}{name}/"), all)?;
        } else if kind.is_file() && !NOT_THE_GUESTS.contains(&name.as_str()) {
            let file = File::open(entry.path()).map_err(failed)?;
            let (copies, scanned) = hunt.search(&file)?;
            all.push(Searched {
                name: format!("{under}{name}"),
                bytes: scanned.length,
                copies: super::memory::Counts::of(&copies),
                complaint: None,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::canary::{Canary, Kind, Value};
    use super::*;

    #[test]
    fn files_in_folders_are_searched() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("tpm")).unwrap();
        fs::write(folder.path().join("tpm/state"), b"\0\0a canary that sings\0").unwrap();
        fs::write(folder.path().join("console.log"), b"nothing").unwrap();
        fs::write(folder.path().join("frames.pcap"), b"a canary that sings").unwrap();
        let hunt = Hunt::new(&[Canary::new(Kind::Payload, Value::Text("canary that sings".into()))]).unwrap();
        let found = search(&hunt, folder.path()).unwrap();
        let copies: Vec<_> = found.iter().map(|file| (file.name.as_str(), file.copies.total())).collect();
        assert_eq!(copies, [("console.log", 0), ("tpm/state", 1)]);
    }
}
