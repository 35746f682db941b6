//! The difference between two locks, by package.

use crate::archive::Version;
use crate::lock::{Lock, LockedPackage};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The archive that security updates come from, see [`crate::recipe::ExtraSuite`].
const SECURITY: &str = "debian-security";

/// What a newer lock brings. JSON sample:
/// ```json
/// {"releases":[{"suite":"trixie","old":"Sat, 12 Sep 2026 …","new":"Sat, 14 Nov 2026 …"}],
///  "packages":[{"name":"libc6","kind":"newer","old":"2.41-12","new":"2.41-12+deb13u1","security":true}],
///  "security_suite":true}
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Changes {
    pub releases: Vec<Release>,
    /// By name.
    pub packages: Vec<Change>,
    /// Whether the recipe reads a security suite. If not, nothing is known about what an update mends.
    pub security_suite: bool,
}

/// The date of a suite's release file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Release {
    pub suite: String,
    pub old: Option<String>,
    pub new: String,
}

/// One package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    pub name: String,
    pub kind: Kind,
    pub old: Option<String>,
    pub new: Option<String>,
    /// The new version stands in the security suite.
    pub security: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Added,
    Removed,
    Newer,
    /// A lower version than before.
    Older,
    /// The same version with other bytes, or under another path.
    Rebuilt,
}

impl Changes {
    pub fn between(old: &Lock, new: &Lock) -> Self {
        let before: BTreeMap<_, _> = old.packages.iter().map(|p| (p.name.as_str(), p)).collect();
        let after: BTreeMap<_, _> = new.packages.iter().map(|p| (p.name.as_str(), p)).collect();
        let names: BTreeSet<_> = before.keys().chain(after.keys()).copied().collect();
        let change = |name: &str| Change::of(name, before.get(name).copied(), after.get(name).copied());
        let packages = names.into_iter().filter_map(change).collect();
        let security_suite = new.releases.iter().any(|release| release.archive == SECURITY);
        Self { releases: releases(old, new), packages, security_suite }
    }

    /// No package changes. A newer release file alone is no reason for a new image.
    pub fn none(&self) -> bool {
        self.packages.is_empty()
    }
}

fn releases(old: &Lock, new: &Lock) -> Vec<Release> {
    let changed = new.releases.iter().filter_map(|release| {
        let before = old.releases.iter().find(|r| (&r.archive, &r.suite) == (&release.archive, &release.suite));
        let old = before.map(|before| before.date.clone());
        let changed = old.as_ref() != Some(&release.date);
        changed.then(|| Release { suite: release.suite.clone(), old, new: release.date.clone() })
    });
    changed.collect()
}

impl Change {
    /// Nothing when the package stays as it is.
    fn of(name: &str, old: Option<&LockedPackage>, new: Option<&LockedPackage>) -> Option<Self> {
        let kind = match (old, new) {
            (None, Some(_)) => Kind::Added,
            (Some(_), None) => Kind::Removed,
            (Some(old), Some(new)) if old != new => by_version(&old.version, &new.version),
            _ => return None,
        };
        Some(Self {
            name: name.into(),
            kind,
            old: old.map(|p| p.version.clone()),
            new: new.map(|p| p.version.clone()),
            security: new.is_some_and(|p| p.archive == SECURITY),
        })
    }
}

fn by_version(old: &str, new: &str) -> Kind {
    match (Version::parse(old), Version::parse(new)) {
        (Some(old), Some(new)) if new < old => Kind::Older,
        _ if old == new => Kind::Rebuilt,
        _ => Kind::Newer,
    }
}

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.none() {
            return Ok(());
        }
        for release in &self.releases {
            let old = release.old.as_deref().unwrap_or("not read before");
            writeln!(f, "  {}: {old} → {}", release.suite, release.new)?;
        }
        let width = self.packages.iter().map(|p| p.name.chars().count()).max().unwrap_or(0);
        self.packages.iter().try_for_each(|change| writeln!(f, "  {:width$}  {change}", change.name))?;
        match (self.security_suite, self.packages.iter().filter(|p| p.security).count()) {
            (true, count) => {
                writeln!(f, "{} changed, {count} of them from a security suite", packages(self.packages.len()))
            }
            (false, _) => writeln!(
                f,
                "{} changed; the recipe reads no security suite, so which of them mend holes is not known here",
                packages(self.packages.len())
            ),
        }
    }
}

fn packages(count: usize) -> String {
    match count {
        1 => "1 package".into(),
        _ => format!("{count} packages"),
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (old, new) = (self.old.as_deref().unwrap_or(""), self.new.as_deref().unwrap_or(""));
        match self.kind {
            Kind::Added => write!(f, "added {new}")?,
            Kind::Removed => write!(f, "removed, was {old}")?,
            Kind::Newer => write!(f, "{old} → {new}")?,
            Kind::Older => write!(f, "{old} → {new}, which is OLDER")?,
            Kind::Rebuilt => write!(f, "{new} with OTHER BYTES than before")?,
        }
        match self.security {
            true => write!(f, "  (security)"),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lock::tests::sample;
    use vitrine_attest::Sha256;

    fn package(name: &str, version: &str, archive: &str) -> LockedPackage {
        let (archive, sha256) = (archive.into(), Sha256::of(version.as_bytes()));
        LockedPackage { name: name.into(), version: version.into(), archive, sha256, ..sample().packages[0].clone() }
    }

    fn lock(packages: Vec<LockedPackage>) -> Lock {
        Lock { packages, ..sample() }
    }

    #[test]
    fn nothing() {
        let mut later = sample();
        later.releases[0].date = "Sun, 13 Sep 2026 07:55:41 UTC".into();
        let changes = Changes::between(&sample(), &later);
        assert!(changes.none() && changes.releases.len() == 1 && changes.to_string().is_empty());
    }

    #[test]
    fn every_kind() {
        let mut rebuilt = package("e", "1", "debian");
        rebuilt.sha256 = Sha256::ZERO;
        let old = ["a", "b", "c", "e", "f"].map(|name| package(name, "1", "debian")).to_vec();
        let new = vec![
            package("a", "1+deb13u1", "debian-security"),
            package("b", "1~rc1", "debian"),
            package("d", "2", "debian"),
            rebuilt,
            package("f", "1", "debian"),
        ];
        let changes = Changes::between(&lock(old), &lock(new));
        let kinds: Vec<_> = changes.packages.iter().map(|c| (c.name.as_str(), c.kind, c.security)).collect();
        assert_eq!(
            kinds,
            [
                ("a", Kind::Newer, true),
                ("b", Kind::Older, false),
                ("c", Kind::Removed, false),
                ("d", Kind::Added, false),
                ("e", Kind::Rebuilt, false),
            ]
        );
        let text = changes.to_string();
        for line in
            ["  a  1 → 1+deb13u1  (security)", "  b  1 → 1~rc1, which is OLDER", "  c  removed, was 1", "  d  added 2"]
        {
            assert!(text.contains(line), "no {line:?} in {text}");
        }
        assert!(
            text.contains("OTHER BYTES") && text.contains("5 packages changed; the recipe reads no security suite")
        );
    }

    #[test]
    fn a_recipe_with_a_security_suite() {
        let mut new = lock(vec![package("a", "2", "debian-security")]);
        let security = crate::lock::LockedRelease { archive: SECURITY.into(), ..new.releases[0].clone() };
        new.releases.push(security);
        let text = Changes::between(&lock(vec![package("a", "1", "debian")]), &new).to_string();
        assert!(text.contains("1 package changed, 1 of them from a security suite"), "{text}");
        assert!(text.contains("trixie: not read before →"), "{text}");
    }
}
