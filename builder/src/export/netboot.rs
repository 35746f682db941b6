//! A folder that a web server hands to UEFI HTTP boot (UEFI 2.10, §24.7).
//!
//! ```text
//! exit-1.0.0-3f2a91bc.efi                  the image: name, version, begin of its SHA-256
//! exit.efi → exit-1.0.0-3f2a91bc.efi       the name that DHCP gives; a later version takes it over in one step
//! README                                   lines for DHCP servers
//! SHA256SUMS                               for sha256sum -c
//! ```

use super::write::{self, Existing};
use super::Image;
use crate::osrelease;
use crate::out::cannot;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use vitrine_attest::evidence::ImageId;
use vitrine_attest::pe::Pe;
use vitrine_attest::section::contents;
use vitrine_attest::{Blame, Error, Result, Sha256};

pub const SUMS: &str = "SHA256SUMS";
pub const README: &str = "README";

/// What the folder holds.
#[derive(Debug)]
pub struct Netboot<'a> {
    image: &'a [u8],
    /// `exit-1.0.0-3f2a91bc.efi`
    pub name: String,
    /// `exit.efi`
    pub link: String,
    sha256: Sha256,
}

impl<'a> Netboot<'a> {
    /// # Errors
    /// Blame Input when the image does not say its name and version as ours do.
    pub fn of(image: &Image<'a>) -> Result<Self> {
        let id = id(image.bytes()).map_err(|e| Error { blame: Blame::Input, ..e })?;
        let name = format!("{}-{}-{}.efi", id.name, id.version, image.sha256.short());
        Ok(Self { image: image.bytes(), name, link: format!("{}.efi", id.name), sha256: image.sha256 })
    }

    /// Names and contents of the files, in the order in which they are written.
    pub fn files(&self) -> [(&str, Vec<u8>); 3] {
        [(&self.name, self.image.to_vec()), (README, self.readme().into_bytes()), (SUMS, self.sums().into_bytes())]
    }

    fn sums(&self) -> String {
        let readme = Sha256::of(self.readme().as_bytes());
        format!("{readme}  {README}\n{0}  {1}\n{0}  {2}\n", self.sha256, self.name, self.link)
    }

    fn readme(&self) -> String {
        readme(&self.name, &self.link)
    }

    /// Makes the folder at once, or puts its files, the link last, into the one that is there.
    ///
    /// # Errors
    /// Blame Input when the folder is there and not to be changed; Host when it cannot be written.
    pub fn write(&self, folder: &Path, existing: Existing) -> Result<()> {
        match fs::symlink_metadata(folder) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => self.make(folder),
            Err(e) => Err(cannot("read", folder, &e)),
            Ok(found) if !found.is_dir() => {
                Err(Error::input(format!("{} is no folder", folder.display()), "give the name of a folder with --to"))
            }
            Ok(_) if existing == Existing::Refuse => Err(Error::input(
                format!("{} is there already", folder.display()),
                "give another name with --to; --force adds this version and makes it the current one",
            )),
            Ok(_) => self.fill(folder),
        }
    }

    /// A new folder appears with everything in it.
    fn make(&self, folder: &Path) -> Result<()> {
        let partial = write::partial(folder)?;
        let _lock = begin(&partial, folder)?;
        let made = self.fill(&partial).and_then(|()| write::publish(&partial, folder, Existing::Refuse));
        made.inspect_err(|_| {
            let _ = fs::remove_dir_all(&partial); // the error that matters is the first one
        })
    }

    fn fill(&self, folder: &Path) -> Result<()> {
        for (name, bytes) in self.files() {
            write::file(&folder.join(name), Existing::Replace, |mut file| file.write_all(&bytes))?;
        }
        self.set_link(folder)
    }

    /// In one step: nobody finds the name missing.
    fn set_link(&self, folder: &Path) -> Result<()> {
        let (link, partial) = (folder.join(&self.link), folder.join(format!(".partial-{}", self.link)));
        if link.is_dir() {
            return Err(Error::input(format!("{} is a folder", link.display()), "give another folder with --to"));
        }
        let _ = fs::remove_file(&partial); // of one that was killed; otherwise symlink says so
        let linked = symlink(&self.name, &partial).and_then(|()| fs::rename(&partial, &link));
        linked.map_err(|e| cannot("write", &link, &e))
    }

    /// Where its files are, the link included.
    pub fn paths(&self, folder: &Path) -> Vec<PathBuf> {
        [&self.name, &self.link, README, SUMS].into_iter().map(|name| folder.join(name)).collect()
    }
}

