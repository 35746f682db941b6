//! What an ELF file asks for: interpreter, libraries, symbol versions, symbols.
//!
//! Programs and libraries are read through their program headers, as the loader does, so a section table that
//! lies changes nothing. Only x86-64 files are understood.

use object::elf::{
    Dyn64, FileHeader64, ProgramHeader64, Rela64, SectionHeader64, Sym64, Verdaux, Verdef, Vernaux, Verneed,
};
use object::{elf, LittleEndian, ReadRef};
use std::collections::BTreeSet;

type Le = LittleEndian;
const LE: Le = LittleEndian;

/// Most entries read from any table of a file; libcrypto has 6,600 symbols, a large module 20,000.
const MOST: usize = 1_000_000;
/// Most version records of one file; libc has 60.
const MOST_VERSIONS: usize = 4096;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A kernel module or object file.
    Relocatable,
    /// A program, position-independent or not.
    Program,
    /// Has a name of its own (`DT_SONAME`), or neither an interpreter nor an entry point.
    Library,
}

/// One version of a library that a file needs, such as `GLIBC_2.34` of `libc.so.6`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NeededVersion {
    pub library: String,
    pub version: String,
    /// The loader only warns when a weak one is missing.
    pub weak: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elf {
    pub kind: Kind,
    pub interpreter: Option<String>,
    pub needed: Vec<String>,
    /// Search path: `DT_RUNPATH`, or `DT_RPATH` where that is all there is. Parts as written.
    pub search: Vec<String>,
    pub needs: Vec<NeededVersion>,
    /// Versions it defines.
    pub defines: BTreeSet<String>,
    /// Symbols it takes from elsewhere.
    pub imports: BTreeSet<String>,
}

/// Whether these bytes begin like an ELF file.
pub fn is_elf(bytes: &[u8]) -> bool {
    bytes.starts_with(&elf::ELFMAG)
}

impl Elf {
    /// # Errors
    /// Words that say what is wrong, to be put behind the file's path.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let header: &FileHeader64<Le> = bytes.read_at(0).map_err(|()| "it ends inside its ELF header")?;
        let ident = &header.e_ident;
        if ident.magic != elf::ELFMAG {
            return Err("it is no ELF file".into());
        }
        if ident.class != elf::ELFCLASS64
            || ident.data != elf::ELFDATA2LSB
            || header.e_machine.get(LE) != elf::EM_X86_64
        {
            return Err("it is an ELF file, but not for x86-64".into());
        }
        match header.e_type.get(LE) {
            elf::ET_REL => relocatable(bytes, header),
            elf::ET_EXEC | elf::ET_DYN => loadable(bytes, header),
            other => Err(format!("it is an ELF file of type {other}, neither program, library nor module")),
        }
    }
}

/// The bytes of a section, by name: `.modinfo` of a kernel module. `None` when there is no such section.
pub fn section<'a>(bytes: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let header: &FileHeader64<Le> = bytes.read_at(0).ok()?;
    let sections = sections(bytes, header)?;
    let names = contents(bytes, sections.get(usize::from(header.e_shstrndx.get(LE)))?)?;
    let wanted = sections.iter().find(|s| string(names, u64::from(s.sh_name.get(LE))).as_deref() == Some(name))?;
    contents(bytes, wanted)
}

fn sections<'a>(bytes: &'a [u8], header: &FileHeader64<Le>) -> Option<&'a [SectionHeader64<Le>]> {
    if usize::from(header.e_shentsize.get(LE)) != size_of::<SectionHeader64<Le>>() {
        return None;
    }
    bytes.read_slice_at(header.e_shoff.get(LE), usize::from(header.e_shnum.get(LE))).ok()
}

fn contents<'a>(bytes: &'a [u8], section: &SectionHeader64<Le>) -> Option<&'a [u8]> {
    if section.sh_type.get(LE) == elf::SHT_NOBITS {
        return Some(&[]);
    }
    bytes.read_bytes_at(section.sh_offset.get(LE), section.sh_size.get(LE)).ok()
}

fn string(table: &[u8], offset: u64) -> Option<String> {
    let rest = table.get(usize::try_from(offset).ok()?..)?;
    let end = rest.iter().position(|b| *b == 0)?;
    String::from_utf8(rest[..end].to_vec()).ok()
}

