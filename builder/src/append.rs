//! Appends sections to a PE file (Microsoft PE/COFF specification; UEFI images are PE32+).
//!
//! `objcopy` does the same, but stamps the time of the build into the header, which changes PCR 4 at every
//! build. Here the output depends on the input bytes alone:
//!
//! | field | value |
//! |---|---|
//! | VirtualSize | length of the data: what systemd-stub measures and hands on |
//! | SizeOfRawData | length rounded up to FileAlignment, padded with zeros |
//! | VirtualAddress | the image's end rounded up to SectionAlignment |
//! | SizeOfHeaders | grown when the section table needs it; the sections' raw data move up then |
//! | SizeOfImage | the new end, rounded up to SectionAlignment |
//! | CheckSum | 0 |
//! | TimeDateStamp and everything else | untouched |

use vitrine_attest::{Error, Result};

/// A section to be appended.
#[derive(Debug, Clone, Copy)]
pub struct NewSection<'a> {
    /// One to eight bytes, such as `.cmdline`.
    pub name: &'a str,
    pub data: &'a [u8],
}

/// Bytes of one entry of the section table (§4 "Section Table").
const ENTRY: usize = 40;
/// IMAGE_SCN_CNT_INITIALIZED_DATA | IMAGE_SCN_MEM_READ: nothing of ours is run where the firmware loads it.
const CHARACTERISTICS: u32 = 0x4000_0040;
/// Every length is a multiple of this, so that a signed and an unsigned file hash alike.
pub const OUTPUT_ALIGNMENT: usize = 512;
/// Data directory 4: the certificate table. Its "address" is a file offset (§5.7).
const CERTIFICATE_TABLE: usize = 4;
/// Data directory 6: debug entries, which hold file offsets as well.
const DEBUG: usize = 6;

/// Where the header fields lie that an editor has to change. Offsets are in bytes from the start of the file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layout {
    coff: usize,
    optional: usize,
    table: usize,
    sections: usize,
    directories: usize,
}

impl Layout {
    pub(crate) fn of(pe: &[u8]) -> Result<Self> {
        let coff = match (get(pe, 0, 2)?, usize_at(pe, 0x3c)?) {
            (b"MZ", start) if get(pe, start, 4)? == b"PE\0\0" => start + 4,
            _ => return Err(broken("it does not begin with the headers of a PE file")),
        };
        let optional = coff + 20;
        if u16_at(pe, coff)? != 0x8664 || u16_at(pe, optional)? != 0x20b {
            return Err(broken("it is not a PE32+ file for x86-64"));
        }
        let sections = usize::from(u16_at(pe, coff + 2)?);
        let table = optional + usize::from(u16_at(pe, coff + 16)?);
        let directories = usize_at(pe, optional + 108)?;
        if directories > 16 || optional + 112 + directories * 8 > table {
            return Err(broken("its optional header is too short for its data directories"));
        }
        get(pe, table, sections * ENTRY)?;
        Ok(Self { coff, optional, table, sections, directories })
    }

    /// Offset of SizeOfImage; SizeOfHeaders and CheckSum follow.
    fn size_of_image(&self) -> usize {
        self.optional + 56
    }
    fn size_of_headers(&self) -> usize {
        self.optional + 60
    }
    pub(crate) fn checksum(&self) -> usize {
        self.optional + 64
    }
    fn entry(&self, index: usize) -> usize {
        self.table + index * ENTRY
    }
    fn table_end(&self) -> usize {
        self.entry(self.sections)
    }
    /// Offset of one data directory entry (address, size), if the file has it.
    fn directory(&self, index: usize) -> Option<usize> {
        (index < self.directories).then_some(self.optional + 112 + index * 8)
    }
    /// Offset of the certificate table's directory entry.
    pub(crate) fn certificate_directory(&self) -> Result<usize> {
        self.directory(CERTIFICATE_TABLE).ok_or_else(|| broken("it has no place for a signature"))
    }
}

