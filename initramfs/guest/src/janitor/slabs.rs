//! Kernel memory of what is over. Caches of type SLAB_TYPESAFE_BY_RCU are left out by `init_on_free`: their freed
//! objects keep their content until the page goes back, which shrinking the cache does (Documentation/ABI,
//! sysfs-kernel-slab). A page with another live object stays, and its freed neighbours with it until they are reused.

use crate::stop::{OrStop as _, Step};
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

const DIRECTORY: &str = "/sys/kernel/slab";
/// Connections; its name may go on.
const CONNTRACK: &str = "nf_conntrack";
/// Sockets, which hold the addresses of clients that spoke to the server itself.
const SOCKETS: [&str; 8] =
    ["TCP", "TCPv6", "UDP", "UDPv6", "request_sock_TCP", "request_sock_TCPv6", "tw_sock_TCP", "tw_sock_TCPv6"];

/// Digits of a number of objects, and more: the rest of the line says where they are.
const NUMBER: usize = 32;

pub struct Slabs {
    /// `shrink` of each cache, open for writing.
    shrink: Vec<File>,
    /// `objects` and `total_objects` of each cache of connections.
    counts: Vec<(File, File)>,
}

impl Slabs {
    /// # Errors
    /// `slabs` when there is none for connections: what the janitor promises could not be kept.
    pub fn open() -> Step<Self> {
        Self::open_in(Path::new(DIRECTORY))
    }

    fn open_in(directory: &Path) -> Step<Self> {
        let mut slabs = Self { shrink: Vec::new(), counts: Vec::new() };
        for entry in std::fs::read_dir(directory).or_stop("slabs")? {
            let entry = entry.or_stop("slabs")?;
            let name = entry.file_name();
            let name = name.to_str().unwrap_or_default();
            let connections = name.starts_with(CONNTRACK);
            if connections || SOCKETS.contains(&name) {
                slabs.shrink.push(OpenOptions::new().write(true).open(entry.path().join("shrink")).or_stop("slabs")?);
            }
            if connections {
                let count = |file| File::open(entry.path().join(file)).or_stop("slabs");
                slabs.counts.push((count("objects")?, count("total_objects")?));
            }
        }
        (!slabs.counts.is_empty()).then_some(slabs).or_stop("slabs")
    }

    /// Gives empty pages back; they are cleared on their way (`init_on_free=1`).
    pub fn shrink(&mut self) {
        for file in &mut self.shrink {
            // A cache that cannot be shrunk now can be the next time
            let _ = file.write_all(b"1\n");
        }
    }

    /// How many freed connections lie in pages that the kernel keeps, because of a living one or for the next.
    pub fn freed_connections(&self) -> usize {
        let freed = |(used, all): &(File, File)| Some(number(all)?.saturating_sub(number(used)?));
        self.counts.iter().filter_map(freed).sum()
    }
}

/// The first number of a line such as `104 N0=104`.
fn number(file: &File) -> Option<usize> {
    let mut line = [0; NUMBER];
    let length = file.read_at(&mut line, 0).ok()?;
    let digits = line.get(..length)?.split(|byte| !byte.is_ascii_digit()).next()?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shape of the kernel's directory: a name per cache, `shrink` and two numbers in each.
    fn directory(name: &str, caches: &[&str]) -> std::path::PathBuf {
        let directory = std::env::temp_dir().join(format!("vitrine-slabs-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&directory);
        for cache in caches {
            std::fs::create_dir_all(directory.join(cache)).unwrap();
            for (file, text) in [("shrink", ""), ("objects", "104 N0=100 N1=4\n"), ("total_objects", "130 N0=130\n")] {
                std::fs::write(directory.join(cache).join(file), text).unwrap();
            }
        }
        directory
    }

    #[test]
    fn caches_of_connections_and_sockets_are_shrunk() {
        let path = directory("all", &["nf_conntrack_ffff", "TCP", "dentry"]);
        let mut slabs = Slabs::open_in(&path).unwrap();
        slabs.shrink();
        let written = |cache: &str| std::fs::read(path.join(cache).join("shrink")).unwrap();
        assert_eq!((written("nf_conntrack_ffff"), written("TCP")), (b"1\n".to_vec(), b"1\n".to_vec()));
        assert!(written("dentry").is_empty());
        std::fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn freed_connections_are_counted() {
        let path = directory("count", &["nf_conntrack", "nf_conntrack_expect", "TCP"]);
        let slabs = Slabs::open_in(&path).unwrap();
        assert_eq!(slabs.freed_connections(), 2 * 26);
        std::fs::write(path.join("nf_conntrack/objects"), "131 N0=131\n").unwrap();
        assert_eq!(slabs.freed_connections(), 26, "counted while one was made");
        std::fs::write(path.join("nf_conntrack/objects"), "").unwrap();
        assert_eq!(slabs.freed_connections(), 26, "no number");
        std::fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn without_a_cache_for_connections_it_does_not_start() {
        let path = directory("none", &["TCP"]);
        assert!(Slabs::open_in(&path).is_err());
        std::fs::remove_dir_all(&path).unwrap();
        assert!(Slabs::open_in(&path).is_err(), "no directory");
    }
}
