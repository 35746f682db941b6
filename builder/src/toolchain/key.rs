//! What the programs depend on, as one hash: the name that they are kept under.

use super::crates::Crate;
use super::{Linked, PROGRAMS};
use vitrine_attest::{Result, Sha256};

/// What `rustc` is built for and runs on.
pub const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Profile of the workspace: one code unit, whatever the number of processors.
pub fn profile(linked: Linked) -> &'static str {
    match linked {
        Linked::Static | Linked::Dynamic => "image",
        Linked::StaticFast => "gateway",
    }
}

/// The Makefile's `STATIC`, for the same reasons. Paths need no remapping: the sources always lie in `/vitrine`.
pub fn flags(linked: Linked) -> &'static str {
    match linked {
        Linked::Static | Linked::StaticFast => {
            "-C target-feature=+crt-static --cfg getrandom_backend=\"linux_raw\" -C link-arg=-Wl,-z,pack-relative-relocs"
        }
        Linked::Dynamic => "",
    }
}

/// The whole environment of the compiler, but for its flags.
pub const ENVIRONMENT: [(&str, &str); 11] = [
    ("PATH", "/usr/bin"),
    ("HOME", "/tmp"),
    ("CARGO_HOME", "/tmp/cargo"),
    ("CARGO_INCREMENTAL", "0"),
    ("CARGO_TERM_COLOR", "never"),
    // no alternatives: `cc` is a link that gcc's maintainer script makes
    ("CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER", "gcc"),
    ("CC", "gcc"),
    ("AR", "ar"),
    ("TZ", "UTC"),
    ("LC_ALL", "C"),
    ("SOURCE_DATE_EPOCH", "0"),
];

/// What goes in.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// SHA-256 of the toolchain's lock.
    pub toolchain: Sha256,
    /// [`super::source::Sources::digest`]
    pub source: Sha256,
    pub crates: &'a [Crate],
}

impl Inputs<'_> {
    /// SHA-256 over names, versions and checksums of the crates.
    pub fn crates_digest(&self) -> Sha256 {
        let lines: Vec<String> = self.crates.iter().map(|one| format!("{}  {}\n", one.sha256, one.label())).collect();
        Sha256::of(lines.concat().as_bytes())
    }

    /// # Errors
    /// Never, unless JSON has no text for texts.
    pub fn key(&self) -> Result<Sha256> {
        let how = serde_json::json!({
            "form": "vitrine programs v2",
            "target": TARGET,
            "environment": ENVIRONMENT,
            "programs": PROGRAMS.map(|(name, package, linked)| [name, package, profile(linked), flags(linked)]),
            "toolchain": self.toolchain,
            "source": self.source,
            "crates": self.crates_digest(),
        });
        Ok(Sha256::of(&vitrine_attest::canonical::to_canonical_json(&how)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_input_counts() {
        let one = |sha256| Crate { name: "a".into(), version: "1".into(), sha256 };
        let (first, second) = ([one(Sha256::ZERO)], [one(Sha256::of(b"other"))]);
        let inputs = Inputs { toolchain: Sha256::ZERO, source: Sha256::ZERO, crates: &first };
        let key = |inputs: Inputs| inputs.key().unwrap();
        assert_eq!(key(inputs), key(inputs));
        for changed in [
            Inputs { toolchain: Sha256::of(b"x"), ..inputs },
            Inputs { source: Sha256::of(b"x"), ..inputs },
            Inputs { crates: &second, ..inputs },
            Inputs { crates: &[], ..inputs },
        ] {
            assert_ne!(key(changed), key(inputs), "{changed:?}");
        }
    }
}
