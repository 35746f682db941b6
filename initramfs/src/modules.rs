//! The module closure: which kernel modules are needed, and the order to load them in.
//!
//! Debian makes `modules.dep` on the target machine (`depmod` in a maintainer script), so the dependencies are read
//! from the modules themselves.

use crate::cache::Content;
use crate::modinfo::{normal, ModInfo};
use crate::near;
use crate::path::ImagePath;
use crate::sources::{Form, Sources};
use crate::unpack::Coding;
use std::collections::{BTreeMap, BTreeSet};
use vitrine_attest::{Error, Result};

/// Longest chain of dependencies; the longest of Debian 13 has 9. Bounds the recursion.
const DEEPEST: usize = 64;

/// One module of the closure, in load order.
#[derive(Debug)]
pub struct Module {
    /// Where it goes in the image, uncompressed: `/usr/lib/modules/<release>/kernel/net/wireguard/wireguard.ko`.
    pub path: ImagePath,
    /// Uncompressed; the signature at its end is kept.
    pub content: Content,
    /// Package and its version.
    pub origin: String,
    pub package: String,
}

/// All modules a kernel has.
pub struct Catalogue<'s> {
    sources: &'s Sources<'s>,
    release: &'s str,
    /// Loadable ones, by normal name.
    loadable: BTreeMap<String, ImagePath>,
    /// Names and aliases of those that are built in.
    builtin: BTreeSet<String>,
}

impl<'s> Catalogue<'s> {
    /// Lists the modules of one kernel release.
    ///
    /// # Errors
    /// When no package has modules for this release.
    pub fn new(sources: &'s Sources<'s>, release: &'s str) -> Result<Self> {
        let folder = ImagePath::parse(&format!("/usr/lib/modules/{release}"))?;
        let mut loadable = BTreeMap::new();
        for path in sources.below(&folder) {
            if let Some(name) = Coding::of(path.file_name()).0.strip_suffix(".ko") {
                loadable.insert(normal(name), path.clone());
            }
        }
        if loadable.is_empty() {
            return Err(Error::input(
                format!("no package of the lock has modules for kernel {release} in {folder}"),
                "add the linux-image package of this kernel to [debian] packages and run `vitrine lock`",
            ));
        }
        Ok(Self { sources, release, loadable, builtin: builtin(sources, &folder)? })
    }

    /// The wanted modules and everything they depend on, dependencies first, in the order wanted.
    ///
    /// # Errors
    /// A module that does not exist (with near names), a cycle, a damaged module, one of another kernel.
    pub fn close(&self, wanted: &[String], progress: &dyn Fn(&str)) -> Result<Vec<Module>> {
        let mut walk = Walk { catalogue: self, done: BTreeSet::new(), open: Vec::new(), order: Vec::new(), progress };
        for name in wanted {
            walk.visit(&normal(name), "the recipe")?;
        }
        Ok(walk.order)
    }

    fn missing(&self, name: &str, who: &str) -> Error {
        let near = near::names(name, self.loadable.keys().chain(&self.builtin).map(String::as_str));
        let hint = if near.is_empty() {
            "correct the name in [image] modules".to_string()
        } else {
            format!("did you mean {}?", near.join(", "))
        };
        Error::input(format!("kernel {} has no module {name}, which {who} needs", self.release), hint)
    }
}

/// Names from `modules.builtin`, names and aliases from `modules.builtin.modinfo`.
fn builtin(sources: &Sources<'_>, folder: &ImagePath) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for line in text_of(sources, folder, "modules.builtin")?.lines() {
        let file = line.rsplit('/').next().unwrap_or_default();
        names.extend(file.strip_suffix(".ko").map(normal));
    }
    for entry in text_of(sources, folder, "modules.builtin.modinfo")?.split('\0') {
        let alias = entry.split_once('=').filter(|(key, _)| key.ends_with(".alias"));
        names.extend(alias.map(|(_, name)| normal(name)));
    }
    Ok(names)
}

