//! The kernel image's own words about itself.

use vitrine_attest::{Error, Result};

/// "HdrS" at 0x202 marks a kernel with the boot protocol 2.00 or later; 0x20e holds the offset of the version text,
/// less 0x200 (Documentation/arch/x86/boot.rst).
const MAGIC: std::ops::Range<usize> = 0x202..0x206;
const VERSION: std::ops::Range<usize> = 0x20e..0x210;
/// Longest release a kernel may have, in bytes (`__NEW_UTS_LEN`).
const LONGEST: usize = 64;

/// The release (`uname -r`) in a bzImage: `6.12.38+deb13-amd64`.
///
/// # Errors
/// When it is no bzImage for x86.
pub fn release(bytes: &[u8]) -> Result<String> {
    find(bytes).ok_or_else(|| {
        Error::artefact(
            "the kernel is no Linux bzImage for x86",
            "name the kernel of a linux-image package, such as /boot/vmlinuz-*",
        )
    })
}

fn find(bytes: &[u8]) -> Option<String> {
    if bytes.get(MAGIC)? != b"HdrS" {
        return None;
    }
    let offset = u16::from_le_bytes(bytes.get(VERSION)?.try_into().ok()?);
    let text = bytes.get(usize::from(offset) + 0x200..)?;
    let text = &text[..text.len().min(LONGEST)];
    let end = text.iter().position(|b| *b == b' ' || *b == 0)?;
    let release = std::str::from_utf8(&text[..end]).ok()?;
    let usable = |c: char| c.is_ascii_alphanumeric() || "+-._~".contains(c);
    (!release.is_empty() && release.chars().all(usable) && !release.starts_with('.')).then(|| release.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::bzimage;

    #[test]
    fn good_and_bad() {
        assert_eq!(release(&bzimage("6.12.0-test")).unwrap(), "6.12.0-test");
        for bad in ["", "a/b", "../x", "é"] {
            assert!(release(&bzimage(bad)).is_err(), "{bad:?} was taken");
        }
        let good = bzimage("6.1");
        assert!(release(&good[..0x20f]).is_err());
        assert!(release(b"MZ").is_err());
        let mut far = good;
        far[0x20e..0x210].fill(0xff);
        assert!(release(&far).is_err());
    }
}
