//! One change to a good boot at a time, and the sentence it must give.

use super::*;
use crate::event_log::{Digest, EventKind, Form};
use crate::expected::Platform;
use crate::pe::testpe;
use crate::predict::{predict, CALLING, SEPARATOR};
use crate::secure_boot::{signature_list, variable_data, Variables, EFI_GLOBAL_VARIABLE, OFF};
use crate::Sha256;

const CMDLINE: &str = "audit=0 quiet";

fn expected() -> ExpectedBoot {
    let kernel = testpe::build(&[(".text", b"kernel")]);
    let image = testpe::build(&[
        (".sdmagic", b"#### LoaderInfo: systemd-stub 257 ####"),
        (".osrel", b"ID=x"),
        (".cmdline", CMDLINE.as_bytes()),
        (".initrd", b"initramfs"),
        (".linux", &kernel),
    ]);
    let list = |der: &[u8]| signature_list([9; 16], der);
    let variables = Variables { pk: list(b"pk"), kek: list(b"kek"), db: list(b"db"), dbx: vec![] };
    predict(&image, Some(&variables)).unwrap().platforms.remove(&Platform::SecureBoot).unwrap()
}

/// An event as a machine would log it, owned.
#[derive(Clone)]
struct Line {
    pcr: u32,
    kind: EventKind,
    digest: Sha256,
    data: Vec<u8>,
}

/// A log of exactly the expected boot, with the data that firmware and stub write.
fn good() -> Vec<Line> {
    expected().events.iter().map(line).collect()
}

fn line(event: &ExpectedEvent) -> Line {
    let (kind, data) = match event.what.as_str() {
        "separator" => (EventKind::SEPARATOR, SEPARATOR.to_vec()),
        "the firmware calls a boot option" => (EventKind::EFI_ACTION, CALLING.to_vec()),
        what if what.contains("section") => (EventKind::IPL, utf16(what.rsplit(' ').next().unwrap())),
        what if what.starts_with("Authenticode") => (EventKind::EFI_BOOT_SERVICES_APPLICATION, vec![]),
        what if what.starts_with("kernel") || what.starts_with("initramfs") => (EventKind::EVENT_TAG, vec![]),
        // its data is not needed while it is as expected; a kind that does not hash it
        _ => (EventKind(0x8000_000c), vec![]),
    };
    Line { pcr: event.pcr.index().into(), kind, digest: event.digest, data }
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect()
}

fn extra(pcr: u32, text: &str) -> Line {
    Line { pcr, kind: EventKind::IPL, digest: Sha256::of(text.as_bytes()), data: utf16(text) }
}

fn hashed(pcr: u32, kind: EventKind, data: &[u8]) -> Line {
    Line { pcr, kind, digest: Sha256::of(data), data: data.to_vec() }
}

fn differences<'a>(lines: &'a [Line]) -> Vec<Difference> {
    let event = |line: &'a Line| Event {
        offset: 0,
        pcr: line.pcr,
        kind: line.kind,
        digests: vec![Digest { algorithm: Algorithm::SHA256, bytes: &line.digest.0 }],
        data: &line.data,
    };
    let events = lines.iter().map(event).collect();
    let log = EventLog { form: Form::CryptoAgile, algorithms: vec![Algorithm::SHA256], startup_locality: None, events };
    explain(&log, &expected(), CMDLINE)
}

