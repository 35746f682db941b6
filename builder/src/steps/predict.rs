//! Step 8: what the TPM will say.

use super::image::About;
use super::{beside, SignedUki, Uki};
use crate::out::{self, Leaves, Left};
use vitrine_attest::expected::Prediction;
use vitrine_attest::secure_boot::Variables;
use vitrine_attest::{Error, Result, Sha256};

/// The predicted registers of an image.
#[derive(Debug)]
pub struct Predicted {
    pub(super) about: About,
    pub(super) subject: Sha256,
    pub(super) prediction: Prediction,
}

impl Predicted {
    /// Predicts from the bytes that will boot, and from the hash of them that was just signed. `keep` gets them, and works meanwhile.
    pub fn of(
        signed: SignedUki,
        variables: &Variables,
        keep: impl FnOnce(&SignedUki) -> Result<()> + Send,
    ) -> Result<Self> {
        let predict = || vitrine_attest::predict::predict_signed(signed.bytes(), signed.authenticode, variables);
        let prediction = beside(|| keep(&signed), predict)?;
        Ok(Self { about: signed.about, subject: signed.subject, prediction })
    }

    pub fn prediction(&self) -> &Prediction {
        &self.prediction
    }
}

/// A prediction for an image that nobody has signed: of a boot with Secure Boot off.
#[derive(Debug)]
pub struct UnsignedPrediction(Prediction);

impl UnsignedPrediction {
    pub fn of(uki: &Uki) -> Result<Self> {
        Ok(Self(vitrine_attest::predict::predict(uki.bytes(), None)?))
    }

    pub fn prediction(&self) -> &Prediction {
        &self.0
    }
}

impl Leaves for Predicted {
    fn files(&self) -> Result<Left<'_>> {
        Ok(vec![(out::PCRS, json(&self.prediction)?.into())])
    }
}

impl Leaves for UnsignedPrediction {
    fn files(&self) -> Result<Left<'_>> {
        Ok(vec![(out::PCRS, json(&self.0)?.into())])
    }
}

/// `8-pcrs.json`
pub fn json(prediction: &Prediction) -> Result<Vec<u8>> {
    let mut bytes =
        serde_json::to_vec_pretty(prediction).map_err(|e| Error::bug(format!("a prediction has no JSON form: {e}")))?;
    bytes.push(b'\n');
    Ok(bytes)
}
