//! What the server's own watch can find while it runs, and how the evidence tells it.
//!
//! PID 1 looks at the running system again and again (`docs/watch.md`). At the first thing that must not be, it takes
//! the tunnel down and extends PCR 14, which nothing but a reboot sets back to zero. The event stands in the runtime log
//! as number [`SEQ`]: the rule's id, and nothing about what was found.
//!
//! ```json
//! {"seq":3,"pcr":14,"digest":"<64 hex>","body":"<base64 of L(\"vitrine pcr14 v1\") ‖ L(\"watch\") ‖ L(\"watch.mounts\")>"}
//! ```

use crate::boot::RuntimeEvent;
use crate::lengths::prefixed;
use crate::pcr::Pcr;
use crate::Sha256;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Separates these digests from every other use of SHA-256.
const DOMAIN: &[u8] = b"vitrine pcr14 v1";
const KIND: &[u8] = b"watch";
/// Number of the event: the three of PCR 15 come before it. There is one at most, as the first violation ends the
/// tunnel and the watch.
pub const SEQ: u32 = 3;
/// Bytes of a rule's id.
const LONGEST_ID: usize = 32;

macro_rules! rules {
    ($($(#[$doc:meta])* $rule:ident, $id:literal, $found:literal;)*) => {
        /// The rules, in the order in which a look applies them. Their ids are stable; documents and verifiers use this list.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Rule { $($(#[$doc])* #[serde(rename = $id)] $rule,)* }

        impl Rule {
            pub const ALL: &'static [Self] = &[$(Self::$rule),*];

            /// As it stands in the evidence.
            pub fn id(self) -> &'static str {
                match self { $(Self::$rule => $id),* }
            }

            /// What was found, in words that go on after "found".
            pub fn found(self) -> &'static str {
                match self { $(Self::$rule => $found),* }
            }
        }
    };
}

rules! {
    /// The mount table is not the one that PID 1 made.
    Mounts, "watch.mounts", "a file system that was mounted, unmounted or made writable";
    Disks, "watch.disks", "a block device, such as a disk, or a driver for one";
    Swap, "watch.swap", "memory that can be swapped out to a device";
    Files, "watch.files", "a file where no program of the image writes any";
    Deleted, "watch.deleted", "an open file without a name, such as a deleted one or a memory file";
    Processes, "watch.processes", "a process that is not one of the image's programs, or not as PID 1 started it";
    Sockets, "watch.sockets", "a socket that can record packets or events of the kernel";
    Interfaces, "watch.interfaces", "a network interface that is not the server's own, or one that is tapped";
    Modules, "watch.modules", "a kernel module that is not part of the image";
    Settings, "watch.settings", "a kernel setting that is not as the image set it";
    Firewall, "watch.firewall", "packet filter rules that are not those of the image";
    Tracing, "watch.tracing", "tracing or debugging of the kernel or of a program";
    Kernel, "watch.kernel", "a kernel that foreign or forced code has entered";
    /// A watch that cannot look has to say so.
    Blind, "watch.blind", "that it could no longer look at a part of the system";
}

impl Rule {
    /// The event for the runtime log; PCR 14 is extended with its digest.
    pub fn event(self) -> RuntimeEvent {
        let body = prefixed(&[DOMAIN, KIND, self.id().as_bytes()]);
        RuntimeEvent { seq: SEQ, pcr: Pcr::FUSE.index(), digest: Sha256::of(&body), body }
    }
}

/// What an event of PCR 14 says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Violation {
    Known(Rule),
    /// A rule of an image newer than this program: lower-case letters, digits, dots and dashes.
    Unknown(String),
}