/// The only difference that this log has.
fn only(lines: &[Line]) -> Difference {
    let mut all = differences(lines);
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

fn position(lines: &[Line], pcr: u32, nth: usize) -> usize {
    lines.iter().enumerate().filter(|(_, l)| l.pcr == pcr).nth(nth).unwrap().0
}

fn says(difference: &Difference, pcr: u8, index: usize, cause: &str) {
    assert_eq!((difference.pcr.index(), difference.index), (pcr, index), "{difference}");
    assert!(difference.cause.contains(cause), "{difference}");
    assert!(!difference.advice.is_empty());
}

#[test]
fn a_good_boot_differs_in_nothing() {
    assert!(differences(&good()).is_empty());
    let mut others = good();
    others.push(extra(5, "other registers are not looked at"));
    others.push(Line { kind: EventKind::NO_ACTION, ..extra(12, "EV_NO_ACTION does not extend") });
    assert!(differences(&others).is_empty());
}

#[test]
fn command_line_from_smbios() {
    let mut lines = good();
    lines.push(extra(12, "EVIL=1"));
    let difference = only(&lines);
    says(&difference, 12, 0, "the kernel command line got \"EVIL=1\" from outside the image (SMBIOS string, add-on");
    let at = position(&lines, 9, 0);
    lines[at].digest = Sha256::of(b"another");
    let both = differences(&lines);
    assert_eq!(both.len(), 2);
    says(
        &both[0],
        9,
        0,
        "another command line than \"audit=0 quiet\" (PCR 12's log: the kernel command line got \"EVIL=1\"",
    );
}

#[test]
fn command_line_replaced() {
    let mut lines = good();
    lines.push(extra(12, "audit=1 quiet init=/bin/sh"));
    says(&only(&lines), 12, 0, "got \"audit=1 init=/bin/sh\" and lost \"audit=0\"");
}

#[test]
fn credential_on_the_esp() {
    let mut lines = good();
    lines.push(extra(12, "Global credentials initrd"));
    let at = position(&lines, 9, 1);
    lines[at].digest = Sha256::of(b"longer");
    let both = differences(&lines);
    says(&both[0], 9, 1, "initramfs handed to the kernel is not the published one (PCR 12's log: a credential file");
    says(&both[1], 12, 0, "a credential file was put on the EFI system partition: loader/credentials/");
}

#[test]
fn everything_in_pcr_12_is_named() {
    let mut lines = good();
    lines.extend([extra(12, "EVIL=1"), extra(12, "Credentials initrd"), extra(12, "")]);
    let cause = only(&lines).cause;
    assert!(
        cause.contains("EVIL=1") && cause.contains("BOOTX64.EFI.extra.d") && cause.contains("does not say what"),
        "{cause}"
    );
}

#[test]
fn terminal_escapes_do_not_come_through() {
    let mut lines = good();
    lines.push(extra(12, "\x1b[2Jaccepted\r\n"));
    let difference = only(&lines);
    assert!(!difference.to_string().contains('\x1b') && difference.cause.contains("\\u{1b}"), "{difference}");
}

#[test]
fn pcr4() {
    let program = hashed(4, EventKind::EFI_BOOT_SERVICES_APPLICATION, b"another");
    let base = good();
    let (call, image) = (position(&base, 4, 0), position(&base, 4, 2));
    let mut lines = base.clone();
    lines[image].digest = program.digest;
    says(&only(&lines), 4, 2, "another program than this image");

    let mut lines = base.clone();
    lines.push(program.clone());
    says(&only(&lines), 4, 3, "a further program was loaded after the image");

    let mut lines = base.clone();
    let returned = hashed(4, EventKind::EFI_ACTION, b"Returning from EFI Application from Boot Option");
    lines.splice(image..image, [returned, lines[call].clone()]);
    says(&only(&lines), 4, 2, "another boot entry was tried before");

    let mut lines = base.clone();
    lines.insert(call, program);
    says(&only(&lines), 4, 0, "not from a disk");

    let mut lines = base;
    lines.remove(image);
    says(&only(&lines), 4, 2, "the log ends before the image was started");
}

#[test]
fn pcr7() {
    let base = good();
    let variable = |name, data: &[u8]| {
        hashed(7, EventKind::EFI_VARIABLE_DRIVER_CONFIG, &variable_data(EFI_GLOBAL_VARIABLE, name, data))
    };
    let authority = hashed(7, EventKind::EFI_VARIABLE_AUTHORITY, b"another certificate");
    let cases: [(usize, Line, &str); 4] = [
        (0, variable("SecureBoot", OFF), "Secure Boot is off"),
        (2, variable("KEK", b"others"), "other keys are enrolled in the Secure Boot variable KEK (6 bytes)"),
        (5, authority.clone(), "signed driver"),
        (6, authority.clone(), "another certificate than the published one"),
    ];
    for (nth, changed, cause) in cases {
        let mut lines = base.clone();
        let at = position(&lines, 7, nth);
        lines[at] = changed;
        says(&only(&lines), 7, nth, cause);
    }
    let mut lines = base.clone();
    lines.push(authority);
    says(&only(&lines), 7, 7, "several certificates");
    let mut lines = base.clone();
    lines.remove(position(&base, 7, 6));
    says(&only(&lines), 7, 6, "no certificate let the image start");
}

#[test]
fn altered_text_is_named_first() {
    let mut lines = good();
    let mut changed =
        hashed(7, EventKind::EFI_VARIABLE_DRIVER_CONFIG, &variable_data(EFI_GLOBAL_VARIABLE, "SecureBoot", OFF));
    let last = changed.data.len() - 1;
    changed.data[last] = 1;
    let at = position(&lines, 7, 0);
    lines[at] = changed;
    says(&only(&lines), 7, 0, "the log's text was altered");
}

#[test]
fn pcr11() {
    let base = good();
    // .linux, .osrel, .cmdline, .initrd: name and contents each
    let mut lines = base.clone();
    let at = position(&lines, 11, 5);
    lines[at].digest = Sha256::of(b"another");
    says(&only(&lines), 11, 5, "section .cmdline of the image is not the published one");

    let mut lines = base.clone();
    let at = position(&lines, 11, 4);
    lines[at] = extra(11, ".initrd");
    says(&only(&lines), 11, 4, "section \".initrd\" was measured where .cmdline was expected");

    let mut lines = base.clone();
    lines.push(extra(11, "enter-initrd"));
    says(&only(&lines), 11, 8, "after the image's sections");

    let mut lines = base;
    lines.retain(|line| line.pcr != 11);
    says(&only(&lines), 11, 0, "the log ends before the name of section .linux");
}

#[test]
fn pcr13_and_14() {
    for (pcr, text, cause) in
        [(13, "System extension initrd", "system extension"), (14, "MokList", "shim"), (14, "x", "runtime fuse")]
    {
        let mut lines = good();
        lines.push(extra(pcr, text));
        says(&only(&lines), pcr as u8, 0, cause);
    }
}

/// Logs of other machines differ, and their texts are printable, whatever is flipped in them.
#[test]
fn strangers_logs() {
    for name in ["tpm2-tools-sd-boot-fedora37.bin", "tpm2-tools-moklisttrusted.bin", "go-attestation-sb_cert_eventlog"]
    {
        let Some(bytes) = crate::testing::vector(&format!("eventlog/{name}")) else { return };
        for at in (0..bytes.len()).step_by(499) {
            let mut changed = bytes.clone();
            changed[at] ^= 0x1b;
            let Ok(log) = EventLog::parse(&changed) else { continue };
            let text = explain(&log, &expected(), CMDLINE).iter().map(ToString::to_string).collect::<String>();
            assert!(text.contains("PCR 4 ") && !text.chars().any(|c| c.is_control() && c != '\n'), "{text}");
        }
    }
}

#[test]
fn words() {
    assert_eq!(cmdline::words_changed("a b b c", "b a d b b"), (vec!["d", "b"], vec!["c"]));
    assert_eq!(cmdline::words_changed("a", "a"), (vec![], vec![]));
}
