//! Likely causes by register.

use super::{Pair, Words};
use crate::event_log::{printable, Event, EventKind};

const REBUILD: &str = "boot the published image file, and compare its fingerprint with the release";

fn words(cause: impl Into<String>, advice: impl Into<String>) -> Words {
    (cause.into(), advice.into())
}

/// PCR 4: `CALL, SEPARATOR, image [, kernel]`.
pub(super) fn boot_loader(pair: &Pair<'_>) -> Words {
    let program = |event: &Event<'_>| event.kind == EventKind::EFI_BOOT_SERVICES_APPLICATION;
    let only_one = "make the image's disk the first and only boot entry, and switch network boot off";
    let Some(got) = pair.got else {
        return words("the log ends before the image was started", "read the log on the machine that runs the image");
    };
    let returned = |event: &&Event<'_>| event.text().starts_with("Returning from EFI Application");
    if pair.all.iter().any(returned) {
        return words("another boot entry was tried before the image, and failed or was left", only_one);
    }
    match pair.expected.map(|event| event.what.as_str()) {
        Some(what) if what.contains("calls a boot option") && program(got) => words(
            "a program was started before any boot option was called: the image was loaded directly, not from a disk",
            "boot from an EFI system partition; with QEMU, a disk instead of -kernel",
        ),
        Some(what) if what.contains("of the image") && program(got) => {
            words("another program than this image was started", REBUILD)
        }
        Some(what) if what.contains("of the kernel") => words("another kernel was started inside the image", REBUILD),
        None if program(got) => words(
            "a further program was loaded after the image: Secure Boot is off, a signed add-on lies beside the image, or \
             another boot loader is in between",
            "switch Secure Boot on, remove *.addon.efi files, and boot the image itself without a boot loader",
        ),
        _ => words("the firmware took other steps before it started the image", only_one),
    }
}

/// PCR 7: five variables, separator, authority.
pub(super) fn secure_boot(pair: &Pair<'_>) -> Words {
    let enrol = "enrol exactly the published keys (secure-boot.json), and nothing else";
    let Some(got) = pair.got else {
        return words(
            "no certificate let the image start: Secure Boot did not check it",
            "switch Secure Boot on with the published keys enrolled",
        );
    };
    let expects_separator = pair.expected.is_some_and(|event| event.what == "separator");
    match got.variable() {
        _ if got.kind == EventKind::EFI_VARIABLE_AUTHORITY && expects_separator => words(
            "a signed driver was started before the image, such as a network card's option ROM",
            "remove the card, or switch its option ROM off",
        ),
        _ if got.kind == EventKind::EFI_VARIABLE_AUTHORITY && pair.expected.is_none() => words(
            "programs signed with several certificates were started",
            "boot only the image; add no drivers and no boot loader",
        ),
        _ if got.kind == EventKind::EFI_VARIABLE_AUTHORITY => {
            words("the image was let in by another certificate than the published one", enrol)
        }
        Some((name, data)) if name == "SecureBoot" && data != [1] => {
            words("Secure Boot is off", "switch Secure Boot on in the firmware, with the published keys enrolled")
        }
        Some((name, data)) => {
            let length = data.len();
            let name = printable(&name);
            words(format!("other keys are enrolled in the Secure Boot variable {name} ({length} bytes)"), enrol)
        }
        None => words("the firmware measured its Secure Boot state in another way", enrol),
    }
}

/// PCR 11: name and contents of each section; the stub writes the section's name as the event's text.
pub(super) fn sections(pair: &Pair<'_>) -> Words {
    match (pair.expected, pair.got) {
        (Some(expected), Some(got)) => {
            let (what, text) = (&expected.what, got.text());
            if what.ends_with(&format!("section {text}")) && what.starts_with("contents") {
                words(format!("section {text} of the image is not the published one"), REBUILD)
            } else {
                let section = what.rsplit(' ').next().unwrap_or(what);
                words(
                    format!("section \"{text}\" was measured where {section} was expected: another image or stub"),
                    REBUILD,
                )
            }
        }
        (Some(expected), None) => {
            words(format!("the log ends before the {}: another image, or none with a stub", expected.what), REBUILD)
        }
        (None, _) => words(
            "something was measured after the image's sections: another stub, or programs that record boot phases",
            REBUILD,
        ),
    }
}

/// PCR 13: nothing.
pub(super) fn extensions(_: &Pair<'_>) -> Words {
    words(
        "a system extension was put beside the image on the EFI system partition",
        "remove every *.raw file from the folders named *.extra.d and loader/extensions on that partition",
    )
}

/// PCR 14: nothing from the firmware; the image's watcher extends it without an entry in this log.
pub(super) fn fuse(pair: &Pair<'_>) -> Words {
    match pair.got.map(|got| got.text()).filter(|text| text.starts_with("Mok")) {
        Some(_) => words("the shim boot loader was started before the image", "boot the image itself, without shim"),
        None => words(
            "another program used the register of the runtime fuse",
            "boot the image itself, and nothing before it",
        ),
    }
}
