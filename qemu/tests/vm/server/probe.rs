//! From inside: what PID 1 may not do any more, and children that are killed.

use super::provision;
use crate::images::Images;
use crate::machine::Running;
use crate::world::{self, Client, Names, Stream, User, World, GUEST, WEB, WEB6};
use ed25519_dalek::pkcs8::DecodePrivateKey as _;
use ed25519_dalek::SigningKey;
use std::time::Duration;
use vitrine_attest::evidence::{Evidence, ORDER_PATH};
use vitrine_attest::order::{seal_order, Operation, Order, Peer, VERSION};

const PATIENCE: Duration = Duration::from_secs(240);
/// Each has to be tried, by PID 1 and by a child. docs/threat-model.md has the whole table.
const TRIED: [&str; 14] = [
    "packet-socket",
    "bpf-program",
    "perf",
    "dmesg-syslog",
    "module-from-file",
    "remount-root",
    "proc-sys-write",
    "acct",
    "core-dump",
    "dynamic-debug-proc",
    "audit-socket",
    "kept-settings",
    "kept-write",
    "kept-memory",
];

/// The build of `recipes/probe.toml` tries everything and kills each child once; it says on the console what came
/// of it. A user's tunnel and download last meanwhile: the kernel carries them.
#[test]
fn nothing_is_allowed_and_children_come_back() {
    let Some(images) = Images::find() else { return };
    World::run(|world| {
        let _names = Names::start(&images.path("names"));
        let mut running = provision::start(world, &images, "probe", |options| options);
        // PID 1 takes no order while it tries; on a slow machine the agent would give up asking
        running.guest.wait_for_console("probe: done", PATIENCE).unwrap();
        let client = join(&images, &running);
        let stream = Stream::start(WEB);
        let url = stream.url();
        std::thread::scope(|scope| {
            let form = ["--silent", "--output", "/dev/null", "--write-out", "%{size_download}", "--max-time", "400"];
            let words = [&form[..], &[&url]].concat();
            let user = &client;
            let download = scope.spawn(move || user.run("curl", &words));
            assert!(!running.guest.console().contains("probe: killed"), "the user came too late");
            running.guest.wait_for_console("probe: children done", PATIENCE).unwrap();
            let sent = stream.end();
            assert_eq!(download.join().unwrap().expect_success(), sent.to_string(), "the download was cut");
        });
        running.guest.wait_for_console("probe: watch: 6 looks took", PATIENCE).unwrap();
        let console = running.guest.console();
        console.lines().filter(|line| line.contains("probe: watch: ")).for_each(|line| eprintln!("{line}"));
        stacks_are_overwritten(&console);
        table(&console);
        come_back(&console);
        client.ping(WEB6).expect_success();
        assert_eq!(client.seen_as(WEB), GUEST.to_string());
        client.dig(&["www.good.vitrine", "A"]).expect_success();
        // The new agent answers, with evidence that is right in everything but the image's name
        judge(&images, &running);
    });
}

/// Each processor has its handshake every time; of the others a busy machine may leave some to the kernel for later.
fn stacks_are_overwritten(console: &str) {
    let lines: Vec<_> = console.lines().filter(|line| line.contains("probe: stacks: ")).collect();
    lines.iter().take(3).for_each(|line| eprintln!("{line}"));
    assert!(
        !lines.is_empty() && lines.iter().all(|line| line.contains("probe: stacks: 2 handshakes and ")),
        "{lines:?}"
    );
    assert!(lines.iter().any(|line| line.contains(" and 32 begun took ")), "{lines:?}");
}

fn judge(images: &Images, running: &Running) -> Evidence {
    let judged = provision::judge(images, "probe", running);
    judged.assert_rejected(&["dev-image"]);
    judged.evidence()
}

/// A user of a server that no verifier accepts: the owner's order is made here.
fn join(images: &Images, running: &Running) -> Client {
    let keys = judge(images, running).keys;
    let owner = String::from_utf8(images.read("keys/owner.key")).unwrap();
    let user = User::number(2);
    let op = Operation::Add(Peer { peer: user.public(), allowed_ips: user.addresses.clone() });
    let order = Order { v: VERSION, seq: 1, op };
    let sealed = seal_order(&order, &SigningKey::from_pkcs8_pem(&owner).unwrap(), &keys.channel_pub).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let [question, answer] = ["order", "answer"].map(|name| folder.path().join(name).display().to_string());
    std::fs::write(&question, &sealed.bytes).unwrap();
    let url = format!("{}{ORDER_PATH}", running.guest.url());
    let from = format!("@{question}");
    world::run("curl", &["--silent", "--show-error", "--fail", "--data-binary", &from, "--output", &answer, &url])
        .expect_success();
    assert_eq!(sealed.reply.open(&std::fs::read(&answer).unwrap()).unwrap().code, None);
    provision::its_ipv6_answers();
    let client = user.connect(keys.wg_pub, running.guest.wireguard());
    client.ping("10.66.0.1").expect_success();
    client
}

fn come_back(console: &str) {
    for child in ["agent", "resolver", "metrics"] {
        let [killed, restarted] = ["killed", "restarted"].map(|what| console.find(&format!("probe: {what} {child}")));
        assert!(killed.is_some() && killed < restarted, "{child}:\n{console}");
    }
}

fn table(console: &str) {
    let lines = || console.lines().filter_map(|line| line.trim().strip_prefix("probe: "));
    let results: Vec<&str> = lines().take_while(|line| *line != "done").collect();
    results.iter().for_each(|line| eprintln!("{line}"));
    for who in ["init", "resolver"] {
        for name in TRIED {
            let wanted = format!("{who} {name}: refused");
            assert!(results.contains(&wanted.as_str()), "not \"{wanted}\": {results:#?}");
        }
    }
    let others: Vec<_> = results.iter().filter(|line| !line.ends_with(": refused")).collect();
    assert!(others.is_empty(), "{others:#?}");
}
