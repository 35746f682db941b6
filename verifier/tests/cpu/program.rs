//! The program with its files: a person who saved messages, and has a processor's report over their quote.

use super::*;
use crate::person::{cannot_judge, ends, json, serve_scene, Person};
use base64::{engine::general_purpose::STANDARD, Engine as _};

#[test]
fn saved_messages_with_a_report() {
    let scene = Scene::good();
    let person = Person::of(&scene);
    let served = serve_scene(scene);
    ends(&person.check(&served.url, "--ek-roots roots --no-state --save saved"), 0, "ACCEPTED");
    let saved: serde_json::Value = serde_json::from_slice(&std::fs::read(person.path("saved")).unwrap()).unwrap();
    let evidence = STANDARD.decode(saved["m2"].as_str().unwrap()).unwrap();
    let chip = Chip::milan();
    let report = maker().report(&chip, &data_of(&serde_json::from_slice(&evidence).unwrap()), |_| {});
    let chain: Vec<String> = maker().chain(&chip).iter().map(|certificate| STANDARD.encode(certificate)).collect();
    let file = serde_json::json!({"v": 1, "kind": "sev-snp", "report": STANDARD.encode(report), "chain": chain});
    std::fs::write(person.path("cpu.json"), file.to_string()).unwrap();
    std::fs::write(person.path("ark.der"), &maker().root).unwrap();
    let options = "--ek-roots roots --cpu-evidence cpu.json --cpu-roots ark.der";

    let output = person.check("saved", &format!("{options} --accept-level L3 --json"));
    assert_eq!((output.status.code(), &json(&output)["level"]), (Some(0), &"L3".into()));
    ends(&person.check("saved", &format!("{options} --accept-level L3")), 0, "ACCEPTED");
    let without = "COULD NOT JUDGE; level L3 was asked for: give --cpu-evidence and --cpu-roots";
    ends(&person.check("saved", "--ek-roots roots --accept-level L3"), 2, without);
    ends(&person.check("saved", "--ek-roots roots"), 0, "ACCEPTED; from messages");
    std::fs::write(person.path("strict"), format!("version = 1\n[cpu]\nmeasurements = [\"{}\"]\n", "4e".repeat(48)))
        .unwrap();
    ends(&person.check("saved", &format!("{options} --policy strict")), 1, "REJECTED; policy not met");
    // no report can be made before the quote is
    cannot_judge(&person.check(&served.url, options), "made for one quote");
    let alone = person.check("saved", "--ek-roots roots --cpu-evidence cpu.json");
    assert_eq!(alone.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&alone.stderr).contains("--cpu-roots"));
    std::fs::write(person.path("cpu.json"), "{}").unwrap();
    cannot_judge(&person.check("saved", options), "CPU evidence");
    let example = person.run("policy example");
    std::fs::write(person.path("example"), &example.stdout).unwrap();
    ends(&person.run("policy show example"), 0, "Level          L2 or more");
}
