//! Causes around the kernel's command line, credentials and initramfs: PCR 9 and 12.

use super::{Context, Pair, Words};
use crate::event_log::{printable, Event};
use crate::pcr::Pcr;

/// How systemd-stub names, in PCR 12, what it adds to the initramfs from the EFI system partition.
const ADDED: &[(&str, &str, &str)] = &[
    ("Global credentials initrd", "a credential file was put on the EFI system partition", "loader/credentials/"),
    ("Credentials initrd", "a credential file was put on the EFI system partition", "EFI/BOOT/BOOTX64.EFI.extra.d/"),
    (
        "Global configuration extension initrd",
        "a configuration extension was put on the EFI system partition",
        "loader/extensions/",
    ),
    (
        "Configuration extension initrd",
        "a configuration extension was put on the EFI system partition",
        "EFI/BOOT/BOOTX64.EFI.extra.d/",
    ),
];

impl Context<'_> {
    /// PCR 12: empty in a clean boot.
    pub(super) fn overrides(&self, pair: &Pair<'_>) -> Words {
        let mut causes: Vec<String> = Vec::new();
        let mut advice: Vec<String> = Vec::new();
        for event in pair.all {
            let (cause, what_to_do) = self.one_override(event);
            if !causes.contains(&cause) {
                causes.push(cause);
            }
            if !advice.contains(&what_to_do) {
                advice.push(what_to_do);
            }
        }
        (causes.join("; "), advice.join("; "))
    }

    fn one_override(&self, event: &Event<'_>) -> Words {
        let text = event.text();
        if let Some((_, cause, folder)) = ADDED.iter().find(|(name, ..)| *name == text) {
            return (format!("{cause}: {folder}…"), format!("empty the folder {folder} on that partition"));
        }
        if text.is_empty() {
            return (
                "something from outside the image was handed to the kernel; the log does not say what".into(),
                "remove add-ons, SMBIOS strings and boot options".into(),
            );
        }
        let (added, removed) = words_changed(self.cmdline, &text);
        let whole = removed.len() < self.cmdline.split_whitespace().count();
        let lost = if whole && !removed.is_empty() { format!(" and lost {}", quoted(&removed)) } else { String::new() };
        let added = if added.is_empty() { format!("\"{text}\"") } else { quoted(&added) };
        (
            format!(
                "the kernel command line got {added}{lost} from outside the image (SMBIOS string, add-on or boot options)"
            ),
            "remove the SMBIOS string io.systemd.stub.kernel-cmdline-extra, *.addon.efi files and boot options".into(),
        )
    }

    /// PCR 9: command line, initramfs. The log holds neither, but PCR 12 says what the stub let in.
    pub(super) fn kernel_inputs(&self, pair: &Pair<'_>) -> Words {
        let outside = self.events(Pcr::KERNEL_OVERRIDES);
        let seen_in_12 = |wanted: bool| {
            let is_file = |event: &Event<'_>| ADDED.iter().any(|(name, ..)| *name == event.text());
            let causes: Vec<_> =
                outside.iter().filter(|e| is_file(e) == wanted).map(|e| self.one_override(e).0).collect();
            if causes.is_empty() {
                String::new()
            } else {
                format!(" (PCR 12's log: {})", causes.join("; "))
            }
        };
        let cmdline = printable(self.cmdline);
        match (pair.expected.map(|event| event.what.as_str()), pair.got) {
            (_, None) => (
                "the log ends before the kernel took over its command line and initramfs".into(),
                "use a kernel with an EFI stub of Linux 5.18 or later, and the kernel's copy of the log".into(),
            ),
            (None, Some(_)) => (
                "something was measured after the initramfs: another boot loader or kernel".into(),
                "boot the image itself, without a boot loader in between".into(),
            ),
            (Some("kernel command line"), Some(_)) => (
                format!("the kernel got another command line than \"{cmdline}\"{}", seen_in_12(false)),
                "compare with /proc/cmdline of a test boot; remove what was added from outside the image".into(),
            ),
            (Some(_), Some(_)) => (
                format!("the initramfs handed to the kernel is not the published one{}", seen_in_12(true)),
                "boot the published image; remove credentials and extensions from the EFI system partition".into(),
            ),
        }
    }
}

/// Words of `after` that `before` has fewer of, and the other way round, each in its order.
pub(super) fn words_changed<'a>(before: &'a str, after: &'a str) -> (Vec<&'a str>, Vec<&'a str>) {
    let minus = |from: &'a str, other: &'a str| {
        let mut other: Vec<_> = other.split_whitespace().collect();
        let mut left = Vec::new();
        for word in from.split_whitespace() {
            match other.iter().position(|candidate| *candidate == word) {
                Some(at) => drop(other.swap_remove(at)),
                None => left.push(word),
            }
        }
        left
    };
    (minus(after, before), minus(before, after))
}

fn quoted(words: &[&str]) -> String {
    format!("\"{}\"", words.join(" "))
}
