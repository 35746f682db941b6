//! Reads a policy file: strictly, and with the line of each mistake.

use super::log::LogTable;
use super::{
    FirstSeen, ImagePolicy, MemoryPolicy, OwnProgram, Pin, Policy, Profile, Programs, RebuildPolicy, StatementPolicy,
    POLICY_LIMIT,
};
use crate::case::firmware_pcrs;
use crate::files;
use crate::lines::{self, Lines, Problem};
use crate::verdict::Level;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::str::FromStr;
use toml::{Spanned, Value};
use vitrine_attest::digest::unhex;
use vitrine_attest::vkey::NoteKey;
use vitrine_attest::{Result, Sha256};

const VERSION: i64 = 1;
const LEVELS: &[(&str, Level)] = &[
    ("L1", Level::L1),
    ("L2", Level::L2),
    #[cfg(feature = "cpu-evidence")]
    ("L3", Level::L3),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "version")]
    _version: i64,
    level: Option<Spanned<String>>,
    registers: Option<Spanned<String>>,
    #[serde(default)]
    statement: StatementTable,
    #[serde(default)]
    image: Vec<ImageTable>,
    #[serde(default)]
    evidence: EvidenceTable,
    #[serde(default)]
    tpm: TpmTable,
    #[serde(default)]
    firmware: FirmwareTable,
    #[serde(default)]
    memory: MemoryTable,
    log: Option<Spanned<LogTable>>,
    rebuild: Option<Spanned<RebuildTable>>,
    #[cfg(feature = "cpu-evidence")]
    #[serde(default)]
    cpu: super::cpu::CpuTable,
}

