//! Options of the feature `cpu-evidence`.

use crate::cpu::CpuDemands;
use clap::Args;
use std::path::PathBuf;
use vitrine_attest::Result;

/// A processor's report beside saved evidence.
#[derive(Debug, Args)]
pub struct CpuFiles {
    /// Report of an AMD SEV-SNP or Intel TDX machine over the quote's extraData
    #[arg(long, value_name = "FILE", requires = "cpu_roots")]
    pub cpu_evidence: Option<PathBuf>,
    /// Roots of the processors' makers, PEM or DER; none are built in
    #[arg(long, value_name = "FILE|DIR", requires = "cpu_evidence")]
    pub cpu_roots: Option<PathBuf>,
}

impl CpuFiles {
    /// None when none were named.
    ///
    /// # Errors
    /// When one of the files cannot be read.
    pub fn read(&self) -> Result<Option<CpuDemands>> {
        let (Some(evidence), Some(roots)) = (&self.cpu_evidence, &self.cpu_roots) else { return Ok(None) };
        CpuDemands::read(evidence, roots).map(Some)
    }
}
