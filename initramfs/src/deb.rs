//! A Debian package in memory (deb(5)): control data and file list. Maintainer scripts are never run.

use crate::ar;
use crate::index::Index;
use crate::unpack::{unpack_from, Coding};
use std::io::{BufRead, Read};
use vitrine_attest::{Error, Result};

/// Most a package's files may unpack to, in bytes; the Debian kernel has 106 MiB, its debug symbols 900 MiB.
const DATA_LIMIT: u64 = 1 << 30;
/// Most `control.tar` may unpack to, in bytes; the largest of Debian 13 (with symbols files) has 5 MiB.
const CONTROL_LIMIT: u64 = 16 << 20;

/// A package after unpacking.
#[derive(Debug)]
pub struct Deb {
    pub name: String,
    pub version: String,
    /// Uncompressed `data.tar`.
    pub tar: Vec<u8>,
    pub index: Index,
}

impl Deb {
    /// Reads a whole package from memory.
    ///
    /// # Errors
    /// See [`Self::read`].
    #[cfg(any(test, fuzzing))]
    pub fn open(bytes: &[u8]) -> Result<Self> {
        Self::read(&mut &bytes[..])
    }

    /// Reads a whole package; of the packed bytes, a few are in memory at a time.
    ///
    /// # Errors
    /// When any layer of it is damaged, truncated, too large, or holds an entry that [`Index::of_tar`] refuses.
    pub fn read(reader: &mut dyn BufRead) -> Result<Self> {
        let mut parts = Parts::default();
        ar::each(reader, |member| parts.take(member))?;
        if !parts.begun {
            return Err(malformed("does not begin with debian-binary 2.x"));
        }
        let control = parts.control.ok_or_else(|| malformed("has no control.tar"))?;
        let tar = parts.data.ok_or_else(|| malformed("has no data.tar"))?;
        let control = control_text(&control)?;
        Ok(Self {
            name: field(&control, "Package")?,
            version: field(&control, "Version")?,
            index: Index::of_tar(&tar)?,
            tar,
        })
    }
}

/// What was seen of a package so far: `debian-binary`, `control.tar`, `data.tar`, in this order.
#[derive(Default)]
struct Parts {
    begun: bool,
    control: Option<Vec<u8>>,
    data: Option<Vec<u8>>,
}

impl Parts {
    fn take(&mut self, member: ar::Member<'_>) -> Result<()> {
        if member.name.starts_with('_') {
            return Ok(());
        }
        if !self.begun {
            return self.begin(member);
        }
        match (&self.control, &self.data) {
            (None, _) => self.control = Some(part(member, "control.tar", CONTROL_LIMIT)?),
            (_, None) => self.data = Some(part(member, "data.tar", DATA_LIMIT)?),
            _ => return Err(malformed(&format!("has an unexpected member {:?}", member.name))),
        }
        Ok(())
    }

    fn begin(&mut self, member: ar::Member<'_>) -> Result<()> {
        let mut version = [0; 2];
        // too short is no version either
        let read = member.body.read_exact(&mut version).is_ok();
        self.begun = member.name == "debian-binary" && read && &version == b"2.";
        match self.begun {
            true => Ok(()),
            false => Err(malformed("does not begin with debian-binary 2.x")),
        }
    }
}

fn part(member: ar::Member<'_>, expected: &str, limit: u64) -> Result<Vec<u8>> {
    let (stem, coding) = Coding::of(&member.name);
    if stem != expected {
        return Err(malformed(&format!(
            "has {:?} where {expected} should be, packed as gz, xz, zst or not at all",
            member.name
        )));
    }
    unpack_from(member.body, member.size, coding, limit).map_err(|e| e.within(&member.name))
}

/// The `control` file of `control.tar`.
fn control_text(tar: &[u8]) -> Result<String> {
    let mut archive = tar::Archive::new(tar);
    for entry in archive.entries().map_err(|e| malformed(&format!("has a damaged control.tar: {e}")))? {
        let mut entry = entry.map_err(|e| malformed(&format!("has a damaged control.tar: {e}")))?;
        if matches!(&*entry.path_bytes(), b"./control" | b"control") {
            let mut text = String::new();
            entry.read_to_string(&mut text).map_err(|e| malformed(&format!("has an unreadable control file: {e}")))?;
            return Ok(text);
        }
    }
    Err(malformed("has no control file"))
}

fn field(control: &str, name: &str) -> Result<String> {
    control
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        .map(|value| value.trim().to_string())
        .ok_or_else(|| malformed(&format!("has no {name} in its control file")))
}

fn malformed(how: &str) -> Error {
    Error::artefact(format!("the package {how}"), "fetch it again: remove it from the store and run the command anew")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{deb, Tar};
    use crate::unpack::pack;

    #[test]
    fn every_coding() {
        for coding in [Coding::Plain, Coding::Gzip, Coding::Xz, Coding::Zstd] {
            let bytes = deb("p", "1:2-3", coding, Tar::new().file("a", 0o644, b"x"));
            let deb = Deb::open(&bytes).unwrap();
            assert_eq!((deb.name.as_str(), deb.version.as_str(), deb.index.0.len()), ("p", "1:2-3", 1), "{coding:?}");
        }
    }

    #[test]
    fn every_truncation_is_refused() {
        let bytes = deb("p", "1", Coding::Xz, Tar::new().file("a", 0o644, b"x"));
        for length in 0..bytes.len() - 1 {
            assert!(Deb::open(&bytes[..length]).is_err(), "cut at {length} of {}", bytes.len());
        }
    }

    #[test]
    fn every_altered_byte_of_the_data_is_noticed_or_harmless() {
        let good = deb("p", "1", Coding::Xz, Tar::new().file("a", 0o644, b"x"));
        let index = Deb::open(&good).unwrap().index;
        let data = good.windows(8).position(|w| w == b"data.tar").unwrap() + 60;
        for at in data..good.len() - 1 {
            let mut bytes = good.clone();
            bytes[at] ^= 1;
            // an xz stream has checksums over everything
            assert!(Deb::open(&bytes).map_or(true, |deb| deb.index == index), "byte {at}");
        }
    }

    #[test]
    fn malformed_packages() {
        let tar = Tar::new().finish();
        let control = Tar::new().file("control", 0o644, b"Package: p\nVersion: 1\n").finish();
        let binary = ("debian-binary", b"2.0\n".as_slice());
        for (members, why) in [
            (vec![], "debian-binary"),
            (vec![("debian-binary", b"3.0\n".as_slice())], "debian-binary"),
            (vec![binary], "no control.tar"),
            (vec![binary, ("data.tar", &tar), ("control.tar", &control)], "where control.tar should be"),
            (vec![binary, ("control.tar", &control), ("data.tar.lzma", &tar)], "where data.tar should be"),
            (vec![binary, ("control.tar", &control)], "no data.tar"),
            (vec![binary, ("control.tar", &tar), ("data.tar", &tar)], "no control file"),
            (vec![binary, ("control.tar", &control), ("data.tar", &tar), ("x", b"")], "unexpected member"),
        ] {
            let what = Deb::open(&ar::write(&members)).unwrap_err().what;
            assert!(what.contains(why), "{what:?} lacks {why:?}");
        }
        let ignored = [binary, ("_x", b""), ("control.tar", &control), ("data.tar", &tar)];
        assert!(Deb::open(&ar::write(&ignored)).is_ok());
        let bomb = pack(&vec![0; (CONTROL_LIMIT + 1) as usize], Coding::Zstd);
        assert!(Deb::open(&ar::write(&[binary, ("control.tar.zst", &bomb), ("data.tar", &tar)])).is_err());
    }
}
