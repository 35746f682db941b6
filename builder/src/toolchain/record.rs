//! `programs.json`: what lies beside compiled programs and says where they come from.
//!
//! ```json
//! {"crates":"<64 hex>","programs":{"vitrine-init":"<64 hex>"},"source":"<64 hex>","target":"x86_64-unknown-linux-gnu",
//!  "toolchain":"<64 hex>","v":1}
//! ```

use crate::bounded;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use vitrine_attest::statement::{Input, SOURCE, TOOLCHAIN};
use vitrine_attest::{Error, Result, Sha256};
use vitrine_initramfs::Program;

/// Name of the file.
pub const RECORD: &str = "programs.json";
/// Version of the form.
const VERSION: u32 = 1;
/// Bytes of the file.
const LIMIT: u64 = 64 << 10;
/// `kind` of the input that is the crates of the programs.
pub const CRATES: &str = "crates";

/// Where compiled programs come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    pub v: u32,
    /// SHA-256 of the toolchain's lock, in the form of [`crate::lock::Lock::to_toml`].
    pub toolchain: Sha256,
    /// The source hash.
    pub source: Sha256,
    /// SHA-256 over the crates' checksums.
    pub crates: Sha256,
    pub target: String,
    /// SHA-256 of each program.
    pub programs: BTreeMap<String, Sha256>,
}

impl Record {
    pub fn new(toolchain: Sha256, source: Sha256, crates: Sha256, target: &str) -> Self {
        Self { v: VERSION, toolchain, source, crates, target: target.into(), programs: BTreeMap::new() }
    }

    /// Reads the record beside programs; `None` when there is none: the host's build.
    ///
    /// # Errors
    /// [`vitrine_attest::Blame::Input`] when it cannot be read, or is of another version.
    pub fn beside(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(RECORD);
        let bytes = match bounded::read(&path, LIMIT) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(|e| wrong(&e.to_string()).within(folder.display()))?,
        };
        Self::parse(&bytes).map(Some).map_err(|e| e.within(folder.display()))
    }

    /// # Errors
    /// [`vitrine_attest::Blame::Input`] for other bytes than a record's, or a record of another version.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let record: Self = serde_json::from_slice(bytes).map_err(|e| wrong(&e.to_string()))?;
        match record.v {
            VERSION => Ok(record),
            v => Err(wrong(&format!("version {v} of the form, this program knows {VERSION}"))),
        }
    }

    /// # Errors
    /// [`vitrine_attest::Blame::Artefact`] when a program is not one of these.
    pub fn check(&self, programs: &[Program]) -> Result<()> {
        let wrong = programs.iter().find(|program| self.programs.get(&program.name) != Some(&program.content.sha256));
        let Some(program) = wrong else { return Ok(()) };
        let what = match self.programs.get(&program.name) {
            Some(expected) => format!("expected {expected}, got {}", program.content.sha256),
            None => format!("{RECORD} does not name it"),
        };
        let hint = "make the programs again with `vitrine compile`, or give the host's with --programs DIR";
        Err(Error::artefact(format!("{} is not what was compiled: {what}", program.name), hint))
    }

    /// For a statement.
    pub fn inputs(&self) -> [Input; 3] {
        let input = |kind: &str, name: &str, version: &str, sha256| Input {
            kind: kind.into(),
            name: name.into(),
            version: version.into(),
            sha256,
        };
        let version = env!("CARGO_PKG_VERSION");
        [
            input(TOOLCHAIN, "toolchain.lock.toml", &self.target, self.toolchain),
            input(SOURCE, "vitrine-programs", version, self.source),
            input(CRATES, "Cargo.lock", version, self.crates),
        ]
    }

    pub fn to_json(&self) -> Result<Vec<u8>> {
        let mut bytes = vitrine_attest::canonical::to_canonical_json(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}

fn wrong(why: &str) -> Error {
    Error::input(format!("{RECORD}: {why}"), "make the programs again with `vitrine compile`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_back_and_checked() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Record::beside(dir.path()).unwrap(), None);
        let program = |bytes: &[u8]| Program::new("vitrine-init", "/init", bytes.to_vec());
        let mut record = Record::new(Sha256::of(b"t"), Sha256::of(b"s"), Sha256::of(b"c"), "x86_64");
        assert!(record.check(&[program(b"a")]).unwrap_err().what.contains("does not name it"));
        record.programs.insert("vitrine-init".into(), Sha256::of(b"a"));
        std::fs::write(dir.path().join(RECORD), record.to_json().unwrap()).unwrap();
        assert_eq!(Record::beside(dir.path()).unwrap(), Some(record.clone()));
        record.check(&[program(b"a")]).unwrap();
        assert!(record.check(&[program(b"b")]).unwrap_err().what.contains("is not what was compiled"));
        assert_eq!(record.inputs()[0].sha256, Sha256::of(b"t"));
    }

    #[test]
    fn refusals() {
        let dir = tempfile::tempdir().unwrap();
        let good =
            String::from_utf8(Record::new(Sha256::ZERO, Sha256::ZERO, Sha256::ZERO, "x").to_json().unwrap()).unwrap();
        for (from, to, why) in [
            ("\"v\":1", "\"v\":2", "version 2"),
            ("\"target\"", "\"host\"", "unknown field"),
            ("{", "", "programs.json: "),
        ] {
            std::fs::write(dir.path().join(RECORD), good.replacen(from, to, 1)).unwrap();
            let error = Record::beside(dir.path()).unwrap_err();
            assert!(error.what.contains(why), "{error}");
        }
    }
}
