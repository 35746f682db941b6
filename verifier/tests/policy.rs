//! Policies: files as people write them, servers that keep to them, and servers that do not.

mod mock;
mod person;

use mock::Scene;
use person::{cannot_judge, ends, json, serve_scene, text, Person, Served};
use std::process::Output;
use vitrine_attest::app_facts::{AppAudit, AppFacts, AppProgram};
use vitrine_attest::canonical::to_canonical_json;
use vitrine_attest::statement::Input;
use vitrine_attest::Sha256;

fn start() -> (Person, Served) {
    let mut scene = Scene::good();
    scene.measure(0, "firmware 1.0");
    let person = Person::of(&scene);
    (person, serve_scene(scene))
}

/// With this policy, and the key of the command line.
fn check(person: &Person, served: &Served, policy: &str, more: &str) -> Output {
    std::fs::write(person.path("policy"), format!("version = 1\n{policy}\n")).unwrap();
    person.check(&served.url, &format!("--ek-roots roots --policy policy {more}"))
}

/// `V24 firmware-changed` for each failed check.
fn failures(report: &serde_json::Value) -> Vec<String> {
    let failed = report["checks"].as_array().unwrap().iter().filter(|check| check["status"] == "failed");
    failed.map(|c| format!("{} {}", c["code"].as_str().unwrap(), c["reason"].as_str().unwrap())).collect()
}

#[track_caller]
fn refused(person: &Person, served: &Served, policy: &str, expected: &[&str]) -> serde_json::Value {
    let output = check(person, served, policy, "--json --no-state");
    let report = json(&output);
    assert_eq!((output.status.code(), failures(&report)), (Some(1), expected.iter().map(|e| (*e).into()).collect()));
    report
}

#[track_caller]
fn accepted(person: &Person, served: &Served, policy: &str) {
    ends(&check(person, served, policy, "--no-state"), 0, "ACCEPTED");
}

fn change(served: &Served, how: impl FnOnce(&mut Scene)) {
    how(&mut served.inside.lock().unwrap().scene);
}

#[test]
fn example_and_show() {
    let (person, served) = start();
    let example = person.run("policy example");
    ends(&example, 0, "# A policy for");
    std::fs::write(person.path("example"), &example.stdout).unwrap();
    let shown = person.run("policy show example");
    ends(&shown, 0, "Level          L2 or more");
    assert!(text(&shown).contains("PCR 3          observed"), "{}", text(&shown));
    let value = json(&person.run("policy show example --json"));
    assert_eq!((&value["level"], &value["firmware"]["pcr0"]), (&"L2".into(), &"observed".into()));
    ends(&person.check(&served.url, "--ek-roots roots --policy example"), 0, "ACCEPTED");
    std::fs::write(person.path("bad"), "version = 1\n\n[tpm]\nmin_firmwar = \"0\"\n").unwrap();
    std::fs::write(person.path("worse"), "version = 1\nlevel = \"L9\"\n[firmware]\npcr0 = [\"x\"]\n").unwrap();
    for line in ["policy show FILE".into(), format!("check {} --statement statement --policy FILE", served.url)] {
        let run = |file: &str| {
            let output = person.run(&line.replace("FILE", file));
            (output.status.code(), String::from_utf8(output.stderr).unwrap())
        };
        let (code, errors) = run("bad");
        assert!(
            code == Some(2) && errors.contains("bad: 1 problem\n  line 4: unknown field `min_firmwar`"),
            "{errors}"
        );
        let (code, errors) = run("worse");
        assert!(code == Some(2) && errors.contains("  line 2: level") && errors.contains("  line 4: pcr0"), "{errors}");
    }
    assert_eq!(served.inside.lock().unwrap().looks, 1, "nobody is asked with a policy that cannot be read");
}

