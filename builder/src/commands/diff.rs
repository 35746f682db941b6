//! `vitrine diff`

use super::Outcome;
use crate::cli::Diff;
use crate::diff::{compare, Comparison};
use vitrine_attest::Result;

pub fn run(args: &Diff) -> Result<Outcome> {
    let comparison = compare(&args.a, &args.b)?;
    let (text, code) = match &comparison {
        Comparison::Alike { compared } => (format!("alike: {}\n", compared.join(", ")), 0),
        Comparison::Different(difference) => {
            let first = format!("stage {} is the first that differs: {}\n", difference.stage, difference.file);
            (difference.details.iter().fold(first, |text, line| format!("{text}  {line}\n")), 1)
        }
    };
    Ok(Outcome { code, ..Outcome::new(text, &comparison)? })
}
