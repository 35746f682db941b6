//! The watch in a whole server: accepted, then one thing that must not be, then never again.

use crate::images::Images;
use crate::machine::Judged;
use crate::server::{provision_with, Provisioned};
use crate::world::{Client, Names, User, World};
use std::panic::catch_unwind;
use std::time::{Duration, Instant};
use vitrine_attest::watch::Rule;
use vitrine_qemu::boot::Options;

const IMAGE: &str = "saboteur";
/// For a look, a verdict, and a machine that is slow.
const PATIENCE: Duration = Duration::from_secs(300);
/// Longer than the saboteur's remorse, and than the watch's tick.
const LATER: Duration = Duration::from_secs(12);
const REASONS: [&str; 2] = ["pcr-14-not-zero", "pcr-digest-differs"];

#[test]
fn a_mount_blows_the_fuse() {
    sabotage("mount", Rule::Mounts);
}

#[test]
fn a_packet_socket_blows_the_fuse() {
    sabotage("packet-socket", Rule::Sockets);
}

#[test]
fn a_firewall_rule_blows_the_fuse() {
    sabotage("rule", Rule::Firewall);
}

/// Every other kind, a boot each. One that fails does not keep the next ones from being done.
#[test]
#[ignore = "takes half an hour; `make prove` runs it"]
fn every_deed_blows_the_fuse() {
    let deeds = [
        ("writable-root", Rule::Mounts),
        ("file", Rule::Files),
        ("file-gone", Rule::Files),
        ("memory-file", Rule::Deleted),
        ("process", Rule::Processes),
        ("process-gone", Rule::Processes),
        ("raw-socket", Rule::Sockets),
        ("listener", Rule::Sockets),
        ("named-socket", Rule::Sockets),
        ("interface", Rule::Interfaces),
        ("promiscuous", Rule::Interfaces),
        ("setting", Rule::Settings),
        ("core-pattern", Rule::Settings),
        ("console", Rule::Settings),
        ("taint", Rule::Kernel),
        ("kernel-messages", Rule::Tracing),
    ];
    let failed = deeds.into_iter().filter(|(deed, rule)| {
        eprintln!("── {deed}");
        let begin = Instant::now();
        let done = catch_unwind(|| sabotage(deed, *rule));
        let outcome = if done.is_ok() { "ok" } else { "FAILED" };
        eprintln!("── {deed}: {outcome} after {:.1} s", begin.elapsed().as_secs_f32());
        done.is_err()
    });
    let failed: Vec<_> = failed.collect();
    assert!(failed.is_empty(), "failed: {failed:?}");
}

/// The saboteur's machine without a deed is a server like any other: nothing but the deed is what is seen.
#[test]
#[ignore = "takes minutes; `make prove` runs it"]
fn without_a_deed_nothing_happens() {
    let Some(images) = Images::find() else { return };
    World::run(|world| {
        let _names = Names::start(&images.path("names"));
        let server = provision_with(world, &images, IMAGE, |options| options);
        let (_user, client) = server.join(2);
        let _second = server.join(3);
        std::thread::sleep(6 * LATER);
        server.judge().assert_accepted();
        client.ping("10.66.0.1").expect_success();
        server.end();
    });
}

fn sabotage(deed: &str, rule: Rule) {
    let Some(images) = Images::find() else { return };
    World::run(|world| {
        let _names = Names::start(&images.path("names"));
        let server = provision_with(world, &images, IMAGE, |options| tagged(options, deed));
        let (_user, client) = server.join(2);
        server.judge().assert_accepted();
        // The second peer is the saboteur's sign
        server.add(&User::number(3));
        server.wait_until("the watch sees it", PATIENCE, |server| server.judge().report.verdict == "rejected");
        is_over(&server, &client, rule);
        std::thread::sleep(LATER);
        // The deed is taken back
        is_over(&server, &client, rule);
        server.end();
    });
}

/// The machine on which the saboteur does this.
pub fn tagged(mut options: Options, deed: &str) -> Options {
    options.extra.extend(["-smbios".into(), format!("type=3,asset=sabotage:{deed}")]);
    options
}

/// Rejected, with the rule's name; no tunnel, no names, no orders.
fn is_over(server: &Provisioned, client: &Client, rule: Rule) {
    let judged = server.judge();
    judged.assert_rejected(&REASONS);
    names(&judged, rule);
    client.cannot_ping("10.66.0.1");
    let order = server.peers(&["has"], &["--peer", &User::number(2).public().to_string()]);
    assert_ne!(order.exit_code, 0, "{order:?}");
}

fn names(judged: &Judged, rule: Rule) {
    let words = format!("the server's own watch found {} (rule {})", rule.found(), rule.id());
    let check = judged.report.failed().find(|check| check.reason.as_deref() == Some("pcr-14-not-zero")).unwrap();
    assert!(check.detail.contains(&words), "{}", check.detail);
    let evidence = judged.evidence();
    assert_eq!(evidence.runtime_log.last(), Some(&rule.event()), "the rule, and nothing of what was found");
    assert_eq!(evidence.runtime_log.len(), 4);
}

/// The programs that images are made of cannot do any of this.
#[test]
fn no_saboteur_is_shipped() {
    let Some(images) = Images::find() else { return };
    // The file that tells it its deed
    const MARK: &[u8] = b"chassis_asset_tag";
    let has = |program: &str| {
        let bytes = images.read(&format!("../{program}/vitrine-init"));
        bytes.windows(MARK.len()).any(|window| window == MARK)
    };
    assert!(has("saboteur-programs"));
    assert!(!has("image-programs") && !has("probe-programs"));
}
