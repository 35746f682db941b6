//! `/etc/os-release` of an image, which is also its section `.osrel` (os-release(5)).
//!
//! ```text
//! ID=vitrine
//! NAME="Vitrine"
//! IMAGE_ID=exit
//! IMAGE_VERSION=1.0.0
//! VITRINE_LOCK=9f86d081884c7d65…
//! ```
//! plus `VARIANT_ID=dev` for images with a console.

use std::collections::BTreeMap;
use vitrine_attest::evidence::{is_dev_name, ImageId};
use vitrine_attest::{Error, Result};

/// Longest name or version.
const LENGTH_LIMIT: usize = 64;

/// The file's text.
///
/// # Errors
/// When the name or the version holds a character that would need quoting, or a space, which would make the
/// measured image id ambiguous.
pub fn write(id: &ImageId) -> Result<String> {
    for (field, value) in [("name", &id.name), ("version", &id.version)] {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-+~".contains(c);
        if value.is_empty() || value.len() > LENGTH_LIMIT || !value.chars().all(plain) {
            return Err(Error::input(
                format!("{field} = \"{value}\" cannot stand in os-release"),
                format!("in the recipe, use 1 to {LENGTH_LIMIT} of a-z A-Z 0-9 . _ - + ~ for `{field}`"),
            ));
        }
    }
    let variant = if is_dev_name(&id.name) { "VARIANT_ID=dev\n" } else { "" };
    Ok(format!(
        "ID=vitrine\nNAME=\"Vitrine\"\nIMAGE_ID={}\nIMAGE_VERSION={}\nVITRINE_LOCK={}\n{variant}",
        id.name, id.version, id.lock
    ))
}

/// Reads what [`write()`] wrote.
///
/// # Errors
/// When a line has no `=`, a field is doubled, or IMAGE_ID, IMAGE_VERSION or VITRINE_LOCK is missing.
pub fn read(text: &str) -> Result<ImageId> {
    let bad =
        |what: String| Error::artefact(format!("os-release: {what}"), "this image was not made by `vitrine build`");
    let mut fields = BTreeMap::new();
    for line in text.lines() {
        let (key, value) = line.split_once('=').ok_or_else(|| bad(format!("line \"{line}\" has no =")))?;
        if fields.insert(key, value).is_some() {
            return Err(bad(format!("{key} stands there twice")));
        }
    }
    let field = |key: &str| fields.get(key).map(|v| v.to_string()).ok_or_else(|| bad(format!("{key} is missing")));
    let lock = field("VITRINE_LOCK")?.parse().map_err(|e| bad(format!("VITRINE_LOCK: {e}")))?;
    Ok(ImageId { name: field("IMAGE_ID")?, version: field("IMAGE_VERSION")?, lock })
}

#[cfg(test)]
mod tests {
    use super::*;
    use vitrine_attest::Sha256;

    fn id(name: &str) -> ImageId {
        ImageId { name: name.into(), version: "1.0".into(), lock: Sha256::ZERO }
    }

    #[test]
    fn round_trip() {
        let text = write(&id("exit")).unwrap();
        assert_eq!(read(&text).unwrap(), id("exit"));
        assert!(!text.contains("VARIANT_ID"));
        assert!(write(&id("dev-exit")).unwrap().ends_with("VARIANT_ID=dev\n"));
    }

    #[test]
    fn refused() {
        for name in ["", "a b", "a\nVARIANT_ID=x", "Ä", "$(x)", "\"", &"a".repeat(65)] {
            assert!(write(&id(name)).is_err(), "{name:?} was taken");
        }
        let good = write(&id("exit")).unwrap();
        assert!(read(&good.replace("IMAGE_ID", "X")).is_err());
        assert!(read(&format!("{good}ID=other\n")).is_err());
        assert!(read(&good.replace(&Sha256::ZERO.to_string(), "00")).is_err());
    }
}
