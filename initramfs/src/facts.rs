//! What the screen looks at in one file, gathered once for all rules.

use crate::applets::applets;
use crate::elf::{is_elf, Elf, Kind};
use crate::glob;
use crate::item::{Item, What};
use crate::mask::UNIT_FOLDERS;
use crate::modinfo::normal;
use crate::policy::{ContentCheck, FileRule, MaskRule, Secret};
use crate::secrets::private_key;
use crate::texts::{Found, Texts};
use crate::unpack::{unpack, Coding};
use std::borrow::Cow;
use vitrine_attest::Sha256;

/// The kernel's mark at the end of a signed module (kernel/module/signing.c).
const SIGNED: &[u8] = b"~Module signature appended~\n";
/// Largest module after unpacking, in bytes; the largest of Debian's, amdgpu with symbols, has 30 MB.
const MODULE_LIMIT: u64 = 256 << 20;

/// Folders in which scripts and links have the names of the programs that they are about. What they do is judged as
/// everywhere.
const NO_PROGRAMS: [&str; 9] = [
    "/usr/share/bash-completion/",
    "/usr/share/zsh/",
    "/usr/share/fish/",
    "/usr/share/bug/",
    "/usr/share/doc/",
    "/usr/share/man/",
    "/usr/share/pixmaps/",
    "/usr/lib/x86_64-linux-gnu/pkgconfig/",
    "/var/lib/dpkg/info/",
];

pub struct Facts<'a> {
    pub path: &'a str,
    /// In merged-/usr form.
    pub place: Cow<'a, str>,
    pub name: &'a str,
    pub sha256: Option<Sha256>,
    pub bytes: Cow<'a, [u8]>,
    /// A packed kernel module that could not be unpacked, with the reason.
    pub damaged: Option<String>,
    mode: u32,
    what: &'a What<'a>,
    /// `None`: no ELF file. `Some(Err)`: one that cannot be read.
    elf: Option<Result<Elf, String>>,
    /// Normal name, for a kernel module.
    module: Option<String>,
    found: Found,
}

impl<'a> Facts<'a> {
    pub fn of(item: &'a Item<'a>, texts: &Texts) -> Self {
        let name = item.file_name();
        let (module, coding) = module_name(name);
        let (bytes, damaged) = match (&module, &item.what) {
            (Some(_), What::File(packed)) if coding != Coding::Plain => match unpack(packed, coding, MODULE_LIMIT) {
                Ok(bytes) => (Cow::Owned(bytes), None),
                Err(error) => (Cow::Borrowed(item.bytes()), Some(error.what)),
            },
            _ => (Cow::Borrowed(item.bytes()), None),
        };
        let sha256 = match &item.what {
            What::File(packed) => Some(item.sha256.unwrap_or_else(|| Sha256::of(packed))),
            _ => None,
        };
        let elf = is_elf(&bytes).then(|| Elf::parse(&bytes));
        let found = if module.is_none() { texts.find(&bytes) } else { Found::default() };
        let (path, place) = (item.path.as_ref(), item.place());
        Self { path, place, name, sha256, bytes, damaged, mode: item.mode, what: &item.what, elf, module, found }
    }

    /// Every way in which this file hits the rule, in words. Empty when it does not.
    pub fn hits(&self, rule: &FileRule, masks: &[MaskRule], texts: &Texts) -> Vec<String> {
        let mut hits = Vec::new();
        if any(&rule.data, self.name) || (self.can_run() && any(&rule.names, self.name)) {
            hits.push(format!("is named {}", self.name));
        }
        if any(&rule.paths, &self.place) {
            hits.push("lies at a path that is refused".into());
        }
        if self.is_unit() && any(&rule.units, self.name) {
            hits.push(format!("is unit {}", self.name));
        }
        if rule.masks {
            hits.extend(self.mask(masks).map(|mask| format!("would be taken out by {}", mask.id)));
        }
        if let Some(name) = self.module.as_ref().filter(|name| any(&rule.modules, name)) {
            hits.push(format!("is kernel module {name}"));
        }
        hits.extend(self.built_in(&rule.modules));
        hits.extend(self.imports(&rule.imports, false));
        hits.extend(self.imports(&rule.module_imports, true));
        hits.extend(self.text(rule, texts));
        hits.extend(self.applets(&rule.applets));
        hits.extend(self.secrets(rule, texts));
        hits.extend(rule.content.and_then(|check| self.content(check)));
        hits
    }

    /// A unit, or a link to one, directly in a unit folder. A link to `/dev/null` is how systemd masks a unit.
    fn is_unit(&self) -> bool {
        let folder = self.place.rsplit_once('/').map_or("", |(folder, _)| folder);
        UNIT_FOLDERS.contains(&folder) && !self.leads_nowhere() && !matches!(self.what, What::Folder)
    }

    fn leads_nowhere(&self) -> bool {
        matches!(self.what, What::Link(target) if target == "/dev/null")
    }