/// The text of `README`, for an image and the link to it.
pub(crate) fn readme(image: &str, link: &str) -> String {
    include_str!("netboot.txt").replace("IMAGE", image).replace("LINK", link)
}

/// Makes the temporary folder, locks and empties it.
fn begin(partial: &Path, folder: &Path) -> Result<File> {
    let failed = |e: io::Error| cannot("write", folder, &e);
    match fs::create_dir(partial) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(failed(e)),
        _ => {}
    }
    let lock = File::open(partial).map_err(failed)?;
    write::lock(&lock, folder)?;
    for entry in fs::read_dir(partial).map_err(failed)? {
        fs::remove_file(entry.map_err(failed)?.path()).map_err(failed)?;
    }
    Ok(lock)
}

/// Name and version, out of section `.osrel`; names that could not be file names are refused.
pub(crate) fn id(image: &[u8]) -> Result<ImageId> {
    let text = contents(&Pe::parse(image)?, ".osrel")?.unwrap_or_default();
    let id = osrelease::read(&String::from_utf8_lossy(text))?;
    osrelease::write(&id)?;
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testpe::{minimal_stub, StubShape};
    use crate::uki::{assemble, Parts};

    fn image(name: &str, version: &str) -> Vec<u8> {
        let stub = minimal_stub(&StubShape::default());
        let os_release =
            format!("ID=vitrine\nIMAGE_ID={name}\nIMAGE_VERSION={version}\nVITRINE_LOCK={}\n", Sha256::ZERO);
        let parts = Parts {
            stub: &stub,
            os_release: &os_release,
            cmdline: "quiet",
            kernel_release: "6",
            initrd: b"0",
            kernel: &stub,
        };
        assemble(&parts).unwrap()
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_folder_and_the_next_version() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("boot");
        let (old, new) = (image("exit", "1.0"), image("exit", "1.1"));
        let (old, new) = (Image::check(&old).unwrap(), Image::check(&new).unwrap());
        let (old, new) = (Netboot::of(&old).unwrap(), Netboot::of(&new).unwrap());
        old.write(&folder, Existing::Refuse).unwrap();
        assert_eq!(names(&folder), [README, SUMS, old.name.as_str(), "exit.efi"]);
        assert_eq!(fs::read(folder.join("exit.efi")).unwrap(), old.image);
        let error = new.write(&folder, Existing::Refuse).unwrap_err();
        assert!(error.what.ends_with("is there already") && error.exit_code() == 2, "{error}");
        assert_eq!(fs::read(folder.join("exit.efi")).unwrap(), old.image);
        new.write(&folder, Existing::Replace).unwrap();
        assert_eq!(names(&folder), [README, SUMS, old.name.as_str(), new.name.as_str(), "exit.efi"]);
        assert_eq!(fs::read_link(folder.join("exit.efi")).unwrap(), Path::new(&new.name));
        assert!(fs::read_to_string(folder.join(README)).unwrap().contains(&new.name));
        assert_eq!(names(parent.path()), ["boot"]);
    }

    #[test]
    fn names_that_are_no_file_names() {
        for (name, version) in [("../exit", "1"), ("exit", "1/2"), ("", "1"), (".", "$(x)")] {
            let image = image(name, version);
            let error = Netboot::of(&Image::check(&image).unwrap()).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{name} {version}");
        }
    }

    #[test]
    fn what_a_killed_one_left_and_two_at_once() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("boot");
        let partial = parent.path().join(".partial-boot");
        fs::create_dir(&partial).unwrap();
        fs::write(partial.join("rest"), "x").unwrap();
        let image = image("exit", "1");
        let image = Image::check(&image).unwrap();
        let netboot = Netboot::of(&image).unwrap();
        let other = File::open(&partial).unwrap();
        write::lock(&other, &folder).unwrap();
        let error = netboot.write(&folder, Existing::Refuse).unwrap_err();
        assert!(error.what.starts_with("another export is writing"), "{error}");
        drop(other);
        netboot.write(&folder, Existing::Refuse).unwrap();
        assert_eq!(names(parent.path()), ["boot"]);
        assert!(!folder.join("rest").exists());
    }
}