/// Names of undefined symbols in a symbol table.
fn undefined<'t>(symbols: &'t [Sym64<Le>], strings: &'t [u8]) -> impl Iterator<Item = String> + 't {
    symbols
        .iter()
        .filter(|symbol| symbol.st_shndx.get(LE) == elf::SHN_UNDEF && symbol.st_name.get(LE) != 0)
        .filter_map(|symbol| string(strings, u64::from(symbol.st_name.get(LE))))
}

fn section_imports(bytes: &[u8], header: &FileHeader64<Le>, kind: u32) -> Option<BTreeSet<String>> {
    let sections = sections(bytes, header)?;
    let mut imports = BTreeSet::new();
    for table in sections.iter().filter(|s| s.sh_type.get(LE) == kind) {
        let strings = contents(bytes, sections.get(usize::try_from(table.sh_link.get(LE)).ok()?)?)?;
        let count = contents(bytes, table)?.len() / size_of::<Sym64<Le>>();
        let symbols: &[Sym64<Le>] = bytes.read_slice_at(table.sh_offset.get(LE), count.min(MOST)).ok()?;
        imports.extend(undefined(symbols, strings));
    }
    Some(imports)
}

fn relocatable(bytes: &[u8], header: &FileHeader64<Le>) -> Result<Elf, String> {
    let imports = section_imports(bytes, header, elf::SHT_SYMTAB).ok_or("its section table is damaged")?;
    Ok(Elf {
        kind: Kind::Relocatable,
        interpreter: None,
        needed: Vec::new(),
        search: Vec::new(),
        needs: Vec::new(),
        defines: BTreeSet::new(),
        imports,
    })
}

fn loadable(bytes: &[u8], header: &FileHeader64<Le>) -> Result<Elf, String> {
    if usize::from(header.e_phentsize.get(LE)) != size_of::<ProgramHeader64<Le>>() {
        return Err("its program headers have an unknown size".into());
    }
    let segments = bytes
        .read_slice_at(header.e_phoff.get(LE), usize::from(header.e_phnum.get(LE)))
        .map_err(|()| "it ends inside its program headers")?;
    let image = Image { bytes, segments };
    let interpreter = image.interpreter()?;
    let Some(dynamic) = image.dynamic()? else {
        return Ok(Elf { kind: Kind::Program, interpreter, ..EMPTY });
    };
    let soname = dynamic.value(elf::DT_SONAME).is_some();
    let program = !soname && (interpreter.is_some() || header.e_entry.get(LE) != 0);
    let mut imports = dynamic.imports(&image).ok_or("its symbol table is damaged")?;
    imports.extend(section_imports(bytes, header, elf::SHT_DYNSYM).unwrap_or_default());
    Ok(Elf {
        kind: if program { Kind::Program } else { Kind::Library },
        interpreter,
        needed: dynamic.texts(elf::DT_NEEDED).ok_or("the names of its libraries are damaged")?,
        search: dynamic.search().ok_or("its library search path is damaged")?,
        needs: dynamic.needs(&image).ok_or("its table of needed versions is damaged")?,
        defines: dynamic.defines(&image).ok_or("its table of defined versions is damaged")?,
        imports,
    })
}

const EMPTY: Elf = Elf {
    kind: Kind::Program,
    interpreter: None,
    needed: Vec::new(),
    search: Vec::new(),
    needs: Vec::new(),
    defines: BTreeSet::new(),
    imports: BTreeSet::new(),
};

/// A program or library as the loader sees it.
struct Image<'a> {
    bytes: &'a [u8],
    segments: &'a [ProgramHeader64<Le>],
}