fn text_of(sources: &Sources<'_>, folder: &ImagePath, name: &str) -> Result<String> {
    let path = ImagePath::parse(&format!("{folder}/{name}"))?;
    let Some(found) = sources.find(&path)? else { return Ok(String::new()) };
    let content = sources.read(&path, found, Form::Stored)?;
    String::from_utf8(content.into_bytes())
        .map_err(|_| Error::artefact(format!("{path} is not UTF-8"), "use another kernel package"))
}

/// A depth-first walk: a module is put in the order after all it depends on.
struct Walk<'w, 's> {
    catalogue: &'w Catalogue<'s>,
    done: BTreeSet<String>,
    /// The chain that is being followed, to find cycles.
    open: Vec<String>,
    order: Vec<Module>,
    progress: &'w dyn Fn(&str),
}

impl Walk<'_, '_> {
    fn visit(&mut self, name: &str, who: &str) -> Result<()> {
        if self.done.contains(name) {
            return Ok(());
        }
        let Some(path) = self.catalogue.loadable.get(name) else {
            return match self.catalogue.builtin.contains(name) {
                true => Ok(()),
                false => Err(self.catalogue.missing(name, who)),
            };
        };
        if self.open.iter().any(|other| other == name) || self.open.len() == DEEPEST {
            return Err(Error::artefact(
                format!("kernel modules depend on each other in a circle: {} → {name}", self.open.join(" → ")),
                "use another kernel package",
            ));
        }
        let (module, info) = self.read(path)?;
        self.open.push(name.to_string());
        for dependency in &info.depends {
            self.visit(dependency, &format!("module {name}"))?;
        }
        for dependency in &info.soft_before {
            self.visit_soft(dependency, name)?;
        }
        self.open.pop();
        self.done.insert(name.to_string());
        self.order.push(module);
        Ok(())
    }

    /// Takes a soft dependency along where there is one. A circle through it is no error.
    fn visit_soft(&mut self, dependency: &str, name: &str) -> Result<()> {
        if self.catalogue.builtin.contains(dependency) {
            return Ok(());
        }
        let provider = match self.catalogue.loadable.contains_key(dependency) {
            true => Some(dependency.to_string()),
            false => self.provider(dependency)?,
        };
        match provider {
            Some(provider) if self.open.contains(&provider) => Ok(()),
            Some(provider) => self.visit(&provider, &format!("module {name}")),
            None => {
                (self.progress)(&format!("module {name} works better with {dependency}, which no module is found for"));
                Ok(())
            }
        }
    }

    /// The module that answers to an alias: `crc32c` → `crc32c_generic`.
    ///
    /// Reading all four thousand modules would take some ten seconds, so only those are read whose name holds the alias's.
    /// One for certain processors is not taken: where it does not fit, loading it fails, and the boot stops.
    fn provider(&self, alias: &str) -> Result<Option<String>> {
        let stem = alias.strip_prefix("crypto_").unwrap_or(alias);
        for (name, path) in self.catalogue.loadable.iter().filter(|(name, _)| name.contains(stem)) {
            let (_, info) = self.read(path)?;
            if info.aliases.iter().any(|other| other == alias) && !info.needs_a_certain_cpu() {
                return Ok(Some(name.clone()));
            }
        }
        Ok(None)
    }

