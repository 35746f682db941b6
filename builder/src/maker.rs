//! Which program runs: what one version has judged or made is not another's.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use vitrine_attest::lengths::prefixed;
use vitrine_attest::Sha256;

/// A hash that changes whenever this program's file is another one: place on the disk, size and times, as `make` looks
/// at them. Its bytes are not read: twenty megabytes would cost more than what is saved. `None` when the system does
/// not say (no /proc): then nothing may be kept that depends on the program.
pub fn identity() -> Option<Sha256> {
    let file = fs::metadata("/proc/self/exe").ok()?;
    let (device, inode, size) = (file.dev().to_be_bytes(), file.ino().to_be_bytes(), file.size().to_be_bytes());
    let modified = [file.mtime().to_be_bytes(), file.mtime_nsec().to_be_bytes()].concat();
    // nobody can set this one back
    let changed = [file.ctime().to_be_bytes(), file.ctime_nsec().to_be_bytes()].concat();
    let version = env!("CARGO_PKG_VERSION").as_bytes();
    Some(Sha256::of(&prefixed(&[b"vitrine maker v1", version, &device, &inode, &size, &modified, &changed])))
}

#[cfg(test)]
mod tests {
    #[test]
    fn one_program_is_one() {
        assert!(super::identity().is_some());
        assert_eq!(super::identity(), super::identity());
    }
}
