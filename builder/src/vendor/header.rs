//! The 512 bytes before a member, and those behind it (POSIX.1-2017, pax, "ustar Interchange Format").

use tar::{EntryType, Header};
use vitrine_attest::{Error, Result};

/// Everything in a tar file comes in blocks of this many bytes.
pub const BLOCK: usize = 512;
/// Two blocks of zeros.
pub const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];

/// The header of a regular file: mtime 0, owner 0, programs may be run, nothing else may.
///
/// # Errors
/// Blame Input when the name does not fit: ustar has 100 bytes for the last part and 155 for the folders before it.
pub fn header(name: &str, size: u64) -> Result<[u8; BLOCK]> {
    let mut header = Header::new_ustar();
    header.set_path(name).map_err(|e| {
        let hint = "ustar has room for 100 bytes of a file's name and 155 of its folders: use shorter names";
        Error::input(format!("{name} cannot be put into a tar file: {e}"), hint)
    })?;
    header.set_entry_type(EntryType::Regular);
    header.set_mode(if name.starts_with(super::PROGRAMS) { 0o755 } else { 0o644 });
    header.set_size(size);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_cksum();
    Ok(*header.as_bytes())
}

/// The size that a header says, if it is written as [`header`] does: eleven octal digits.
pub fn size(block: &[u8; BLOCK]) -> Option<u64> {
    let digits = std::str::from_utf8(&block[124..135]).ok()?;
    let octal = digits.bytes().all(|b| (b'0'..=b'7').contains(&b));
    u64::from_str_radix(digits, 8).ok().filter(|_| octal)
}

/// Zeros behind a member of this size.
pub fn padding(size: u64) -> usize {
    (BLOCK - (size % BLOCK as u64) as usize) % BLOCK
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling() {
        let block = header("programs/vitrine-init", 0o1234567).unwrap();
        assert_eq!(&block[..21], b"programs/vitrine-init");
        assert_eq!(&block[100..108], b"0000755\0");
        assert_eq!(&block[124..136], b"00001234567\0");
        assert_eq!((&block[136..148], block[156]), (&b"00000000000\0"[..], b'0'));
        assert_eq!(&block[257..265], b"ustar\x0000");
        assert_eq!(size(&block), Some(0o1234567));
        assert_eq!([padding(0), padding(1), padding(512), padding(513)], [0, 511, 0, 511]);
    }

    #[test]
    fn names_that_do_not_fit() {
        assert!(header(&"a".repeat(100), 1).is_ok() && header(&format!("{}/b", "a".repeat(155)), 1).is_ok());
        for name in ["a".repeat(101), format!("{}/b", "a".repeat(156)), "/a".into(), "../a".into(), String::new()] {
            assert_eq!(header(&name, 1).unwrap_err().exit_code(), 2, "{name}");
        }
    }

    #[test]
    fn sizes_of_another_spelling() {
        for bad in [b"       1234\0", b"\x80\0\0\0\0\0\0\0\0\0\0\x01", b"1234\0\0\0\0\0\0\0\0", b"+0000001234\0"] {
            let mut block = header("a", 1).unwrap();
            block[124..136].copy_from_slice(bad);
            assert_eq!(size(&block), None, "{bad:?}");
        }
    }
}
