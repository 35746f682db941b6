//! Kernel modules: those the image carries, in its order, then never again.

use crate::read::small_file;
use crate::stop::{OrStop, Step, Stop};
use rustix::fs::{open, Mode, OFlags};
use rustix::io::Errno;
use rustix::system::finit_module;

/// Absolute paths of uncompressed modules in load order, one per line. Made by `vitrine build`.
pub const LIST: &str = "/etc/vitrine/modules";
/// Bytes. Some seventy modules with server network cards make 7 KiB.
pub const LIST_LIMIT: usize = 64 << 10;

/// Loads every module of [`LIST`]. One that is missing or refused ends the boot: the image is not what was built.
pub fn load_all() -> Step {
    let list = small_file(LIST, LIST_LIMIT).or_stop("modules-list")?;
    for path in paths(&list)? {
        load(path)?;
    }
    Ok(())
}

fn load(path: &str) -> Step {
    let file = open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).or_stop("module-missing")?;
    match finit_module(&file, c"", 0) {
        // Built in, or loaded by another one's request
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(_) => Err(Stop("module-refused")),
    }
}

/// The lines of the list. Every line is an absolute path; anything else was not written by us.
pub fn paths(list: &[u8]) -> Step<Vec<&str>> {
    let text = std::str::from_utf8(list).or_stop("modules-list")?;
    let lines: Vec<&str> = text.lines().collect();
    let well_formed = lines.iter().all(|line| line.starts_with('/') && line.ends_with(".ko") && !line.contains(".."));
    well_formed.then_some(lines).or_stop("modules-list")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn list_in_order() {
        assert_eq!(paths(b"/m/a.ko\n/m/b.ko\n"), Ok(vec!["/m/a.ko", "/m/b.ko"]));
        assert_eq!(paths(b""), Ok(vec![]));
    }

    #[test]
    fn other_lines_are_refused() {
        for bad in ["wireguard\n", "/m/a.ko\n\n", "/m/../a.ko\n", "/m/a.ko.xz\n"] {
            assert_eq!(paths(bad.as_bytes()), Err(Stop("modules-list")), "{bad}");
        }
        assert!(paths(&[b'/', 0xff]).is_err());
    }
}