#[test]
fn who_may_sign() {
    let (person, served) = start();
    let (key, other) = (std::fs::read_to_string(person.path("key")).unwrap(), Scene::good());
    let other = vitrine_attest::vkey::NoteKey::new("other", other.owner_key.verifying_key()).unwrap();
    let (right, wrong) = (format!("\"{}\"", key.trim()), format!("\"{other}\""));
    accepted(&person, &served, &format!("[statement]\nkeys = [{wrong}, {right}]"));
    let policy = format!("[statement]\nkeys = [{wrong}]");
    let report = refused(&person, &served, &policy, &["V25 release-key-refused"]);
    assert_eq!(report["grounds"], serde_json::json!(["policy"]));
    // without --key
    let alone = |keys: &str| {
        std::fs::write(person.path("policy"), format!("version = 1\n[statement]\nkeys = [{keys}]\n")).unwrap();
        person.run(&format!("check {} --statement statement --policy policy --ek-roots roots --no-state", served.url))
    };
    ends(&alone(&format!("{wrong}, {right}")), 0, "ACCEPTED");
    let output = alone(&wrong);
    ends(&output, 1, "REJECTED; statement not usable");
    assert!(text(&output).contains("[statement-signature-invalid]"));
    std::fs::write(person.path("policy"), "version = 1\n").unwrap();
    let nobody = person.run(&format!("check {} --statement statement --policy policy", served.url));
    cannot_judge(&nobody, "nobody said who may sign");
}

#[test]
fn levels() {
    let (person, served) = start();
    let run = |policy: &str, more: &str| {
        std::fs::write(person.path("policy"), format!("version = 1\n{policy}\n")).unwrap();
        person.check(&served.url, &format!("--policy policy --no-state {more}"))
    };
    ends(&run("", ""), 2, "COULD NOT JUDGE; V03 skipped");
    ends(&run("level = \"L2\"", ""), 2, "COULD NOT JUDGE; V03 skipped");
    ends(&run("level = \"L1\"", ""), 0, "ACCEPTED; at level L1 only");
    ends(&run("level = \"L1\"", "--accept-level L2"), 2, "COULD NOT JUDGE");
    ends(&run("", "--accept-level L1"), 0, "ACCEPTED; at level L1 only");
    cannot_judge(&run("level = \"L2\"", "--accept-level L1"), "less than the policy's L2");
}

#[test]
fn firmware_and_image_are_different_things() {
    let (person, served) = start();
    let measured =
        json(&check(&person, &served, "", "--json --no-state"))["firmware"]["0"].as_str().unwrap().to_owned();
    let zero = Sha256::ZERO;
    let pinned = format!("[firmware]\npcr0 = [\"{zero}\", \"{measured}\"]\npcr1 = \"observed\"\npcr3 = [\"{zero}\"]");
    accepted(&person, &served, &pinned);
    let not_proven = text(&check(&person, &served, &pinned, "--no-state"));
    assert!(not_proven.contains("compared in the firmware's log only"), "{not_proven}");
    let exit = |more: &str| check(&person, &served, &pinned, &format!("--no-state {more}")).status.code();
    let good = served.inside.lock().unwrap().scene.firmware_log.clone();

    change(&served, |scene| scene.measure(0, "firmware 1.1"));
    let report = refused(&person, &served, &pinned, &["V24 firmware-changed"]);
    assert_eq!(report["grounds"], serde_json::json!(["firmware-changed"]));
    assert_eq!((exit(""), exit("--detailed-exit-code")), (Some(1), Some(3)));
    ends(&check(&person, &served, &pinned, "--no-state"), 1, "REJECTED; firmware changed");
    accepted(&person, &served, "");

    change(&served, |scene| scene.measure(9, "another initramfs"));
    let both = ["V15 pcr-digest-differs", "V20 pcr-9-differs", "V24 firmware-changed"];
    let report = refused(&person, &served, &pinned, &both);
    assert_eq!(report["grounds"], serde_json::json!(["image-changed", "firmware-changed"]));
    assert_eq!(exit("--detailed-exit-code"), Some(4));

    change(&served, |scene| scene.firmware_log = good.clone());
    change(&served, |scene| scene.measure(4, "another image"));
    let report = refused(
        &person,
        &served,
        &pinned,
        &both[..1].iter().chain(&["V20 pcr-4-differs"]).copied().collect::<Vec<_>>(),
    );
    assert_eq!(report["grounds"], serde_json::json!(["image-changed"]));
    assert_eq!((exit(""), exit("--detailed-exit-code")), (Some(1), Some(4)));

    change(&served, |scene| scene.firmware_log = good.clone());
    change(&served, |scene| scene.measure(7, "another db"));
    let report = refused(&person, &served, &pinned, &["V15 pcr-digest-differs", "V20 pcr-7-differs"]);
    assert_eq!(report["grounds"], serde_json::json!(["secure-boot-changed"]));
    assert_eq!(exit("--detailed-exit-code"), Some(1));

    change(&served, |scene| scene.firmware_log = good.clone());
    change(&served, |scene| scene.violation = Some(vitrine_attest::watch::Rule::Mounts));
    ends(&check(&person, &served, &pinned, "--no-state"), 1, "REJECTED; fuse blown");
}