    /// The mask that would take this unit out, or this thing that runs.
    fn mask<'m>(&self, masks: &'m [MaskRule]) -> Option<&'m MaskRule> {
        // a slice holds what others start
        let unit = self.is_unit() && !self.name.ends_with(".slice");
        let removed = |rule: &MaskRule| any(&rule.remove, &self.place) && (unit || any(&rule.runs, &self.place));
        let nulled = |rule: &MaskRule| unit && any(&rule.null, self.name);
        masks.iter().find(|rule| !self.leads_nowhere() && (removed(rule) || nulled(rule)))
    }

    /// Modules that `modules.builtin` of a kernel's folder says are part of the kernel itself.
    fn built_in(&self, patterns: &[String]) -> Option<String> {
        if self.name != "modules.builtin" || patterns.is_empty() {
            return None;
        }
        let text = String::from_utf8_lossy(&self.bytes);
        let stem = |line: &str| line.rsplit('/').next().and_then(|name| name.strip_suffix(".ko")).map(normal);
        let found: Vec<String> = text.lines().filter_map(stem).filter(|name| any(patterns, name)).collect();
        (!found.is_empty()).then(|| format!("names modules built into the kernel: {}", found.join(", ")))
    }

    /// Imports that match, of a kernel module or of anything else.
    fn imports(&self, patterns: &[String], module: bool) -> Option<String> {
        let Some(Ok(elf)) = &self.elf else { return None };
        if (elf.kind == Kind::Relocatable) != module || patterns.is_empty() {
            return None;
        }
        let found: Vec<&str> = elf.imports.iter().map(String::as_str).filter(|name| any(patterns, name)).collect();
        (!found.is_empty()).then(|| format!("imports {}", found.join(", ")))
    }

    /// A program. Libraries hold texts for functions that nobody may ever call: their callers' imports
    /// tell.
    fn is_program(&self) -> bool {
        matches!(&self.elf, Some(Ok(elf)) if elf.kind == Kind::Program)
    }

    fn is_script(&self) -> bool {
        self.bytes.starts_with(b"#!")
    }

    /// Something that could be run or linked to, or leads to it: its name means something. A page of a manual or a
    /// rule for PAM may have the same name.
    fn can_run(&self) -> bool {
        let named_otherwise = NO_PROGRAMS.iter().any(|folder| self.place.starts_with(folder)) || self.is_wish();
        match self.what {
            What::File(_) if named_otherwise => self.elf.is_some(),
            What::File(_) => self.elf.is_some() || self.is_script() || self.mode & 0o111 != 0,
            What::Link(_) => !named_otherwise && !self.leads_nowhere(),
            _ => true,
        }
    }

    /// In `multi-user.target.wants` and its like, names are those of units.
    fn is_wish(&self) -> bool {
        let below = UNIT_FOLDERS.iter().find_map(|folder| self.place.strip_prefix(folder));
        let folder = below.and_then(|below| below.rsplit_once('/')).map_or("", |(folder, _)| folder);
        [".wants", ".requires", ".upholds"].iter().any(|end| folder.ends_with(end))
    }

    fn text(&self, rule: &FileRule, texts: &Texts) -> Option<String> {
        if rule.text.is_empty() || !(self.is_program() || (rule.scripts && self.is_script())) {
            return None;
        }
        let held = |text: &&String| self.found.has(texts, text);
        if !rule.with.is_empty() && !rule.with.iter().any(|text| held(&text)) {
            return None;
        }
        let found: Vec<String> = rule.text.iter().filter(held).map(|text| format!("{text:?}")).collect();
        (!found.is_empty()).then(|| format!("holds the text {}", found.join(", ")))
    }

    fn applets(&self, names: &[String]) -> Option<String> {
        if names.is_empty() || !self.is_program() {
            return None;
        }
        let found = applets(&self.bytes, names);
        (!found.is_empty()).then(|| format!("has the applets {}", found.join(", ")))
    }

    fn secrets(&self, rule: &FileRule, texts: &Texts) -> Option<String> {
        let held = |secret: &&Secret| self.found.has_secret(texts, secret);
        rule.secrets.iter().find(held).map(|secret| format!("holds a secret that begins with {:?}", secret.begin))
    }

    fn content(&self, check: ContentCheck) -> Option<String> {
        match check {
            ContentCheck::PrivateKey => private_key(&self.bytes),
            ContentCheck::SpecialMode => {
                let special = !matches!(self.what, What::Link(_)) && self.mode & 0o7000 != 0;
                special.then(|| format!("has mode {:o}", self.mode & 0o7777))
            }
            ContentCheck::UnsignedModule => {
                let module = self.module.is_some() && self.elf.is_some();
                (module && !self.bytes.ends_with(SIGNED)).then(|| "is not signed".into())
            }
            ContentCheck::Unreadable => match &self.elf {
                Some(Err(why)) => Some(why.clone()),
                _ => None,
            },
            ContentCheck::FirewallBatch => match (self.name.ends_with(".batch"), self.what) {
                (true, What::File(_)) => vitrine_firewall::decode(&self.bytes).err().map(|error| error.what),
                _ => None,
            },
            ContentCheck::BlockDevice => match self.what {
                What::Block(major, minor) => Some(format!("is the block device {major}:{minor}")),
                _ => None,
            },
        }
    }
}

fn any(patterns: &[String], text: &str) -> bool {
    patterns.iter().any(|pattern| glob::matches(pattern, text))
}

/// `usb-storage.ko.xz` is module `usb_storage`, packed by xz.
fn module_name(name: &str) -> (Option<String>, Coding) {
    let (stem, coding) = Coding::of(name);
    (stem.strip_suffix(".ko").map(normal), coding)
}
