//! The file of waivers for a source audit, `app.waivers.toml`, whoever names it.

use crate::recipe::Source;
use std::path::Path;
use vitrine_attest::statement::Waiver;
use vitrine_attest::{Error, Result};
use vitrine_source_audit::waivers;

/// In bytes: room for thousands of waivers.
const LIMIT: u64 = 1 << 20;

/// None: it is no UTF-8.
///
/// # Errors
/// Blame Input, when it cannot be read, has more than [`LIMIT`] bytes, or holds something else than waivers.
pub fn read(path: &Path, source: &dyn Source) -> Result<Option<Vec<Waiver>>> {
    let refuse = |e: std::io::Error| Error::input(format!("{}: {e}", path.display()), "give --waivers a file (TOML)");
    let Ok(text) = String::from_utf8(source.read(path, LIMIT).map_err(refuse)?) else { return Ok(None) };
    waivers(&text).map(Some).map_err(|e| e.within(path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::Memory;

    #[test]
    fn waivers_or_why_not() {
        let good = "[[waiver]]\nrule = \"a\"\npath = \"b\"\nreason = \"c\"\n";
        let padded = |size: usize| format!("{good}#{}", "x".repeat(size - good.len() - 1)).into_bytes();
        let read = |bytes: Vec<u8>| read(Path::new("w"), &Memory([("w".into(), bytes)].into()));
        assert_eq!(read(padded(LIMIT as usize)).unwrap().unwrap()[0].reason, "c");
        assert_eq!(read(b"\xff".to_vec()).unwrap(), None);
        let large = read(padded(LIMIT as usize + 1)).unwrap_err();
        assert_eq!((large.what.as_str(), large.exit_code()), ("w: has more than 1048576 bytes", 2));
        let wrong = read(b"[[waiver]]\nrule = \"a\"\n".to_vec()).unwrap_err();
        assert!(wrong.what.starts_with("w: ") && wrong.exit_code() == 2, "{wrong}");
    }
}
