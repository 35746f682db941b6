//! The whole build, step by step.

use crate::authenticode::Signer;
use crate::lock::Locked;
use crate::out::Out;
use crate::steps::{
    Audited, Packed, Predicted, Screened, SignedUki, Staged, Stated, Uki, UnsignedPrediction, Workshop,
};
use ed25519_dalek::SigningKey;
use vitrine_attest::secure_boot::Variables;
use vitrine_attest::Result;

/// What a release is signed with.
#[derive(Debug)]
pub struct Signing {
    pub image: Signer,
    pub statement: SigningKey,
    pub enrolled: Variables,
}

/// A release: image, prediction, statement.
pub fn release(locked: Locked, with: &Workshop, signing: &Signing, out: &Out) -> Result<Stated> {
    let image = image(locked, with, out)?;
    let signed = SignedUki::new(image, &signing.image, |image| out.keep(image))?;
    let predicted = Predicted::of(signed, &signing.enrolled, |signed| out.keep(signed))?;
    out.keep(&predicted)?;
    let stated = Stated::new(predicted, &signing.statement)?;
    out.keep(&stated)?;
    Ok(stated)
}

/// The image without a signature, and what it measures with Secure Boot off: for those who rebuild.
pub fn unsigned(locked: Locked, with: &Workshop, out: &Out) -> Result<UnsignedPrediction> {
    let image = image(locked, with, out)?;
    out.keep(&image)?;
    let predicted = UnsignedPrediction::of(&image)?;
    out.keep(&predicted)?;
    Ok(predicted)
}

fn image(locked: Locked, with: &Workshop, out: &Out) -> Result<Uki> {
    out.clear()?;
    out.keep(&locked)?;
    let audited = Audited::new(locked, with, |report| out.keep(report))?;
    let staged = Staged::new(audited, with)?;
    out.keep(&staged)?;
    let screened = Screened::new(staged, with, |report| out.keep(report))?;
    let packed = Packed::new(screened, with)?;
    Uki::new(packed, |packed| out.keep(packed))
}
