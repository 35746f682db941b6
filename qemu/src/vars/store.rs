//! The whole `VARS` file: firmware volume, variable store header, entries.

use super::entry::{Entry, Variable};
use vitrine_attest::secure_boot::Guid;
use vitrine_attest::{Error, Result};

/// `fff12b8d-7696-4c8b-a985-2747075b4f50`: a firmware volume that holds variables (`gEfiSystemNvDataFvGuid`).
const NV_DATA: Guid = [0x8d, 0x2b, 0xf1, 0xff, 0x96, 0x76, 0x8b, 0x4c, 0xa9, 0x85, 0x27, 0x47, 0x07, 0x5b, 0x4f, 0x50];
/// `aaf32c78-947b-439a-a180-2e144ec37792`: variables with time stamps (`gEfiAuthenticatedVariableGuid`).
const AUTHENTICATED_STORE: Guid =
    [0x78, 0x2c, 0xf3, 0xaa, 0x7b, 0x94, 0x9a, 0x43, 0xa1, 0x80, 0x2e, 0x14, 0x4e, 0xc3, 0x77, 0x92];
/// VARIABLE_STORE_HEADER: GUID 16, size 4, format 1, state 1, reserved 6.
const STORE_HEADER: usize = 28;
/// `VARIABLE_STORE_FORMATTED` and `VARIABLE_STORE_HEALTHY`.
const FORMATTED_AND_HEALTHY: [u8; 2] = [0x5A, 0xFE];
/// Largest file we read: OVMF's is 540,672 bytes.
const FILE_LIMIT: usize = 4 << 20;
/// Entries we read; a booted OVMF has about 60.
const ENTRY_LIMIT: usize = 4096;

const HINT: &str = "give the OVMF_VARS_4M.fd that belongs to the firmware (Debian package ovmf)";

/// The valid variables of a store, and everything needed to write it again.
///
/// Layout of OVMF's 4 MiB build: volume header at 0 (72 bytes), store header at 72, entries from 100
/// to the store's end at 0x40000; behind it the fault-tolerant-write blocks, which stay as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    file: Vec<u8>,
    entries_from: usize,
    entries_to: usize,
    variables: Vec<Variable>,
}

impl Store {
    /// Reads a `VARS` file. Deleted variables are left out.
    ///
    /// # Errors
    /// When it is not a firmware volume with an authenticated variable store, or an entry is malformed.
    pub fn parse(file: &[u8]) -> Result<Self> {
        let (entries_from, entries_to) =
            bounds(file).map_err(|why| Error::input(format!("not an OVMF variable store: {why}"), HINT))?;
        let variables = variables(&file[entries_from..entries_to])
            .map_err(|(at, why)| Error::input(format!("variable at byte {}: {why}", entries_from + at), HINT))?;
        Ok(Self { file: file.to_vec(), entries_from, entries_to, variables })
    }

    pub fn variables(&self) -> &[Variable] {
        &self.variables
    }

    pub fn get(&self, vendor: Guid, name: &str) -> Option<&Variable> {
        self.variables.iter().find(|v| v.vendor == vendor && v.name == name)
    }

    /// # Errors
    /// When the store has this variable already.
    pub fn add(&mut self, variable: Variable) -> Result<()> {
        if self.get(variable.vendor, &variable.name).is_some() {
            return Err(Error::input(format!("the variable store already holds {}", variable.name), HINT));
        }
        self.variables.push(variable);
        Ok(())
    }

    /// The file with all variables, the rest of the store erased (0xFF).
    ///
    /// # Errors
    /// When they do not fit.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let room = self.entries_to - self.entries_from;
        let too_big = || {
            Error::input(
                format!("the variables do not fit into the store's {room} bytes"),
                "enroll fewer or smaller certificates",
            )
        };
        let mut entries = Vec::with_capacity(room);
        for variable in &self.variables {
            entries.extend(variable.encode().ok_or_else(too_big)?);
            if entries.len() > room {
                return Err(too_big());
            }
        }
        entries.resize(room, 0xFF);
        let mut file = self.file.clone();
        file[self.entries_from..self.entries_to].copy_from_slice(&entries);
        Ok(file)
    }
}

