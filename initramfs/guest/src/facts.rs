//! The facts of this boot, looked up in the kernel and then measured into PCR 15.

use crate::read::small_file;
use crate::stop::{OrStop, Step};
use vitrine_attest::boot::BootFacts;

/// Bytes of `/proc/self/mountinfo` and `/proc/swaps`; here they have a dozen lines.
const LIMIT: usize = 64 << 10;

/// Looks everything up. What is found is reported as it is: the verifier decides, and accepts only
/// [`BootFacts::sealed`].
pub fn collect() -> Step<BootFacts> {
    Ok(BootFacts {
        block_devices: block_devices()?,
        modules_locked: crate::sysctl::modules_locked()?,
        root_read_only: root_read_only(&small_file("/proc/self/mountinfo", LIMIT).or_stop("facts")?),
        swap: swap_areas(&small_file("/proc/swaps", LIMIT).or_stop("facts")?),
    })
}

fn block_devices() -> Step<Vec<String>> {
    let directory = match std::fs::read_dir("/sys/block") {
        // A kernel without any block layer user has no such folder
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(vec![]),
        other => other.or_stop("facts")?,
    };
    let mut names = Vec::new();
    for entry in directory {
        names.push(entry.or_stop("facts")?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// Whether the file system mounted last on `/` is read-only as a whole (proc_pid_mountinfo(5)):
/// ```text
/// 1 1 0:2 / / ro,nosuid,nodev - rootfs rootfs ro
///          ↑5                  separator      super options
/// ```
fn root_read_only(mountinfo: &[u8]) -> bool {
    let last = mountinfo.split(|&c| c == b'\n').rfind(|line| field(line, 4) == Some(b"/"));
    last.is_some_and(|line| {
        let options = field(line, 5).unwrap_or_default();
        let superblock = line.rsplit(|&c| c == b' ').next().unwrap_or_default();
        has_option(options, b"ro") && has_option(superblock, b"ro")
    })
}

fn field(line: &[u8], index: usize) -> Option<&[u8]> {
    line.split(|&c| c == b' ').nth(index)
}

fn has_option(list: &[u8], option: &[u8]) -> bool {
    list.split(|&c| c == b',').any(|entry| entry == option)
}

/// First column of `/proc/swaps` without its header.
fn swap_areas(swaps: &[u8]) -> Vec<String> {
    let lines = swaps.split(|&c| c == b'\n').skip(1);
    let names = lines.filter_map(|line| line.split(u8::is_ascii_whitespace).find(|word| !word.is_empty()));
    names.map(|name| String::from_utf8_lossy(name).into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_flags() {
        assert!(root_read_only(b"1 1 0:2 / / ro - rootfs rootfs ro\n22 1 0:21 / /proc rw - proc proc rw\n"));
        assert!(!root_read_only(b"1 1 0:2 / / rw - rootfs rootfs rw\n"));
        assert!(!root_read_only(b"1 1 0:2 / / ro,relatime - rootfs rootfs rw,size=1k\n"), "one mount is not the whole");
        assert!(!root_read_only(b"1 1 0:2 / / ro - rootfs rootfs ro\n9 1 0:9 / / rw - tmpfs x rw\n"), "over-mounted");
        assert!(!root_read_only(b"2 1 0:2 / /proc ro - proc proc ro\n") && !root_read_only(b""));
        assert!(!root_read_only(b"1 1 0:2 / / errors=remount-ro - x x errors=remount-ro\n"));
    }

    #[test]
    fn swaps() {
        let header = b"Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n".to_vec();
        assert!(swap_areas(&header).is_empty() && swap_areas(b"").is_empty());
        let used = [header, b"/dev/zram0                              partition\t1024\t0\t-2\n".to_vec()].concat();
        assert_eq!(swap_areas(&used), ["/dev/zram0"]);
    }
}
