//! `vitrine predict`

use super::Outcome;
use crate::cli::Predict;
use crate::{keys, out};
use std::fmt::Write as _;
use vitrine_attest::expected::{Platform, Prediction};
use vitrine_attest::predict::predict;
use vitrine_attest::Result;

/// Largest image that is read, in bytes.
const IMAGE_LIMIT: u64 = 2 << 30;

pub fn run(args: &Predict) -> Result<Outcome> {
    let enrolled = args.secure_boot.as_deref().map(keys::variables).transpose()?;
    let image = out::read(&args.image, IMAGE_LIMIT)?;
    let prediction = predict(&image, enrolled.as_ref()).map_err(|e| e.within(args.image.display()))?;
    Outcome::new(text(&prediction), &prediction)
}

/// Writing to a String cannot fail, so the results of `writeln!` are dropped.
fn text(prediction: &Prediction) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "authenticode {}\nsystemd-stub {}", prediction.authenticode, prediction.stub_version);
    for (platform, boot) in &prediction.platforms {
        let name = match platform {
            Platform::SecureBoot => "Secure Boot on, with these keys",
            Platform::NoSecureBoot => "Secure Boot off, never accepted",
        };
        let _ = writeln!(out, "\n{name}");
        for (pcr, value) in &boot.pcrs.0 {
            let _ = writeln!(out, "  {:<7} {value}  {}", pcr.to_string(), pcr.meaning());
        }
    }
    out
}