impl<'a> Image<'a> {
    fn segment(&self, kind: u32) -> Option<&'a ProgramHeader64<Le>> {
        self.segments.iter().find(|s| s.p_type.get(LE) == kind)
    }

    fn interpreter(&self) -> Result<Option<String>, String> {
        let Some(segment) = self.segment(elf::PT_INTERP) else { return Ok(None) };
        let bytes = self.bytes.read_bytes_at(segment.p_offset.get(LE), segment.p_filesz.get(LE));
        match bytes.ok().and_then(|bytes| string(bytes, 0)) {
            Some(path) => Ok(Some(path)),
            None => Err("the name of its interpreter is damaged".into()),
        }
    }

    /// Bytes from a virtual address to the end of the file part of its segment.
    fn at(&self, address: u64) -> Option<&'a [u8]> {
        let segment = self.segments.iter().filter(|s| s.p_type.get(LE) == elf::PT_LOAD).find(|s| {
            let start = s.p_vaddr.get(LE);
            address >= start && address - start < s.p_filesz.get(LE)
        })?;
        let skip = address - segment.p_vaddr.get(LE);
        let offset = segment.p_offset.get(LE).checked_add(skip)?;
        self.bytes.read_bytes_at(offset, segment.p_filesz.get(LE) - skip).ok()
    }

    fn dynamic(&self) -> Result<Option<Dynamic<'a>>, String> {
        let Some(segment) = self.segment(elf::PT_DYNAMIC) else { return Ok(None) };
        let count = usize::try_from(segment.p_filesz.get(LE)).unwrap_or(usize::MAX) / size_of::<Dyn64<Le>>();
        let all: &[Dyn64<Le>] = self
            .bytes
            .read_slice_at(segment.p_offset.get(LE), count.min(MOST))
            .map_err(|()| "it ends inside its dynamic table")?;
        let used = all.iter().position(|d| d.d_tag.get(LE) == u64::from(elf::DT_NULL)).unwrap_or(all.len());
        let entries = &all[..used];
        let strings = value(entries, elf::DT_STRTAB).and_then(|address| self.at(address)).unwrap_or_default();
        Ok(Some(Dynamic { entries, strings }))
    }
}

fn value(entries: &[Dyn64<Le>], tag: u32) -> Option<u64> {
    entries.iter().find(|d| d.d_tag.get(LE) == u64::from(tag)).map(|d| d.d_val.get(LE))
}

/// The dynamic table (System V ABI, "Dynamic Section").
struct Dynamic<'a> {
    entries: &'a [Dyn64<Le>],
    strings: &'a [u8],
}