/// Gives `pe` with `sections` behind its own, in the given order.
///
/// # Errors
/// When `pe` is malformed, signed, carries data behind its last section, or has no room for a longer table.
pub fn append(pe: &[u8], sections: &[NewSection]) -> Result<Vec<u8>> {
    let layout = Layout::of(pe)?;
    let alignment = Alignment::of(pe, &layout)?;
    check(pe, &layout)?;
    let mut out = grow_headers(pe, &layout, alignment, sections.len())?;
    out.reserve_exact(sections.iter().map(|section| section.data.len() + 2 * alignment.file).sum());
    for (section, index) in sections.iter().zip(layout.sections..) {
        push(&mut out, &layout, alignment, index, section)?;
    }
    put_u32(&mut out, layout.checksum(), 0)?;
    Ok(out)
}

#[derive(Debug, Clone, Copy)]
struct Alignment {
    section: usize,
    file: usize,
}

impl Alignment {
    fn of(pe: &[u8], layout: &Layout) -> Result<Self> {
        let section = usize_at(pe, layout.optional + 32)?;
        let file = usize_at(pe, layout.optional + 36)?;
        // §3.4.2: powers of two, FileAlignment 512 to 64 KiB. Sections of an image loaded by UEFI are pages.
        let fits = section.is_power_of_two() && file.is_power_of_two() && file <= 0x1_0000 && section >= file;
        if !fits || !file.is_multiple_of(OUTPUT_ALIGNMENT) || section > 0x20_0000 {
            return Err(broken(&format!("its alignments {section} (section) and {file} (file) are not usable")));
        }
        Ok(Self { section, file })
    }
}

/// Refuses what cannot be moved or extended without breaking it.
fn check(pe: &[u8], layout: &Layout) -> Result<()> {
    if let Some(entry) = layout.directory(CERTIFICATE_TABLE) {
        if get(pe, entry, 8)? != [0; 8] {
            return Err(broken("it is signed already, and every change breaks that signature"));
        }
    }
    if usize_at(pe, layout.coff + 8)? != 0 {
        return Err(broken("it has a symbol table"));
    }
    let headers = usize_at(pe, layout.size_of_headers())?;
    if get(pe, layout.table_end(), headers.saturating_sub(layout.table_end()))?.iter().any(|&b| b != 0) {
        return Err(broken("there are data between its section table and its sections"));
    }
    let mut end = headers;
    for index in 0..layout.sections {
        let entry = layout.entry(index);
        let (size, offset) = (usize_at(pe, entry + 16)?, usize_at(pe, entry + 20)?);
        if get(pe, entry + 24, 8)? != [0; 8] || get(pe, entry + 32, 4)? != [0; 4] {
            return Err(broken("a section has relocations or line numbers of its own"));
        }
        if size != 0 && offset < headers {
            return Err(broken("a section's data lie inside the headers"));
        }
        get(pe, offset, size)?;
        end = end.max(offset + size);
    }
    if pe.len() != end {
        return Err(broken(&format!("{} bytes stand behind its last section", pe.len().abs_diff(end))));
    }
    Ok(())
}

/// Copies the file and makes room for `more` entries in the section table.
fn grow_headers(pe: &[u8], layout: &Layout, alignment: Alignment, more: usize) -> Result<Vec<u8>> {
    let headers = usize_at(pe, layout.size_of_headers())?;
    let needed = (layout.table_end() + more * ENTRY).next_multiple_of(alignment.file);
    let shift = needed.saturating_sub(headers);
    for index in 0..layout.sections {
        if usize_at(pe, layout.entry(index) + 12)? < headers + shift {
            return Err(broken("its sections are loaded so low that the section table cannot grow"));
        }
    }
    let mut out = Vec::with_capacity(pe.len() + shift);
    out.extend_from_slice(get(pe, 0, headers)?);
    out.resize(headers + shift, 0);
    out.extend_from_slice(&pe[headers..]);
    if shift == 0 {
        return Ok(out);
    }
    if layout.directory(DEBUG).is_some_and(|entry| pe[entry..entry + 8] != [0; 8]) {
        return Err(broken("it has debug entries, which cannot be moved"));
    }
    put_u32(&mut out, layout.size_of_headers(), headers + shift)?;
    for index in 0..layout.sections {
        let offset = usize_at(pe, layout.entry(index) + 20)?;
        if offset != 0 {
            put_u32(&mut out, layout.entry(index) + 20, offset + shift)?;
        }
    }
    Ok(out)
}

