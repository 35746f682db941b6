//! Exceptions: `[[waiver]]` with rule, path and reason, as in a recipe.

use serde::Deserialize;
use vitrine_attest::statement::Waiver;
use vitrine_attest::{Error, Result};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    waiver: Vec<Waiver>,
}

/// Reads a file of waivers.
///
/// # Errors
/// Blame Input, when it is no TOML of that form.
pub fn parse(text: &str) -> Result<Vec<Waiver>> {
    let read = toml::from_str::<File>(text);
    let hint = "write [[waiver]] with rule, path and reason, as in a recipe";
    Ok(read.map_err(|e| Error::input(format!("these are no waivers: {e}"), hint))?.waiver)
}