#[test]
fn another_configuration_is_an_image_that_changed() {
    let (person, served) = start();
    change(&served, |scene| scene.configure(|config| config.peers.most = 7));
    let output = check(&person, &served, "", "--no-state --detailed-exit-code");
    ends(&output, 4, "REJECTED; image changed");
    assert!(text(&output).contains("[extra-data-differs]") && text(&output).contains("[runtime-config-differs]"));
    // a quote that is not bound, with the right configuration, is no change of the image
    let (person, served) = start();
    change(&served, |scene| scene.parts.extra_data = Some(vec![0; 32]));
    let output = check(&person, &served, "", "--no-state --detailed-exit-code");
    ends(&output, 1, "REJECTED; evidence refused");
}

#[test]
fn tpm_firmware() {
    let (person, served) = start();
    let least = |version: &str| format!("[tpm]\nmin_firmware = \"{version}\"");
    accepted(&person, &served, &least("2024010100000000"));
    let report = refused(&person, &served, &least("2024010100000001"), &["V17 tpm-firmware-too-old"]);
    let check = report["checks"].as_array().unwrap().iter().find(|check| check["code"] == "V17").unwrap();
    assert_eq!(check["got"], "2024010100000000");
    change(&served, |scene| scene.parts.firmware_version = u64::MAX);
    accepted(&person, &served, &least("2024010100000001"));
}

#[test]
fn images_sequence_numbers_and_versions() {
    let (person, served) = start();
    let image = |name: &str, least: &str| format!("[[image]]\nname = \"other\"\n[[image]]\nname = \"{name}\"\n{least}");
    for least in ["", "min_seq = 1", "min_version = \"1.0\"", "min_seq = 0\nmin_version = \"0.9.9\""] {
        accepted(&person, &served, &image("exit", least));
    }
    for (name, least, reason) in [
        ("relay", "", "V25 image-not-allowed"),
        ("exit", "min_seq = 2", "V25 release-too-old"),
        ("exit", "min_version = \"1.0.1\"", "V25 version-too-old"),
        ("exit", "min_seq = 2\nmin_version = \"9\"", "V25 release-too-old"),
    ] {
        refused(&person, &served, &image(name, least), &[reason]);
    }
    let mut odd = Scene::good();
    odd.statement.predicate.image.version = "1.0-rc1".into();
    odd.image_id = format!("exit 1.0-rc1 {}", odd.statement.predicate.image.lock);
    let person = Person::of(&odd);
    let served = serve_scene(odd);
    accepted(&person, &served, &image("exit", "min_seq = 1"));
    refused(&person, &served, &image("exit", "min_version = \"0\""), &["V25 version-unreadable"]);
}

