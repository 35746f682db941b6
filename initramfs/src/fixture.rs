//! Tiny packages, modules and programs, generated for tests.

use crate::ar;
use crate::unpack::{pack, Coding};

/// A tar archive under construction. Paths go in as written, so that bad ones can be tested.
pub struct Tar(Vec<u8>);

impl Tar {
    pub fn new() -> Self {
        Self(Vec::new())
    }
    pub fn dir(self, path: &str) -> Self {
        self.entry(b'5', &format!("./{path}/"), "", 0o755, b"")
    }
    pub fn file(self, path: &str, mode: u32, body: &[u8]) -> Self {
        self.entry(b'0', path, "", mode, body)
    }
    pub fn link(self, path: &str, target: &str) -> Self {
        self.entry(b'2', path, target, 0o777, b"")
    }
    pub fn hard(self, path: &str, target: &str) -> Self {
        self.entry(b'1', path, target, 0o644, b"")
    }
    pub fn device(self, path: &str) -> Self {
        self.entry(b'4', path, "", 0o600, b"")
    }

    fn entry(mut self, kind: u8, path: &str, target: &str, mode: u32, body: &[u8]) -> Self {
        let mut header = [0; 512];
        header[..path.len()].copy_from_slice(path.as_bytes());
        header[100..107].copy_from_slice(format!("{mode:07o}").as_bytes());
        for zero in [108..115, 116..123] {
            header[zero].copy_from_slice(b"0000000");
        }
        header[124..135].copy_from_slice(format!("{:011o}", body.len()).as_bytes());
        header[136..147].copy_from_slice(b"00000000000");
        header[156] = kind;
        header[157..157 + target.len()].copy_from_slice(target.as_bytes());
        header[257..265].copy_from_slice(b"ustar\x0000");
        fix_checksum(&mut header);
        self.0.extend_from_slice(&header);
        self.0.extend_from_slice(body);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    pub fn finish(mut self) -> Vec<u8> {
        self.0.extend_from_slice(&[0; 1024]);
        self.0
    }
}

/// Writes the checksum of a tar header that was changed.
pub fn fix_checksum(header: &mut [u8]) {
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|b| u32::from(*b)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

/// A package with these files.
pub fn deb(name: &str, version: &str, coding: Coding, data: Tar) -> Vec<u8> {
    let control = format!("Package: {name}\nVersion: {version}\nArchitecture: amd64\n");
    let control = Tar::new().file("./control", 0o644, control.as_bytes()).finish();
    let suffix = match coding {
        Coding::Plain => "",
        Coding::Gzip => ".gz",
        Coding::Xz => ".xz",
        Coding::Zstd => ".zst",
    };
    ar::write(&[
        ("debian-binary", b"2.0\n"),
        (&format!("control.tar{suffix}"), &pack(&control, coding)),
        (&format!("data.tar{suffix}"), &pack(&data.finish(), coding)),
    ])
}

/// What a generated program or library asks for.
#[derive(Clone, Copy, Default)]
pub struct Wants<'a> {
    pub interpreter: Option<&'a str>,
    pub soname: Option<&'a str>,
    pub needed: &'a [&'a str],
    pub runpath: Option<&'a str>,
    /// Library and version.
    pub versions: &'a [(&'a str, &'a str)],
    pub defines: &'a [&'a str],
    pub imports: &'a [&'a str],
}

/// Names in a string table; offset 0 is the empty name.
struct Strings(Vec<u8>);

impl Strings {
    fn add(&mut self, text: &str) -> u64 {
        let at = self.0.len();
        self.0.extend_from_slice(text.as_bytes());
        self.0.push(0);
        at as u64
    }
}

fn elf_header(kind: u16, phnum: u16, shoff: u64, shnum: u16) -> Vec<u8> {
    let mut h = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    h.extend(kind.to_le_bytes());
    h.extend(62u16.to_le_bytes());
    h.extend(1u32.to_le_bytes());
    h.extend(if kind == 1 { 0u64 } else { 0x1000 }.to_le_bytes());
    h.extend(if phnum > 0 { 64u64 } else { 0 }.to_le_bytes());
    h.extend(shoff.to_le_bytes());
    h.extend(0u32.to_le_bytes());
    for field in [64, 56, phnum, 64, shnum, shnum.saturating_sub(1)] {
        h.extend(field.to_le_bytes());
    }
    h
}

fn symbols(names: &[&str], strings: &mut Strings) -> Vec<u8> {
    let mut table = vec![0; 24];
    for name in names {
        table.extend((strings.add(name) as u32).to_le_bytes());
        table.extend([0x12, 0, 0, 0]);
        table.extend([0; 16]);
    }
    table
}

