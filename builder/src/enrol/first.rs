//! The updates that bring a machine from setup mode to user mode, and those that revoke images.

use super::plan::Plan;
use super::readme;
use super::set::Set;
use super::state::{add_lists, revocations};
use super::time::Time;
use super::update::{Update, Variable, Write};
use vitrine_attest::secure_boot::Variables;
use vitrine_attest::{Result, Sha256};

/// What is to be enrolled beyond, or instead of, what `secure-boot.json` says. All are signature lists.
#[derive(Debug, Default)]
pub struct Wanted {
    pub also_db: Vec<Vec<u8>>,
    pub also_kek: Vec<Vec<u8>>,
    /// In the place of the dbx there.
    pub dbx: Option<Vec<u8>>,
    /// Authenticode digests that come behind dbx.
    pub revoke: Vec<Sha256>,
    /// Time stamp; none: the begin of PK's validity.
    pub time: Option<Time>,
}

/// `PK`, `KEK`, `db`, `dbx` as `.esl` and `.auth`, `noPK.auth`, `secure-boot.json`, `README.txt`; with revocations
/// `dbx-append.auth`, too.
///
/// # Errors
/// When the lists are malformed, or everything is revoked already.
pub fn plan(set: &Set, wanted: &Wanted) -> Result<Plan> {
    let time = match wanted.time {
        Some(time) => time,
        None => Time::of_certificate(set.pk.certificate().not_before())?,
    };
    let (variables, revoked) = after(set, wanted)?;
    let mut plan = Plan::default();
    for (variable, data, signer) in [
        (Variable::Db, &variables.db, &set.kek),
        (Variable::Dbx, &variables.dbx, &set.kek),
        (Variable::Kek, &variables.kek, &set.pk),
        (Variable::Pk, &variables.pk, &set.pk),
    ] {
        // an empty dbx is no variable at all, and firmware refuses to delete what is not there
        if !data.is_empty() {
            let update = Update { variable, write: Write::Replace, time, data: data.clone() };
            plan.add(variable.name(), &update, signer)?;
        }
    }
    if let Some(data) = revoked {
        let update = Update { variable: Variable::Dbx, write: Write::Append, time, data };
        plan.add("dbx-append", &update, &set.kek)?;
    }
    // later than PK's own update, or the firmware takes it for an old one played back
    plan.add("noPK", &no_pk(time.plus(1)), &set.pk)?;
    plan.state("", "Enrolled, Secure Boot on", &variables, &[("db.crt", &set.db)])?;
    plan.files.push(("README.txt".into(), readme::enrolment(&plan, time, !wanted.revoke.is_empty()).into_bytes()));
    Ok(plan)
}

/// Deletes PK: the firmware goes back to setup mode.
pub fn no_pk(time: Time) -> Update {
    Update { variable: Variable::Pk, write: Write::Replace, time, data: Vec::new() }
}

/// The variables once enrolled, and the list that has come behind dbx.
fn after(set: &Set, wanted: &Wanted) -> Result<(Variables, Option<Vec<u8>>)> {
    let mut variables = set.enrolled.clone();
    for lists in &wanted.also_db {
        add_lists(&mut variables.db, lists)?;
    }
    for lists in &wanted.also_kek {
        add_lists(&mut variables.kek, lists)?;
    }
    if let Some(dbx) = &wanted.dbx {
        variables.dbx.clone_from(dbx);
    }
    let revoked = if wanted.revoke.is_empty() { None } else { Some(revocations(&variables.dbx, &wanted.revoke)?) };
    variables.dbx.extend(revoked.iter().flatten());
    Ok((variables, revoked))
}
