//! Reads PE32+ images for x86-64 strictly, and computes what the firmware checks and measures: the Authenticode digest.
//!
//! Standards: Microsoft PE Format; "Windows Authenticode Portable Executable Signature Format" 1.0.
//! Stricter than both where an odd file could be hashed in two ways: bytes that no digest covers, overlapping
//! sections, data behind the certificate table, two sections of one name are all refused.

#[cfg(test)]
pub(crate) mod testpe;
#[cfg(test)]
mod tests;

use crate::cursor::{Cursor, Short};
use crate::{Error, Result, Sha256};

/// IMAGE_FILE_MACHINE_AMD64.
const MACHINE: u16 = 0x8664;
/// Optional header magic of PE32+.
const PE32_PLUS: u16 = 0x20b;
/// Data directories that the format defines.
const DIRECTORY_LIMIT: usize = 16;
/// Data directory of the certificate table; its "address" is a file offset.
const CERTIFICATE_DIRECTORY: usize = 4;
/// Sections that Windows' loader takes; our images have about twelve.
const SECTION_LIMIT: usize = 96;
/// Bytes of one entry of the section table.
const SECTION_ENTRY: usize = 40;
/// Certificates are padded to this, so an unsigned file's length must be a multiple to hash alike when signed.
pub const CERTIFICATE_ALIGNMENT: usize = 8;
/// WIN_CERT_REVISION_2_0 and WIN_CERT_TYPE_PKCS_SIGNED_DATA: the only kind that UEFI's Secure Boot uses.
const CERTIFICATE_KIND: (u16, u16) = (0x0200, 0x0002);

const HINT: &str = "build the image again with `vitrine build`, or fetch the published one again";

fn broken(why: impl std::fmt::Display) -> Error {
    Error::input(format!("PE image: {why}"), HINT)
}

impl From<Short> for Error {
    fn from(short: Short) -> Self {
        broken(short)
    }
}

/// One entry of the section table. All numbers are bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// As in the table, without the NULs behind it: `.cmdline`.
    pub name: String,
    /// Length of the contents once loaded.
    pub virtual_size: u32,
    /// Where it is loaded, from the image's base.
    pub virtual_address: u32,
    /// Length in the file, a multiple of FileAlignment in our own images.
    pub raw_size: u32,
    /// Where it lies in the file; no meaning when `raw_size` is 0.
    pub raw_offset: u32,
    pub characteristics: u32,
}

impl Section {
    fn raw_start(&self) -> usize {
        self.raw_offset as usize
    }
    fn raw_end(&self) -> usize {
        // two u32 fit into a 64-bit usize
        self.raw_offset as usize + self.raw_size as usize
    }
}

/// A checked PE32+ file.
#[derive(Debug, Clone)]
pub struct Pe<'a> {
    bytes: &'a [u8],
    sections: Vec<Section>,
    /// SectionAlignment: of `virtual_address`.
    pub section_alignment: u32,
    /// FileAlignment: of `raw_offset` and `raw_size`.
    pub file_alignment: u32,
    /// SizeOfHeaders: where the first section's contents may begin in the file.
    pub headers_size: u32,
    /// SizeOfImage: where the last section ends once loaded.
    pub image_size: u32,
    /// TimeDateStamp of the COFF header; part of the Authenticode digest.
    pub time_stamp: u32,
    /// Offset of CheckSum in the file.
    checksum_at: usize,
    /// Offset of the certificate table's directory entry in the file, if there is one.
    certificate_entry_at: Option<usize>,
    /// (virtual address, size) pairs.
    directories: Vec<(u32, u32)>,
}

