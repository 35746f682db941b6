//! One variable in the store: AUTHENTICATED_VARIABLE_HEADER, name, data.

use vitrine_attest::secure_boot::Guid;

/// First two bytes of every entry (`VARIABLE_DATA`).
const START: u16 = 0x55AA;
/// The entry is complete and valid (`VAR_ADDED`). Bits are cleared, never set: 0x3F → 0x3D when deleted.
pub(super) const ADDED: u8 = 0x3F;
/// Marked for deletion while its successor is being written, and still valid until that one is complete
/// (`VAR_IN_DELETED_TRANSITION & VAR_ADDED`).
pub(super) const IN_TRANSITION: u8 = 0x3E;
/// Bytes before the name: start 2, state 1, reserved 1, attributes 4, count 8, time 16, key index 4,
/// name size 4, data size 4, vendor 16.
pub(super) const HEADER: usize = 60;
/// Entries begin at multiples of this (`HEADER_ALIGNMENT`).
const ALIGNMENT: usize = 4;
/// Longest name we read, bytes of UTF-16 with its NUL. edk2 has no limit of its own; real names have about 60.
const NAME_LIMIT: usize = 1024;

/// A variable. Its time stamp, monotonic count and key index are zero when we write it: any later signed
/// update is newer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    pub vendor: Guid,
    pub name: String,
    pub attributes: u32,
    pub data: Vec<u8>,
}

/// What stands at one place of the store.
pub(super) struct Entry<'a> {
    pub state: u8,
    pub attributes: u32,
    pub vendor: Guid,
    name: &'a [u8],
    pub data: &'a [u8],
    /// Bytes to the next entry, its padding included.
    pub length: usize,
}

impl Variable {
    pub fn new(vendor: Guid, name: &str, attributes: u32, data: Vec<u8>) -> Self {
        Self { vendor, name: name.into(), attributes, data }
    }

    /// The entry's bytes, padded with 0xFF (erased flash). `None` when a size needs more than 32 bits.
    pub(super) fn encode(&self) -> Option<Vec<u8>> {
        let name: Vec<u8> = self.name.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect();
        let mut out = Vec::with_capacity(HEADER + name.len() + self.data.len() + ALIGNMENT);
        out.extend_from_slice(&START.to_le_bytes());
        out.extend_from_slice(&[ADDED, 0]);
        out.extend_from_slice(&self.attributes.to_le_bytes());
        out.extend_from_slice(&[0; 8 + 16 + 4]); // monotonic count, time stamp, key index
        out.extend_from_slice(&u32::try_from(name.len()).ok()?.to_le_bytes());
        out.extend_from_slice(&u32::try_from(self.data.len()).ok()?.to_le_bytes());
        out.extend_from_slice(&self.vendor);
        out.extend_from_slice(&name);
        out.extend_from_slice(&self.data);
        out.resize(out.len().next_multiple_of(ALIGNMENT), 0xFF);
        Some(out)
    }
}

impl<'a> Entry<'a> {
    /// Reads the entry at the beginning of `bytes`; `None` where erased flash begins.
    ///
    /// # Errors
    /// Says in words what is wrong with it.
    pub fn parse(bytes: &'a [u8]) -> Result<Option<Self>, String> {
        // Erased flash, or too little of it for another entry.
        if bytes.len() < HEADER || u16_at(bytes, 0) == 0xFFFF {
            return Ok(None);
        }
        if u16_at(bytes, 0) != START {
            return Err("no variable begins here".into());
        }
        let name_size = u32_at(bytes, 36) as usize;
        let data_size = u32_at(bytes, 40) as usize;
        if !(2..=NAME_LIMIT).contains(&name_size) || !name_size.is_multiple_of(2) {
            return Err(format!("a name of {name_size} bytes"));
        }
        let rest = &bytes[HEADER..];
        let name = rest.get(..name_size).ok_or("its name is cut off")?;
        let data = rest[name_size..].get(..data_size).ok_or_else(|| format!("its {data_size} bytes are cut off"))?;
        let mut vendor = [0; 16];
        vendor.copy_from_slice(&bytes[44..HEADER]);
        Ok(Some(Self {
            state: bytes[2],
            attributes: u32_at(bytes, 4),
            vendor,
            name,
            data,
            length: (HEADER + name_size + data_size).next_multiple_of(ALIGNMENT),
        }))
    }

    /// Whether the firmware still reads it.
    pub fn is_valid(&self) -> bool {
        matches!(self.state, ADDED | IN_TRANSITION)
    }

    /// The name without its NUL.
    pub fn name(&self) -> Result<String, String> {
        let mut units: Vec<u16> = self.name.chunks_exact(2).map(|c| u16::from_le_bytes([c[0], c[1]])).collect();
        if units.pop() != Some(0) {
            return Err("its name has no NUL".into());
        }
        String::from_utf16(&units).map_err(|_| "its name is not UTF-16".into())
    }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Variable {
        Variable::new([9; 16], "db", 0x27, vec![1, 2, 3])
    }

    #[test]
    fn round_trip() {
        let bytes = sample().encode().unwrap();
        assert_eq!(bytes.len(), 72); // 60 + 6 + 3, padded to 4
        let entry = Entry::parse(&bytes).unwrap().unwrap();
        assert!(entry.is_valid());
        assert_eq!((entry.name().unwrap().as_str(), entry.data, entry.length), ("db", &[1, 2, 3][..], 72));
        assert_eq!((entry.attributes, entry.vendor), (0x27, [9; 16]));
    }

    #[test]
    fn sizes_that_lie_are_refused() {
        for (at, value) in [(36, u32::MAX), (36, 3), (36, 0), (40, u32::MAX), (40, 1000)] {
            let mut bytes = sample().encode().unwrap();
            bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
            assert!(Entry::parse(&bytes).is_err(), "{value} at {at} was taken");
        }
        let mut bytes = sample().encode().unwrap();
        bytes[0] = 0;
        assert!(Entry::parse(&bytes).is_err());
        bytes[0] = 0xAA;
        bytes[64] = 1; // the NUL
        assert!(Entry::parse(&bytes).unwrap().unwrap().name().is_err());
    }

    #[test]
    fn erased_flash_ends_the_list() {
        assert!(Entry::parse(&[0xFF; 100]).unwrap().is_none());
        assert!(Entry::parse(&[0xAA; 10]).unwrap().is_none());
    }
}
