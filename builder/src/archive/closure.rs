//! Which packages are needed: the named ones and what they depend on.
//!
//! Followed are `Pre-Depends` and `Depends`. `Recommends` are not, and `Conflicts` and `Breaks` do not matter:
//! packages are data here, nothing is installed. Rules, in this order:
//! 1. of several versions of one name, the highest is the candidate (the first suite's when equal);
//! 2. a group of alternatives is met when a chosen package meets one of them;
//! 3. else it is skipped when the recipe's `without` names one of them;
//! 4. else the first alternative that can be met is chosen: by the package of that name, or by the first provider
//!    in alphabetical order. A version is only provided by `Provides: name (= version)`.

use super::packages::{parse_relations, Atom, Package};
use super::version::{Relation, Version};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use vitrine_attest::{Error, Result};

/// Packages in one closure. A whole desktop has two thousand.
const COUNT_LIMIT: usize = 20_000;

/// What the suites offer together. `T` says where a package is from.
pub struct Universe<'a, T> {
    candidates: BTreeMap<&'a str, (T, Package<'a>)>,
    providers: HashMap<&'a str, Vec<(&'a str, Option<Version<'a>>)>>,
}

/// The chosen packages by name, and the `without` entries that nothing asked for.
pub struct Closure<'u, 'a, T> {
    pub chosen: BTreeMap<&'a str, &'u (T, Package<'a>)>,
    pub unused: Vec<String>,
}

impl<'a, T: Copy> Universe<'a, T> {
    /// Packages of each suite, first suite first. Those for other architectures are left out.
    pub fn new(suites: Vec<(T, Vec<Package<'a>>)>, architecture: &str) -> Result<Self> {
        let mut candidates: BTreeMap<&str, (T, Package)> = BTreeMap::new();
        for (from, packages) in suites {
            for package in packages {
                let fits = package.architecture == architecture || package.architecture == "all";
                let better = candidates.get(package.name).is_none_or(|(_, old)| package.version > old.version);
                if fits && better {
                    candidates.insert(package.name, (from, package));
                }
            }
        }
        let mut providers: HashMap<&str, Vec<_>> = HashMap::new();
        for (name, (_, package)) in &candidates {
            for provided in provides(package)? {
                let version = provided.wanted.filter(|(r, _)| *r == Relation::Equal).map(|(_, version)| version);
                providers.entry(provided.name).or_default().push((*name, version));
            }
        }
        Ok(Self { candidates, providers })
    }

    /// The closure of `roots`, leaving out what only `without` would bring.
    ///
    /// # Errors
    /// [`vitrine_attest::Blame::Input`] for a named package that does not exist (with names that come near), or a
    /// dependency that nothing meets.
    pub fn close(&self, roots: &[String], without: &BTreeMap<String, String>) -> Result<Closure<'_, 'a, T>> {
        let mut search =
            Search { universe: self, without, chosen: BTreeMap::new(), queue: VecDeque::new(), used: BTreeSet::new() };
        for root in roots {
            let (name, _) = self.candidates.get_key_value(root.as_str()).ok_or_else(|| self.missing(root))?;
            search.choose(name);
        }
        while let Some(package) = search.queue.pop_front() {
            for text in package.depends {
                for group in parse_relations(package.name, text)? {
                    search.meet(package, &group)?;
                }
            }
        }
        let unused = without.keys().filter(|name| !search.used.contains(name.as_str())).cloned().collect();
        Ok(Closure { chosen: search.chosen, unused })
    }

    /// The candidate that meets an alternative, if any.
    fn candidate(&self, atom: &Atom<'_>) -> Option<&'a str> {
        if let Some((name, (_, package))) = self.candidates.get_key_value(atom.name) {
            if atom.accepts(package.version) {
                return Some(name);
            }
        }
        // candidates are walked by name, so the list is in alphabetical order
        let providers = self.providers.get(atom.name)?;
        providers.iter().find(|(_, version)| provided_meets(atom, *version)).map(|(name, _)| *name)
    }

    fn missing(&self, name: &str) -> Error {
        let mut near: Vec<(usize, &str)> =
            self.candidates.keys().map(|other| (distance(name, other), *other)).filter(|(d, _)| *d <= 4).collect();
        near.sort();
        let mut names: Vec<&str> = near.into_iter().map(|(_, other)| other).take(5).collect();
        if let Some(providers) = self.providers.get(name) {
            names.extend(providers.iter().map(|(provider, _)| *provider).take(5));
        }
        let hint = match names.is_empty() {
            true => "check the name, the suite and the components in the recipe".to_string(),
            false => format!("close to it: {}", names.join(", ")),
        };
        Error::input(format!("there is no package {name}"), hint)
    }
}

struct Search<'u, 'a, 'w, T> {
    universe: &'u Universe<'a, T>,
    without: &'w BTreeMap<String, String>,
    chosen: BTreeMap<&'a str, &'u (T, Package<'a>)>,
    queue: VecDeque<&'u Package<'a>>,
    used: BTreeSet<&'w str>,
}

impl<'u, 'a, T: Copy> Search<'u, 'a, '_, T> {
    fn choose(&mut self, name: &str) {
        if self.chosen.contains_key(name) {
            return;
        }
        if let Some((name, entry)) = self.universe.candidates.get_key_value(name) {
            self.chosen.insert(name, entry);
            self.queue.push_back(&entry.1);
        }
    }

    fn meet(&mut self, package: &Package<'a>, group: &[Atom<'a>]) -> Result<()> {
        let skipped: Vec<&str> = group
            .iter()
            .filter_map(|atom| self.without.get_key_value(atom.name))
            .map(|(name, _)| name.as_str())
            .collect();
        self.used.extend(&skipped);
        if group.iter().any(|atom| self.is_met(atom)) || !skipped.is_empty() {
            return Ok(());
        }
        let Some(name) = group.iter().find_map(|atom| self.universe.candidate(atom)) else {
            let wanted: Vec<&str> = group.iter().map(|atom| atom.name).collect();
            return Err(Error::input(
                format!("package {} depends on {}, which the archive does not have", package.name, wanted.join(" | ")),
                "add the suite that has it to debian.extra, or leave it out with debian.without",
            ));
        };
        if self.chosen.len() >= COUNT_LIMIT {
            return Err(Error::input("the packages bring in more than twenty thousand others", "name fewer packages"));
        }
        self.choose(name);
        Ok(())
    }