#[test]
fn statements_that_have_to_end() {
    let (person, served) = start(); // its last day is 2199-12-31
    accepted(&person, &served, "[statement]\n");
    let within = |span: &str| format!("[statement]\nexpires_within = \"{span}\"");
    refused(&person, &served, &within("3650d"), &["V25 expiry-too-far"]);
    let with = |last: Option<String>| {
        let mut scene = Scene::good();
        scene.statement.predicate.not_after = last;
        let person = Person::of(&scene);
        (person, serve_scene(scene))
    };
    let (person, served) = with(None);
    refused(&person, &served, &within("30d"), &["V25 expiry-missing"]);
    let today = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let (person, served) = with(Some(vitrine_verifier::clock::date(today + 29 * 86_400)));
    accepted(&person, &served, &within("30d"));
    refused(&person, &served, &within("20d"), &["V25 expiry-too-far"]);
}

#[test]
fn programs_of_a_locked_toolchain() {
    let with = |kinds: &[&str]| {
        let mut scene = Scene::good();
        scene.statement.predicate.inputs.extend(kinds.iter().map(|kind| Input {
            kind: (*kind).into(),
            name: "x".into(),
            version: "1".into(),
            sha256: Sha256::ZERO,
        }));
        let person = Person::of(&scene);
        (person, serve_scene(scene))
    };
    let policy = |word: &str| format!("[statement]\nprograms = \"{word}\"");
    for kinds in [&[] as &[&str], &["toolchain"], &["program", "source"]] {
        let (person, served) = with(kinds);
        accepted(&person, &served, &policy("any"));
        refused(&person, &served, &policy("locked"), &["V25 programs-not-locked"]);
    }
    let (person, served) = with(&["source", "toolchain"]);
    accepted(&person, &served, &policy("locked"));
}

/// Images without one are accepted by every word; what the statement says decides about the others.
#[test]
fn a_program_of_the_operators_own() {
    let facts = |program: AppProgram, without: &[&str]| AppFacts {
        files: Sha256::ZERO,
        program,
        sources: Sha256::ZERO,
        audit: AppAudit {
            report: Sha256::ZERO,
            policy: Sha256::ZERO,
            errors: 0,
            waived: 1,
            reviewed: 0,
            without: without.iter().map(|word| (*word).to_string()).collect(),
        },
    };
    let policy = |word: &str| format!("[statement]\napp = \"{word}\"");
    let with = |facts: Option<AppFacts>| {
        let mut scene = Scene::good();
        scene.statement.predicate.app = facts;
        let person = Person::of(&scene);
        (person, serve_scene(scene))
    };
    let (person, served) = with(None);
    for word in ["any", "audited", "none"] {
        accepted(&person, &served, &policy(word));
    }
    let (person, served) = with(Some(facts(AppProgram::Interpreted, &[])));
    accepted(&person, &served, &policy("audited"));
    refused(&person, &served, &policy("none"), &["V25 app-not-allowed"]);
    let shown = check(&person, &served, &policy("any"), "--no-state");
    let text = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(
        text.contains("Own program") && text.contains("what runs is what was audited: 0 errors, 1 accepted"),
        "{text}"
    );
    for facts in [facts(AppProgram::Binary, &[]), facts(AppProgram::Interpreted, &["c"])] {
        let (person, served) = with(Some(facts));
        accepted(&person, &served, &policy("any"));
        refused(&person, &served, &policy("audited"), &["V25 app-not-audited"]);
    }
}

