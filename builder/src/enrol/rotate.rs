//! From one set of keys to the next on machines that are enrolled, without a visit to their setup menus. At every step there is
//! an image that starts.

use super::first::no_pk;
use super::plan::Plan;
use super::readme;
use super::set::Set;
use super::state::{add_lists, list_of, without};
use super::time::Time;
use super::update::{Update, Variable, Write};
use crate::authenticode::Signer;
use vitrine_attest::secure_boot::Variables;
use vitrine_attest::{Error, Result};

/// One update, and what the firmware holds after it.
struct Step<'a> {
    name: &'static str,
    what: &'static str,
    variable: Variable,
    signer: &'a Signer,
    after: Variables,
}

impl Step<'_> {
    fn data(&self) -> &Vec<u8> {
        data(&self.after, self.variable)
    }
}

fn data(variables: &Variables, variable: Variable) -> &Vec<u8> {
    match variable {
        Variable::Pk => &variables.pk,
        Variable::Kek => &variables.kek,
        Variable::Db => &variables.db,
        Variable::Dbx => &variables.dbx,
    }
}

/// Numbered folders, `1-db-both`, `2-KEK`, `3-PK` and `4-db-new`, each with its update and the `secure-boot.json` after it,
/// `noPK.auth` and `README.txt`. A key that is the same in both sets has no step. Foreign certificates in db, and dbx, stay;
/// KEK becomes the new one alone.
///
/// `time` is the stamp of the first step; each other is a second later.
///
/// # Errors
/// When both sets are the same, or the old certificate stands in a list that cannot be divided.
pub fn plan(old: &Set, new: &Set, time: Time) -> Result<Plan> {
    let mut plan = Plan::default();
    let mut before = &old.enrolled;
    let steps = steps(old, new)?;
    for step in &steps {
        if step.data() == data(before, step.variable) {
            continue;
        }
        let done = plan.states.len();
        let folder = format!("{}-{}", done + 1, step.name);
        let time = time.plus(done as u64);
        let update = Update { variable: step.variable, write: Write::Replace, time, data: step.data().clone() };
        plan.add(&format!("{folder}/{}", step.variable.name()), &update, step.signer)?;
        plan.state(&folder, step.what, &step.after, &[("the old db.crt", &old.db), ("the new db.crt", &new.db)])?;
        before = &step.after;
    }
    if plan.states.is_empty() {
        return Err(Error::input(
            "both folders hold the same keys",
            "make new keys: vitrine keygen --out DIR, and give that folder with --keys",
        ));
    }
    // the way back to setup mode once all is done
    plan.files.push(("noPK.auth".into(), no_pk(time.plus(steps.len() as u64)).signed(&new.pk)?));
    plan.files.push(("README.txt".into(), readme::rotation(&plan, time).into_bytes()));
    Ok(plan)
}

/// Each update is signed by the key that the firmware holds at that moment.
fn steps<'a>(old: &'a Set, new: &'a Set) -> Result<[Step<'a>; 4]> {
    let mut both = old.enrolled.clone();
    add_lists(&mut both.db, &list_of(&new.db))?;
    let with_kek = Variables { kek: list_of(new.kek.certificate()), ..both.clone() };
    let with_pk = Variables { pk: list_of(new.pk.certificate()), ..with_kek.clone() };
    let mut db = list_of(&new.db);
    if old.db.der() != new.db.der() {
        add_lists(&mut db, &without(&old.enrolled.db, &old.db)?)?;
    } else {
        db.clone_from(&with_pk.db);
    }
    let last = Variables { db, ..with_pk.clone() };
    let step = |name, variable, signer, after, what| Step { name, what, variable, signer, after };
    Ok([
        step("db-both", Variable::Db, &old.kek, both, "images of the old and of the new key start"),
        step("KEK", Variable::Kek, &old.pk, with_kek, "the new KEK signs updates of db and dbx"),
        step("PK", Variable::Pk, &old.pk, with_pk, "the new PK signs updates of KEK and PK"),
        step("db-new", Variable::Db, &new.kek, last, "images of the old key start no more"),
    ])
}