/// Writes one table entry and the data.
fn push(out: &mut Vec<u8>, layout: &Layout, align: Alignment, index: usize, section: &NewSection) -> Result<()> {
    if section.name.is_empty() || section.name.len() > 8 || !section.name.is_ascii() {
        return Err(Error::bug(format!("section name \"{}\" has not 1 to 8 ASCII characters", section.name)));
    }
    if section.data.is_empty() {
        return Err(Error::input(format!("section {} would be empty", section.name), "leave it out or fill it"));
    }
    let address = end_of_image(out, layout, index)?.next_multiple_of(align.section);
    let raw_size = section.data.len().next_multiple_of(align.file);
    // the former section may end unaligned in the file
    let offset = out.len().next_multiple_of(align.file);
    let entry = layout.entry(index);
    out[entry..entry + section.name.len()].copy_from_slice(section.name.as_bytes());
    put_u32(out, entry + 8, section.data.len())?;
    put_u32(out, entry + 12, address)?;
    put_u32(out, entry + 16, raw_size)?;
    put_u32(out, entry + 20, offset)?;
    out[entry + 36..entry + 40].copy_from_slice(&CHARACTERISTICS.to_le_bytes());
    let count = u16::try_from(index + 1).map_err(|_| broken("it has too many sections"))?;
    out[layout.coff + 2..layout.coff + 4].copy_from_slice(&count.to_le_bytes());
    put_u32(out, layout.size_of_image(), (address + section.data.len()).next_multiple_of(align.section))?;
    out.resize(offset, 0);
    out.extend_from_slice(section.data);
    out.resize(offset + raw_size, 0);
    Ok(())
}

/// The first free address behind `sections` sections.
fn end_of_image(pe: &[u8], layout: &Layout, sections: usize) -> Result<usize> {
    let mut end = usize_at(pe, layout.size_of_headers())?;
    for index in 0..sections {
        let entry = layout.entry(index);
        end = end.max(usize_at(pe, entry + 12)? + usize_at(pe, entry + 8)?);
    }
    Ok(end)
}

fn broken(what: &str) -> Error {
    Error::artefact(
        format!("this file cannot be extended with sections: {what}"),
        "use the systemd-stub of the locked package systemd-boot-efi, unsigned and unchanged",
    )
}

fn get(bytes: &[u8], offset: usize, length: usize) -> Result<&[u8]> {
    offset
        .checked_add(length)
        .and_then(|end| bytes.get(offset..end))
        .ok_or_else(|| broken(&format!("it ends at {} inside what its headers announce", bytes.len())))
}

fn u16_at(bytes: &[u8], offset: usize) -> Result<u16> {
    let field = get(bytes, offset, 2)?;
    Ok(u16::from_le_bytes([field[0], field[1]]))
}

/// A 32-bit field as a length or an offset; every sum of a few of them fits 64 bits.
fn usize_at(bytes: &[u8], offset: usize) -> Result<usize> {
    let field = get(bytes, offset, 4)?;
    Ok(u32::from_le_bytes([field[0], field[1], field[2], field[3]]) as usize)
}

