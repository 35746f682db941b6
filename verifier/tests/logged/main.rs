//! V29: statements that stand in a log as demanded, and each way in which they do not; and bundles, which hold the proof.

#[path = "../mock/mod.rs"]
mod mock;
#[path = "../person/mod.rs"]
mod person;

mod beacons;
mod bundles;
mod ml_dsa;
mod proofs;

use base64::{engine::general_purpose::STANDARD, Engine as _};
use mock::Scene;
use person::logs::{key, log_policy, now, secret, witness, Log, LOG};
use person::{cannot_judge, ends, json, serve_scene, text, Person, Served};
use std::process::Output;
use vitrine_attest::note::sign;
use vitrine_attest::vkey::Kind;
use vitrine_attest::{merkle, Sha256};

struct Here {
    person: Person,
    served: Served,
    log: Log,
}

impl Here {
    fn new() -> Self {
        let scene = Scene::good();
        let person = Person::of(&scene);
        let log = Log::of(&scene.envelope().to_json().unwrap());
        let here = Self { person, served: serve_scene(scene), log };
        here.write("log-policy", &log_policy());
        here.write("proof", &here.log.proof());
        here
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.person.path(name), text).unwrap();
    }

    fn check(&self, more: &str) -> Output {
        self.person.check(&self.served.url, &format!("--ek-roots roots {more}"))
    }

    /// With the log policy in a policy's `[log]`, and the proof as it is now.
    fn with(&self, table: &str) -> Output {
        self.write("proof", &self.log.proof());
        self.write("policy", &format!("version = 1\n[log]\nfile = \"log-policy\"\n{table}\n"));
        self.check("--no-state --json --proof proof --policy policy")
    }

    #[track_caller]
    fn refused(&self, table: &str, reason: &str) {
        only(&self.with(table), reason);
    }
}

/// Rejected for nothing but this.
#[track_caller]
fn only(output: &Output, reason: &str) {
    let report = json(output);
    let failed = report["checks"].as_array().unwrap().iter().filter(|check| check["status"] == "failed");
    let failed: Vec<&str> = failed.map(|check| check["reason"].as_str().unwrap()).collect();
    assert_eq!((output.status.code(), failed.as_slice()), (Some(1), [reason].as_slice()), "{report}");
    assert_eq!(report["grounds"], serde_json::json!(["log"]));
}

fn v29(output: &Output) -> String {
    let report = json(output);
    let check = report["checks"].as_array().unwrap().iter().find(|check| check["code"] == "V29").unwrap().clone();
    check["detail"].as_str().unwrap_or_default().to_owned()
}

fn bundle(here: &Here, more: &str) -> Output {
    here.person.run(&format!("bundle --evidence record --statement statement --out server.vitrine {more}"))
}
