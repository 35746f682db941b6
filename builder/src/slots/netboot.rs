//! What a netboot folder says about itself for people: `README` and `SHA256SUMS`, as `vitrine export` writes them.

use super::place::{Layout, Place};
use super::write::staged;
use crate::export::netboot::{readme, README, SUMS};
use crate::hashing::Hashing;
use crate::out::cannot;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use vitrine_attest::{Result, Sha256};

/// Writes both anew; nothing on an EFI system partition.
///
/// # Errors
/// Blame Host.
pub fn tell(place: &Place) -> Result<()> {
    if place.layout == Layout::Esp {
        return Ok(());
    }
    let active = place.active()?;
    if let Some(link) = &active {
        let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let target = fs::read_link(link).map_err(|e| cannot("read", link, &e))?;
        staged(&place.folder.join(README), readme(&name(&target), &name(link)).as_bytes())?.publish()?;
    }
    let images = place.slots()?.into_iter().map(|slot| slot.image).filter(|path| path.exists());
    let files =
        place.folder.join(README).exists().then(|| place.folder.join(README)).into_iter().chain(images).chain(active);
    let mut sums = String::new();
    for path in files {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let digest = digest(&path).map_err(|e| cannot("read", &path, &e))?;
        let _ = writeln!(sums, "{digest}  {name}"); // to a String: cannot fail
    }
    staged(&place.folder.join(SUMS), sums.as_bytes())?.publish()
}

fn digest(path: &Path) -> io::Result<Sha256> {
    let mut reader = Hashing::new(File::open(path)?);
    io::copy(&mut reader, &mut io::sink())?;
    Ok(reader.finish())
}
