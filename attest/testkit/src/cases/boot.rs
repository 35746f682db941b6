//! Machines that started something else and tell the truth about it: attacks on the platform, as a verifier sees them.
//! The same with real firmware is in the VM tests.

use super::{done, Files, Group};
use crate::firmware::{self, action, kind, section, separator, Event, Log, CALLING};
use crate::Stage;
use vitrine_attest::Result;

pub const ALL: Group = &[
    ("boot-of-another-image", |stage| {
        replaced(stage, "Authenticode digest of the image", firmware::application("another image"))
    }),
    ("boot-of-a-program-before-the-image", |stage| {
        inserted(stage, "Authenticode digest of the image", firmware::application("a boot manager"))
    }),
    ("boot-of-a-second-option", |stage| inserted(stage, CALLING, action(4, "Returning from EFI Application"))),
    ("boot-without-secure-boot", |stage| replaced(stage, "SecureBoot", firmware::variable_event("SecureBoot", &[0]))),
    ("boot-with-another-key-in-db", |stage| replaced(stage, "db", firmware::variable_event("db", &[9; 76]))),
    ("boot-of-an-image-by-another-signer", |stage| {
        let data = firmware::variable("db", b"another certificate that was always in db");
        replaced(stage, "authority", Event::new(7, kind::AUTHORITY, "authority", &data, &data))
    }),
    ("boot-separator-missing", |stage| {
        told(stage, |log| {
            let at = log.position("separator of PCR 4");
            log.events.remove(at);
        })
    }),
    ("boot-separator-twice", |stage| inserted(stage, "Authenticode digest of the image", separator(4))),
    ("boot-separator-of-an-error", |stage| {
        let name = "separator of PCR 7";
        replaced(stage, name, Event::new(7, kind::SEPARATOR, name, &[1, 0, 0, 0], &[1, 0, 0, 0]))
    }),
    ("boot-event-after-exit-boot-services", |stage| {
        told(stage, |log| log.events.push(firmware::application("a program after the kernel took over")))
    }),
    ("boot-with-another-command-line", |stage| {
        replaced(stage, "kernel command line", firmware::command_line("audit=0 quiet loglevel=0 systemd.debug"))
    }),
    ("boot-with-another-initramfs", |stage| replaced(stage, "initramfs", firmware::initramfs("another initramfs"))),
    ("boot-with-another-kernel", |stage| another_section(stage, ".linux")),
    ("boot-with-another-os-release", |stage| another_section(stage, ".osrel")),
    ("boot-with-one-more-section", |stage| {
        told(stage, |log| {
            let at = log.position("kernel command line");
            log.events.splice(at..at, section(".dtb", "a device tree"));
        })
    }),
    ("boot-with-a-command-line-from-outside", |stage| ipl(stage, 12, "kernel command line of LoadOptions")),
    ("boot-with-a-credential", |stage| ipl(stage, 12, "credentials of the EFI system partition")),
    ("boot-with-an-extension", |stage| ipl(stage, 13, "system extensions")),
];

/// A machine that measured this log, and shows it.
fn told(stage: &Stage, change: impl FnOnce(&mut Log)) -> Result<Files> {
    done(stage.booted(|boot| change(&mut boot.log)))
}

fn replaced(stage: &Stage, what: &str, by: Event) -> Result<Files> {
    told(stage, |log| *log.event(what) = by)
}

fn inserted(stage: &Stage, before: &str, event: Event) -> Result<Files> {
    told(stage, |log| {
        let at = log.position(before);
        log.events.insert(at, event);
    })
}

fn another_section(stage: &Stage, name: &str) -> Result<Files> {
    let [_, contents] = section(name, "something else");
    replaced(stage, &format!("contents of section {name}"), contents)
}

fn ipl(stage: &Stage, pcr: u32, text: &str) -> Result<Files> {
    inserted(stage, "kernel command line", Event::new(pcr, kind::IPL, text, text.as_bytes(), text.as_bytes()))
}
