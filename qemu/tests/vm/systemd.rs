//! A whole Debian userland with systemd as PID 1 (`recipes/systemd.toml`): masked, silent, accepted.

use crate::images::Images;
use crate::machine::{boot, Judged, Place, PATIENCE};
use crate::user::User;
use serde_json::Value;
use std::collections::BTreeSet;
use vitrine_qemu::boot::{Guest, Options};

/// What may be in the image of programs that are started: systemd itself, what it starts its units with, what
/// makes files below /run and /tmp, the loader, and coreutils. Everything else of the packages is masked.
const PACKAGES_WITH_PROGRAMS: [&str; 7] =
    ["program", "systemd", "coreutils", "util-linux", "procps", "libc6", "libsystemd-shared"];

#[test]
fn a_masked_userland_is_accepted_and_silent() {
    let Some(images) = Images::find() else { return };
    masks_took_what_keeps_records(&images);
    let running = boot(&Options::new(images.read("systemd/image.efi"), images.secure_boot()));
    let statement = images.path("systemd/release.dsse.json");
    let judged = Judged::check_statement(running.guest.url(), statement, &images, running.guest.ek_roots(), &[]);
    judged.assert_accepted();
    let user = User::new(&images, "systemd", judged.report.keys.as_ref().unwrap().wireguard);
    user.is_nobody(&running.guest);
    user.add(&running.guest);
    user.browses(&running.guest);
    // systemd has long reached its target: it serves on only beside a userland that runs
    silent(&running.guest.console());
}

/// On the serial console stands what the firmware says until it starts the image, and nothing after that.
fn silent(console: &str) {
    let (_, started) = console.split_once("BdsDxe: starting").expect("the firmware said that it starts the image");
    let after = started.split_once('\n').map_or("", |(_, after)| after);
    assert_eq!(after.trim_matches(['\0', '\r', '\n', ' ']), "", "the image spoke");
}

/// The packages were taken whole, and what they keep records with is gone: shown by the build's own report, and by the
/// list of what is left.
fn masks_took_what_keeps_records(images: &Images) {
    let report: Value = serde_json::from_slice(&images.read("systemd/4-screen.json")).unwrap();
    let masked: BTreeSet<&str> =
        report["masked"].as_array().unwrap().iter().map(|masked| masked["path"].as_str().unwrap()).collect();
    let tree = String::from_utf8(images.read("systemd/3-tree.txt")).unwrap();
    let there = |path: &str| tree.lines().any(|line| line.ends_with(&format!(" {path}")));
    for program in [
        "/usr/lib/systemd/systemd-journald",
        "/usr/sbin/rsyslogd",
        "/usr/sbin/auditd",
        "/usr/sbin/sshd",
        "/usr/sbin/cron",
        "/usr/sbin/logrotate",
        "/usr/sbin/agetty",
        "/usr/bin/login",
        "/usr/bin/bash",
        "/usr/bin/dash",
        "/usr/bin/dbus-daemon",
        "/usr/lib/systemd/systemd-udevd",
        "/usr/lib/systemd/system-generators/systemd-fstab-generator",
    ] {
        assert!(masked.contains(program), "{program} was not there to be masked");
        assert!(!there(program), "{program} is still there");
    }
    for unit in
        ["systemd-journald.service", "systemd-journald-audit.socket", "auditd.service", "ssh.service", "cron.service"]
    {
        assert!(tree.contains(&format!("/usr/lib/systemd/system/{unit} -> /dev/null\n")), "{unit} can be started");
    }
    for line in tree.lines().filter(|line| line.starts_with("100555")) {
        let origin = line.split('"').nth(1).unwrap_or_default().split(' ').next().unwrap_or_default();
        assert!(PACKAGES_WITH_PROGRAMS.contains(&origin), "a program of another package: {line}");
    }
    assert!(!tree.contains(" /var/log/"), "the image has something in /var/log");
}

/// What systemd is allowed among the attempts of `docs/sandbox.md`, and why that does no harm. A probe has the kernel's
/// log for it to speak to, which no shipped image has.
const ALLOWED: [&str; 8] = [
    "proc-sys-read",  // settings can be read; /proc is read-only
    "proc-net",       // of a network without interfaces
    "proc-self-net",  // the same
    "kernel-symbols", // without addresses: kptr_restrict
    "pstore",         // an empty folder: nobody has mounted it, and nobody may
    "write-run",      // its own tmpfs
    "reboot-keys",    // it may end the machine
    "dmesg-write",    // in a probe only
];
/// All that it starts: what makes files below /run and /tmp, and the unit by which the machine ends with its server.
const STARTED: [&str; 2] = ["systemd-tmpfiles-setup.service", "vitrine.service"];

/// Firmware and host offer a unit that systemd would start, and a drop-in by which it is wanted (systemd-debug-generator(8)).
fn with_credentials(options: Options) -> Options {
    let unit = "[Service]\nType=oneshot\nExecStart=/usr/bin/true\n";
    let options = options.smbios_string(&format!("io.systemd.credential:systemd.extra-unit.evil.service={unit}"));
    let mut options = options.smbios_string(
        "io.systemd.credential:systemd.unit-dropin.multi-user.target=[Unit]\nWants=evil.service x.service\n",
    );
    // QEMU takes names of up to 55 bytes
    let name = "opt/io.systemd.credentials/systemd.extra-unit.x.service";
    options.extra.extend(["-fw_cfg".into(), format!("name={name},string={unit}")]);
    options
}

#[test]
fn systemd_is_refused_nearly_everything_and_starts_nearly_nothing() {
    let Some(images) = Images::find() else { return };
    let _place = Place::take();
    let options = with_credentials(Options::new(images.read("userland/image.efi"), images.secure_boot()));
    let mut guest = Guest::start(&options, &mut |line| eprintln!("{line}")).unwrap();
    guest.wait_for_console("Startup finished", PATIENCE).unwrap();
    let console = guest.console();
    let after = |mark: &'static str| {
        let found = move |line: &str| line.split_once(mark).map(|(_, rest)| rest.trim().to_string());
        console.lines().filter_map(found).collect::<Vec<_>>()
    };
    let fates = after("probe: systemd ");
    assert!(fates.contains(&"packet-socket: refused".to_string()), "{fates:#?}");
    let others: BTreeSet<&str> =
        fates.iter().filter(|line| *line != "done").filter_map(|line| line.strip_suffix(": ALLOWED")).collect();
    assert_eq!(others, BTreeSet::from(ALLOWED));
    assert!(fates.iter().all(|line| !line.ends_with("UNCLEAR")), "{fates:#?}");
    let started = after("systemd[1]: Starting ");
    let units: BTreeSet<&str> = started.iter().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(units, BTreeSet::from(STARTED), "{console}");
    assert_eq!(after("systemd[1]: Failed to start "), Vec::<String>::new());
}
