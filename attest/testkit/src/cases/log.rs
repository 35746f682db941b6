//! Firmware logs that are well-formed and lie.

use super::log_form::events;
use super::{done, Files, Group};
use crate::firmware::{self, kind, Event, Log, CALLING, SHA1};
use crate::machine::Machine;
use crate::stage::run;
use crate::Stage;
use vitrine_attest::Result;

pub const ALL: Group = &[
    ("log-separator-relabelled", |stage| events(stage, |log| log.event("separator of PCR 4").kind = kind::ACTION)),
    ("log-action-relabelled", |stage| {
        events(stage, |log| {
            let event = log.event(CALLING);
            (event.kind, event.data) = (kind::APPLICATION, firmware::application("a boot menu").data);
        })
    }),
    ("log-variable-relabelled", |stage| {
        events(stage, |log| {
            let event = log.event("SecureBoot");
            (event.kind, event.data) = (kind::VARIABLE_BOOT, firmware::variable("SecureBoot", &[0]));
        })
    }),
    ("log-leaves-an-event-out", |stage| hidden(stage, extra(9), |log| drop(log.events.pop()))),
    ("log-relabels-an-event-as-information", |stage| {
        hidden(stage, extra(9), |log| {
            if let Some(event) = log.events.last_mut() {
                event.kind = kind::NO_ACTION;
            }
        })
    }),
    ("log-relabels-an-event-as-another-register", |stage| {
        hidden(stage, extra(9), |log| {
            if let Some(event) = log.events.last_mut() {
                event.pcr = 10;
            }
        })
    }),
    ("log-adds-an-unused-event", |stage| {
        events(stage, |log| log.events.push(Event { kind: kind::UNUSED, ..extra(9) }))
    }),
    ("log-swaps-two-events", |stage| {
        events(stage, |log| {
            let at = log.position("kernel command line");
            log.events.swap(at, at + 1);
        })
    }),
    ("log-digest-altered", |stage| events(stage, |log| log.event("initramfs").digests[1].1[0] ^= 1)),
    ("log-variable-altered", |stage| {
        events(stage, |log| log.event("SecureBoot").data = firmware::variable("SecureBoot", &[0]))
    }),
    ("log-action-altered", |stage| events(stage, |log| log.event(CALLING).data = b"Calling something else".into())),
    ("log-separator-altered", |stage| events(stage, |log| log.event("separator of PCR 4").data = vec![1, 0, 0, 0])),
    ("log-separator-left-out", |stage| {
        events(stage, |log| {
            let at = log.position("separator of PCR 4");
            log.events.remove(at);
        })
    }),
    ("log-separator-doubled", |stage| events(stage, |log| log.events.push(firmware::separator(4)))),
    ("log-tells-secure-boot-on-where-it-was-off", |stage| {
        let mut boot = stage.boot.clone();
        *boot.log.event("SecureBoot") = firmware::variable_event("SecureBoot", &[0]);
        let machine = run(Machine::start(&stage.factory)?, &boot)?;
        boot.log.event("SecureBoot").data = firmware::variable("SecureBoot", &[1]);
        done(stage.session(&machine, &boot))
    }),
    ("log-of-another-boot", |stage| {
        events(stage, |log| *log.event("kernel command line") = firmware::command_line("quiet"))
    }),
    ("log-of-a-good-boot-after-a-bad-one", |stage| {
        let mut boot = stage.boot.clone();
        *boot.log.event("initramfs") = firmware::initramfs("another initramfs");
        let machine = run(Machine::start(&stage.factory)?, &boot)?;
        done(stage.session(&machine, &stage.boot))
    }),
    ("sha256-bank-never-extended", |stage| {
        let mut boot = stage.boot.clone();
        boot.log.events.iter_mut().for_each(|event| event.digests.retain(|(bank, _)| *bank == SHA1));
        let machine = run(Machine::start(&stage.factory)?, &boot)?;
        done(stage.session(&machine, &stage.boot))
    }),
];

fn extra(pcr: u32) -> Event {
    let text = b"another initramfs";
    Event::new(pcr, kind::IPL, "extra", text, text)
}

/// A machine that measured one event more, and a log that hides it.
fn hidden(stage: &Stage, event: Event, hide: impl FnOnce(&mut Log)) -> Result<Files> {
    let mut boot = stage.boot.clone();
    boot.log.events.push(event);
    let machine = run(Machine::start(&stage.factory)?, &boot)?;
    hide(&mut boot.log);
    done(stage.session(&machine, &boot))
}