/// A program or library: one PT_LOAD from address 0 over the whole file, so that addresses are offsets.
pub fn program(wants: &Wants) -> Vec<u8> {
    const BODY: u64 = 64 + 3 * 56;
    let mut strings = Strings(vec![0]);
    let symtab = symbols(wants.imports, &mut strings);
    let rela: Vec<u8> = (1..=wants.imports.len() as u64)
        .flat_map(|symbol| [0x2000u64, symbol << 32 | 6, 0].map(u64::to_le_bytes).concat())
        .collect();
    let mut verneed = Vec::new();
    for (i, (library, version)) in wants.versions.iter().enumerate() {
        let last = i + 1 == wants.versions.len();
        verneed.extend([1u16, 1].map(u16::to_le_bytes).concat());
        let next = if last { 0 } else { 32 };
        verneed.extend([strings.add(library) as u32, 16, next].map(u32::to_le_bytes).concat());
        verneed.extend([0u32, 2 << 16, strings.add(version) as u32, 0].map(u32::to_le_bytes).concat());
    }
    let mut verdef = Vec::new();
    for (i, version) in wants.defines.iter().enumerate() {
        let next = if i + 1 == wants.defines.len() { 0 } else { 28 };
        verdef.extend([1u16, 0, 1, 1].map(u16::to_le_bytes).concat());
        verdef.extend([0u32, 20, next, strings.add(version) as u32, 0].map(u32::to_le_bytes).concat());
    }
    let mut tags: Vec<(u64, u64)> = wants.needed.iter().map(|n| (1, strings.add(n))).collect();
    tags.extend(wants.soname.map(|n| (14, strings.add(n))));
    tags.extend(wants.runpath.map(|n| (29, strings.add(n))));
    let interpreter = wants.interpreter.map(|i| format!("{i}\0").into_bytes()).unwrap_or_default();
    let (mut body, place) = (Vec::new(), |part: &[u8], body: &mut Vec<u8>| {
        let at = BODY + body.len() as u64;
        body.extend_from_slice(part);
        body.resize(body.len().next_multiple_of(8), 0);
        at
    });
    let interpreter_at = place(&interpreter, &mut body);
    tags.push((5, place(&strings.0, &mut body)));
    tags.push((6, place(&symtab, &mut body)));
    tags.extend([(7, place(&rela, &mut body)), (8, rela.len() as u64)]);
    if !verneed.is_empty() {
        tags.extend([(0x6fff_fffe, place(&verneed, &mut body)), (0x6fff_ffff, wants.versions.len() as u64)]);
    }
    if !verdef.is_empty() {
        tags.extend([(0x6fff_fffc, place(&verdef, &mut body)), (0x6fff_fffd, wants.defines.len() as u64)]);
    }
    tags.push((0, 0));
    let dynamic: Vec<u8> = tags.iter().flat_map(|(t, v)| [t.to_le_bytes(), v.to_le_bytes()].concat()).collect();
    let dynamic_at = place(&dynamic, &mut body);
    let total = BODY + body.len() as u64;
    let mut out = elf_header(3, 3, 0, 0);
    let interp_kind = if wants.interpreter.is_some() { 3u32 } else { 0 };
    for (kind, at, size) in [
        (1u32, 0, total),
        (2, dynamic_at, dynamic.len() as u64),
        (interp_kind, interpreter_at, interpreter.len() as u64),
    ] {
        out.extend([kind, 4].map(u32::to_le_bytes).concat());
        out.extend([at, at, at, size, size, 8].map(u64::to_le_bytes).concat());
    }
    out.extend(body);
    out
}

/// A kernel module with this `.modinfo` and these undefined symbols.
pub fn relocatable(modinfo: &[u8], imports: &[&str]) -> Vec<u8> {
    let mut strings = Strings(vec![0]);
    let symtab = symbols(imports, &mut strings);
    let mut names = Strings(vec![0]);
    let parts: [(&str, u32, u32, &[u8]); 3] =
        [(".modinfo", 1, 0, modinfo), (".symtab", 2, 3, &symtab), (".strtab", 3, 0, &strings.0)];
    let (mut body, mut headers) = (Vec::new(), vec![0; 64]);
    let mut section = |name: u64, kind: u32, link: u32, part: &[u8], body: &mut Vec<u8>| {
        headers.extend([name as u32, kind].map(u32::to_le_bytes).concat());
        headers.extend([0, 0, 64 + body.len() as u64, part.len() as u64].map(u64::to_le_bytes).concat());
        headers.extend([link, 0].map(u32::to_le_bytes).concat());
        headers.extend([1u64, 0].map(u64::to_le_bytes).concat());
        body.extend_from_slice(part);
        body.resize(body.len().next_multiple_of(8), 0);
    };
    for (name, kind, link, part) in parts {
        let name = names.add(name);
        section(name, kind, link, part, &mut body);
    }
    let name = names.add(".shstrtab");
    section(name, 3, 0, &names.0.clone(), &mut body);
    let mut out = elf_header(1, 0, 64 + body.len() as u64, 5);
    out.extend(body);
    out.extend(headers);
    out
}

/// The start of a bzImage that says it is this release.
pub fn bzimage(release: &str) -> Vec<u8> {
    let mut out = vec![0; 0x400];
    out[0x202..0x206].copy_from_slice(b"HdrS");
    out[0x20e..0x210].copy_from_slice(&0x100u16.to_le_bytes());
    let text = format!("{release} (builder) #1\0");
    out[0x300..0x300 + text.len()].copy_from_slice(text.as_bytes());
    out
}

/// A kernel module for this release.
pub fn module(release: &str, depends: &str, softdep: &str) -> Vec<u8> {
    relocatable(format!("depends={depends}\0softdep={softdep}\0vermagic={release} SMP\0").as_bytes(), &["printk"])
}
