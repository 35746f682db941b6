//! A unified kernel image: the systemd-stub with our sections behind its own (UAPI Group, UKI specification).
//!
//! Sections in this order, `.linux` last: old kernels unpack themselves behind their own end in memory.
//! ```text
//! (stub's own) .osrel .cmdline .uname .initrd .linux
//! ```

use crate::append::{append, NewSection};
use vitrine_attest::pe::Pe;
use vitrine_attest::section::{lint, stub_version};
use vitrine_attest::{Error, Result};

/// What an image is put together from.
#[derive(Debug, Clone, Copy)]
pub struct Parts<'a> {
    /// The systemd-stub, unsigned, as it stands in the package systemd-boot-efi.
    pub stub: &'a [u8],
    /// `/etc/os-release` of the image.
    pub os_release: &'a str,
    /// One line, as the recipe has it.
    pub cmdline: &'a str,
    /// `6.12.48+deb13-amd64`
    pub kernel_release: &'a str,
    /// The compressed initramfs.
    pub initrd: &'a [u8],
    /// The kernel, a PE file itself.
    pub kernel: &'a [u8],
}

/// Puts an unsigned image together. The same parts give the same bytes; their number is a multiple of 512.
///
/// # Errors
/// When the stub is not a known one, carries sections of a UKI already, or a part is empty or malformed.
pub fn assemble(parts: &Parts) -> Result<Vec<u8>> {
    check_stub(parts.stub)?;
    check_text(parts)?;
    Pe::parse(parts.kernel).map_err(|e| e.within("the kernel"))?;
    let image = append(
        parts.stub,
        &[
            NewSection { name: ".osrel", data: parts.os_release.as_bytes() },
            NewSection { name: ".cmdline", data: parts.cmdline.as_bytes() },
            NewSection { name: ".uname", data: parts.kernel_release.as_bytes() },
            NewSection { name: ".initrd", data: parts.initrd },
            NewSection { name: ".linux", data: parts.kernel },
        ],
    )?;
    check(&image)?;
    Ok(image)
}

/// Refuses an image that holds unknown or doubled sections, or lacks a needed one.
pub fn check(image: &[u8]) -> Result<()> {
    let pe = Pe::parse(image)?;
    lint(&pe, stub_version(&pe)?)
}

/// A stub that is a UKI already would get sections twice.
fn check_stub(stub: &[u8]) -> Result<()> {
    let pe = Pe::parse(stub).map_err(|e| e.within("the stub"))?;
    vitrine_attest::section::measured_order(stub_version(&pe)?)?;
    match pe
        .sections()
        .iter()
        .find(|s| [".osrel", ".cmdline", ".uname", ".initrd", ".linux"].contains(&s.name.as_str()))
    {
        None => Ok(()),
        Some(section) => Err(Error::input(
            format!("the stub has a section {} already", section.name),
            "give the stub of the package systemd-boot-efi as `image.stub`, not a finished image",
        )),
    }
}

/// The stub turns control characters of the command line into spaces and cuts it at NUL, so what is measured would
/// not be what the recipe says.
fn check_text(parts: &Parts) -> Result<()> {
    for (name, text) in [("the command line", parts.cmdline), ("the kernel's release", parts.kernel_release)] {
        if text.is_empty() || !text.bytes().all(|b| (0x20..0x7f).contains(&b)) || text.ends_with(' ') {
            return Err(Error::input(
                format!("{name} \"{}\" is not one line of ASCII without a space at its end", text.escape_debug()),
                "correct `image.cmdline` in the recipe",
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::testpe::{minimal_stub, StubShape};
    use vitrine_attest::pe::authenticode;

    /// A small image that passes all checks.
    pub fn sample() -> Vec<u8> {
        sample_on(&minimal_stub(&StubShape::default()))
    }

    /// The same on another stub.
    pub fn sample_on(stub: &[u8]) -> Vec<u8> {
        assemble(&parts(stub, &minimal_stub(&StubShape::default()))).unwrap()
    }

    fn parts<'a>(stub: &'a [u8], kernel: &'a [u8]) -> Parts<'a> {
        Parts { stub, os_release: "ID=x\n", cmdline: "quiet", kernel_release: "6.12", initrd: b"070701", kernel }
    }

    #[test]
    fn sections_stand_in_order_and_are_whole() {
        let image = sample();
        let pe = Pe::parse(&image).unwrap();
        let names: Vec<_> = pe.sections().iter().skip(3).map(|s| s.name.as_str()).collect();
        assert_eq!(names, [".osrel", ".cmdline", ".uname", ".initrd", ".linux"]);
        assert_eq!(pe.contents(pe.section(".cmdline").unwrap()).unwrap(), b"quiet");
        assert_eq!(image.len() % 512, 0);
        assert_eq!(image, sample());
    }

    /// If you meant to change the form of images: say so in the changelog and update this value.
    #[test]
    fn pinned_digest() {
        assert_eq!(
            authenticode(&sample()).unwrap().to_string(),
            "3a35358ec17d55b171bdc0c80fdccd246e97f980820240f03655cf1c5055f4cb"
        );
    }

    #[test]
    fn refused_parts() {
        let stub = minimal_stub(&StubShape::default());
        let good = parts(&stub, &stub);
        let unknown = minimal_stub(&StubShape { version: "999".into(), ..StubShape::default() });
        let finished = sample();
        for (name, bad) in [
            ("unknown stub", Parts { stub: &unknown, ..good }),
            ("finished image as stub", Parts { stub: &finished, ..good }),
            ("no stub", Parts { stub: &[], ..good }),
            ("no initrd", Parts { initrd: &[], ..good }),
            ("kernel is no PE", Parts { kernel: b"ELF", ..good }),
            ("two lines", Parts { cmdline: "quiet\nevil=1", ..good }),
            ("NUL", Parts { cmdline: "quiet\0evil=1", ..good }),
            ("trailing space", Parts { cmdline: "quiet ", ..good }),
            ("no command line", Parts { cmdline: "", ..good }),
            ("no os-release", Parts { os_release: "", ..good }),
        ] {
            assert!(assemble(&bad).is_err(), "{name} was taken");
        }
    }
}
