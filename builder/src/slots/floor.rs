//! `slots.json`: the one thing that the other files do not tell.
//!
//! ```json
//! {"v":1,"min_seq":7}
//! ```

use super::write::staged;
use crate::out;
use serde::{Deserialize, Serialize};
use std::path::Path;
use vitrine_attest::{Error, Result};

/// Largest file that is read, in bytes.
const LIMIT: u64 = 4096;
const VERSION: u32 = 1;

/// Nothing with a smaller sequence number is installed or activated. It guards against mistakes, not against somebody who may write to the
/// folder: what clients take they say in their policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Floor {
    v: u32,
    pub min_seq: u64,
}

impl Floor {
    /// The floor in the file, or none where it is not there.
    ///
    /// # Errors
    /// When it cannot be read or understood: nobody knows then how far back is allowed.
    pub fn read(path: &Path) -> Result<Self> {
        if !path.exists() {
            return Ok(Self { v: VERSION, min_seq: 0 });
        }
        let floor: Self =
            serde_json::from_slice(&out::read(path, LIMIT)?).map_err(|e| damaged(path, &e.to_string()))?;
        match floor.v {
            VERSION => Ok(floor),
            other => Err(damaged(path, &format!("version {other}, this program knows {VERSION}"))),
        }
    }

    /// Raises it, and writes it down when that changes anything.
    ///
    /// # Errors
    /// Blame Host when it cannot be written.
    pub fn raise(self, to: Option<u64>, path: &Path) -> Result<Self> {
        let Some(min_seq) = to.filter(|to| *to > self.min_seq) else { return Ok(self) };
        let raised = Self { v: VERSION, min_seq };
        let mut bytes = serde_json::to_vec(&raised).map_err(|e| Error::bug(format!("slots.json: {e}")))?;
        bytes.push(b'\n');
        staged(path, &bytes)?.publish()?;
        Ok(raised)
    }
}

fn damaged(path: &Path, why: &str) -> Error {
    let hint = "write it anew as {\"v\":1,\"min_seq\":N}; N is the least sequence number that may be started";
    Error::input(format!("{}: {why}", path.display()), hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn only_up_and_never_guessed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("slots.json");
        let floor = Floor::read(&path).unwrap();
        assert_eq!(floor.raise(None, &path).unwrap().min_seq, 0);
        assert!(!path.exists());
        assert_eq!(floor.raise(Some(7), &path).unwrap().min_seq, 7);
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\"v\":1,\"min_seq\":7}\n");
        assert_eq!(Floor::read(&path).unwrap().raise(Some(3), &path).unwrap().min_seq, 7);
        for bad in ["", "{}", "{\"v\":2,\"min_seq\":7}", "{\"v\":1,\"min_seq\":-1}", "{\"v\":1,\"min_seq\":7,\"x\":0}"]
        {
            fs::write(&path, bad).unwrap();
            let error = Floor::read(&path).unwrap_err();
            assert!(error.exit_code() == 2 && error.hint.contains("write it anew"), "{bad}: {error}");
        }
        fs::write(&path, vec![b' '; 5000]).unwrap();
        assert!(Floor::read(&path).is_err());
    }
}
