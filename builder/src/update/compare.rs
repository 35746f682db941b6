//! Two builds side by side: sizes by stage and layer, and what the screen says of one and not of the other.

use crate::inspect::{inspect, Inspection};
use crate::out;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use vitrine_attest::{Error, Result};

/// Bytes of `4-screen.json`; a whole userland's has 2 MB.
const SCREEN_LIMIT: u64 = 64 << 20;

/// What is different in the new image. JSON sample:
/// ```json
/// {"sizes":[{"name":"layer kernel-modules","old":4000,"new":4100}],
///  "appeared":["log.import /usr/lib/x.so: imports syslog, waived"],"gone":[]}
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// Why there is none: the old image could not be built.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub impossible: Option<String>,
    /// Stages' files, then sections, then layers; of the last, bytes as packed.
    pub sizes: Vec<Size>,
    /// What the screen found or masked in the new image only.
    pub appeared: Vec<String>,
    /// In the old image only.
    pub gone: Vec<String>,
}

/// In bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Size {
    pub name: String,
    pub old: u64,
    pub new: u64,
}

impl Comparison {
    /// Compares two output folders.
    ///
    /// # Errors
    /// When one is not a whole build.
    pub fn of(old: &Path, new: &Path) -> Result<Self> {
        let sizes = pair(&sizes(&inspect(old)?), &sizes(&inspect(new)?));
        let (before, after) = (screen(old)?, screen(new)?);
        let appeared = after.difference(&before).cloned().collect();
        let gone = before.difference(&after).cloned().collect();
        Ok(Self { impossible: None, sizes, appeared, gone })
    }

    /// The new image could be built, the old one not.
    pub fn without(why: &str) -> Self {
        Self { impossible: Some(why.into()), sizes: vec![], appeared: vec![], gone: vec![] }
    }
}

fn sizes(seen: &Inspection) -> Vec<(String, u64)> {
    let files = seen.files.iter().map(|file| (file.name.clone(), file.size));
    let sections = seen.image.sections.iter().map(|s| (format!("section {}", s.name), s.size as u64));
    let layers = seen.image.layers.iter().map(|l| (format!("layer {}", l.name), l.packed as u64));
    files.chain(sections).chain(layers).collect()
}

/// Those of the old build in their order, then what only the new one has.
fn pair(old: &[(String, u64)], new: &[(String, u64)]) -> Vec<Size> {
    let of = |list: &[(String, u64)], name: &str| list.iter().find(|(n, _)| n == name).map_or(0, |(_, size)| *size);
    let more = new.iter().filter(|(name, _)| old.iter().all(|(n, _)| n != name));
    let size = |(name, _): &(String, u64)| Size { name: name.clone(), old: of(old, name), new: of(new, name) };
    old.iter().chain(more).map(size).collect()
}

/// Findings and masked files, a line each. Hashes are left out: they change with every version.
fn screen(dir: &Path) -> Result<BTreeSet<String>> {
    let path = dir.join(out::SCREEN);
    let wrong = |why: String| Error::input(format!("{}: {why}", path.display()), "build it again");
    let json: Value = serde_json::from_slice(&out::read(&path, SCREEN_LIMIT)?).map_err(|e| wrong(e.to_string()))?;
    let lines = |key: &str, line: &dyn Fn(&Value) -> String| -> Vec<String> {
        json[key].as_array().into_iter().flatten().map(line).collect()
    };
    let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_string();
    let mut all = lines("findings", &|v| {
        let waived = if v["waived"].is_string() { ", waived" } else { "" };
        format!("{} {}: {}{waived}", text(v, "rule"), text(v, "path"), text(v, "what"))
    });
    all.extend(lines("masked", &|v| format!("{} {}: {}", text(v, "rule"), text(v, "path"), text(v, "action"))));
    Ok(all.into_iter().collect())
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(why) = &self.impossible {
            return writeln!(
                f,
                "the new image can be built; the old one cannot, so there is nothing to compare: {why}"
            );
        }
        writeln!(f, "sizes in bytes:")?;
        let width = self.sizes.iter().map(|s| s.name.chars().count()).max().unwrap_or(0);
        for size in self.sizes.iter().filter(|size| size.old != size.new) {
            let more = i128::from(size.new) - i128::from(size.old);
            writeln!(f, "  {:width$}  {} → {} ({more:+})", size.name, size.old, size.new)?;
        }
        if self.appeared.is_empty() && self.gone.is_empty() {
            return writeln!(f, "the screen says the same of both");
        }
        writeln!(f, "the screen:")?;
        self.appeared.iter().try_for_each(|line| writeln!(f, "  new   {line}"))?;
        self.gone.iter().try_for_each(|line| writeln!(f, "  gone  {line}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_side_by_side() {
        let list = |items: &[(&str, u64)]| items.iter().map(|(n, s)| (n.to_string(), *s)).collect::<Vec<_>>();
        let sizes = pair(&list(&[("a", 1), ("b", 2)]), &list(&[("b", 5), ("c", 3)]));
        let expected = [("a", 1, 0), ("b", 2, 5), ("c", 0, 3)];
        assert_eq!(sizes, expected.map(|(name, old, new)| Size { name: name.into(), old, new }));
        let text = Comparison { impossible: None, sizes, appeared: vec![], gone: vec![] }.to_string();
        assert!(text.contains("b  2 → 5 (+3)") && text.contains("a  1 → 0 (-1)") && text.contains("says the same"));
    }

    #[test]
    fn the_screen_of_two_builds() {
        let read = |json: &str| {
            let dir = tempfile::tempdir().unwrap();
            std::fs::write(dir.path().join(out::SCREEN), json).unwrap();
            screen(dir.path())
        };
        let lines = read(
            r#"{"findings":[{"rule":"r","path":"/p","what":"w","sha256":"1","waived":"x"}],
                "masked":[{"rule":"m","path":"/q","action":"removed"}]}"#,
        );
        assert_eq!(lines.unwrap().into_iter().collect::<Vec<_>>(), ["m /q: removed", "r /p: w, waived"]);
        assert_eq!(read("x").unwrap_err().exit_code(), 2);
    }
}
