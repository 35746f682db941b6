//! `watch.files`: no program of the image writes a file, so none may appear.
//!
//! At each look the kernel's own count of what each file system holds (statfs(2)) has to be what it was at the first, and
//! the two folders that could be written have to be empty. In between, inotify(7) tells of every file that is made,
//! changed or moved in them, also of one that is gone at the next look.

use super::buffer::Buffer;
use crate::stop::{OrStop as _, Step};
use rustix::fs::inotify::{add_watch, init, CreateFlags, WatchFlags};
use rustix::fs::{fstatfs, open, openat, Mode, OFlags, RawDir};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use vitrine_attest::watch::Rule;

/// The read-only root first: nothing is made there either, whoever might have made it writable.
const PLACES: [&str; 4] = ["/", "/run", "/tmp", "/var/log"];
const EMPTY: [&str; 2] = ["/tmp", "/var/log"];

const EVENTS: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::MODIFY)
    .union(WatchFlags::MOVE)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::ONLYDIR);

/// Blocks in use, files in use. Neither where the file system does not count (ramfs).
type Use = [u64; 2];

pub struct Files {
    places: Vec<OwnedFd>,
    empty: Vec<OwnedFd>,
    /// Readable when something happened.
    pub events: OwnedFd,
    first: Option<Vec<Use>>,
}

impl Files {
    pub fn open() -> Step<Self> {
        Self::open_in(&PLACES, &EMPTY)
    }

    fn open_in(places: &[&str], empty: &[&str]) -> Step<Self> {
        let events = init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).or_stop("watch-files")?;
        for place in empty {
            add_watch(&events, *place, EVENTS).or_stop("watch-files")?;
        }
        let folders = |paths: &[&str]| paths.iter().map(|path| folder(path)).collect::<Step<_>>();
        Ok(Self { places: folders(places)?, empty: folders(empty)?, events, first: None })
    }

    pub fn look(&mut self, buffer: &mut Buffer) -> Step<Option<Rule>> {
        let happened = buffer.ready(&self.events)?;
        let used: Vec<Use> = self.places.iter().map(used).collect::<Step<_>>()?;
        let same = *self.first.get_or_insert_with(|| used.clone()) == used;
        let mut full = false;
        for folder in &self.empty {
            full |= !is_empty(folder)?;
        }
        Ok((happened || !same || full).then_some(Rule::Files))
    }
}

fn folder(path: &str) -> Step<OwnedFd> {
    open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).or_stop("watch-files")
}

fn used(folder: &OwnedFd) -> Step<Use> {
    let counts = fstatfs(folder).or_stop("watch-files")?;
    Ok([counts.f_blocks.wrapping_sub(counts.f_bfree), counts.f_files.wrapping_sub(counts.f_ffree)])
}

fn is_empty(folder: &OwnedFd) -> Step<bool> {
    // A descriptor of its own: the place in a folder belongs to the descriptor
    let folder = openat(folder, c".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
    let mut room = [MaybeUninit::uninit(); 512];
    let folder = folder.or_stop("watch-files")?;
    let mut entries = RawDir::new(&folder, &mut room);
    while let Some(entry) = entries.next() {
        if !matches!(entry.or_stop("watch-files")?.file_name().to_bytes(), b"." | b"..") {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn watched(folder: &std::path::Path) -> Files {
        let path = folder.to_str().unwrap();
        Files::open_in(&[], &[path]).unwrap()
    }

    #[test]
    fn an_empty_folder_stays_empty() {
        let (folder, mut buffer) = (tempfile::tempdir().unwrap(), Buffer::new());
        let mut files = watched(folder.path());
        assert_eq!(files.look(&mut buffer), Ok(None));
        assert_eq!(files.look(&mut buffer), Ok(None));
        fs::write(folder.path().join("log"), b"").unwrap();
        assert_eq!(files.look(&mut buffer), Ok(Some(Rule::Files)));
        assert_eq!(files.look(&mut buffer), Ok(Some(Rule::Files)), "it is still there");
    }

    #[test]
    fn a_file_that_is_gone_again_was_there() {
        let (folder, mut buffer) = (tempfile::tempdir().unwrap(), Buffer::new());
        let mut files = watched(folder.path());
        assert_eq!(files.look(&mut buffer), Ok(None));
        fs::create_dir(folder.path().join("spool")).unwrap();
        fs::remove_dir(folder.path().join("spool")).unwrap();
        assert_eq!(files.look(&mut buffer), Ok(Some(Rule::Files)));
    }

    #[test]
    fn what_was_there_before_is_found() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("log"), b"x").unwrap();
        assert_eq!(watched(folder.path()).look(&mut Buffer::new()), Ok(Some(Rule::Files)));
    }
}
