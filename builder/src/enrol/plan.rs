//! What `vitrine enrol` gives: files, and what PCR 7 is after each step.

use super::folder::Named;
use super::state::pcr7;
use super::update::Update;
use crate::authenticode::{Certificate, Signer};
use crate::keys::SECURE_BOOT;
use serde::Serialize;
use vitrine_attest::secure_boot::Variables;
use vitrine_attest::{Error, Result, Sha256};

/// Files of the output folder and the states they lead to.
#[derive(Debug, Default)]
pub struct Plan {
    pub files: Vec<Named>,
    pub states: Vec<State>,
}

/// What the firmware holds after a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct State {
    /// Where the files of the step lie in the output folder; empty: in itself.
    pub folder: String,
    pub what: String,
    /// PCR 7 after the start of an image, by the certificate that signed it. Those are missing whose images do not start.
    pub pcr7: Vec<Start>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Start {
    pub signed_by: String,
    pub pcr7: Sha256,
}

impl Plan {
    /// `NAME.esl` and `NAME.auth`.
    pub fn add(&mut self, name: &str, update: &Update, signer: &Signer) -> Result<()> {
        if !update.data.is_empty() {
            self.files.push((format!("{name}.esl"), update.data.clone()));
        }
        self.files.push((format!("{name}.auth"), update.signed(signer)?));
        Ok(())
    }

    /// `secure-boot.json`, and the state for the report. `signers` are certificates and what people call them.
    pub fn state(
        &mut self,
        folder: &str,
        what: &str,
        variables: &Variables,
        signers: &[(&str, &Certificate)],
    ) -> Result<()> {
        variables.check()?;
        let mut json = serde_json::to_vec_pretty(variables)
            .map_err(|e| Error::bug(format!("variables have no JSON form: {e}")))?;
        json.push(b'\n');
        let path = if folder.is_empty() { SECURE_BOOT.into() } else { format!("{folder}/{SECURE_BOOT}") };
        self.files.push((path, json));
        let mut starts = Vec::new();
        for (signed_by, certificate) in signers {
            let start = |pcr7| Start { signed_by: (*signed_by).into(), pcr7 };
            starts.extend(pcr7(variables, certificate)?.map(start));
        }
        self.states.push(State { folder: folder.into(), what: what.into(), pcr7: starts });
        Ok(())
    }

    /// The states as lines for people.
    pub fn states_text(&self) -> String {
        let mut out = String::new();
        for state in &self.states {
            out += &format!(
                "{}{}\n",
                if state.folder.is_empty() { String::new() } else { format!("{}: ", state.folder) },
                state.what
            );
            for start in &state.pcr7 {
                out += &format!("  PCR 7 of an image signed by {}: {}\n", start.signed_by, start.pcr7);
            }
        }
        out
    }
}
