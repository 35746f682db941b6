//! Mutation controls: variants of an image that log on purpose. Each has to be caught; one that is not shows that a
//! layer cannot be relied on. The list is `qemu/controls/`.
//!
//! A layer is whoever implements [`Judge`]. Masks and screen look at what is built, the proof boots it. A control whose
//! layer is not asked is *not tried*, and the report says so.

mod control;
mod proof;
mod report;
mod screen;
mod surroundings;
mod variant;

pub use control::{Base, Control, Expected, Layer, Server, Waiver};
pub use proof::ProofJudge;
pub use report::{Outcome, Report, Row};
pub use screen::ScreenJudge;
pub use surroundings::Surroundings;
pub use variant::Variants;

use vitrine_attest::Result;

/// What a layer said of one variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// By these rules; none where the layer has no rules.
    Caught(Vec<String>),
    /// It let the variant through; in words, for people.
    Missed(String),
    /// It could not look.
    NotTried(String),
}

/// Somebody who can catch a mutation.
pub trait Judge {
    /// The layers that this one speaks for.
    fn layers(&self) -> &'static [Layer];

    /// Builds the variant as far as it needs and looks at it, for one expectation.
    ///
    /// # Errors
    /// When the variant could not be built: a missing program, a wrong recipe.
    fn judge(&self, control: &Control, expected: &Expected) -> Result<Verdict>;
}

/// Tries each control with each of its layers. `note` gets a line for each.
///
/// # Errors
/// When a variant could not be built.
pub fn run(controls: &[Control], judges: &[&dyn Judge], note: &mut dyn FnMut(&str)) -> Result<Report> {
    let mut rows = Vec::new();
    for control in controls {
        let mut outcomes = Vec::new();
        for expected in &control.caught_by {
            let judge = judges.iter().find(|judge| judge.layers().contains(&expected.layer));
            let verdict = match judge {
                Some(judge) => judge.judge(control, expected)?,
                None => Verdict::NotTried(format!("the {} is not asked here", expected.layer.name())),
            };
            outcomes.push(Outcome::new(expected.layer, verdict));
        }
        let row = Row::new(control, outcomes);
        note(&row.to_string());
        rows.push(row);
    }
    Ok(Report { controls: rows })
}
