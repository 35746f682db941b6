//! V12: nothing follows the quote inside the signed bytes.

use super::Check;
use crate::case::Case;
use crate::outcome::{CheckResult, Failure};

pub const CHECK: Check = Check { code: "V12", title: "nothing is hidden behind the quote", run };

fn run(case: &Case) -> CheckResult {
    match case.quote()?.trailing {
        0 => Ok(String::new()),
        count => Err(Failure::new("attest-trailing-bytes", format!("{count} bytes follow the quote")).into()),
    }
}
