//! The file of `--cpu-evidence` (docs/formats/evidence.md, "CPU evidence").
//!
//! ```json
//! {"v":1,"kind":"sev-snp","report":"AgAAA…","chain":["MIIFT…","MIIGi…"]}
//! {"v":1,"kind":"tdx","report":"BAACA…","collateral":{"pck_crl_issuer_chain":"-----BEGIN…", …}}
//! ```

use super::snp::REPORT_LENGTH;
use super::tdx::QUOTE_LIMIT;
use base64::{engine::general_purpose::STANDARD, Engine as _};
use dcap_qvl::QuoteCollateralV3;
use serde::Deserialize;
use vitrine_attest::{Error, Result};

/// Largest file in bytes. A quote has 5 KiB, its collateral 15 to 25 KiB.
pub const FILE_LIMIT: usize = 1 << 20;
/// Most certificates. AMD's chains have three with the root.
const CHAIN_LIMIT: usize = 8;
/// Largest certificate in bytes; AMD's have 1.7 KiB.
const CERTIFICATE_LIMIT: usize = 8 << 10;
const VERSION: u32 = 1;

/// Evidence as it was given; nothing in it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CpuEvidence {
    SevSnp {
        report: Vec<u8>,
        /// DER, the signing key's certificate first.
        chain: Vec<Vec<u8>>,
    },
    Tdx {
        quote: Vec<u8>,
        /// What Intel publishes about the platform, in the form that PCS version 4 gives.
        collateral: Box<QuoteCollateralV3>,
    },
}

/// Who made the processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    SevSnp,
    Tdx,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    v: u32,
    kind: Kind,
    report: String,
    chain: Option<Vec<String>>,
    collateral: Option<Box<QuoteCollateralV3>>,
}

impl CpuEvidence {
    /// Reads the file's bytes.
    ///
    /// # Errors
    /// When it has another form: that is the person's mistake, and decides nothing about a server.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        if bytes.len() > FILE_LIMIT {
            return Err(unusable(format!("more than {FILE_LIMIT} bytes")));
        }
        let file: File = serde_json::from_slice(bytes).map_err(|e| unusable(e.to_string()))?;
        if file.v != VERSION {
            return Err(unusable(format!("version {} is unknown", file.v)));
        }
        match (file.kind, file.chain, file.collateral) {
            (Kind::SevSnp, Some(chain), None) => {
                if chain.is_empty() || chain.len() > CHAIN_LIMIT {
                    return Err(unusable(format!("{} certificates, 1 to {CHAIN_LIMIT} are read", chain.len())));
                }
                let chain = chain.iter().map(|text| decode("chain", text, CERTIFICATE_LIMIT));
                Ok(Self::SevSnp {
                    report: decode("report", &file.report, REPORT_LENGTH)?,
                    chain: chain.collect::<Result<_>>()?,
                })
            }
            (Kind::Tdx, None, Some(collateral)) => {
                Ok(Self::Tdx { quote: decode("report", &file.report, QUOTE_LIMIT)?, collateral })
            }
            (Kind::SevSnp, ..) => Err(unusable("sev-snp has `chain`, and no `collateral`".into())),
            (Kind::Tdx, ..) => Err(unusable("tdx has `collateral`, and no `chain`".into())),
        }
    }

    pub fn kind(&self) -> Kind {
        match self {
            Self::SevSnp { .. } => Kind::SevSnp,
            Self::Tdx { .. } => Kind::Tdx,
        }
    }
}

fn decode(field: &str, text: &str, limit: usize) -> Result<Vec<u8>> {
    let bytes = STANDARD.decode(text).map_err(|e| unusable(format!("{field}: {e}")))?;
    if bytes.len() > limit {
        return Err(unusable(format!("{field}: {} bytes, at most {limit} are read", bytes.len())));
    }
    Ok(bytes)
}

fn unusable(what: String) -> Error {
    Error::input(format!("CPU evidence: {what}"), "give --cpu-evidence a file as docs/formats/evidence.md describes it")
}
