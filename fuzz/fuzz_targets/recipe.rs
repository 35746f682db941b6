//! Recipe text, without parents. Invariants, for any text:
//! - reading never panics;
//! - what was read, written and read again, is the same recipe, with the same digest and configuration.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vitrine_builder::recipe::Recipe;

fuzz_target!(|text: &str| {
    let Ok(recipe) = Recipe::from_text(text) else { return };
    let written = recipe.to_toml().expect("a recipe has a TOML form");
    assert_eq!(Recipe::from_text(&written), Ok(recipe.clone()));
    assert!(recipe.debian.digest().is_ok() && recipe.config.canonical().is_ok());
    assert!(recipe.config.problems().is_empty());
});
