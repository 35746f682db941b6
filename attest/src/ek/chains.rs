//! Certificates that led to a root before: a fleet shows the same ones minute after minute, and an RSA signature costs
//! more than all other checks together.
//!
//! Only what holds is kept, and only for the time that the certificate itself names: before its first second and after its
//! last one, as well as for a certificate whose dates cannot be read here, the chain is verified as if it were new. Which
//! root counts is not part of the key, because this memory belongs to one set of [`super::Roots`].

use crate::Sha256;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Most certificates kept, 112 bytes each: more than a fleet has servers. Beyond, others are forgotten and verified again.
const LIMIT: usize = 32_768;

#[derive(Debug, Clone, Copy)]
struct Chain {
    root: Sha256,
    not_before: u64,
    not_after: u64,
}

/// By SHA-256 of the certificate without padding.
#[derive(Debug, Default)]
pub struct Chains(Mutex<BTreeMap<Sha256, Chain>>);

impl Chains {
    /// The root that this certificate leads to, when that is known and it is valid at `now` (seconds since 1970, UTC).
    pub fn root_of(&self, certificate: &Sha256, now: u64) -> Option<Sha256> {
        let chain = *self.lock().get(certificate)?;
        (chain.not_before..=chain.not_after).contains(&now).then_some(chain.root)
    }

    /// Keeps what was verified; `validity` in seconds since 1970, none when it cannot be read.
    pub fn keep(&self, certificate: Sha256, root: Sha256, validity: Option<(u64, u64)>) {
        let Some((not_before, not_after)) = validity else { return };
        let mut chains = self.lock();
        if chains.len() >= LIMIT && !chains.contains_key(&certificate) {
            // the least digest: nobody can choose which
            chains.pop_first();
        }
        chains.insert(certificate, Chain { root, not_before, not_after });
    }

    /// Every entry is whole at any time, so a thread that panicked has left nothing half done.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Sha256, Chain>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u32) -> Sha256 {
        Sha256::of(&n.to_be_bytes())
    }

    #[test]
    fn only_within_the_dates() {
        let chains = Chains::default();
        chains.keep(id(1), id(9), Some((10, 20)));
        chains.keep(id(2), id(9), None);
        let found: Vec<bool> = [9, 10, 20, 21].map(|now| chains.root_of(&id(1), now) == Some(id(9))).into();
        assert_eq!(found, [false, true, true, false]);
        assert_eq!(chains.root_of(&id(2), 15), None, "its dates are not known");
        assert_eq!(chains.root_of(&id(3), 15), None);
    }

    #[test]
    fn bounded() {
        let chains = Chains::default();
        for n in 0..LIMIT as u32 + 10 {
            chains.keep(id(n), id(9), Some((0, 1)));
        }
        assert_eq!(chains.lock().len(), LIMIT);
    }
}
