//! What every rule says to people: its id, why it is there, how to mend what it finds.

use super::rules::{ConfigRule, FileRule, JudgeRule, KernelRule, LineRule, WordRule};

/// A rule in words, for tables: the screen's, and those of whoever else makes findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RuleText<'a> {
    pub id: &'a str,
    pub why: &'a str,
    pub mend: &'a str,
}

/// The forms of the rules write these three fields each by itself: `serde(flatten)` would make one of them, but with it
/// `deny_unknown_fields` is lost, and a typing error in a rule file would be a rule that looks for nothing.
macro_rules! words {
    ($($rule:ty)*) => {$(
        impl $rule {
            pub fn words(&self) -> RuleText<'_> {
                RuleText { id: &self.id, why: &self.why, mend: &self.mend }
            }
        }
    )*};
}

words!(FileRule LineRule WordRule ConfigRule KernelRule JudgeRule);
