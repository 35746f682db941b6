//! From events to PCR values.

use super::{refused, Algorithm, EventLog};
use crate::pcr::{Pcr, PcrValues};
use crate::{Result, Sha256};
use std::collections::BTreeMap;

impl EventLog<'_> {
    /// The values that a TPM's bank has after these events: only registers that an event extends.
    /// `ext(p, d) = H(p ‖ d)` from zero; PCR 0 starts at the startup locality when the log tells one.
    ///
    /// # Errors
    /// When the bank is not in the log, cannot be computed here (SM3), or an extending event lacks its digest:
    /// a value made without it would be wrong.
    pub fn replay(&self, bank: Algorithm) -> Result<BTreeMap<u8, Vec<u8>>> {
        if !self.algorithms.contains(&bank) {
            return Err(refused(0, format!("it has no bank {bank}")));
        }
        let mut values: BTreeMap<u8, Vec<u8>> = BTreeMap::new();
        for event in self.events.iter().filter(|event| event.extends()) {
            let digest = event.digest(bank).ok_or_else(|| {
                refused(event.offset, format!("the event has no {bank} digest, so the bank is incomplete"))
            })?;
            let pcr = u8::try_from(event.pcr).map_err(|_| refused(event.offset, "there is no such PCR"))?;
            let value = values.entry(pcr).or_insert_with(|| self.first_value(pcr, digest.len()));
            *value = bank
                .hash(&[value, digest])
                .ok_or_else(|| refused(0, format!("bank {bank} cannot be computed here")))?;
        }
        Ok(values)
    }

    fn first_value(&self, pcr: u8, size: usize) -> Vec<u8> {
        let mut value = vec![0; size];
        if let (0, Some(last)) = (pcr, value.last_mut()) {
            *last = self.startup_locality.unwrap_or(0);
        }
        value
    }

    /// [`Self::replay`] of the SHA-256 bank.
    ///
    /// # Errors
    /// As there.
    pub fn replay_sha256(&self) -> Result<PcrValues> {
        let mut values = PcrValues::default();
        for (index, value) in self.replay(Algorithm::SHA256)? {
            let pcr = Pcr::try_from(index).map_err(|why| refused(0, why))?;
            let value: [u8; 32] = value.try_into().map_err(|_| refused(0, "a SHA-256 value without 32 bytes"))?;
            values.0.insert(pcr, Sha256(value));
        }
        Ok(values)
    }

    /// The registers of `signed` that this log does not lead to, in order; empty when it explains them all. A register
    /// without events counts as zero. Give only registers whose events are in a firmware log: not 14 and 15.
    ///
    /// # Errors
    /// As [`Self::replay`].
    pub fn mismatches(&self, signed: &PcrValues) -> Result<Vec<Pcr>> {
        let replayed = self.replay_sha256()?;
        let differs =
            |(pcr, value): (&Pcr, &Sha256)| (replayed.get(*pcr).unwrap_or(Sha256::ZERO) != *value).then_some(*pcr);
        Ok(signed.0.iter().filter_map(differs).collect())
    }
}
