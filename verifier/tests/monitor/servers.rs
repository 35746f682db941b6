//! Servers held against a log: the very evidence that `check` judges.

use super::mock::Scene;
use super::person::serve_scene;
use super::{entry, secret, statement, Here};
use base64::{engine::general_purpose::STANDARD, Engine as _};
use vitrine_attest::predicate;
use vitrine_attest::revocation::{Reason, Revocation};

fn server(here: &Here, scene: &Scene, url: &str) {
    here.write("roots", scene.tpm.ca());
    here.config(
        "",
        &format!("[[server]]\nname = \"zurich-1\"\nurl = \"{url}\"\nek_roots = \"roots\"\ntimeout = \"60s\"\n"),
    );
}

#[test]
fn a_server_that_runs_what_is_logged() {
    let here = Here::new();
    let scene = Scene::good();
    let served_entry = entry(&scene.statement, 1);
    let mut log = here.made_log(vec![entry(&statement("0.9", 0), 1), served_entry]);
    let served = {
        server(&here, &scene, "http://127.0.0.1:1");
        serve_scene(scene)
    };
    let config = std::fs::read_to_string(here.path("monitor.toml")).unwrap();
    here.write("monitor.toml", config.replace("http://127.0.0.1:1", &served.url));
    here.round().quiet();
    let page = std::fs::read_to_string(here.path("page.html")).unwrap();
    assert!(page.contains("zurich-1") && page.contains("entry 1 of the log"), "{page}");
    // a revocation in the log counts
    let about = statement("1.0", 1);
    let revocation = Revocation {
        fingerprint: Some(served.inside.lock().unwrap().scene.statement.predicate.fingerprint),
        statement: None,
        reason: Reason::Mistake,
        text: "do not use".into(),
        date: "2026-11-22".parse().unwrap(),
        seq: 1,
    };
    log.entries.push(predicate::sign(about.subject.clone(), revocation, &secret(1)).unwrap().to_json().unwrap());
    log.fresh(&here.path("log"));
    let said = here.round();
    assert!(said.one("server-rejected")["what"].as_str().unwrap().contains("V30 revoked"), "{:?}", said.lines);
}

/// The TPM is genuine, the quote holds, and no release of the log predicts it.
#[test]
fn an_image_that_is_not_logged() {
    let here = Here::new();
    let mut scene = Scene::good();
    let logged = entry(&scene.statement, 1);
    scene.measure(9, "something else in the initramfs");
    here.made_log(vec![logged]);
    server(&here, &scene, "URL");
    let config = std::fs::read_to_string(here.path("monitor.toml")).unwrap();
    let served = serve_scene(scene);
    here.write("monitor.toml", config.replace("URL", &served.url));
    let said = here.round();
    let alert = said.one("unlogged-image");
    assert!(alert["what"].as_str().unwrap().contains("V20"), "{alert}");
    // the evidence is what `check` judges again, without the server
    let file: serde_json::Value = serde_json::from_slice(
        &std::fs::read(alert["evidence"].as_str().unwrap())
            .or_else(|_| std::fs::read(here.path(alert["evidence"].as_str().unwrap())))
            .unwrap(),
    )
    .unwrap();
    here.write("record", STANDARD.decode(file["shown"]["server"]["record"].as_str().unwrap()).unwrap());
    here.write("statement", entry(&Scene::good().statement, 1));
    let checked = here.run("check record --statement statement --key release.pub --ek-roots roots --no-state --json");
    let report: serde_json::Value = serde_json::from_slice(&checked.stdout).unwrap();
    assert!(checked.status.code() == Some(1) && report["verdict"] == "rejected", "{report}");
    // it stays, also when the server is good again
    served.inside.lock().unwrap().scene.firmware_log = Scene::good().firmware_log;
    let again = here.round();
    assert_eq!((again.code, again.kinds()), (1, vec![]));
}

/// Of another name, and nothing of it in the log.
#[test]
fn a_release_that_was_never_published() {
    let here = Here::new();
    let mut scene = Scene::good();
    here.made_log(vec![entry(&scene.statement, 1)]);
    scene.statement.predicate.image.version = "1.1-private".into();
    scene.image_id = scene.image_id.replace("1.0", "1.1-private");
    scene.measure(4, "another image");
    server(&here, &scene, "URL");
    let config = std::fs::read_to_string(here.path("monitor.toml")).unwrap();
    let served = serve_scene(scene);
    here.write("monitor.toml", config.replace("URL", &served.url));
    assert!(here.round().one("unlogged-image")["what"].as_str().unwrap().contains("1.1-private"));
    // a log without any release
    let here = Here::new();
    here.made_log(vec![]);
    here.config("", &format!("[[server]]\nname = \"z\"\nurl = \"{}\"\naccept_level = \"L1\"\n", served.url));
    assert!(here.round().one("unlogged-image")["what"].as_str().unwrap().contains("has no release"));
}

#[test]
fn a_server_that_cannot_be_asked_is_no_alert() {
    let here = Here::new();
    here.made_log(vec![entry(&statement("1.0", 1), 1)]);
    here.config("", "[[server]]\nname = \"z\"\nurl = \"http://127.0.0.1:9\"\ntimeout = \"2s\"\n");
    let said = here.round();
    assert_eq!((said.code, said.kinds(), said.events("trouble").len()), (2, vec![], 1), "{:?}", said.lines);
}
