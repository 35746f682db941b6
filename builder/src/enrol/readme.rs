//! `README.txt` beside the updates: what a person needs who stands in front of the machine with nothing but this folder.

use super::plan::Plan;
use super::time::Time;
use std::fmt::Write as _;

const HEAD: &str = "\
Secure Boot variables for a server, made by `vitrine enrol`. Everything in this folder is public.

  NAME.auth          signed update, for the firmware's menu, systemd-boot or efi-updatevar
  NAME.esl           the same data as a signature list without signature, for menus that want that
  secure-boot.json   what the firmware holds afterwards, for `vitrine predict` and `vitrine build`
";

const ORDER: &str = "
Order, in setup mode: db, dbx if it is here, KEK, and PK last: with PK the firmware leaves setup mode.
Then switch Secure Boot on, if the firmware has not done so.

noPK.auth deletes PK: the firmware goes back to setup mode.
";

const REVOKE: &str = "
dbx-append.auth is for machines that are enrolled already: write it with EFI_VARIABLE_APPEND_WRITE
(efi-updatevar -a -f dbx-append.auth dbx). New machines take dbx.auth, which holds it.
";

const ROTATE: &str = "
Rotation: one step after the other, and each on all machines before the next one. Boot images that the new key
has signed after the first step and before the last one. Each step's folder has the secure-boot.json after it.
noPK.auth belongs to the new PK: it deletes it, and the firmware goes back to setup mode.
";

/// Of a first enrolment, or of a revocation.
pub fn enrolment(plan: &Plan, time: Time, revokes: bool) -> String {
    text(plan, time, &[ORDER, if revokes { REVOKE } else { "" }])
}

pub fn rotation(plan: &Plan, time: Time) -> String {
    text(plan, time, &[ROTATE])
}

/// Writing to a String cannot fail, so the result of `writeln!` is dropped.
fn text(plan: &Plan, time: Time, parts: &[&str]) -> String {
    let mut out = String::from(HEAD);
    out.extend(parts.iter().copied());
    let _ = writeln!(
        out,
        "\nTime stamp of the first update: {time}. A later update of the same variable needs a later one (--time).\n"
    );
    out + &plan.states_text()
}
