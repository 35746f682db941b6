//! From single checks to one verdict. The default is "rejected".

use crate::checks::CPU;
use crate::outcome::{CheckReport, Status};
use serde::Serialize;
use std::fmt;

/// What evidence proves, and whom one still has to trust.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, clap::ValueEnum)]
pub enum Level {
    /// A TPM quote by a key nobody vouches for: the operator could run a software TPM.
    #[value(name = "L1")]
    L1,
    /// And a vendor vouches for the TPM, which was shown to hold that key.
    #[value(name = "L2")]
    L2,
    /// And a processor signed the same digest, asked by a machine whose memory it hides from its owner.
    #[cfg(feature = "cpu-evidence")]
    #[value(name = "L3")]
    L3,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::L1 => "L1",
            Self::L2 => "L2",
            #[cfg(feature = "cpu-evidence")]
            Self::L3 => "L3",
        })
    }
}

impl Level {
    /// Whom one still has to trust.
    pub fn trust(self) -> &'static str {
        match self {
            Self::L1 => "a TPM quote; the operator could run a software TPM",
            Self::L2 => "a TPM quote; you trust the TPM's vendor (or the cloud that runs it), the firmware, the place",
            #[cfg(feature = "cpu-evidence")]
            Self::L3 => "a TPM quote and a processor's report; you trust both makers, the firmware, the place",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    Accepted,
    Rejected,
    CouldNotJudge,
}

impl Verdict {
    /// Any failed check rejects. Skipped ones are accepted only when the person named the level that does without.
    pub fn of(checks: &[CheckReport], accept: Level) -> (Self, Option<Level>) {
        let any = |status| checks.iter().any(|check| check.status == status && check.code != CPU);
        let cpu = checks.iter().find(|check| check.code == CPU).map(|check| check.status);
        let failed = any(Status::Failed) || cpu == Some(Status::Failed);
        let all_there = checks.len() == crate::checks::ALL.len();
        let reached = match (failed || !all_there, any(Status::Skipped)) {
            (true, _) => return (Self::Rejected, None),
            (false, true) => Level::L1,
            (false, false) => with_cpu(cpu),
        };
        if reached >= accept {
            (Self::Accepted, Some(reached))
        } else {
            (Self::CouldNotJudge, None)
        }
    }

    pub fn exit_code(self) -> u8 {
        match self {
            Self::Accepted => 0,
            Self::Rejected => 1,
            Self::CouldNotJudge => 2,
        }
    }
}

/// The level when nothing was skipped but perhaps V28. A report that was not given raises nothing.
fn with_cpu(cpu: Option<Status>) -> Level {
    match cpu {
        #[cfg(feature = "cpu-evidence")]
        Some(Status::Passed) => Level::L3,
        _ => Level::L2,
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Accepted => "ACCEPTED",
            Self::Rejected => "REJECTED",
            Self::CouldNotJudge => "COULD NOT JUDGE",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{Failure, Stop};

    fn checks(stop: Option<Stop>) -> Vec<CheckReport> {
        let mut checks: Vec<_> =
            crate::checks::ALL.iter().map(|c| CheckReport::new(c.code, c.title, Ok(String::new()))).collect();
        #[cfg(feature = "cpu-evidence")]
        {
            let cpu = checks.iter().position(|check| check.code == CPU).unwrap();
            checks[cpu] = CheckReport::new(CPU, "x", Err(Stop::Skipped("x")));
        }
        if let Some(stop) = stop {
            checks[3] = CheckReport::new("V04", "x", Err(stop));
        }
        checks
    }

    #[test]
    fn verdicts() {
        let failed = || Some(Stop::Failed(Failure::new("x", "")));
        let skipped = || Some(Stop::Skipped("x"));
        assert_eq!(Verdict::of(&checks(None), Level::L2), (Verdict::Accepted, Some(Level::L2)));
        assert_eq!(Verdict::of(&checks(failed()), Level::L1), (Verdict::Rejected, None));
        assert_eq!(Verdict::of(&checks(skipped()), Level::L2), (Verdict::CouldNotJudge, None));
        assert_eq!(Verdict::of(&checks(skipped()), Level::L1), (Verdict::Accepted, Some(Level::L1)));
        assert_eq!(Verdict::of(&[], Level::L1), (Verdict::Rejected, None), "no checks, no acceptance");
        assert_eq!(Verdict::of(&checks(None)[1..], Level::L2), (Verdict::Rejected, None), "a check is missing");
    }
}
