//! `check` as a person runs it: against a server on this machine, and against files.

mod mock;
mod person;

use mock::Scene;
use person::{cannot_judge, ends, forward, json, serve, serve_scene, text, Person};
use std::collections::HashMap;
use std::net::TcpListener;
use std::sync::mpsc::channel;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use vitrine_attest::canonical::to_canonical_json;
use vitrine_attest::digest::Key32;

#[test]
fn accepted_saved_and_accepted_again() {
    let (scene, served) = (Scene::good(), serve_scene(Scene::good()));
    let person = Person::of(&scene);
    // the server has a TPM of its own: roots of another vendor do not do
    let output = person.check(&served.url, "--ek-roots roots");
    ends(&output, 1, "REJECTED");
    assert!(text(&output).contains("[ek-chain-untrusted]") && !text(&output).contains("V1dX"), "{}", text(&output));

    let scene = Scene::good();
    let person = Person::of(&scene);
    let served = serve_scene(scene);
    let output = person.check(&served.url, "--ek-roots roots --save record");
    ends(&output, 0, "ACCEPTED");
    assert!(text(&output).lines().next() == Some("ACCEPTED") && text(&output).contains(&Key32([0x57; 32]).to_string()));
    assert!(output.stderr.is_empty());
    let output = person.check("record", "--ek-roots roots --json");
    assert_eq!(output.status.code(), Some(0));
    let report = json(&output);
    assert_eq!((&report["verdict"], &report["level"]), (&"accepted".into(), &"L2".into()));
    assert_eq!(report["checks"].as_array().unwrap().len(), vitrine_verifier::checks::ALL.len());
    assert!(report["remarks"][0].as_str().unwrap().contains("saved"), "{report}");
}

#[test]
fn without_roots_only_when_the_person_says_so() {
    let scene = Scene::good();
    let person = Person::of(&scene);
    let served = serve_scene(scene);
    let output = person.check(&served.url, "");
    ends(&output, 2, "COULD NOT JUDGE; V03 skipped");
    assert!(text(&output).contains("- V03") && text(&output).contains("[skipped]"));
    ends(&person.check(&served.url, "--accept-level L1"), 0, "ACCEPTED; at level L1 only, as asked: V03 skipped");
}

#[test]
fn bare_evidence_with_a_nonce() {
    let scene = Scene::good();
    let person = Person::of(&scene);
    std::fs::write(person.path("evidence"), to_canonical_json(&scene.evidence()).unwrap()).unwrap();
    let nonce = scene.nonce;
    cannot_judge(&person.check("evidence", "--ek-roots roots"), "--nonce");
    let line = format!("--ek-roots roots --nonce {nonce}");
    ends(&person.check("evidence", &line), 2, "COULD NOT JUDGE; V06 skipped");
    ends(&person.check("evidence", &format!("{line} --accept-level L1")), 0, "ACCEPTED; at level L1 only");
    let other = format!("--ek-roots roots --nonce {} --accept-level L1", "0".repeat(64));
    let output = person.check("evidence", &other);
    ends(&output, 1, "REJECTED");
    assert!(text(&output).contains("[extra-data-differs]"));
    std::fs::write(person.path("cut"), &to_canonical_json(&scene.evidence()).unwrap()[..500]).unwrap();
    cannot_judge(&person.check("cut", &line), "cut is no usable evidence");
}

