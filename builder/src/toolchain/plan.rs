//! What the sandbox does, handed from process to process as JSON.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A command in a root file system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Becomes `/`, read-only. Has the empty folders `proc`, `dev`, `tmp`, and those that are bound.
    pub root: PathBuf,
    pub binds: Vec<Bind>,
    /// The whole environment.
    pub environment: BTreeMap<String, String>,
    /// Program (a path inside) and arguments.
    pub command: Vec<String>,
    /// Working folder inside.
    pub folder: String,
    /// Removed when whoever started this is gone before the end.
    pub scratch: PathBuf,
}

/// A folder of the host inside the root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bind {
    pub from: PathBuf,
    /// Such as `/vitrine`.
    pub to: String,
    pub writable: bool,
}
