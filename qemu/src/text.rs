//! Text of other programs, made fit to be shown.

use std::path::Path;

/// Bytes at the end of a log that are looked at.
const TAIL: u64 = 64 << 10;

/// The last `count` lines of a file that say something, control characters and escape sequences removed.
/// Empty when there is no such file.
pub fn last_lines(path: &Path, count: usize) -> String {
    let text = clean(&tail(path));
    let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

/// At most the last 64 KiB of a file.
pub fn tail(path: &Path) -> Vec<u8> {
    use std::io::{Read as _, Seek as _, SeekFrom};
    let read = || {
        let mut file = std::fs::File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
        let mut bytes = Vec::new();
        file.take(TAIL).read_to_end(&mut bytes)?;
        Ok::<_, std::io::Error>(bytes)
    };
    read().unwrap_or_default()
}

/// Printable text: ECMA-48 control sequences (`ESC [ … letter`) and other control characters removed.
pub fn clean(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\x1b' => skip_sequence(&mut chars),
            '\n' => out.push('\n'),
            '\t' => out.push(' '),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

fn skip_sequence(chars: &mut std::str::Chars<'_>) {
    if chars.next() == Some('[') {
        // Parameters and intermediates are 0x20–0x3F, the final byte is 0x40–0x7E (ECMA-48, §5.4).
        for c in chars.by_ref() {
            if !(' '..='?').contains(&c) {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_are_removed() {
        assert_eq!(clean(b"\x1b[2J\x1b[01;01HBdsDxe: \x1b[1mfailed\x1b[0m\r\n\x07x\x1b"), "BdsDxe: failed\nx");
    }

    #[test]
    fn last_lines_of_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        assert_eq!(last_lines(&path, 3), "");
        std::fs::write(&path, "one\ntwo\n\nthree\n").unwrap();
        assert_eq!(last_lines(&path, 2), "two\nthree");
        assert_eq!(last_lines(&path, 9), "one\ntwo\nthree");
    }
}
