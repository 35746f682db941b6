//! What the screen looks at in one file, gathered once for all rules.

use crate::elf::{is_elf, Elf, Kind};
use crate::glob;
use crate::modinfo::normal;
use crate::path::ImagePath;
use crate::policy::{ContentCheck, FileRule};
use crate::tree::{Entry, Node};
use memchr::memmem;
use vitrine_attest::Sha256;

/// The kernel's mark at the end of a signed module (kernel/module/signing.c).
const SIGNED: &[u8] = b"~Module signature appended~\n";
/// Fewest base64 digits that make a PEM marker a key and not just the marker's text in a program.
const KEY_BODY: usize = 40;

pub struct Facts<'a> {
    pub path: &'a ImagePath,
    pub sha256: Option<Sha256>,
    mode: u32,
    bytes: &'a [u8],
    /// `None`: no ELF file. `Some(Err)`: one that cannot be read.
    elf: Option<Result<Elf, String>>,
    /// Normal name, for a kernel module.
    module: Option<String>,
}

impl<'a> Facts<'a> {
    pub fn of(path: &'a ImagePath, entry: &'a Entry) -> Self {
        let bytes = entry.bytes();
        let sha256 = match &entry.node {
            Node::File(content) => Some(content.sha256),
            _ => None,
        };
        Self {
            path,
            sha256,
            mode: entry.mode,
            bytes,
            elf: is_elf(bytes).then(|| Elf::parse(bytes)),
            module: module_name(path),
        }
    }

    /// Every way in which this file hits the rule, in words. Empty when it does not.
    pub fn hits(&self, rule: &FileRule) -> Vec<String> {
        let mut hits = Vec::new();
        if any(&rule.names, self.path.file_name()) {
            hits.push(format!("is named {}", self.path.file_name()));
        }
        if any(&rule.paths, self.path.as_str()) {
            hits.push("lies at a path that is refused".into());
        }
        if let Some(name) = self.module.as_ref().filter(|name| any(&rule.modules, name)) {
            hits.push(format!("is kernel module {name}"));
        }
        hits.extend(self.imports(&rule.imports, false));
        hits.extend(self.imports(&rule.module_imports, true));
        hits.extend(self.text(&rule.text));
        hits.extend(rule.content.and_then(|check| self.content(check)));
        hits
    }

    /// Imports that match, of a kernel module or of anything else.
    fn imports(&self, patterns: &[String], module: bool) -> Option<String> {
        let Some(Ok(elf)) = &self.elf else { return None };
        if (elf.kind == Kind::Relocatable) != module {
            return None;
        }
        let found: Vec<&str> = elf.imports.iter().map(String::as_str).filter(|name| any(patterns, name)).collect();
        (!found.is_empty()).then(|| format!("imports {}", found.join(", ")))
    }

    /// Texts in a program. Libraries hold texts for functions that nobody may ever call: their callers' imports tell.
    fn text(&self, texts: &[String]) -> Option<String> {
        let Some(Ok(elf)) = &self.elf else { return None };
        if elf.kind != Kind::Program {
            return None;
        }
        let held = |text: &&String| memmem::find(self.bytes, text.as_bytes()).is_some();
        let found: Vec<String> = texts.iter().filter(held).map(|text| format!("{text:?}")).collect();
        (!found.is_empty()).then(|| format!("holds the text {}", found.join(", ")))
    }

    fn content(&self, check: ContentCheck) -> Option<String> {
        match check {
            ContentCheck::PrivateKey => private_key(self.bytes),
            ContentCheck::SpecialMode => (self.mode & 0o7000 != 0).then(|| format!("has mode {:o}", self.mode)),
            ContentCheck::UnsignedModule => {
                (self.module.is_some() && !self.bytes.ends_with(SIGNED)).then(|| "is not signed".into())
            }
            ContentCheck::Unreadable => match &self.elf {
                Some(Err(why)) => Some(why.clone()),
                _ => None,
            },
        }
    }
}

fn any(patterns: &[String], text: &str) -> bool {
    patterns.iter().any(|pattern| glob::matches(pattern, text))
}

fn module_name(path: &ImagePath) -> Option<String> {
    crate::unpack::Coding::of(path.file_name()).0.strip_suffix(".ko").map(normal)
}

/// A PEM or OpenSSH private key (RFC 7468; RFC 5208; PROTOCOL.key): its marker, a line end, and base64.
fn private_key(bytes: &[u8]) -> Option<String> {
    const BEGIN: &[u8] = b"-----BEGIN ";
    const END: &[u8] = b"PRIVATE KEY-----";
    // "OPENSSH ", "ENCRYPTED ", "RSA ": the longest label before PRIVATE KEY that is in use
    const LABEL: usize = 16;
    memmem::find_iter(bytes, BEGIN).find_map(|at| {
        let rest = &bytes[at + BEGIN.len()..];
        let label = memmem::find(&rest[..rest.len().min(LABEL + END.len())], END)?;
        let body = rest[label + END.len()..].iter().skip_while(|byte| byte.is_ascii_whitespace());
        // headers of encrypted keys ("Proc-Type: …") count as a body, too
        let is_body = |byte: &&u8| byte.is_ascii_alphanumeric() || b"+/=:,-\r\n ".contains(byte);
        (body.take_while(is_body).count() >= KEY_BODY)
            .then(|| format!("holds a private key ({}PRIVATE KEY)", String::from_utf8_lossy(&rest[..label])))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_texts_about_keys() {
        let body = "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v4VpguoRK9JLsLMREScVpe\n";
        for label in ["", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED "] {
            let key = format!("x -----BEGIN {label}PRIVATE KEY-----\n{body}");
            assert!(private_key(key.as_bytes()).unwrap().contains(label), "{label}");
        }
        for harmless in
            ["-----BEGIN PUBLIC KEY-----\n", "-----BEGIN PRIVATE KEY-----\0", "-----BEGIN CERTIFICATE-----\n"]
        {
            assert_eq!(private_key(format!("{harmless}\0{body}").as_bytes()), None, "{harmless}");
        }
        assert_eq!(private_key(b"-----BEGIN "), None);
    }
}
