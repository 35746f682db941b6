//! One good and one bad twin for each rule, in `rules/ID/{good,bad}/`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use vitrine_source_audit::{audit, Audit, Options, Rules};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rules")
}

fn twin(rule: &str, which: &str, rules: &Rules) -> Audit {
    let path = folder().join(rule).join(which);
    audit(&path, &Options::default(), rules).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[test]
fn every_rule_finds_its_bad_twin_and_lets_the_good_one_through() {
    let rules = Rules::standard();
    let mut wrong = Vec::new();
    for row in &rules.rules {
        let (bad, good) = (twin(&row.id, "bad", &rules), twin(&row.id, "good", &rules));
        let found = |audit: &Audit| audit.open(row.level).any(|finding| finding.rule == row.id);
        for (ok, what) in [
            (found(&bad), "does not find its bad twin"),
            (!found(&good), "finds its good twin"),
            (bad.not_judged.is_empty() && good.not_judged.is_empty(), "has a twin that cannot be judged"),
        ] {
            if !ok {
                wrong.push(format!("{} {what}\n{bad}\n{good}", row.id));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn there_are_no_twins_without_a_rule() {
    let rules: BTreeSet<String> = Rules::standard().rules.into_iter().map(|rule| rule.id).collect();
    let folders = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let unknown: Vec<String> = folders.filter(|name| !rules.contains(name)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}
