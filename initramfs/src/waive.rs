//! Exceptions: the screen's and those of whoever else makes findings.

use crate::policy::RuleText;
use crate::report::Finding;
use vitrine_attest::statement::Waiver;

/// Marks what is waived, and adds a finding for each waiver that matches nothing or says no reason. A waiver is for one
/// rule at one path. `T` is a finding, or one with something beside it.
pub fn apply_waivers<T: AsMut<Finding> + From<Finding>>(findings: &mut Vec<T>, waivers: &[Waiver]) {
    for waiver in waivers {
        let mut used = false;
        let fits = |found: &&mut Finding| found.rule == waiver.rule && found.path == waiver.path;
        for finding in findings.iter_mut().map(AsMut::as_mut).filter(fits) {
            used = true;
            if finding.waived.is_none() && !waiver.reason.trim().is_empty() {
                finding.waived = Some(waiver.reason.clone());
            }
        }
        if !used {
            let what = format!("waives {}, which was not found there", waiver.rule);
            findings.push(Finding::new(UNUSED, &waiver.path, what).into());
        }
        if waiver.reason.trim().is_empty() {
            let what = format!("waives {} without a reason", waiver.rule);
            findings.push(Finding::new(NO_REASON, &waiver.path, what).into());
        }
    }
}

const UNUSED: RuleText<'static> = RuleText {
    id: "waiver.unused",
    why: "an exception that nothing needs would hide the next finding",
    mend: "take this [[waiver]] out",
};
const NO_REASON: RuleText<'static> = RuleText {
    id: "waiver.reason",
    why: "exceptions are there for people to judge",
    mend: "write the reason into this [[waiver]]",
};
