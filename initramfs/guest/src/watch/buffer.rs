//! One piece of memory into which the watch reads everything, wiped after each look.

use crate::stop::{OrStop as _, Step, Stop};
use rustix::io::{pread, read, Errno};
use std::os::fd::AsFd;
use zeroize::Zeroize as _;

/// Bytes. The longest thing that is read as a whole is the mount table of a system with a whole userland.
const SIZE: usize = 64 << 10;

pub struct Buffer(Box<[u8; SIZE]>);

impl Buffer {
    pub fn new() -> Self {
        Self(Box::new([0; SIZE]))
    }

    /// A whole file from its beginning, also one that has been read before.
    ///
    /// # Errors
    /// `watch-read` when the kernel refuses, `watch-size` when it does not fit.
    pub fn file(&mut self, file: impl AsFd) -> Step<&[u8]> {
        let mut length = 0;
        loop {
            let room = &mut self.0[length..];
            if room.is_empty() {
                return Err(Stop("watch-size"));
            }
            match pread(file.as_fd(), room, length as u64) {
                Ok(0) => return Ok(&self.0[..length]),
                Ok(more) => length += more,
                Err(Errno::INTR) => {}
                Err(_) => return Err(Stop("watch-read")),
            }
        }
    }

    /// Shows a file of any length line by line; lines of more than the buffer's length are an error.
    pub fn lines(&mut self, file: impl AsFd, mut each: impl FnMut(&[u8])) -> Step {
        let (mut kept, mut at) = (0, 0);
        loop {
            let more = match pread(file.as_fd(), &mut self.0[kept..], at) {
                Ok(more) => more,
                Err(Errno::INTR) => continue,
                Err(_) => return Err(Stop("watch-read")),
            };
            at += more as u64;
            let filled = kept + more;
            let whole = self.0[..filled].iter().rposition(|&c| c == b'\n').map_or(0, |end| end + 1);
            self.0[..whole].split(|&c| c == b'\n').for_each(&mut each);
            if more == 0 {
                each(&self.0[whole..filled]);
                return Ok(());
            }
            self.0.copy_within(whole..filled, 0);
            kept = filled - whole;
            (kept < SIZE).then_some(()).or_stop("watch-size")?;
        }
    }

    /// What is ready on a descriptor that does not wait; false when nothing was.
    pub fn ready(&mut self, file: impl AsFd) -> Step<bool> {
        match read(file.as_fd(), &mut self.0[..]) {
            Ok(length) => Ok(length > 0),
            Err(Errno::AGAIN | Errno::INTR) => Ok(false),
            Err(_) => Err(Stop("watch-read")),
        }
    }

    pub fn wipe(&mut self) {
        self.0.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    #[test]
    fn files_are_read_again() {
        let mut buffer = Buffer::new();
        let file = File::open("/proc/self/mountinfo").unwrap();
        let first = buffer.file(&file).unwrap().to_vec();
        assert!(!first.is_empty());
        assert_eq!(buffer.file(&file).unwrap(), first);
        buffer.wipe();
        assert!(buffer.0.iter().all(|&byte| byte == 0));
        assert_eq!(buffer.file(File::open("/dev/zero").unwrap()), Err(Stop("watch-size")));
        assert_eq!(buffer.file(File::open("/").unwrap()), Err(Stop("watch-read")));
    }

    #[test]
    fn long_files_by_lines() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("long");
        let text: String = (0..20_000).map(|n| format!("line {n}\n")).collect::<String>() + "last";
        std::fs::write(&path, &text).unwrap();
        let mut seen = Vec::new();
        let keep = |line: &[u8]| {
            if !line.is_empty() {
                seen.push(String::from_utf8(line.to_vec()).unwrap())
            }
        };
        Buffer::new().lines(File::open(&path).unwrap(), keep).unwrap();
        assert_eq!(seen, text.lines().collect::<Vec<_>>());
        std::fs::write(&path, vec![b'x'; SIZE + 1]).unwrap();
        assert_eq!(Buffer::new().lines(File::open(&path).unwrap(), |_| {}), Err(Stop("watch-size")));
    }
}
