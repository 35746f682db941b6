//! From inside: what PID 1 may not do any more, and children that are killed.

use crate::images::Images;
use crate::machine::{boot, Judged};
use crate::world::{Names, World};
use std::time::Duration;
use vitrine_qemu::boot::Options;
use vitrine_qemu::machine::Ports;

const PATIENCE: Duration = Duration::from_secs(240);
/// Each has to be tried, by PID 1 and by a child. docs/threat-model.md has the whole table.
const TRIED: [&str; 11] = [
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
];

/// The build of `recipes/probe.toml` tries everything and kills each child once; it says on the console what came
/// of it.
#[test]
fn nothing_is_allowed_and_children_come_back() {
    let Some(images) = Images::find() else { return };
    World::run(|world| {
        let _names = Names::start(&images.path("names"));
        let config = images.config("probe");
        let ports = Ports { wireguard: config.wireguard.all_ports(), attestation: config.attestation.port };
        let mut running = boot(&world.plug(Options::new(images.read("probe/image.efi"), images.secure_boot()), ports));
        running.guest.wait_for_console("probe: done", PATIENCE).unwrap();
        table(&running.guest.console());
        running.guest.wait_for_console("probe: children done", PATIENCE).unwrap();
        let console = running.guest.console();
        for child in ["agent", "resolver", "metrics"] {
            let [killed, restarted] =
                ["killed", "restarted"].map(|what| console.find(&format!("probe: {what} {child}")));
            assert!(killed.is_some() && killed < restarted, "{child}:\n{console}");
        }
        let statement = images.path("probe/release.dsse.json");
        let roots = running.guest.ek_roots();
        // The new agent answers, with evidence that is right in everything but the image's name
        Judged::check_statement(running.guest.url(), statement, &images, roots, &[]).assert_rejected(&["dev-image"]);
    });
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
