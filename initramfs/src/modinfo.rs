//! `.modinfo`: what a kernel module says about itself, as `key=value` texts that end in NUL.

use crate::elf::section;

/// The parts of `.modinfo` that loading needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModInfo {
    /// Modules whose symbols it uses.
    pub depends: Vec<String>,
    /// Other names it answers to, in normal spelling: `crc32c`, `cpu:type:x86,…`.
    pub aliases: Vec<String>,
    /// Modules or aliases that its author wants loaded before it; the kernel works without them.
    pub soft_before: Vec<String>,
    /// `6.12.38+deb13-amd64 SMP preempt mod_unload modversions`
    pub vermagic: String,
}

impl ModInfo {
    /// # Errors
    /// When it has no `.modinfo`, or no `vermagic` in it: then it is no kernel module.
    pub fn parse(module: &[u8]) -> Result<Self, String> {
        let bytes = section(module, ".modinfo").ok_or("it has no .modinfo: it is no kernel module")?;
        let mut info = Self::default();
        for text in bytes.split(|b| *b == 0).filter(|text| !text.is_empty()) {
            let text = std::str::from_utf8(text).map_err(|_| "its .modinfo is not UTF-8")?;
            match text.split_once('=') {
                Some(("depends", names)) => info.depends.extend(names.split(',').filter(|n| !n.is_empty()).map(normal)),
                Some(("alias", name)) => info.aliases.push(normal(name)),
                Some(("softdep", rule)) => info.soft_before.extend(before(rule)),
                Some(("vermagic", value)) => info.vermagic = value.to_string(),
                _ => {}
            }
        }
        if info.vermagic.is_empty() {
            return Err("its .modinfo has no vermagic: it is no kernel module".into());
        }
        Ok(info)
    }
}

impl ModInfo {
    /// It is made for certain processors, and refuses to load on others.
    pub fn needs_a_certain_cpu(&self) -> bool {
        self.aliases.iter().any(|alias| alias.starts_with("cpu:"))
    }
}

/// The names between `pre:` and `post:` (modprobe.d(5), "softdep").
fn before(rule: &str) -> Vec<String> {
    let mut wanted = false;
    let mut names = Vec::new();
    for word in rule.split_whitespace() {
        match word {
            "pre:" => wanted = true,
            "post:" => wanted = false,
            name if wanted => names.push(normal(name)),
            _ => {}
        }
    }
    names
}

/// One spelling for a module's name: the kernel takes `-` and `_` as the same.
pub fn normal(name: &str) -> String {
    name.trim().replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::relocatable;

    #[test]
    fn all_keys() {
        let bytes =
            relocatable(b"alias=x-y\0alias=cpu:type:x86\0depends=udp_tunnel,lib-x\0softdep=pre: a b-c post: d\0license=GPL\0vermagic=6.12 SMP\0", &[]);
        let info = ModInfo::parse(&bytes).unwrap();
        assert_eq!(info.depends, ["udp_tunnel", "lib_x"]);
        assert_eq!(info.soft_before, ["a", "b_c"]);
        assert_eq!(info.aliases, ["x_y", "cpu:type:x86"]);
        assert!(info.needs_a_certain_cpu());
        assert_eq!(info.vermagic, "6.12 SMP");
    }

    #[test]
    fn no_module() {
        assert!(ModInfo::parse(&relocatable(b"depends=\0", &[])).is_err());
        assert!(ModInfo::parse(b"#!/bin/sh").is_err());
        assert!(ModInfo::parse(&relocatable(b"vermagic=\xff\0", &[])).is_err());
    }
}
