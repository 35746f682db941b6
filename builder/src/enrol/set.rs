//! A keys folder, as enrolment needs it.

use crate::authenticode::{Certificate, Signer};
use crate::enrol::state::holds;
use crate::keys::{self, SECURE_BOOT};
use std::path::Path;
use vitrine_attest::secure_boot::Variables;
use vitrine_attest::{Error, Result};

/// The two keys that sign updates, and the certificate of the one that signs images.
#[derive(Debug)]
pub struct Set {
    /// Signs PK and KEK.
    pub pk: Signer,
    /// Signs db and dbx.
    pub kek: Signer,
    pub db: Certificate,
    /// What is, or is to be, enrolled: `secure-boot.json`.
    pub enrolled: Variables,
}

impl Set {
    /// `enrolled` names another `secure-boot.json` than the one in the folder.
    ///
    /// # Errors
    /// When a file is missing or malformed, or `secure-boot.json` does not hold the certificates beside it.
    pub fn read(dir: &Path, enrolled: Option<&Path>) -> Result<Self> {
        let state = enrolled.map_or_else(|| dir.join(SECURE_BOOT), Path::to_owned);
        let set = Self {
            pk: keys::secure_boot_signer(dir, "PK")?,
            kek: keys::secure_boot_signer(dir, "KEK")?,
            db: keys::certificate(&dir.join("db.crt"))?,
            enrolled: keys::variables(&state)?,
        };
        set.check().map_err(|e| e.within(state.display()))?;
        Ok(set)
    }

    fn check(&self) -> Result<()> {
        let held = [
            ("PK", &self.enrolled.pk, self.pk.certificate()),
            ("KEK", &self.enrolled.kek, self.kek.certificate()),
            ("db", &self.enrolled.db, &self.db),
        ];
        for (name, data, certificate) in held {
            if !holds(data, certificate)? {
                return Err(Error::input(
                    format!("{name} does not hold {name}.crt of the keys folder"),
                    "give the secure-boot.json that belongs to these keys",
                ));
            }
        }
        Ok(())
    }
}