impl Dynamic<'_> {
    fn value(&self, tag: u32) -> Option<u64> {
        value(self.entries, tag)
    }

    fn texts(&self, tag: u32) -> Option<Vec<String>> {
        let tagged = self.entries.iter().filter(|d| d.d_tag.get(LE) == u64::from(tag));
        tagged.map(|d| string(self.strings, d.d_val.get(LE))).collect()
    }

    fn search(&self) -> Option<Vec<String>> {
        let runpath = self.texts(elf::DT_RUNPATH)?;
        let paths = if runpath.is_empty() { self.texts(elf::DT_RPATH)? } else { runpath };
        Some(paths.iter().flat_map(|p| p.split(':')).filter(|p| !p.is_empty()).map(str::to_string).collect())
    }

    /// Undefined symbols that relocations refer to: those the loader really looks up.
    fn imports(&self, image: &Image<'_>) -> Option<BTreeSet<String>> {
        let Some(symbols) = self.value(elf::DT_SYMTAB).and_then(|address| image.at(address)) else {
            return Some(BTreeSet::new());
        };
        let mut imports = BTreeSet::new();
        for (table, length) in [(elf::DT_RELA, elf::DT_RELASZ), (elf::DT_JMPREL, elf::DT_PLTRELSZ)] {
            let (Some(table), Some(length)) = (self.value(table), self.value(length)) else { continue };
            let count = usize::try_from(length).ok()? / size_of::<Rela64<Le>>();
            let relocations: &[Rela64<Le>] = image.at(table)?.read_slice_at(0, count).ok()?;
            let used: BTreeSet<u32> = relocations.iter().map(|r| r.r_sym(LE, false)).filter(|s| *s != 0).collect();
            for number in used {
                let symbol: &Sym64<Le> = symbols.read_at(u64::from(number) * size_of::<Sym64<Le>>() as u64).ok()?;
                imports.extend(undefined(std::slice::from_ref(symbol), self.strings));
            }
        }
        Some(imports)
    }

    /// `DT_VERNEED` (LSB Core, "Symbol Versioning").
    fn needs(&self, image: &Image<'_>) -> Option<Vec<NeededVersion>> {
        let Some(address) = self.value(elf::DT_VERNEED) else { return Some(Vec::new()) };
        let table = image.at(address)?;
        let (mut needs, mut at) = (Vec::new(), 0u64);
        for _ in 0..self.value(elf::DT_VERNEEDNUM)?.min(MOST_VERSIONS as u64) {
            let record: &Verneed<Le> = table.read_at(at).ok()?;
            let library = string(self.strings, u64::from(record.vn_file.get(LE)))?;
            let mut aux_at = at.checked_add(u64::from(record.vn_aux.get(LE)))?;
            for _ in 0..record.vn_cnt.get(LE) {
                let aux: &Vernaux<Le> = table.read_at(aux_at).ok()?;
                let version = string(self.strings, u64::from(aux.vna_name.get(LE)))?;
                let weak = aux.vna_flags.get(LE) & elf::VER_FLG_WEAK != 0;
                needs.push(NeededVersion { library: library.clone(), version, weak });
                aux_at = aux_at.checked_add(u64::from(aux.vna_next.get(LE)))?;
                if needs.len() > MOST_VERSIONS {
                    return None;
                }
            }
            at = at.checked_add(u64::from(record.vn_next.get(LE)))?;
        }
        Some(needs)
    }

    /// `DT_VERDEF`: the first auxiliary record of each definition is its name.
    fn defines(&self, image: &Image<'_>) -> Option<BTreeSet<String>> {
        let Some(address) = self.value(elf::DT_VERDEF) else { return Some(BTreeSet::new()) };
        let table = image.at(address)?;
        let (mut defines, mut at) = (BTreeSet::new(), 0u64);
        for _ in 0..self.value(elf::DT_VERDEFNUM)?.min(MOST_VERSIONS as u64) {
            let record: &Verdef<Le> = table.read_at(at).ok()?;
            let aux: &Verdaux<Le> = table.read_at(at.checked_add(u64::from(record.vd_aux.get(LE)))?).ok()?;
            defines.insert(string(self.strings, u64::from(aux.vda_name.get(LE)))?);
            at = at.checked_add(u64::from(record.vd_next.get(LE)))?;
        }
        Some(defines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{program, relocatable, Wants};

    fn wants() -> Wants<'static> {
        Wants {
            interpreter: Some("/lib64/ld-linux-x86-64.so.2"),
            soname: None,
            needed: &["libc.so.6", "libx.so.1"],
            runpath: Some("$ORIGIN/../lib:/opt/lib"),
            versions: &[("libc.so.6", "GLIBC_2.34"), ("libx.so.1", "X_1")],
            defines: &["OWN_1"],
            imports: &["syslog", "puts"],
        }
    }

    #[test]
    fn a_program() {
        let elf = Elf::parse(&program(&wants())).unwrap();
        assert_eq!(elf.kind, Kind::Program);
        assert_eq!(elf.interpreter.as_deref(), Some("/lib64/ld-linux-x86-64.so.2"));
        assert_eq!(elf.needed, ["libc.so.6", "libx.so.1"]);
        assert_eq!(elf.search, ["$ORIGIN/../lib", "/opt/lib"]);
        let need = |library: &str, version: &str| NeededVersion {
            library: library.into(),
            version: version.into(),
            weak: false,
        };
        assert_eq!(elf.needs, [need("libc.so.6", "GLIBC_2.34"), need("libx.so.1", "X_1")]);
        assert_eq!(elf.defines, BTreeSet::from(["OWN_1".to_string()]));
        assert_eq!(elf.imports, BTreeSet::from(["syslog".to_string(), "puts".to_string()]));
        let library = Elf::parse(&program(&Wants { soname: Some("libx.so.1"), ..wants() })).unwrap();
        assert_eq!(library.kind, Kind::Library);
    }

    #[test]
    fn a_module() {
        let bytes = relocatable(b"name=x\0", &["register_blkdev"]);
        let elf = Elf::parse(&bytes).unwrap();
        assert_eq!((elf.kind, elf.imports), (Kind::Relocatable, BTreeSet::from(["register_blkdev".to_string()])));
        assert_eq!(section(&bytes, ".modinfo"), Some(b"name=x\0".as_slice()));
        assert_eq!(section(&bytes, ".none"), None);
    }

    /// Whatever is cut or altered: an answer or an error, never a panic, never a hang.
    #[test]
    fn damage_never_panics() {
        for good in [program(&wants()), relocatable(b"name=x\0", &["a", "b"])] {
            for length in 0..good.len() {
                let _ = (Elf::parse(&good[..length]), section(&good[..length], ".modinfo"));
            }
            for at in 0..good.len() {
                for value in [0, 1, 0x7f, 0x80, 0xff] {
                    let mut bytes = good.clone();
                    bytes[at] = value;
                    let _ = (Elf::parse(&bytes), section(&bytes, ".modinfo"));
                }
            }
        }
    }

    #[test]
    fn other_machines_are_refused() {
        let mut bytes = program(&wants());
        bytes[18] = 183;
        assert!(Elf::parse(&bytes).unwrap_err().contains("not for x86-64"));
        assert!(Elf::parse(b"#!/bin/sh\n").is_err());
    }
}
