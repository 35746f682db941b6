//! The sections of a unified kernel image: which of them a systemd-stub measures into PCR 11, and in which order.

use crate::pe::Pe;
use crate::{Error, Result};

/// In the stub's own program, not added by a builder; measured with the whole image in PCR 4.
const STUB_OWN: &[&str] =
    &[".text", ".rodata", ".data", ".reloc", ".sdmagic", ".sbat", ".dynamic", ".dynsym", ".rela", ".eh_frame"];

/// The signature over expected PCR 11 values. The stub does not measure it, but hands it to the kernel in the
/// initramfs, so PCR 9 would depend on it.
const PCR_SIGNATURE: &str = ".pcrsig";

/// Sections whose effect on the boot depends on the machine or on a menu choice: not predicted, so refused.
const NOT_PREDICTABLE: &[&str] = &[".profile", ".dtbauto", ".hwids", ".efifw"];

/// Without these a stub cannot boot anything that we could predict.
const NEEDED: &[&str] = &[".linux", ".osrel", ".cmdline", ".initrd"];

const HINT: &str = "build the image with `vitrine build` and the locked systemd-boot-efi package";

/// Stub versions whose measurements were confirmed by booting, or read from their source.
pub const OLDEST_STUB: u32 = 252;
pub const NEWEST_STUB: u32 = 258;

/// The sections that a stub of this version measures into PCR 11, in its order (`UnifiedSection` in systemd's
/// `src/fundamental/uki.h`, without `.pcrsig`).
///
/// # Errors
/// When the version's order is not known: a guess would predict wrong values.
pub fn measured_order(stub_version: u32) -> Result<&'static [&'static str]> {
    Ok(match stub_version {
        252 | 253 => &[".linux", ".osrel", ".cmdline", ".initrd", ".splash", ".dtb", ".pcrpkey"],
        254 | 255 => &[".linux", ".osrel", ".cmdline", ".initrd", ".splash", ".dtb", ".uname", ".sbat", ".pcrpkey"],
        256 => &FROM_256[..10],
        257 => &FROM_256[..13],
        258 => &FROM_256,
        other => {
            return Err(Error::input(
                format!("systemd-stub {other}: the order in which it measures sections is not known"),
                format!("use a systemd-boot-efi package of version {OLDEST_STUB} to {NEWEST_STUB}"),
            ))
        }
    })
}

const FROM_256: [&str; 14] = [
    ".linux", ".osrel", ".cmdline", ".initrd", ".ucode", ".splash", ".dtb", ".uname", ".sbat", ".pcrpkey",
    // since 257
    ".profile", ".dtbauto", ".hwids", // since 258
    ".efifw",
];

/// Reads the major version out of the stub's `.sdmagic`: `#### LoaderInfo: systemd-stub 257.13-1~deb13u1 ####`.
///
/// # Errors
/// When there is no such section or text.
pub fn stub_version(pe: &Pe<'_>) -> Result<u32> {
    let not_a_stub =
        || Error::input("the image does not begin with a systemd-stub: no .sdmagic section names it", HINT);
    let magic = pe.contents(pe.section(".sdmagic").ok_or_else(not_a_stub)?)?;
    let text = std::str::from_utf8(magic).map_err(|_| not_a_stub())?;
    let version = text
        .trim_end_matches('\0')
        .strip_prefix("#### LoaderInfo: systemd-stub ")
        .and_then(|rest| rest.strip_suffix(" ####"))
        .ok_or_else(not_a_stub)?;
    let digits = version.find(|c: char| !c.is_ascii_digit()).unwrap_or(version.len());
    version[..digits].parse().map_err(|_| not_a_stub())
}

