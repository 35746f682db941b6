//! Length-prefixed fields: without them two different inputs give one hash.

/// `L(x)`: a 16-bit big-endian length, then the bytes. Fields longer than 65,535 bytes are replaced by
/// nothing shorter: they cannot be written, so the caller hashes long things first.
///
/// # Panics
/// When a field is longer than 65,535 bytes; all callers pass digests, keys and short names.
pub fn prefixed(fields: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::with_capacity(fields.iter().map(|f| f.len() + 2).sum());
    for field in fields {
        let length = u16::try_from(field.len()).expect("only digests, keys and bounded names are prefixed");
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(field);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_differ() {
        assert_ne!(prefixed(&[b"ab", b"c"]), prefixed(&[b"a", b"bc"]));
        assert_eq!(prefixed(&[b"ab", b""]), [0, 2, b'a', b'b', 0, 0]);
    }
}
