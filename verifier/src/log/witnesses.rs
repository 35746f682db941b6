//! What a log needs of its witnesses.

use vitrine_attest::{Result, Sha256};

/// Those who sign a log's checkpoints when they have seen that it only grew.
pub trait Witnesses: Send {
    /// Before anything is signed: asks them what they know.
    ///
    /// # Errors
    /// When one knows a larger tree than `size`, or too few answer to be sure.
    fn guard(&mut self, published: &str, size: u64) -> Result<()>;

    /// Their signature lines under a checkpoint that the log has signed. `prove` gives the proof of consistency from a smaller size.
    ///
    /// # Errors
    /// When too few sign.
    fn cosign(&mut self, note: &str, prove: &mut (dyn FnMut(u64) -> Result<Vec<Sha256>> + Send)) -> Result<String>;
}