impl<'a> Pe<'a> {
    /// Reads and checks the headers.
    ///
    /// # Errors
    /// When the file is not PE32+ for x86-64, is cut off, or has a form that could be understood in two ways.
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        if u32::try_from(bytes.len()).is_err() {
            return Err(broken("it is 4 GiB or longer"));
        }
        let mut dos = Cursor::new(bytes);
        if dos.take(2)? != b"MZ" {
            return Err(broken("it does not begin with MZ"));
        }
        dos.take(0x3a)?;
        let pe_at = dos.len32()?;
        let mut cursor = Cursor::new(bytes);
        cursor.take(pe_at)?;
        if cursor.take(4)? != b"PE\0\0" {
            return Err(broken("it has no PE signature"));
        }
        let pe = Self::headers(bytes, &mut cursor)?;
        pe.check_layout()?;
        pe.check_certificate_table()?;
        Ok(pe)
    }

    /// COFF header, optional header, data directories, section table.
    fn headers(bytes: &'a [u8], cursor: &mut Cursor<'a>) -> Result<Self> {
        let machine = cursor.u16()?;
        let section_count = usize::from(cursor.u16()?);
        let time_stamp = cursor.u32()?;
        cursor.take(8)?; // symbol table, deprecated
        let optional_size = usize::from(cursor.u16()?);
        cursor.take(2)?;
        let optional_at = cursor.offset();
        let magic = cursor.u16()?;
        if machine != MACHINE || magic != PE32_PLUS {
            return Err(broken(format!("machine {machine:#06x}, format {magic:#05x}: PE32+ for x86-64 is needed")));
        }
        if section_count > SECTION_LIMIT {
            return Err(broken(format!("{section_count} sections, at most {SECTION_LIMIT} are read")));
        }
        cursor.take(30)?;
        let (section_alignment, file_alignment) = (cursor.u32()?, cursor.u32()?);
        cursor.take(16)?;
        let (image_size, headers_size) = (cursor.u32()?, cursor.u32()?);
        let checksum_at = cursor.offset();
        cursor.take(44)?;
        let directory_count = cursor.len32()?;
        if directory_count > DIRECTORY_LIMIT {
            return Err(broken(format!("{directory_count} data directories, the format has {DIRECTORY_LIMIT}")));
        }
        let directories_at = cursor.offset();
        let directories = (0..directory_count)
            .map(|_| Ok((cursor.u32()?, cursor.u32()?)))
            .collect::<std::result::Result<Vec<_>, Short>>()?;
        if optional_at + optional_size < cursor.offset() {
            return Err(broken("its optional header is shorter than its data directories"));
        }
        let mut table = Cursor::new(bytes);
        table.take(optional_at + optional_size)?;
        let sections = (0..section_count).map(|_| section(&mut table)).collect::<Result<Vec<_>>>()?;
        if table.offset() > headers_size as usize || headers_size as usize > bytes.len() {
            return Err(broken(format!("SizeOfHeaders {headers_size} does not fit its headers and its length")));
        }
        Ok(Self {
            bytes,
            sections,
            section_alignment,
            file_alignment,
            headers_size,
            image_size,
            time_stamp,
            checksum_at,
            certificate_entry_at: (directory_count > CERTIFICATE_DIRECTORY)
                .then_some(directories_at + 8 * CERTIFICATE_DIRECTORY),
            directories,
        })
    }

    /// Alignments, and sections that neither overlap nor leave a hole, in the file and when loaded.
    fn check_layout(&self) -> Result<()> {
        if !self.file_alignment.is_power_of_two() || !self.section_alignment.is_power_of_two() {
            return Err(broken("its alignments are not powers of two"));
        }
        let mut raw_end = self.headers_size as usize;
        for section in self.hashed_sections() {
            let (start, end) = (section.raw_start(), section.raw_end());
            if start != raw_end || end > self.bytes.len() {
                let name = &section.name;
                return Err(broken(format!("{name} lies at {start}–{end} in the file, expected from {raw_end}")));
            }
            raw_end = end;
        }
        let mut loaded_end = u64::from(self.headers_size);
        for section in &self.sections {
            let start = u64::from(section.virtual_address);
            if start < loaded_end || !section.virtual_address.is_multiple_of(self.section_alignment) {
                return Err(broken(format!(
                    "{} is loaded at {start:#x}, over the one before or unaligned",
                    section.name
                )));
            }
            loaded_end = start + u64::from(section.virtual_size);
        }
        if loaded_end > u64::from(self.image_size) {
            return Err(broken(format!("SizeOfImage {} is less than its sections need", self.image_size)));
        }
        let mut names: Vec<_> = self.sections.iter().map(|s| &s.name).collect();
        names.sort();
        match names.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(broken(format!("two sections are named {}", pair[0]))),
            None => Ok(()),
        }
    }

    fn check_certificate_table(&self) -> Result<()> {
        let (start, size) = self.certificate_table();
        if size == 0 {
            return Ok(());
        }
        let end_of_sections = self.hashed_sections().last().map_or(self.headers_size as usize, Section::raw_end);
        if !start.is_multiple_of(CERTIFICATE_ALIGNMENT) || start < end_of_sections || start + size != self.bytes.len() {
            return Err(broken("its certificate table is not the last thing in the file"));
        }
        Ok(())
    }

    /// In the order of the section table.
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }

    pub fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.name == name)
    }

    /// Data directory `index` as (virtual address, size); `None` when the file has fewer.
    pub fn directory(&self, index: usize) -> Option<(u32, u32)> {
        self.directories.get(index).copied()
    }

    /// The bytes that a section has once loaded: VirtualSize bytes, as systemd-stub measures them.
    ///
    /// # Errors
    /// When VirtualSize is greater than the length in the file (the loader would add zeros): our writer does not
    /// make such sections.
    pub fn contents(&self, section: &Section) -> Result<&'a [u8]> {
        let raw = self.raw(section);
        raw.get(..section.virtual_size as usize).ok_or_else(|| {
            let Section { name, virtual_size, raw_size, .. } = section;
            broken(format!("{name} is {virtual_size} bytes when loaded but only {raw_size} in the file"))
        })
    }

    /// The bytes that a section has in the file, with its padding.
    fn raw(&self, section: &Section) -> &'a [u8] {
        match section.raw_size {
            0 => &[],
            // `check_layout` found every section inside the file; a foreign `Section` gives nothing
            _ => self.bytes.get(section.raw_start()..section.raw_end()).unwrap_or_default(),
        }
    }

    /// Sections with bytes in the file, in file order: what Authenticode hashes.
    fn hashed_sections(&self) -> impl Iterator<Item = &Section> {
        let mut sections: Vec<_> = self.sections.iter().filter(|s| s.raw_size != 0).collect();
        sections.sort_by_key(|s| s.raw_offset);
        sections.into_iter()
    }

    /// The certificate table as (offset, size) in the file; (0, 0) when unsigned.
    pub fn certificate_table(&self) -> (usize, usize) {
        match self.directories.get(CERTIFICATE_DIRECTORY) {
            Some(&(offset, size)) if size != 0 => (offset as usize, size as usize),
            _ => (0, 0),
        }
    }

    /// The signatures, each a DER PKCS#7 SignedData; empty when unsigned.
    ///
    /// # Errors
    /// When the table is not a sequence of WIN_CERTIFICATE of revision 2.0 and type PKCS_SIGNED_DATA.
    pub fn signatures(&self) -> Result<Vec<&'a [u8]>> {
        let (start, size) = self.certificate_table();
        let mut cursor = Cursor::new(self.bytes.get(start..start + size).unwrap_or_default());
        let mut found = Vec::new();
        while !cursor.is_empty() {
            let length = cursor.len32()?;
            let kind = (cursor.u16()?, cursor.u16()?);
            let body = length.checked_sub(8).ok_or_else(|| broken("a certificate is shorter than its own header"))?;
            if kind != CERTIFICATE_KIND {
                return Err(broken(format!("certificate of revision {:#x}, type {:#x}", kind.0, kind.1)));
            }
            found.push(cursor.take(body)?);
            let padding = length.next_multiple_of(CERTIFICATE_ALIGNMENT) - length;
            cursor.take(padding)?;
        }
        Ok(found)
    }

    /// The Authenticode SHA-256: everything but CheckSum, the certificate table and its directory entry
    /// (Authenticode 1.0, "Calculating the PE Image Hash").
    ///
    /// A signed and an unsigned file have one digest if the unsigned file's length is a multiple of
    /// [`CERTIFICATE_ALIGNMENT`]; otherwise signing adds padding, which is hashed.
    pub fn authenticode(&self) -> Sha256 {
        let headers = &self.bytes[..self.headers_size as usize];
        let mut parts = vec![&headers[..self.checksum_at]];
        match self.certificate_entry_at {
            Some(entry) => parts.extend([&headers[self.checksum_at + 4..entry], &headers[entry + 8..]]),
            None => parts.push(&headers[self.checksum_at + 4..]),
        }
        let mut end = headers.len();
        for section in self.hashed_sections() {
            parts.push(self.raw(section));
            end = section.raw_end();
        }
        let (certificates, size) = self.certificate_table();
        let trailing_end = if size == 0 { self.bytes.len() } else { certificates };
        parts.push(&self.bytes[end..trailing_end]);
        Sha256::of_parts(&parts)
    }
}

/// The Authenticode SHA-256 of a PE file, see [`Pe::authenticode`].
///
/// # Errors
/// As [`Pe::parse`].
pub fn authenticode(bytes: &[u8]) -> Result<Sha256> {
    Ok(Pe::parse(bytes)?.authenticode())
}

fn section(table: &mut Cursor<'_>) -> Result<Section> {
    let mut entry = Cursor::new(table.take(SECTION_ENTRY)?);
    let raw_name: [u8; 8] = entry.array()?;
    let length = raw_name.iter().position(|b| *b == 0).unwrap_or(raw_name.len());
    let (name, padding) = raw_name.split_at(length);
    if name.is_empty() || !name.iter().all(u8::is_ascii_graphic) || padding.iter().any(|b| *b != 0) {
        return Err(broken(format!("a section is named \"{}\"", raw_name.escape_ascii())));
    }
    let name = String::from_utf8_lossy(name).into_owned();
    let (virtual_size, virtual_address) = (entry.u32()?, entry.u32()?);
    let (raw_size, raw_offset) = (entry.u32()?, entry.u32()?);
    entry.take(12)?;
    Ok(Section { name, virtual_size, virtual_address, raw_size, raw_offset, characteristics: entry.u32()? })
}
