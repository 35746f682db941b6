//! `[cpu]`: what a person demands of a processor's report (V28; feature `cpu-evidence`).

use super::parse::Reader;
use crate::cpu::snp::Tcb;
use crate::cpu::TdxStatus;
use serde::Deserialize;
use serde_json::{json, Value};
use toml::Spanned;
use vitrine_attest::digest::{hex, unhex};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CpuPolicy {
    /// Launch measurements that are allowed; empty: not judged, and "not proven" says so.
    pub measurements: Vec<[u8; 48]>,
    /// AMD: each version at least this.
    pub min_tcb: Tcb,
    /// Intel: what its statement about the platform may say.
    pub tdx_status: Vec<TdxStatus>,
}

impl Default for CpuPolicy {
    fn default() -> Self {
        Self { measurements: vec![], min_tcb: Tcb::default(), tdx_status: vec![TdxStatus::UpToDate] }
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CpuTable {
    measurements: Option<Spanned<Vec<Spanned<String>>>>,
    sev_min_tcb: Option<TcbTable>,
    tdx_status: Option<Spanned<Vec<Spanned<String>>>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct TcbTable {
    fmc: u8,
    bootloader: u8,
    tee: u8,
    snp: u8,
    microcode: u8,
}

impl CpuTable {
    pub(super) fn read(&self, reader: &mut Reader) -> CpuPolicy {
        let tcb = self.sev_min_tcb.as_ref().map(|table| Tcb {
            fmc: table.fmc,
            bootloader: table.bootloader,
            tee: table.tee,
            snp: table.snp,
            microcode: table.microcode,
        });
        let measurement = |text: &str| {
            let bytes = unhex(text).ok().and_then(|bytes| <[u8; 48]>::try_from(bytes).ok());
            bytes.ok_or("write 96 lower-case hex digits")
        };
        let status = |text: &str| {
            TdxStatus::ALL.into_iter().find(|status| status.name() == text).ok_or("no status that can be allowed")
        };
        let default = CpuPolicy::default();
        CpuPolicy {
            measurements: list(reader, "measurements", &self.measurements, measurement).unwrap_or_default(),
            min_tcb: tcb.unwrap_or_default(),
            tdx_status: list(reader, "tdx_status", &self.tdx_status, status).unwrap_or(default.tdx_status),
        }
    }
}

/// None when it is not there; what cannot be read is a mistake of the file, and so is a list without anything in it.
fn list<T>(
    reader: &mut Reader,
    name: &str,
    texts: &Option<Spanned<Vec<Spanned<String>>>>,
    read: impl Fn(&str) -> Result<T, &'static str>,
) -> Option<Vec<T>> {
    let texts = texts.as_ref()?;
    if texts.get_ref().is_empty() {
        reader.wrong(texts, format!("{name}: an empty list would refuse everything; leave it out"));
    }
    let mut found = vec![];
    for text in texts.get_ref() {
        match read(text.get_ref()) {
            Ok(value) => found.push(value),
            Err(why) => reader.wrong(text, format!("{name}: \"{}\": {why}", text.get_ref())),
        }
    }
    Some(found)
}

impl CpuPolicy {
    pub(super) fn words(&self) -> String {
        let measured = match self.measurements.as_slice() {
            [] => "any launch measurement".into(),
            list => list.iter().map(|measurement| hex(measurement)).collect::<Vec<_>>().join(" or "),
        };
        format!("{measured}; AMD: {} or later; Intel: {}", self.min_tcb, self.status_names().join(" or "))
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "measurements": self.measurements.iter().map(|measurement| hex(measurement)).collect::<Vec<_>>(),
            "sev_min_tcb": self.min_tcb.parts().into_iter().collect::<std::collections::BTreeMap<_, _>>(),
            "tdx_status": self.status_names(),
        })
    }

    fn status_names(&self) -> Vec<&'static str> {
        self.tdx_status.iter().map(|status| status.name()).collect()
    }
}
