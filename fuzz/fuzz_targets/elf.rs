//! ELF files, kernel modules and kernels of packages. Invariants, for any bytes:
//! - reading them never panics and is deterministic;
//! - a module's dependencies are not empty names, a kernel's release is a name that can stand in a path.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vitrine_initramfs::fuzzing::{release, Elf, ModInfo};

fuzz_target!(|data: &[u8]| {
    assert_eq!(Elf::parse(data), Elf::parse(data));
    if let Ok(info) = ModInfo::parse(data) {
        assert!(!info.vermagic.is_empty());
        let _ = info.needs_a_certain_cpu();
    }
    if let Ok(release) = release(data) {
        assert!(!release.is_empty() && release.len() <= 64 && !release.contains('/') && !release.starts_with('.'));
    }
});