type Keys = Spanned<Vec<Spanned<String>>>;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct StatementTable {
    keys: Option<Keys>,
    threshold: Option<Spanned<i64>>,
    expires_within: Option<Spanned<String>>,
    programs: Option<Spanned<String>>,
    app: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ImageTable {
    name: Spanned<String>,
    min_seq: Option<u64>,
    min_version: Option<Spanned<String>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct EvidenceTable {
    max_age: Option<Spanned<String>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct TpmTable {
    min_firmware: Option<Spanned<String>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct FirmwareTable {
    pcr0: Option<Spanned<Value>>,
    pcr1: Option<Spanned<Value>>,
    pcr2: Option<Spanned<Value>>,
    pcr3: Option<Spanned<Value>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct MemoryTable {
    #[serde(default)]
    required: bool,
    first_seen: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RebuildTable {
    verdicts: Spanned<i64>,
    keys: Keys,
}

/// Reads a file.
///
/// # Errors
/// One, with all mistakes and their lines.
pub fn read(path: &Path) -> Result<Policy> {
    let bytes = files::read(path, POLICY_LIMIT)?;
    parse_in(lines::text(path, &bytes)?, path.parent())
        .map_err(|problems| lines::error(path, problems, "correct the policy; see `vitrine-verify policy example`"))
}

/// # Errors
/// All mistakes; of TOML itself and of unknown fields, the first.
pub fn parse(text: &str) -> std::result::Result<Policy, Vec<Problem>> {
    parse_in(text, None)
}

/// The same; files that it names are looked for in `folder`. Without one no file is read.
fn parse_in(text: &str, folder: Option<&Path>) -> std::result::Result<Policy, Vec<Problem>> {
    let (lines, file) = lines::toml::<File>(text, VERSION)?;
    let mut reader = Reader { lines, problems: vec![] };
    let policy = reader.policy(&file, folder);
    if reader.problems.is_empty() {
        Ok(policy)
    } else {
        Err(reader.problems)
    }
}

pub(super) struct Reader {
    lines: Lines,
    problems: Vec<Problem>,
}

impl Reader {
    fn policy(&mut self, file: &File, folder: Option<&Path>) -> Policy {
        let statement = self.statement(&file.statement);
        Policy {
            rebuild: file.rebuild.as_ref().and_then(|table| self.rebuild(table.get_ref(), &statement.keys)),
            level: self.word(&file.level, "level", LEVELS),
            registers: self.word(&file.registers, "registers", &[("image", Profile::Image)]).unwrap_or_default(),
            statement,
            images: self.images(&file.image),
            max_age: self.value(&file.evidence.max_age, "max_age"),
            min_firmware: self.min_firmware(&file.tpm),
            firmware: self.firmware(&file.firmware),
            memory: MemoryPolicy {
                required: file.memory.required,
                first_seen: self
                    .word(
                        &file.memory.first_seen,
                        "first_seen",
                        &[("accept", FirstSeen::Accept), ("refuse", FirstSeen::Refuse)],
                    )
                    .unwrap_or_default(),
            },
            log: file.log.as_ref().and_then(|table| LogTable::read(table, self, folder)),
            #[cfg(feature = "cpu-evidence")]
            cpu: file.cpu.read(self),
        }
    }

    pub(super) fn wrong<T>(&mut self, at: &Spanned<T>, text: impl Into<String>) {
        self.problems.push(self.lines.problem(at.span(), text));
    }

    /// One of some words.
    fn word<T: Copy>(&mut self, text: &Option<Spanned<String>>, name: &str, words: &[(&str, T)]) -> Option<T> {
        let text = text.as_ref()?;
        let found = words.iter().find(|(word, _)| word == text.get_ref()).map(|(_, value)| *value);
        if found.is_none() {
            let known: Vec<String> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
            self.wrong(text, format!("{name}: \"{}\" is not {}", text.get_ref(), known.join(" or ")));
        }
        found
    }

    /// A text with a form of its own.
    pub(super) fn value<T: FromStr<Err = String>>(&mut self, text: &Option<Spanned<String>>, name: &str) -> Option<T> {
        let text = text.as_ref()?;
        match text.get_ref().parse() {
            Ok(value) => Some(value),
            Err(why) => {
                self.wrong(text, format!("{name}: {why}"));
                None
            }
        }
    }

    fn statement(&mut self, table: &StatementTable) -> StatementPolicy {
        let keys = table.keys.as_ref().map(|list| self.keys(list)).unwrap_or_default();
        StatementPolicy {
            threshold: table.threshold.as_ref().and_then(|number| self.number_of(number, &keys, "threshold")),
            expires_within: self.value(&table.expires_within, "expires_within"),
            programs: self
                .word(&table.programs, "programs", &[("any", Programs::Any), ("locked", Programs::Locked)])
                .unwrap_or_default(),
            app: self
                .word(
                    &table.app,
                    "app",
                    &[("any", OwnProgram::Any), ("audited", OwnProgram::Audited), ("none", OwnProgram::None)],
                )
                .unwrap_or_default(),
            keys,
        }
    }

    fn rebuild(&mut self, table: &RebuildTable, release: &[NoteKey]) -> Option<RebuildPolicy> {
        let keys = self.keys(&table.keys);
        if keys.iter().any(|key| release.iter().any(|other| other.key() == key.key())) {
            self.wrong(&table.keys, "keys: one of them signs releases; who rebuilds has to be somebody else");
        }
        let verdicts = self.number_of(&table.verdicts, &keys, "verdicts")?;
        Some(RebuildPolicy { verdicts, keys })
    }

    /// So many of these keys, of which one counts once.
    fn number_of(&mut self, number: &Spanned<i64>, keys: &[NoteKey], name: &str) -> Option<usize> {
        let different: BTreeSet<&[u8]> = keys.iter().map(|key| key.key().as_bytes()).collect();
        let found = usize::try_from(*number.get_ref()).ok().filter(|n| (1..=different.len()).contains(n));
        if found.is_none() {
            let count = different.len();
            self.wrong(number, format!("{name}: {} of {count} different `keys` cannot be had", number.get_ref()));
        }
        found
    }

    fn keys(&mut self, list: &Keys) -> Vec<NoteKey> {
        if list.get_ref().is_empty() {
            self.wrong(list, "keys: an empty list would refuse every statement; leave it out, or name keys");
        }
        let mut keys = vec![];
        for text in list.get_ref() {
            match text.get_ref().parse() {
                Ok(key) => keys.push(key),
                Err(error) => self.wrong(text, format!("keys: {}", what(error))),
            }
        }
        keys
    }

    fn images(&mut self, tables: &[ImageTable]) -> BTreeMap<String, ImagePolicy> {
        let mut images = BTreeMap::new();
        for ImageTable { name, min_seq, min_version } in tables {
            let image = ImagePolicy { min_seq: *min_seq, min_version: self.value(min_version, "min_version") };
            if name.get_ref().is_empty() {
                self.wrong(name, "name: it is empty");
            }
            if images.insert(name.get_ref().clone(), image).is_some() {
                self.wrong(name, format!("name: \"{}\" is listed twice", name.get_ref()));
            }
        }
        images
    }

    fn min_firmware(&mut self, table: &TpmTable) -> Option<u64> {
        let text = table.min_firmware.as_ref()?;
        let bytes = unhex(text.get_ref()).ok().and_then(|bytes| <[u8; 8]>::try_from(bytes).ok());
        if bytes.is_none() {
            self.wrong(text, "min_firmware: write 16 lower-case hex digits, as check V17 prints them");
        }
        bytes.map(u64::from_be_bytes)
    }

    fn firmware(&mut self, table: &FirmwareTable) -> BTreeMap<vitrine_attest::pcr::Pcr, Pin> {
        let fields = [&table.pcr0, &table.pcr1, &table.pcr2, &table.pcr3];
        let mut pins = BTreeMap::new();
        for (pcr, value) in firmware_pcrs().zip(fields) {
            let Some(value) = value else { continue };
            match pin(value.get_ref()) {
                Ok(pin) => {
                    pins.insert(pcr, pin);
                }
                Err(why) => self.wrong(value, format!("pcr{}: {why}", pcr.index())),
            }
        }
        pins
    }
}

/// Without the hint: it is for the file of a key.
fn what(error: vitrine_attest::Error) -> String {
    error.what
}

fn pin(value: &Value) -> std::result::Result<Pin, String> {
    let form = || String::from("write \"observed\", or a list of values of 64 hex digits");
    match value {
        Value::String(word) if word == "observed" => Ok(Pin::Observed),
        Value::Array(values) if values.is_empty() => Err("an empty list would allow nothing".into()),
        Value::Array(values) => {
            let digest = |value: &Value| value.as_str().ok_or_else(form)?.parse::<Sha256>();
            Ok(Pin::OneOf(values.iter().map(digest).collect::<std::result::Result<_, _>>()?))
        }
        _ => Err(form()),
    }
}
