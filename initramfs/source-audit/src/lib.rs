//! Source audit: looks for logging, storing and telling on in source code that an operator puts into an image.
//!
//! ```text
//! folder → walk → language → parser (tree-sitter) → facts → rules → findings, and what could not be judged
//! ```
//! The rules are data, `recipes/policy/source/*.toml`. Names are resolved inside a file: `import logging as l`,
//! `const {log} = console`, `log := zap.NewNop()`; comments and texts are no findings. It does **not** prove that code
//! keeps nothing: it follows no value through functions and files, and knows the names that its rules know. See
//! `docs/source-audit.md`.
#![forbid(unsafe_code)]

mod audit;
mod bind;
mod extract;
mod fact;
mod imports;
mod judge;
mod language;
mod look;
mod manifest;
mod names;
mod parse;
mod pattern;
mod pool;
mod report;
mod resolve;
mod rules;
mod shell;
mod waive;
mod walk;

pub use audit::{audit, audit_bytes, audit_files, is_code, Options};
pub use report::{Audit, Found, NotJudged};
pub use rules::{Level, Rules};
pub use waive::parse as waivers;