    /// Whether a chosen package meets an alternative, by name or by what it provides.
    fn is_met(&self, atom: &Atom<'_>) -> bool {
        let by_name = self.chosen.get(atom.name).is_some_and(|(_, package)| atom.accepts(package.version));
        by_name || {
            let providers = self.universe.providers.get(atom.name).into_iter().flatten();
            providers
                .into_iter()
                .any(|(name, version)| self.chosen.contains_key(name) && provided_meets(atom, *version))
        }
    }
}

fn provides<'a>(package: &Package<'a>) -> Result<Vec<Atom<'a>>> {
    let groups = parse_relations(package.name, package.provides)?;
    Ok(groups.into_iter().flatten().filter(|atom| atom.name != package.name).collect())
}

/// A virtual package without a version meets only a dependency without one (Debian Policy §7.5).
fn provided_meets(atom: &Atom<'_>, version: Option<Version<'_>>) -> bool {
    atom.wanted.is_none() || version.is_some_and(|version| atom.accepts(version))
}

/// How far apart two names are: Levenshtein's distance, but a name that goes on counts as near.
fn distance(a: &str, b: &str) -> usize {
    if a.len() >= 4 && (b.starts_with(a) || a.starts_with(b) && b.len() >= 4) {
        return 1 + a.len().abs_diff(b.len()).min(3);
    }
    if a.len().abs_diff(b.len()) > 3 || a.len() > 64 {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let next = (diagonal + usize::from(x != y)).min(row[j] + 1).min(row[j + 1] + 1);
            diagonal = std::mem::replace(&mut row[j + 1], next);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::super::packages::parse_packages;
    use super::*;

    /// `name version [depends] [provides]` a line.
    fn index(lines: &[(&str, &str, &str, &str)]) -> String {
        let sha = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let paragraph = |(name, version, depends, provides): &(&str, &str, &str, &str)| {
            format!(
                "Package: {name}\nVersion: {version}\nArchitecture: amd64\nDepends: {depends}\nProvides: {provides}\n\
                 Filename: pool/{name}.deb\nSize: 3\nSHA256: {sha}\n\n"
            )
        };
        lines.iter().map(paragraph).collect()
    }

    fn close(lines: &[(&str, &str, &str, &str)], roots: &[&str], without: &[&str]) -> Result<Vec<String>> {
        let text = index(lines);
        let universe = Universe::new(vec![(0, parse_packages(text.as_bytes()).unwrap())], "amd64").unwrap();
        let roots: Vec<String> = roots.iter().map(|r| r.to_string()).collect();
        let without = without.iter().map(|w| (w.to_string(), "reason".to_string())).collect();
        let closure = universe.close(&roots, &without)?;
        Ok(closure.chosen.keys().map(|name| name.to_string()).collect())
    }

    #[test]
    fn follows_and_skips() {
        let lines = [
            ("a", "1", "b, c | d", ""),
            ("b", "1", "a, e", ""),
            ("c", "1", "", ""),
            ("d", "1", "", ""),
            ("e", "1", "gone", ""),
        ];
        assert_eq!(close(&lines, &["a"], &["gone"]).unwrap(), ["a", "b", "c", "e"]);
        assert_eq!(close(&lines, &["a", "d"], &["gone"]).unwrap(), ["a", "b", "d", "e"]);
        assert_eq!(close(&lines, &["a"], &["b", "d"]).unwrap(), ["a"]);
        let error = close(&lines, &["a"], &[]).unwrap_err();
        assert!(error.what.contains("e depends on gone"), "{error}");
    }

    #[test]
    fn versions_and_providers() {
        let lines = [
            ("a", "1", "v, w (>= 2), x (>= 2) | y", ""),
            ("p", "1", "", "v, w"),
            ("q", "1", "", "v, w (= 2)"),
            ("x", "1", "", ""),
            ("y", "1", "", ""),
        ];
        assert_eq!(close(&lines, &["a"], &[]).unwrap(), ["a", "p", "q", "y"]);
        assert_eq!(close(&lines, &["a", "q"], &[]).unwrap(), ["a", "q", "y"]);
    }

    #[test]
    fn the_highest_version_of_all_suites() {
        let (first, second) =
            (index(&[("a", "1", "", ""), ("b", "2", "", "")]), index(&[("a", "1.1", "", ""), ("b", "2", "", "")]));
        let suites =
            vec![(0, parse_packages(first.as_bytes()).unwrap()), (1, parse_packages(second.as_bytes()).unwrap())];
        let universe = Universe::new(suites, "amd64").unwrap();
        let without = BTreeMap::from([("never".to_string(), "r".to_string())]);
        let closure = universe.close(&["a".into(), "b".into()], &without).unwrap();
        assert_eq!((closure.chosen["a"].0, closure.chosen["b"].0), (1, 0));
        assert_eq!(closure.unused, ["never"]);
    }

    #[test]
    fn near_names() {
        let lines = [("libtss2-esys-3.0.2-0t64", "1", "", "libtss2-old"), ("libc6", "1", "", "")];
        let error = close(&lines, &["libtss2-esys-3.0.2-0"], &[]).unwrap_err();
        assert!(error.hint.contains("libtss2-esys-3.0.2-0t64"), "{error}");
        assert!(close(&lines, &["libc7"], &[]).unwrap_err().hint.contains("libc6"));
        assert!(close(&lines, &["libtss2-old"], &[]).unwrap_err().hint.contains("t64"));
        assert!(close(&lines, &["unheard-of"], &[]).unwrap_err().hint.contains("check the name"));
    }
}
