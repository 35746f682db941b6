//! V26: the evidence is not older than the policy allows.
//!
//! Age is counted by this computer's clock from the moment when the server was asked. A server that is asked now is
//! seconds old; a file of saved messages has the time that it was saved with, which convinces only the person who
//! saved it; bare evidence has none.

use super::Check;
use crate::case::Case;
use crate::outcome::{CheckResult, Failure};
use vitrine_attest::config::Span;

pub const CHECK: Check = Check { code: "V26", title: "the evidence is not too old", run };

fn run(case: &Case) -> CheckResult {
    let Some(most) = case.demands.policy.max_age else { return Ok(String::new()) };
    let now = case.inputs.now;
    match case.inputs.exchange.asked {
        // a clock that was set back: nobody knows how old it is
        Some(asked) if asked > now => {
            Err(Failure::new("evidence-age-unknown", "the evidence is from the future of this computer's clock").into())
        }
        Some(asked) if now - asked <= most.as_seconds() => Ok(format!("{}", Span::seconds(now - asked))),
        Some(asked) => {
            let (most, age) = (format!("at most {most}"), Span::seconds(now - asked));
            Err(Failure::differs("evidence-too-old", "age of the evidence", most, age).into())
        }
        None => Err(Failure::new("evidence-age-unknown", "nobody knows when this evidence was asked for").into()),
    }
}