/// Where entries may stand: EFI_FIRMWARE_VOLUME_HEADER (PI 1.7 Vol. 3, §3.2.1), then VARIABLE_STORE_HEADER.
fn bounds(file: &[u8]) -> std::result::Result<(usize, usize), String> {
    if file.len() > FILE_LIMIT {
        return Err(format!("{} bytes are too many", file.len()));
    }
    let header = file.get(..56).ok_or("too short for a firmware volume")?;
    if header[16..32] != NV_DATA || header[40..44] != *b"_FVH" {
        return Err("it does not begin with a volume for variables".into());
    }
    let header_length = usize::from(u16::from_le_bytes([header[48], header[49]]));
    let whole = file.get(..header_length).ok_or("its volume header is cut off")?;
    // All 16-bit words of the header add up to zero.
    let sum = whole.chunks_exact(2).fold(0u16, |sum, w| sum.wrapping_add(u16::from_le_bytes([w[0], w[1]])));
    if header_length < 56 || !header_length.is_multiple_of(2) || sum != 0 {
        return Err("its volume header's checksum is wrong".into());
    }
    let store = file[header_length..].get(..STORE_HEADER).ok_or("its store header is cut off")?;
    if store[..16] != AUTHENTICATED_STORE {
        return Err("its variables are not of the authenticated form".into());
    }
    if store[20..22] != FORMATTED_AND_HEALTHY {
        return Err("its store is not marked as formatted and healthy".into());
    }
    let size = u32::from_le_bytes([store[16], store[17], store[18], store[19]]) as usize;
    // Entries and their padding end at multiples of four.
    if size < STORE_HEADER || !size.is_multiple_of(4) || size > file.len() - header_length {
        return Err(format!("its store's size {size} does not fit the file"));
    }
    Ok((header_length + STORE_HEADER, header_length + size))
}

type At = (usize, String);

fn variables(bytes: &[u8]) -> std::result::Result<Vec<Variable>, At> {
    let mut found = Vec::new();
    let mut at = 0;
    for _ in 0..ENTRY_LIMIT {
        let Some(entry) = bytes.get(at..).map(Entry::parse).transpose().map_err(|why| (at, why))?.flatten() else {
            return Ok(found);
        };
        if entry.is_valid() {
            let name = entry.name().map_err(|why| (at, why))?;
            found.push(Variable {
                vendor: entry.vendor,
                name,
                attributes: entry.attributes,
                data: entry.data.to_vec(),
            });
        }
        at += entry.length;
    }
    Err((at, format!("more than {ENTRY_LIMIT} entries")))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// An empty store of OVMF's 4 MiB layout, as Debian ships it.
    pub fn empty() -> Vec<u8> {
        let mut file = vec![0xFF; 540_672];
        file[..16].fill(0);
        file[16..32].copy_from_slice(&NV_DATA);
        file[32..40].copy_from_slice(&540_672u64.to_le_bytes());
        file[40..44].copy_from_slice(b"_FVH");
        file[44..48].copy_from_slice(&0x0004_feffu32.to_le_bytes());
        file[48..50].copy_from_slice(&72u16.to_le_bytes());
        file[50..52].copy_from_slice(&0xb8afu16.to_le_bytes());
        file[52..56].copy_from_slice(&[0, 0, 0, 2]);
        file[56..72].copy_from_slice(&[132, 0, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        file[72..88].copy_from_slice(&AUTHENTICATED_STORE);
        file[88..92].copy_from_slice(&0x3_ffb8u32.to_le_bytes());
        file[92..94].copy_from_slice(&FORMATTED_AND_HEALTHY);
        file[94..100].fill(0);
        file
    }

    #[test]
    fn an_empty_store() {
        let store = Store::parse(&empty()).unwrap();
        assert!(store.variables().is_empty());
        assert_eq!((store.entries_from, store.entries_to), (100, 0x40000));
        assert_eq!(store.to_bytes().unwrap(), empty());
    }

    #[test]
    fn damaged_headers_are_refused() {
        for at in [16, 40, 48, 50, 60, 72, 91, 92, 93] {
            let mut file = empty();
            file[at] ^= 0x55;
            assert!(Store::parse(&file).is_err(), "byte {at} changed and it was taken");
        }
        for length in [0, 10, 56, 71, 99, 1000] {
            assert!(Store::parse(&empty()[..length]).is_err(), "{length} bytes were taken");
        }
        assert!(Store::parse(&vec![0; FILE_LIMIT + 1]).is_err());
    }

    #[test]
    fn deleted_variables_are_left_out() {
        let mut store = Store::parse(&empty()).unwrap();
        store.add(Variable::new([1; 16], "one", 7, vec![1])).unwrap();
        store.add(Variable::new([1; 16], "two", 7, vec![2])).unwrap();
        let mut file = store.to_bytes().unwrap();
        assert_eq!(Store::parse(&file).unwrap(), Store { file: file.clone(), ..store });
        file[102] = 0x3D;
        let left = Store::parse(&file).unwrap();
        assert_eq!(left.variables().len(), 1);
        assert_eq!(left.variables()[0].name, "two");
    }
}