impl Violation {
    /// Reads an event of a runtime log. None when it is not one of the watch, in form, place or digest.
    pub fn of(event: &RuntimeEvent) -> Option<Self> {
        let right = (event.seq, event.pcr) == (SEQ, Pcr::FUSE.index()) && event.digest == Sha256::of(&event.body);
        let id = event.body.strip_prefix(prefixed(&[DOMAIN, KIND]).as_slice()).filter(|_| right)?;
        let (length, id) = id.split_first_chunk::<2>()?;
        let good = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || b".-".contains(&c);
        let whole = usize::from(u16::from_be_bytes(*length)) == id.len() && (1..=LONGEST_ID).contains(&id.len());
        let id = std::str::from_utf8(id).ok().filter(|id| whole && id.bytes().all(good))?;
        let known = Rule::ALL.iter().find(|rule| rule.id() == id);
        Some(known.map_or_else(|| Self::Unknown(id.into()), |rule| Self::Known(*rule)))
    }

    /// The first one of a runtime log.
    pub fn first(log: &[RuntimeEvent]) -> Option<Self> {
        log.iter().find_map(Self::of)
    }
}

impl fmt::Display for Violation {
    /// `the server's own watch found a block device, such as a disk, or a driver for one (rule watch.disks)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(rule) => write!(f, "the server's own watch found {} (rule {})", rule.found(), rule.id()),
            Self::Unknown(id) => {
                write!(f, "the server's own watch found something that this program does not know (rule {id})")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_of_one_form_and_unique() {
        let mut ids: Vec<_> = Rule::ALL.iter().map(|rule| rule.id()).collect();
        assert!(ids.iter().all(|id| id.starts_with("watch.") && id.len() <= LONGEST_ID));
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), Rule::ALL.len());
        for rule in Rule::ALL {
            assert_eq!(serde_json::to_string(rule).unwrap(), format!("\"{}\"", rule.id()));
            assert_eq!(serde_json::from_str::<Rule>(&format!("\"{}\"", rule.id())).unwrap(), *rule);
        }
    }

    #[test]
    fn events_are_read_back() {
        for rule in Rule::ALL {
            assert_eq!(Violation::of(&rule.event()), Some(Violation::Known(*rule)));
        }
        let mut newer = Rule::Mounts.event();
        newer.body = prefixed(&[DOMAIN, KIND, b"watch.moons"]);
        newer.digest = Sha256::of(&newer.body);
        assert_eq!(Violation::of(&newer), Some(Violation::Unknown("watch.moons".into())));
        assert!(Violation::of(&newer).unwrap().to_string().ends_with("(rule watch.moons)"));
    }

    #[test]
    fn other_events_are_not_the_watchs() {
        let good = Rule::Mounts.event();
        let with_id = |id: &[u8]| {
            let body = prefixed(&[DOMAIN, KIND, id]);
            RuntimeEvent { digest: Sha256::of(&body), body, ..good.clone() }
        };
        let longer = [good.body.as_slice(), b"x"].concat();
        for bad in [
            RuntimeEvent { seq: 2, ..good.clone() },
            RuntimeEvent { pcr: 15, ..good.clone() },
            RuntimeEvent { digest: Sha256::ZERO, ..good.clone() },
            RuntimeEvent { digest: Sha256::of(&longer), body: longer, ..good.clone() },
            RuntimeEvent { digest: Sha256::of(b""), body: vec![], ..good.clone() },
            with_id(b""),
            with_id(b"Watch.mounts"),
            with_id(b"watch\n"),
            with_id(&[b'a'; LONGEST_ID + 1]),
            with_id(&[0xff]),
        ] {
            assert_eq!(Violation::of(&bad), None, "{bad:?}");
        }
    }

    /// If you meant to change the format: give [`DOMAIN`] a new version and update this value.
    #[test]
    fn pinned_value() {
        assert_eq!(
            Rule::Mounts.event().digest.to_string(),
            "d740e65def9303f0f3ee9e80648fe04859b2ca0c896c986368d9cde95fe8aec1"
        );
    }

    /// The table that people read is this list.
    #[test]
    fn documented() {
        let page = include_str!("../../docs/watch.md");
        for rule in Rule::ALL {
            let row = format!("| `{}` | {} |", rule.id(), rule.found());
            assert!(page.contains(&row), "docs/watch.md has no row\n{row}");
        }
        assert_eq!(page.matches("| `watch.").count(), Rule::ALL.len());
    }
}
