//! The inventory of kernel messages that can print an address: formats with `%pI4`, `%pI6c`, `%pIS…`, `%pM` and their
//! like (Documentation/core-api/printk-formats.rst, "IPv4 addresses" to "MAC/FDDI addresses").
//!
//! It is no finding by itself: whether a message is ever printed depends on the log level, which the command line
//! sets. It is there to be compared: a new kernel that can print more shows it.

use memchr::memmem;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use vitrine_attest::Sha256;

/// Longest format that is shown, in bytes; `LOG_LINE_MAX` of the kernel is 1024.
const LONGEST: usize = 1024;

/// The formats of one file, sorted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Formats {
    /// Path of a module, or `kernel`.
    pub path: String,
    /// Of the file as it lies there.
    pub sha256: Sha256,
    pub formats: Vec<String>,
}

/// The formats in these bytes, each once. Log levels (`KERN_SOH` and a digit) are left out.
pub fn formats(bytes: &[u8]) -> Vec<String> {
    let mut found = BTreeSet::new();
    for at in memmem::find_iter(bytes, b"%p") {
        if is_address(&bytes[at + 2..]) {
            found.insert(text_around(bytes, at));
        }
    }
    found.into_iter().collect()
}

/// `I4`, `i6`, `IS`, `M`, `m`, and `B…`-like letters are others.
fn is_address(rest: &[u8]) -> bool {
    match rest {
        [b'I' | b'i', b'4' | b'6' | b'S', ..] => true,
        // %pM, %pMF, %pMR, %pm, %pmR, and not a word such as %pMeter
        [b'M' | b'm', b'F' | b'R', next, ..] | [b'M' | b'm', next, ..] => !next.is_ascii_alphanumeric(),
        [b'M' | b'm'] => true,
        _ => false,
    }
}

fn text_around(bytes: &[u8], at: usize) -> String {
    let shown = |byte: &&u8| (0x20..0x7f).contains(*byte) || matches!(**byte, b'\n' | b'\t');
    let before = bytes[..at].iter().rev().take(LONGEST).take_while(shown).count();
    let after = bytes[at..].iter().take(LONGEST).take_while(shown).count();
    let start = at - before;
    // KERN_SOH, then one character for the level
    let level = usize::from(start > 0 && bytes[start - 1] == 1 && before > 0);
    String::from_utf8_lossy(&bytes[start + level..at + after]).trim_end().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_with_addresses_and_none_without() {
        let bytes =
            b"\0\x016wg: %pISpfsc sent\n\0plain %p\0%pS sym\0mac %pM\0mac %pM\0six %pI6c, four %pI4\0%pMx\0%px\0%pi4";
        assert_eq!(formats(bytes), ["%pi4", "mac %pM", "six %pI6c, four %pI4", "wg: %pISpfsc sent"]);
        assert!(formats(b"%p").is_empty() && formats(b"%pI").is_empty());
        assert_eq!(formats(b"%pM"), ["%pM"]);
    }
}
