//! The firmware: Debian's `ovmf`, else the `ovmf-prebuilt` crate's download or its filled cache.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use vitrine_attest::{Error, Result, Sha256};

/// Names a folder with firmware files: either Debian's names, or the cache of `ovmf-prebuilt`.
pub const CACHE_VARIABLE: &str = "VITRINE_OVMF_CACHE";
/// Where Debian's package ovmf puts its files.
const DEBIAN: &str = "/usr/share/OVMF";
const DEBIAN_CODE: &str = "OVMF_CODE_4M.secboot.fd";
const DEBIAN_VARS: &str = "OVMF_VARS_4M.fd";
/// A file larger than this is no firmware (OVMF: 4 MiB).
const SIZE_LIMIT: u64 = 64 << 20;

/// Whether the firmware keeps its variables behind System Management Mode: the machine must then have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Smm {
    /// Debian's `secboot` build: variables can only be written from SMM, so pflash is made `secure`.
    Required,
    /// `ovmf-prebuilt`'s build: Secure Boot works, but a kernel could rewrite the variables. Fine for tests.
    Absent,
}

/// A firmware with an empty variable store. The same code is used with Secure Boot on and off.
#[derive(Debug, Clone)]
pub struct Firmware {
    pub code: PathBuf,
    pub code_sha256: Sha256,
    pub vars: PathBuf,
    /// The empty variable store's bytes.
    pub empty_vars: Vec<u8>,
    pub smm: Smm,
}

impl Firmware {
    /// Debian's package if it is installed, else the folder of `VITRINE_OVMF_CACHE`, else a download of the
    /// pinned `ovmf-prebuilt` release (its SHA-256 is part of that crate).
    ///
    /// # Errors
    /// When there is none, or a file of it is unreadable.
    pub fn find() -> Result<Self> {
        if let Some(found) = Self::debian(Path::new(DEBIAN))? {
            return Ok(found);
        }
        let cache = std::env::var_os(CACHE_VARIABLE).map(PathBuf::from);
        if let Some(folder) = &cache {
            if let Some(found) = Self::debian(folder)? {
                return Ok(found);
            }
        }
        Self::prebuilt(&cache.unwrap_or_else(|| crate::cache::folder("ovmf")))
    }

    /// Files with Debian's names in `folder`; `None` when they are not there.
    fn debian(folder: &Path) -> Result<Option<Self>> {
        let (code, vars) = (folder.join(DEBIAN_CODE), folder.join(DEBIAN_VARS));
        if !code.exists() || !vars.exists() {
            return Ok(None);
        }
        Self::read(code, vars, Smm::Required).map(Some)
    }

    fn prebuilt(folder: &Path) -> Result<Self> {
        use ovmf_prebuilt::{Arch, FileType, Prebuilt, Source};
        // One fixed release, so that every host gets the same firmware; the crate holds its hash.
        let files = Prebuilt::fetch(Source::EDK2_STABLE202511_R2, folder).map_err(|e| {
            Error::host(
                format!("no firmware: {DEBIAN}/{DEBIAN_CODE} is missing and the download failed: {e}"),
                format!("install it: apt-get install ovmf, or set {CACHE_VARIABLE} to a folder with {DEBIAN_CODE} and {DEBIAN_VARS}"),
            )
        })?;
        Self::read(files.get_file(Arch::X64, FileType::Code), files.get_file(Arch::X64, FileType::Vars), Smm::Absent)
    }

    fn read(code: PathBuf, vars: PathBuf, smm: Smm) -> Result<Self> {
        let code_sha256 = Sha256::of(&read_bounded(&code)?);
        let empty_vars = read_bounded(&vars)?;
        Ok(Self { code, code_sha256, vars, empty_vars, smm })
    }
}

/// Two lines for the log: paths and hashes.
impl fmt::Display for Firmware {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "firmware {} sha256:{}", self.code.display(), self.code_sha256)?;
        write!(f, "variables {} sha256:{}", self.vars.display(), Sha256::of(&self.empty_vars))
    }
}

fn read_bounded(path: &Path) -> Result<Vec<u8>> {
    let failed = |e: &dyn fmt::Display| {
        Error::host(format!("firmware {}: {e}", path.display()), "install it again: apt-get install --reinstall ovmf")
    };
    let size = fs::metadata(path).map_err(|e| failed(&e))?.len();
    if size > SIZE_LIMIT {
        return Err(failed(&format!("{size} bytes are too many for a firmware")));
    }
    fs::read(path).map_err(|e| failed(&e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_debians_names_are_found_in_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Firmware::debian(folder.path()).unwrap().is_none());
        fs::write(folder.path().join(DEBIAN_CODE), b"code").unwrap();
        fs::write(folder.path().join(DEBIAN_VARS), b"vars").unwrap();
        let found = Firmware::debian(folder.path()).unwrap().unwrap();
        assert_eq!((found.code_sha256, found.smm), (Sha256::of(b"code"), Smm::Required));
        assert!(found.to_string().contains(&Sha256::of(b"vars").to_string()));
    }

    /// A cache that `ovmf-prebuilt` has filled before is used without a network.
    #[test]
    fn a_filled_cache_needs_no_download() {
        let cache = tempfile::tempdir().unwrap();
        fs::create_dir(cache.path().join("x64")).unwrap();
        fs::write(cache.path().join("x64/code.fd"), b"code").unwrap();
        fs::write(cache.path().join("x64/vars.fd"), b"vars").unwrap();
        fs::write(cache.path().join("sha256"), ovmf_prebuilt::Source::EDK2_STABLE202511_R2.sha256).unwrap();
        let found = Firmware::prebuilt(cache.path()).unwrap();
        assert_eq!((found.code_sha256, found.smm), (Sha256::of(b"code"), Smm::Absent));
        assert_eq!(found.empty_vars, b"vars");
    }

    /// The installed firmware, where there is one: our reader takes its variable store.
    #[test]
    fn the_installed_store_is_read() {
        let Some(found) = Firmware::debian(Path::new(DEBIAN)).unwrap() else {
            eprintln!("skipped: package ovmf is not installed");
            return;
        };
        assert!(crate::vars::Store::parse(&found.empty_vars).unwrap().variables().is_empty());
        // Microsoft's keys, written by Debian's own tools.
        let ms = fs::read(Path::new(DEBIAN).join("OVMF_VARS_4M.ms.fd")).unwrap();
        let keys = crate::vars::enrolled(&ms).unwrap();
        keys.check().unwrap();
        assert!(keys.db_entries().unwrap().len() >= 2);
    }
}