#[test]
fn evidence_of_another_server() {
    // B relays A's evidence, but cannot open the credential that was made for A's TPM
    let (a, b) = (Mutex::new(Scene::good()), Scene::good());
    let person = Person::of(&a.lock().unwrap());
    let url = serve(move |path, body| {
        let mut a = a.lock().unwrap();
        Some(match path {
            "/v1/evidence" => {
                a.nonce = serde_json::from_slice::<vitrine_attest::evidence::EvidenceRequest>(body).unwrap().nonce;
                (200, serde_json::to_vec(&a.evidence()).unwrap())
            }
            _ => match b.activate(body) {
                Some(m4) => (200, m4),
                None => (400, br#"{"code":"credential"}"#.to_vec()),
            },
        })
    });
    let output = person.check(&url, "--ek-roots roots");
    ends(&output, 1, "REJECTED");
    assert!(text(&output).contains("[activation-refused]") && text(&output).contains("credential (status 400)"));
}

#[test]
fn explained() {
    let mut scene = Scene::good();
    let person = Person::of(&scene);
    scene.measure(12, "EVIL=1");
    let served = serve_scene(scene);
    let output = person.check(&served.url, "--ek-roots roots --explain");
    ends(&output, 1, "REJECTED");
    assert!(text(&output).contains("EVIL=1") && text(&output).contains("PCR 12"), "{}", text(&output));
    let report = json(&person.check(&served.url, "--ek-roots roots --explain --json"));
    assert_eq!(report["explanation"]["differences"][0]["pcr"], 12);
    assert_eq!(report["keys"], serde_json::Value::Null);
}

/// Its TPM has others to serve: each question is asked again, with the same bytes.
#[test]
fn a_busy_server_is_asked_again() {
    let scene = Scene::good();
    let person = Person::of(&scene);
    let served = serve_scene(scene);
    let inner = served.url.clone();
    let (asked, seen) = channel();
    let busy = Mutex::new(HashMap::<Vec<u8>, u32>::new());
    let url = serve(move |path, body| {
        let _ = asked.send(path.to_string());
        let mut busy = busy.lock().unwrap();
        let times = busy.entry(body.to_vec()).or_default();
        *times += 1;
        Some(if *times <= 2 { (503, br#"{"code":"busy"}"#.to_vec()) } else { forward(&inner, path, body) })
    });
    ends(&person.check(&url, "--ek-roots roots"), 0, "ACCEPTED");
    let paths: Vec<String> = seen.try_iter().collect();
    assert_eq!(paths, [["/v1/evidence"; 3], ["/v1/activate"; 3]].concat());
}

#[test]
fn servers_that_do_not_keep_to_it() {
    let person = Person::of(&Scene::good());
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    cannot_judge(&person.check(&format!("http://{closed}"), ""), "cannot be asked");
    let started = Instant::now();
    let silent = serve(|_, _| None);
    let output = person.run(&format!("check {silent} --statement statement --key key --timeout 1"));
    cannot_judge(&output, "did not answer in time");
    assert!(started.elapsed() < Duration::from_secs(4));
    cannot_judge(&person.check(&serve(|_, _| Some((200, vec![b'x'; 5 << 20]))), ""), "more than 4194304 bytes");
    let (asked, seen) = channel();
    let failing = serve(move |_, _| {
        let _ = asked.send(());
        Some((503, br#"{"code":"tpm"}"#.to_vec()))
    });
    cannot_judge(&person.check(&failing, ""), "tpm (status 503)");
    assert_eq!(seen.try_iter().count(), 1, "a TPM that fails is not worn out");
    let begun = Instant::now();
    let busy = serve(|_, _| Some((503, br#"{"code":"busy"}"#.to_vec())));
    let output = person.run(&format!("check {busy} --statement statement --key key --timeout 2"));
    cannot_judge(&output, "busy (status 503)");
    assert!(begun.elapsed() < Duration::from_secs(5));
    cannot_judge(&person.check(&serve(|_, _| Some((302, vec![]))), ""), "status 302");
    let nonce = format!("--nonce {}", "0".repeat(64));
    cannot_judge(&person.check(&serve(|_, _| Some((200, vec![]))), &nonce), "fresh nonce");
}

#[test]
fn a_server_that_answers_nonsense_is_rejected() {
    let person = Person::of(&Scene::good());
    let output = person.check(&serve(|_, _| Some((200, b"hello".to_vec()))), "");
    ends(&output, 1, "REJECTED");
    assert!(text(&output).contains("[evidence-malformed]"));
}

#[test]
fn files_that_are_wrong() {
    let scene = Scene::good();
    let person = Person::of(&scene);
    let url = serve_scene(scene).url;
    std::fs::write(person.path("empty"), b"").unwrap();
    let with = |statement: &str, key: &str, more: &str| {
        person.run(&format!("check {url} --statement {statement} --key {key} {more}"))
    };
    cannot_judge(&with("missing", "key", ""), "missing");
    cannot_judge(&with("empty", "key", ""), "empty: statement");
    cannot_judge(&with("statement", "empty", ""), "empty: release key");
    cannot_judge(&with("statement", "statement", ""), "statement has more than");
    cannot_judge(&with("statement", "key", "--ek-roots empty"), "empty: EK roots");
    cannot_judge(&with("statement", "key", "--save no/such/folder"), "no/such/folder");
    cannot_judge(&person.check("https://127.0.0.1:1", ""), "plain HTTP");
    cannot_judge(&person.check("nowhere", ""), "nowhere");
}

#[test]
fn a_statement_changed_after_signing() {
    let scene = Scene::good();
    let person = Person::of(&scene);
    let mut envelope = scene.envelope();
    let at = envelope.payload.windows(7).position(|w| w == b"\"seq\":1").unwrap() + 6;
    envelope.payload[at] = b'2';
    std::fs::write(person.path("statement"), envelope.to_json().unwrap()).unwrap();
    let output = person.check(&serve_scene(scene).url, "--ek-roots roots");
    ends(&output, 1, "REJECTED");
    assert!(text(&output).contains("[statement-signature-invalid]"));
}

#[test]
fn event_logs_man_page_and_completions() {
    let scene = Scene::good();
    let person = Person::of(&scene);
    std::fs::write(person.path("log"), &scene.firmware_log).unwrap();
    let output = person.run("event-log log");
    ends(&output, 0, "");
    let value = scene.registers().get(vitrine_attest::pcr::Pcr::KERNEL_INPUTS).unwrap();
    assert!(text(&output).contains(&format!("PCR 9   {value}")), "{}", text(&output));
    assert_eq!(json(&person.run("event-log log --json"))["events"].as_array().unwrap().len(), 6);
    std::fs::write(person.path("log"), &scene.firmware_log[..99]).unwrap();
    cannot_judge(&person.run("event-log log"), "cut off");
    assert!(
        text(&person.run("man")).contains("vitrine") && text(&person.run("completions bash")).contains("event-log")
    );
}