pub(crate) fn put_u32(bytes: &mut [u8], offset: usize, value: usize) -> Result<()> {
    let value = u32::try_from(value).map_err(|_| {
        Error::input(
            format!("the image would need {value} bytes, a PE file ends at 4 GiB"),
            "take files out of the recipe",
        )
    })?;
    bytes[offset..offset + 4].copy_from_slice(&value.to_le_bytes());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testpe::{minimal_stub, StubShape};

    const NEW: [NewSection; 2] =
        [NewSection { name: ".cmdline", data: b"quiet" }, NewSection { name: ".linux", data: &[7; 5000] }];

    fn field(pe: &[u8], section: usize, offset: usize) -> usize {
        usize_at(pe, Layout::of(pe).unwrap().entry(section) + offset).unwrap()
    }

    #[test]
    fn fields_of_an_appended_section() {
        let stub = minimal_stub(&StubShape::default());
        let out = append(&stub, &NEW).unwrap();
        let layout = Layout::of(&out).unwrap();
        let n = Layout::of(&stub).unwrap().sections;
        assert_eq!(layout.sections, n + 2);
        assert_eq!(field(&out, n, 8), 5);
        assert_eq!(field(&out, n, 16), 512);
        assert_eq!(field(&out, n, 12) % 0x1000, 0);
        assert_eq!(field(&out, n + 1, 12), field(&out, n, 12) + 0x1000);
        assert_eq!(field(&out, n + 1, 16), 5120);
        let at = field(&out, n + 1, 20);
        assert_eq!(&out[at..at + 5000], &[7; 5000]);
        assert_eq!(usize_at(&out, layout.size_of_image()).unwrap(), field(&out, n + 1, 12) + 0x2000);
        assert_eq!(usize_at(&out, layout.checksum()).unwrap(), 0);
        assert_eq!(out.len() % OUTPUT_ALIGNMENT, 0);
        // the time stamp stays
        assert_eq!(out[layout.coff + 4..layout.coff + 8], stub[layout.coff + 4..layout.coff + 8]);
        assert_eq!(append(&stub, &NEW).unwrap(), out, "two runs differ");
    }

    #[test]
    fn headers_grow_and_data_move() {
        let stub = minimal_stub(&StubShape { tight_headers: true, ..StubShape::default() });
        let out = append(&stub, &NEW).unwrap();
        let (before, after) = (Layout::of(&stub).unwrap(), Layout::of(&out).unwrap());
        let shift =
            usize_at(&out, after.size_of_headers()).unwrap() - usize_at(&stub, before.size_of_headers()).unwrap();
        assert_eq!(shift, 512);
        for index in 0..before.sections {
            let (old, new, size) = (field(&stub, index, 20), field(&out, index, 20), field(&out, index, 16));
            assert_eq!(new, old + shift);
            assert_eq!(stub[old..old + size], out[new..new + size]);
            assert_eq!(field(&stub, index, 12), field(&out, index, 12), "a section's address changed");
        }
    }

    #[test]
    fn refused_stubs() {
        let good = minimal_stub(&StubShape::default());
        let layout = Layout::of(&good).unwrap();
        let mut trailing = good.clone();
        trailing.push(1);
        let mut signed = good.clone();
        put_u32(&mut signed, layout.certificate_directory().unwrap(), 0x400).unwrap();
        let mut symbols = good.clone();
        put_u32(&mut symbols, layout.coff + 8, 0x400).unwrap();
        let mut gap = good.clone();
        gap[layout.table_end() + 3] = 1;
        let mut alignment = good.clone();
        put_u32(&mut alignment, layout.optional + 36, 32).unwrap();
        let low = minimal_stub(&StubShape { tight_headers: true, low_sections: true, ..StubShape::default() });
        for (name, stub) in [
            ("trailing data", trailing),
            ("signed", signed),
            ("symbols", symbols),
            ("data in the header gap", gap),
            ("file alignment", alignment),
            ("no room", low),
            ("empty", vec![]),
            ("not a PE", vec![0; 4096]),
        ] {
            assert!(append(&stub, &NEW).is_err(), "{name} was taken");
        }
        for length in 0..good.len() {
            assert!(append(&good[..length], &NEW).is_err(), "{length} bytes were taken");
        }
    }

    #[test]
    fn flipped_bytes_never_panic() {
        let good = minimal_stub(&StubShape::default());
        for offset in 0..1024.min(good.len()) {
            for value in [0, 1, 0x7f, 0xff] {
                let mut bad = good.clone();
                bad[offset] = value;
                let _ = append(&bad, &NEW);
            }
        }
    }
}
