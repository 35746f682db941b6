//! What a running server hands out beside its evidence: by its owner's order, judged by whoever has keys alone, gone at a reset.

use crate::machine::{Judged, Running, PATIENCE};
use crate::published::World;
use ed25519_dalek::pkcs8::DecodePrivateKey as _;
use ed25519_dalek::SigningKey;
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};
use vitrine_attest::attachments::{Attachments, ATTACHMENTS_PATH};
use vitrine_attest::dsse::Envelope;
use vitrine_attest::evidence::ORDER_PATH;
use vitrine_attest::order::{seal_order, Operation, Order, VERSION};
use vitrine_attest::Sha256;
use vitrine_qemu::verify::Outcome;

/// `proof` is that of the statement in `out`, `other` that of another entry of the same log.
pub fn attached(world: &World<'_>, running: &mut Running, policy: &str, proof: &Path, other: &Path) {
    let key = world.images.path("keys/release.pub").display().to_string();
    let url = running.guest.url();
    let trust = format!("--key {key} --ek-roots {} --no-state", running.guest.ek_roots().display());
    let check = |more: &str| world.run(&format!("check {url} --json {trust} {more}"));
    let logged = format!("--log-policy {policy}");
    let none = |outcome: &Outcome| {
        assert!(outcome.exit_code == 2 && outcome.stderr.contains("hands out none"), "{outcome:?}");
    };
    none(&check(&logged));

    let owner = world.images.path("keys/owner.key").display().to_string();
    let attach = |proof: &Path| {
        world.run(&format!(
            "attach --server {url} --owner-key {owner} --statement {{out/release.dsse.json}} --proof {} {logged} {trust}",
            proof.display()
        ))
    };
    let refused = attach(other);
    assert!(refused.exit_code == 2 && refused.stderr.contains("not for this statement"), "{refused:?}");
    let done = attach(proof);
    assert_eq!(done.exit_code, 0, "{done:?}");
    eprint!("{}", done.stdout);
    let accepted = check(&logged);
    let papers = r#""papers":{"proof":"server","statement":"server"}"#;
    assert!(accepted.exit_code == 0 && accepted.stdout.contains(papers), "{accepted:?}");

    // an owner who hands out the proof of another entry: the server does not look, whoever checks it does
    let statement = Envelope::from_json(&fs::read(world.path("out/release.dsse.json")).unwrap()).unwrap();
    let bytes = Attachments::new(statement, Some(fs::read_to_string(other).unwrap()), vec![]).to_bytes().unwrap();
    assert_eq!(post(world, &format!("{url}{ATTACHMENTS_PATH}"), &bytes).0, 403, "nobody has ordered these");
    order(world, running, Operation::Attach(Some(Sha256::of(&bytes))));
    none(&check(&logged));
    assert_eq!(post(world, &format!("{url}{ATTACHMENTS_PATH}"), &bytes).0, 200);
    let lied = check(&logged);
    assert!(lied.exit_code == 1 && lied.stdout.contains("entry-not-in-log"), "{lied:?}");
    Judged::server(world.images, running).assert_accepted();

    running.guest.qmp().execute("system_reset", json!({})).unwrap();
    running.guest.wait(PATIENCE).unwrap();
    none(&check(&logged));
    assert_eq!(post(world, &format!("{url}{ATTACHMENTS_PATH}"), &bytes).0, 403, "the order of the boot before");
    Judged::server(world.images, running).assert_accepted();
}

/// As the owner's program gives it, for what that would not order.
fn order(world: &World<'_>, running: &Running, op: Operation) {
    let keys = Judged::server(world.images, running).evidence().keys;
    let owner = String::from_utf8(world.images.read("keys/owner.key")).unwrap();
    let seq = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos().try_into().unwrap();
    let order = Order { v: VERSION, seq, op };
    let sealed = seal_order(&order, &SigningKey::from_pkcs8_pem(&owner).unwrap(), &keys.channel_pub).unwrap();
    let (status, answer) = post(world, &format!("{}{ORDER_PATH}", running.guest.url()), &sealed.bytes);
    assert_eq!((status, sealed.reply.open(&answer).unwrap().code), (200, None));
}

fn post(world: &World<'_>, url: &str, body: &[u8]) -> (u16, Vec<u8>) {
    let [question, answer]: [PathBuf; 2] = ["question", "answer"].map(|name| world.path(name));
    fs::write(&question, body).unwrap();
    let mut curl = std::process::Command::new("curl");
    curl.args(["--silent", "--max-time", "120", "--write-out", "%{http_code}", "--data-binary"]);
    curl.arg(format!("@{}", question.display())).arg("--output").arg(&answer).arg(url);
    let status = String::from_utf8(curl.output().unwrap().stdout).unwrap();
    (status.parse().unwrap(), fs::read(&answer).unwrap())
}