/// Refuses sections that the stub would not measure, or whose effect cannot be predicted; and an image that lacks
/// one of the sections it needs. Does not judge their contents.
///
/// # Errors
/// Names the section.
pub fn lint(pe: &Pe<'_>, stub_version: u32) -> Result<()> {
    let order = measured_order(stub_version)?;
    let wrong = |what: String| Err(Error::input(what, HINT));
    for section in pe.sections() {
        let name = section.name.as_str();
        if name == PCR_SIGNATURE {
            return wrong(format!("section {name} would be handed to the kernel without being predictable in PCR 9"));
        }
        if NOT_PREDICTABLE.contains(&name) {
            return wrong(format!(
                "section {name}: what it does depends on the machine, so its boot is not predictable"
            ));
        }
        if !order.contains(&name) && !STUB_OWN.contains(&name) {
            return wrong(format!("section {name} is not measured by systemd-stub {stub_version}"));
        }
    }
    for name in NEEDED {
        if pe.section(name).is_none_or(|section| section.virtual_size == 0) {
            return wrong(format!("section {name} is missing or empty"));
        }
    }
    Ok(())
}

/// The contents of a section as loaded; `None` when it is missing or empty, which the stub treats alike.
pub fn contents<'a>(pe: &Pe<'a>, name: &str) -> Result<Option<&'a [u8]>> {
    let data = pe.section(name).map(|section| pe.contents(section)).transpose()?;
    Ok(data.filter(|data| !data.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pe::testpe::build;

    const MAGIC: &[u8] = b"#### LoaderInfo: systemd-stub 257.13-1~deb13u1 ####";
    const GOOD: [(&str, &[u8]); 5] =
        [(".sdmagic", MAGIC), (".osrel", b"ID=x"), (".cmdline", b"quiet"), (".initrd", b"i"), (".linux", b"k")];

    fn version_of(magic: &[u8]) -> Result<u32> {
        let bytes = build(&[(".sdmagic", magic)]);
        stub_version(&Pe::parse(&bytes)?)
    }

    fn lint_with(extra: (&str, &[u8])) -> Result<()> {
        let bytes = build(&[&GOOD[..], &[extra]].concat());
        lint(&Pe::parse(&bytes)?, 257)
    }

    #[test]
    fn versions() {
        assert_eq!(version_of(MAGIC).unwrap(), 257);
        assert_eq!(version_of(b"#### LoaderInfo: systemd-stub 252 ####\0").unwrap(), 252);
        for bad in
            [&b"#### LoaderInfo: systemd-boot 257 ####"[..], b"#### LoaderInfo: systemd-stub x ####", b"", b"\xff"]
        {
            assert!(version_of(bad).is_err());
        }
        assert!(measured_order(251).is_err() && measured_order(259).is_err());
    }

    #[test]
    fn orders_grow_by_version() {
        assert_eq!(measured_order(256).unwrap().last(), Some(&".pcrpkey"));
        assert_eq!(measured_order(257).unwrap().last(), Some(&".hwids"));
        assert_eq!(measured_order(258).unwrap().last(), Some(&".efifw"));
        for version in OLDEST_STUB..=NEWEST_STUB {
            let order = measured_order(version).unwrap();
            assert_eq!(order[..4], [".linux", ".osrel", ".cmdline", ".initrd"]);
            assert!(!order.contains(&PCR_SIGNATURE));
        }
    }

    #[test]
    fn unmeasured_and_unpredictable_sections_are_refused() {
        lint_with((".uname", b"6.12")).unwrap();
        for name in [".pcrsig", ".profile", ".evil", ".efifw"] {
            let error = lint_with((name, b"x")).unwrap_err();
            assert!(error.what.contains(name), "{error}");
        }
    }

    #[test]
    fn missing_and_empty_sections_are_refused() {
        for gone in 1..GOOD.len() {
            let mut sections = GOOD;
            sections[gone].1 = b"";
            let bytes = build(&sections);
            let error = lint(&Pe::parse(&bytes).unwrap(), 257).unwrap_err();
            assert!(error.what.contains(GOOD[gone].0), "{error}");
        }
    }
}
