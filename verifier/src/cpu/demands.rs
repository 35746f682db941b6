//! What a person gives and wants of CPU evidence.

use super::file::CpuEvidence;
use crate::{files, roots};
use serde::Serialize;
use std::path::Path;
use vitrine_attest::Result;

/// The person's two files, read.
#[derive(Debug, Clone)]
pub struct CpuDemands {
    pub evidence: CpuEvidence,
    /// Roots of the processors' makers, DER. None are built in.
    pub roots: Vec<Vec<u8>>,
}

impl CpuDemands {
    /// # Errors
    /// When one of the files cannot be read.
    pub fn read(evidence: &Path, roots: &Path) -> Result<Self> {
        let name = evidence.display().to_string();
        let bytes = files::read(evidence, super::FILE_LIMIT)?;
        Ok(Self { evidence: CpuEvidence::parse(&bytes).map_err(|e| e.within(name))?, roots: roots::ders(roots)? })
    }
}

/// What Intel says of a platform's security version (TDX; "tcbStatus" of its TCB information). `Revoked` is never taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum TdxStatus {
    UpToDate,
    SWHardeningNeeded,
    ConfigurationNeeded,
    ConfigurationAndSWHardeningNeeded,
    OutOfDate,
    OutOfDateConfigurationNeeded,
    TDRelaunchAdvised,
    TDRelaunchAdvisedConfigurationNeeded,
}

impl TdxStatus {
    pub const ALL: [Self; 8] = [
        Self::UpToDate,
        Self::SWHardeningNeeded,
        Self::ConfigurationNeeded,
        Self::ConfigurationAndSWHardeningNeeded,
        Self::OutOfDate,
        Self::OutOfDateConfigurationNeeded,
        Self::TDRelaunchAdvised,
        Self::TDRelaunchAdvisedConfigurationNeeded,
    ];

    /// As Intel writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::UpToDate => "UpToDate",
            Self::SWHardeningNeeded => "SWHardeningNeeded",
            Self::ConfigurationNeeded => "ConfigurationNeeded",
            Self::ConfigurationAndSWHardeningNeeded => "ConfigurationAndSWHardeningNeeded",
            Self::OutOfDate => "OutOfDate",
            Self::OutOfDateConfigurationNeeded => "OutOfDateConfigurationNeeded",
            Self::TDRelaunchAdvised => "TDRelaunchAdvised",
            Self::TDRelaunchAdvisedConfigurationNeeded => "TDRelaunchAdvisedConfigurationNeeded",
        }
    }
}