#[test]
fn age_of_evidence() {
    let (person, served) = start();
    let policy = "[evidence]\nmax_age = \"1h\"";
    ends(&check(&person, &served, policy, "--save record --no-state"), 0, "ACCEPTED");
    let saved = std::fs::read_to_string(person.path("record")).unwrap();
    let of = |record: &str| {
        std::fs::write(person.path("record"), record).unwrap();
        person.check("record", "--ek-roots roots --policy policy --json")
    };
    assert_eq!(of(&saved).status.code(), Some(0));
    let asked = json(&of(&saved))["v"].as_u64().map(|_| saved.split("\"asked\":").nth(1).unwrap()).unwrap();
    let asked: u64 = asked.split(',').next().unwrap().parse().unwrap();
    let at = |time: u64| saved.replace(&format!("\"asked\":{asked}"), &format!("\"asked\":{time}"));
    for (record, reason) in [
        (at(asked - 3700), "V26 evidence-too-old"),
        (at(asked + 3700), "V26 evidence-age-unknown"),
        (saved.replace(&format!("\"asked\":{asked},"), ""), "V26 evidence-age-unknown"),
    ] {
        assert_eq!(failures(&json(&of(&record))), [reason]);
    }
    assert_eq!(of(&at(asked - 3000)).status.code(), Some(0));
    // saved again, it is not younger
    std::fs::write(person.path("record"), at(asked - 3700)).unwrap();
    ends(&person.check("record", "--ek-roots roots --save again"), 0, "ACCEPTED");
    let output = person.check("again", "--ek-roots roots --policy policy --json");
    assert_eq!(failures(&json(&output)), ["V26 evidence-too-old"]);
    let scene = Scene::good();
    let person = Person::of(&scene);
    std::fs::write(person.path("policy"), format!("version = 1\nlevel = \"L1\"\n{policy}\n")).unwrap();
    std::fs::write(person.path("evidence"), to_canonical_json(&scene.evidence()).unwrap()).unwrap();
    let line = format!("--ek-roots roots --policy policy --json --nonce {}", scene.nonce);
    assert_eq!(failures(&json(&person.check("evidence", &line))), ["V26 evidence-age-unknown"]);
}

#[test]
fn memory_that_is_wanted() {
    let (person, served) = start();
    let required = "[memory]\nrequired = true";
    refused(&person, &served, required, &["V27 nothing-remembered"]);
    let refuse = "[memory]\nfirst_seen = \"refuse\"";
    refused(&person, &served, refuse, &["V27 nothing-remembered"]);
    let output = check(&person, &served, refuse, "--json");
    assert_eq!(failures(&json(&output)), ["V27 first-seen-refused"]);
    ends(&check(&person, &served, required, ""), 0, "ACCEPTED");
    ends(&check(&person, &served, refuse, ""), 0, "ACCEPTED");
}

#[test]
fn every_failure_is_reported_at_once() {
    let (person, served) = start();
    change(&served, |scene| scene.parts.safe = 0);
    let policy = format!(
        "[[image]]\nname = \"exit\"\nmin_seq = 9\n[statement]\nexpires_within = \"1d\"\n[evidence]\nmax_age = \"0s\"\n\
         [tpm]\nmin_firmware = \"ffffffffffffffff\"\n[firmware]\npcr0 = [\"{0}\"]\npcr1 = [\"{1}\"]\n\
         [memory]\nrequired = true",
        Sha256::ZERO,
        Sha256::of(b"x")
    );
    served.inside.lock().unwrap().before = |_| std::thread::sleep(std::time::Duration::from_millis(1100));
    let expected = [
        "V16 clock-not-safe",
        "V17 tpm-firmware-too-old",
        "V24 firmware-changed",
        "V25 release-too-old",
        "V26 evidence-too-old",
        "V27 nothing-remembered",
    ];
    let report = refused(&person, &served, &policy, &expected);
    let check = |code: &str| report["checks"].as_array().unwrap().iter().find(|c| c["code"] == code).unwrap().clone();
    assert!(check("V25")["detail"].as_str().unwrap().contains("; and last day of the statement"));
    assert!(check("V24")["detail"].as_str().unwrap().starts_with("PCR 0: firmware code (and PCR 1)"));
    assert_eq!(report["grounds"], serde_json::json!(["firmware-changed", "policy", "evidence"]));
}
