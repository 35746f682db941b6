//! Why the registers differ, in words.

use crate::case::Case;

/// Lines for the report; empty when nothing about the registers differs.
pub fn explain(_case: &Case) -> Vec<String> {
    vec![]
}
