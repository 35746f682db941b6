//! Why the registers differ, in words: for people, after the verdict. It decides nothing.

use crate::case::{pcr_digest, Case};
use serde::Serialize;
use vitrine_attest::event_log::EventLog;
use vitrine_attest::explain::{explain as differences, Difference};
use vitrine_attest::pcr::PcrValues;
use vitrine_attest::watch::Violation;

/// What the logs tell about a boot that is not the predicted one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// How far this can be believed, or why there is nothing to say.
    pub remark: String,
    /// The first event that differs in each register. Empty when the logs do not lead to the quoted values.
    pub differences: Vec<Difference>,
}

impl Explanation {
    fn only(remark: &str) -> Self {
        Self { remark: remark.into(), differences: vec![] }
    }
}

/// Compares the server's logs with the prediction, when they are those of the quoted boot.
pub fn explain(case: &Case) -> Explanation {
    let (Ok(release), Ok(evidence), Ok(predicted)) = (case.release(), case.evidence(), case.predicted()) else {
        return Explanation::only("statement or evidence cannot be used: there is nothing to compare");
    };
    if quoted(case, predicted) {
        return Explanation::only("what was measured is as predicted; what failed lies elsewhere");
    }
    let Ok(log) = EventLog::parse(&evidence.firmware_log) else {
        return Explanation::only("the firmware's log cannot be read, so the cause stays unknown");
    };
    if !case.replayed().is_ok_and(|replayed| quoted(case, replayed)) {
        return Explanation::only(
            "the logs do not lead to the quoted values: they are another boot's, or something was measured outside them",
        );
    }
    let differences = differences(&log, &release.boot, &release.cmdline);
    if let Some(violation) = Violation::first(&evidence.runtime_log) {
        let remark = format!("{violation}; it has ended its tunnel, and only a reboot makes it clean again");
        return Explanation { remark, differences };
    }
    let remark = if differences.is_empty() {
        "the firmware's part is as predicted; the image recorded another configuration, keys or facts (V22)"
    } else {
        "the logs lead to the quoted values, so their digests are true; their texts are the server's"
    };
    Explanation { remark: remark.into(), differences }
}

fn quoted(case: &Case, values: &PcrValues) -> bool {
    let digest = pcr_digest(values);
    case.quote().is_ok_and(|quote| digest.is_some_and(|digest| case.same(&digest.0, &quote.digest)))
}