    fn read(&self, path: &ImagePath) -> Result<(Module, ModInfo)> {
        let (sources, release) = (self.catalogue.sources, self.catalogue.release);
        let found = sources.find(path)?.ok_or_else(|| Error::bug(format!("{path} was listed and is gone")))?;
        let content = sources.read(path, found, Form::Plain)?;
        let refuse =
            |why: String| Error::artefact(format!("module {path} cannot be used: {why}"), "use another kernel package");
        let info = ModInfo::parse(&content.bytes).map_err(refuse)?;
        if info.vermagic.split(' ').next() != Some(release) {
            return Err(refuse(format!("it is built for kernel {:?}, not {release:?}", info.vermagic)));
        }
        let path = ImagePath::parse(Coding::of(path.as_str()).0)?;
        let (origin, package) = (sources.origin(found), sources.package_name(found).to_string());
        Ok((Module { path, content, origin, package }, info))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::NoCache;
    use crate::fixture::{deb, module, relocatable, Tar};
    use crate::sources::Package;
    use crate::unpack::pack;
    use vitrine_attest::Sha256;

    const AT: &str = "usr/lib/modules/6.12/kernel";

    fn kernel() -> Tar {
        let xz = |m: Vec<u8>| pack(&m, Coding::Xz);
        Tar::new()
            .file(
                &format!("{AT}/net/top.ko.xz"),
                0o644,
                &xz(module("6.12", "mid,low-a", "pre: soft unknown crc32c crypto-sum")),
            )
            .file(&format!("{AT}/crypto/sum-cpu.ko"), 0o644, &aliased("cpu:type:x86"))
            .file(&format!("{AT}/crypto/sum-generic.ko"), 0o644, &aliased("sum"))
            .file(&format!("{AT}/net/mid.ko.xz"), 0o644, &xz(module("6.12", "low_a", "")))
            .file(&format!("{AT}/lib/low-a.ko"), 0o644, &module("6.12", "", "pre: top"))
            .file(&format!("{AT}/lib/soft.ko.zst"), 0o644, &pack(&module("6.12", "", ""), Coding::Zstd))
            .file(&format!("{AT}/one.ko"), 0o644, &module("6.12", "two", ""))
            .file(&format!("{AT}/two.ko"), 0o644, &module("6.12", "one", ""))
            .file(&format!("{AT}/old.ko"), 0o644, &module("6.1", "", ""))
            .file(&format!("{AT}/lost.ko"), 0o644, &module("6.12", "gone", ""))
            .file(&format!("{AT}/bad.ko"), 0o644, b"\x7fELF")
            .file("usr/lib/modules/6.12/modules.builtin", 0o644, b"kernel/drivers/char/tpm/tpm-crb.ko\n")
            .file(
                "usr/lib/modules/6.12/modules.builtin.modinfo",
                0o644,
                b"crc32c_generic.alias=crc32c\0x.license=GPL\0",
            )
    }

    fn aliased(second: &str) -> Vec<u8> {
        relocatable(format!("alias=crypto-sum\0alias={second}\0vermagic=6.12 SMP\0").as_bytes(), &[])
    }

    fn close(wanted: &[&str]) -> Result<(Vec<String>, Vec<String>)> {
        let bytes = deb("linux", "1", Coding::Plain, kernel());
        let load = || Ok(bytes.clone());
        let packages = [Package { name: "linux", version: "1", sha256: Sha256::ZERO, load: &load }];
        let sources = Sources::open(&packages, &NoCache, &|_| ())?;
        let wanted: Vec<String> = wanted.iter().map(|s| s.to_string()).collect();
        let notes = std::cell::RefCell::new(Vec::new());
        let modules = Catalogue::new(&sources, "6.12")?.close(&wanted, &|note| notes.borrow_mut().push(note.into()))?;
        assert!(modules.iter().all(|m| m.path.as_str().ends_with(".ko") && m.content.bytes.starts_with(b"\x7fELF")));
        Ok((
            modules.into_iter().map(|m| normal(m.path.file_name().strip_suffix(".ko").unwrap())).collect(),
            notes.into_inner(),
        ))
    }

    #[test]
    fn dependencies_first() {
        let (order, notes) = close(&["top", "tpm_crb", "mid"]).unwrap();
        assert_eq!(order, ["low_a", "mid", "soft", "sum_generic", "top"]);
        assert_eq!(notes.len(), 1, "{notes:?}");
        assert!(notes[0].contains("unknown"));
    }

    #[test]
    fn refusals() {
        for (wanted, why) in [
            ("topp", "has no module topp, which the recipe needs"),
            ("one", "in a circle: one → two → one"),
            ("old", "built for kernel \"6.1 SMP\""),
            ("lost", "has no module gone, which module lost needs"),
            ("bad", "cannot be used"),
        ] {
            let error = close(&[wanted]).unwrap_err();
            assert!(error.what.contains(why), "{error} lacks {why}");
        }
        assert_eq!(close(&["topp"]).unwrap_err().hint, "did you mean top?");
    }
}
