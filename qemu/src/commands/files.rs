//! What `vitrine build` and `vitrine keygen` left.

use crate::boot::SecureBoot;
use crate::machine::Ports;
use std::fs;
use std::path::{Path, PathBuf};
use vitrine_attest::config::Config;
use vitrine_attest::dsse::{self, Envelope};
use vitrine_attest::secure_boot::Variables;
use vitrine_attest::statement::Release;
use vitrine_attest::vkey::NoteKey;
use vitrine_attest::{Error, Result};

/// Largest boot image we read.
const IMAGE_LIMIT: u64 = 1 << 30;
/// Largest other file: statements hold a few hundred inputs.
const FILE_LIMIT: u64 = 16 << 20;

/// The image in an output folder, or the file itself.
pub fn image(out: &Path) -> Result<Vec<u8>> {
    let path = if out.is_dir() { out.join("image.efi") } else { out.to_path_buf() };
    read(&path, IMAGE_LIMIT, "build it: vitrine build recipes/exit.toml --out DIR --keys keys")
}

/// `secure-boot.json`.
pub fn secure_boot(path: &Path) -> Result<SecureBoot> {
    const HINT: &str = "make keys: vitrine keygen --out keys";
    let bytes = read(path, FILE_LIMIT, HINT)?;
    let keys: Variables =
        serde_json::from_slice(&bytes).map_err(|e| Error::input(format!("{}: {e}", path.display()), HINT))?;
    keys.check().map_err(|e| e.within(path.display()))?;
    Ok(SecureBoot::On(keys))
}

/// The release in an output folder, its signature checked.
pub fn release(statement: &Path, key: &Path) -> Result<Release> {
    let key = NoteKey::from_file(&read(key, FILE_LIMIT, "make keys: vitrine keygen --out keys")?)
        .map_err(|e| e.within(key.display()))?;
    let bytes = read(statement, FILE_LIMIT, "build it: vitrine build recipes/exit.toml --out DIR --keys keys")?;
    let envelope = Envelope::from_json(&bytes).map_err(|e| e.within(statement.display()))?;
    let statement = dsse::verify(&envelope, key.key()).map_err(|e| e.within(statement.display()))?;
    Ok(statement.predicate)
}

/// Where the services of this configuration listen in the guest.
pub fn guest_ports(config: &Config) -> Ports {
    Ports { wireguard: config.wireguard.all_ports(), attestation: config.attestation.port }
}

/// The configuration that an output folder's statement names, without checking who signed it: enough to know
/// the ports. `None` when there is no statement.
pub fn unchecked_config(out: &Path) -> Option<Config> {
    let envelope = Envelope::from_json(&fs::read(out.join("release.dsse.json")).ok()?).ok()?;
    let statement: vitrine_attest::statement::Statement = serde_json::from_slice(&envelope.payload).ok()?;
    Some(statement.predicate.config)
}

/// A path that does not depend on the current folder.
pub fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}

fn read(path: &Path, limit: u64, hint: &str) -> Result<Vec<u8>> {
    let failed = |e: std::io::Error| Error::input(format!("{}: {e}", path.display()), hint);
    let length = fs::metadata(path).map_err(failed)?.len();
    if length > limit {
        return Err(Error::input(format!("{} has {length} bytes", path.display()), hint));
    }
    fs::read(path).map_err(failed)
}
