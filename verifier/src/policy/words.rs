//! A policy in words, and as JSON: `vitrine-verify policy show`.

use super::{FirstSeen, ImagePolicy, LogPolicy, OwnProgram, Pin, Policy, Programs};
use serde_json::{json, Value};
use std::fmt::Write as _;

impl Policy {
    /// One demand a line. A policy without demands says so.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut line = |name: &str, value: String| {
            let _ = writeln!(text, "{name:<14} {value}");
        };
        line(
            "Level",
            self.level.map_or("L2, unless --accept-level says L1".into(), |level| format!("{level} or more")),
        );
        line("Registers", format!("{}: PCR 4, 7, 9, 11, 12, 13, 14, 15", self.registers.name()));
        if self.statement.keys.is_empty() {
            line("Release keys", "the one of --key".into());
        }
        for key in &self.statement.keys {
            line("Release key", key.to_string());
        }
        if let Some(least) = self.statement.threshold {
            line("Signers", format!("{least} of these keys"));
        }
        if let Some(span) = self.statement.expires_within {
            line("Statement", format!("has a last day, at most {span} from today"));
        }
        if self.statement.programs == Programs::Locked {
            line("Programs", "compiled with a locked toolchain, not by a host".into());
        }
        match self.statement.app {
            OwnProgram::Any => {}
            OwnProgram::Audited => {
                line("Own program", "none of the operator's, or audited sources that an interpreter runs".into())
            }
            OwnProgram::None => line("Own program", "none of the operator's".into()),
        }
        if self.images.is_empty() {
            line("Images", "any".into());
        }
        for (name, image) in &self.images {
            line("Image", format!("{name}{}", least(image)));
        }
        line("Evidence", self.max_age.map_or("of any age".into(), |span| format!("at most {span} old")));
        let firmware = |version| format!("{version:016x} or later");
        line("TPM firmware", self.min_firmware.map_or("any version".into(), firmware));
        for pcr in crate::case::firmware_pcrs() {
            line(&pcr.to_string(), pinned(self.firmware.get(&pcr)));
        }
        line("Memory", self.memory_words());
        line("Log", self.log.as_ref().map_or("not demanded".into(), LogPolicy::words));
        match &self.rebuild {
            None => line("Rebuilds", "none are asked for".into()),
            Some(rebuild) => {
                let names: Vec<&str> = rebuild.keys.iter().map(|key| key.name()).collect();
                line(
                    "Rebuilds",
                    format!("{} equal ones, signed by different ones of {}", rebuild.verdicts, names.join(", ")),
                );
            }
        }
        #[cfg(feature = "cpu-evidence")]
        line("Processor", self.cpu.words());
        text
    }

    fn memory_words(&self) -> String {
        let required = if self.memory.required { "required" } else { "not required" };
        match self.memory.first_seen {
            FirstSeen::Accept => format!("{required}; servers that are first seen are accepted"),
            FirstSeen::Refuse => format!("{required}; servers that are first seen are refused"),
        }
    }

    /// The same for programs; what is not demanded is null or empty.
    pub fn json(&self) -> Value {
        let image = |(name, image): (&String, &ImagePolicy)| {
            json!({
                "name": name,
                "min_seq": image.min_seq,
                "min_version": image.min_version.as_ref().map(ToString::to_string),
            })
        };
        let pins = self.firmware.iter().map(|(pcr, pin)| {
            let value = match pin {
                Pin::Observed => json!("observed"),
                Pin::OneOf(values) => json!(values),
            };
            (format!("pcr{}", pcr.index()), value)
        });
        #[allow(unused_mut)] // the feature adds to it
        let mut all = json!({
            "version": 1,
            "level": self.level,
            "registers": self.registers.name(),
            "statement": {
                "keys": self.statement.keys.iter().map(ToString::to_string).collect::<Vec<_>>(),
                "threshold": self.statement.threshold,
                "expires_within": self.statement.expires_within.map(|span| span.to_string()),
                "programs": self.statement.programs,
                "app": self.statement.app,
            },
            "image": self.images.iter().map(image).collect::<Vec<_>>(),
            "evidence": { "max_age": self.max_age.map(|span| span.to_string()) },
            "tpm": { "min_firmware": self.min_firmware.map(|version| format!("{version:016x}")) },
            "firmware": pins.collect::<serde_json::Map<_, _>>(),
            "rebuild": self.rebuild.as_ref().map(|rebuild| json!({
                "verdicts": rebuild.verdicts,
                "keys": rebuild.keys.iter().map(ToString::to_string).collect::<Vec<_>>(),
            })),
            "memory": { "required": self.memory.required, "first_seen": self.memory.first_seen },
            "log": self.log.as_ref().map(LogPolicy::json),
        });
        #[cfg(feature = "cpu-evidence")]
        {
            all["cpu"] = self.cpu.json();
        }
        all
    }
}

fn least(image: &ImagePolicy) -> String {
    let mut words = String::new();
    if let Some(seq) = image.min_seq {
        let _ = write!(words, ", sequence number {seq} or later");
    }
    if let Some(version) = &image.min_version {
        let _ = write!(words, ", version {version} or later");
    }
    words
}

fn pinned(pin: Option<&Pin>) -> String {
    match pin {
        None | Some(Pin::Observed) => "observed".into(),
        Some(Pin::OneOf(values)) => values.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or "),
    }
}
