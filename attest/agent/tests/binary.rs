//! What the binary is: it holds no words that only a log could want, and needs no library the image does not have.
//!
//! Checks the binary that cargo built beside the test, or the one VITRINE_AGENT_BINARY names, such as the image's:
//! `VITRINE_AGENT_BINARY=target/image/vitrine-agent cargo test -p vitrine-agent --test binary`.
#![allow(clippy::disallowed_macros, clippy::disallowed_methods)] // what the shipped program must not, a test may

use object::elf::{FileHeader64, DT_NEEDED};
use object::read::elf::{Dyn as _, FileHeader as _};
use object::Endianness;

fn binary() -> Vec<u8> {
    let built = env!("CARGO_BIN_EXE_vitrine-agent").into();
    std::fs::read(std::env::var_os("VITRINE_AGENT_BINARY").unwrap_or(built)).unwrap()
}

/// tss-esapi and its dependencies log through the `log` crate; its feature `max_level_off` has to compile that
/// to nothing.
#[test]
fn no_log_formats() {
    let binary = binary();
    // everything that is no text becomes a replacement character: the search for text stays as it is
    let binary = String::from_utf8_lossy(&binary);
    // the twin: words that are there show that the search finds something
    assert!(binary.contains("pcr15-not-zero"));
    for words in [
        "Error in quoting PCR",
        "Error in creating primary key",
        "Error when activating credential",
        "Error when creating a TCTI context",
        "Error when extending PCR",
        "Closing context.",
        "Flushing handle",
        "Not all handles have had their resources successfully released",
        "Failed to obtain valid maximum NV buffer size",
    ] {
        assert!(!binary.contains(words), "the binary holds {words:?}");
    }
}

/// Sonames of Debian 13's libtss2 4.1.3, libgcc and libc.
#[test]
fn only_libraries_of_the_image() {
    let data = binary();
    let header = FileHeader64::<Endianness>::parse(data.as_slice()).unwrap();
    let endian = header.endian().unwrap();
    let sections = header.sections(endian, data.as_slice()).unwrap();
    let (entries, link) = sections.dynamic(endian, data.as_slice()).unwrap().expect("not a dynamic binary");
    let strings = sections.strings(endian, data.as_slice(), link).unwrap();
    let mut needed: Vec<&str> = entries
        .iter()
        .filter(|entry| entry.tag32(endian) == Some(DT_NEEDED))
        .map(|entry| std::str::from_utf8(entry.string(endian, strings).unwrap()).unwrap())
        .collect();
    needed.sort_unstable();
    let image = [
        "ld-linux-x86-64.so.2",
        "libc.so.6",
        "libgcc_s.so.1",
        "libtss2-esys.so.0",
        "libtss2-mu.so.0",
        "libtss2-tctildr.so.0",
    ];
    assert!(needed.contains(&"libtss2-esys.so.0"), "{needed:?}");
    for library in needed {
        assert!(image.contains(&library), "{library} is not among the libraries of the image");
    }
}

/// glibc's symbol versions, none later than Debian 12's 2.36; the image's libc is that of Debian 13, 2.41.
#[test]
fn no_later_glibc_than_debian_12() {
    let data = binary();
    let header = FileHeader64::<Endianness>::parse(data.as_slice()).unwrap();
    let endian = header.endian().unwrap();
    let sections = header.sections(endian, data.as_slice()).unwrap();
    let (mut files, link) = sections.gnu_verneed(endian, data.as_slice()).unwrap().expect("no symbol versions");
    let strings = sections.strings(endian, data.as_slice(), link).unwrap();
    let mut seen = 0;
    while let Some((_, mut versions)) = files.next().unwrap() {
        while let Some(version) = versions.next().unwrap() {
            let name = std::str::from_utf8(version.name(endian, strings).unwrap()).unwrap();
            let Some(number) = name.strip_prefix("GLIBC_") else { continue };
            let parts: Vec<u32> = number.split('.').map(|part| part.parse().unwrap()).collect();
            assert!(parts.as_slice() <= [2, 36].as_slice(), "the binary needs {name}");
            seen += 1;
        }
    }
    assert!(seen > 0);
}
