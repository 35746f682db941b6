//! Small PE files for the tests of this crate.

/// SizeOfHeaders and alignments of what [`build`] makes.
pub const HEADERS: usize = 0x400;

/// A PE32+ with these sections; FileAlignment 512, SectionAlignment 4096.
pub fn build(sections: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = vec![0; HEADERS];
    out[..2].copy_from_slice(b"MZ");
    out[0x3c..0x40].copy_from_slice(&0x40u32.to_le_bytes());
    out[0x40..0x44].copy_from_slice(b"PE\0\0");
    put16(&mut out, 0x44, 0x8664);
    put16(&mut out, 0x46, sections.len() as u16);
    put16(&mut out, 0x54, 0xf0);
    put16(&mut out, 0x58, 0x20b);
    put32(&mut out, 0x78, 0x1000);
    put32(&mut out, 0x7c, 0x200);
    put32(&mut out, 0x94, HEADERS as u32);
    put32(&mut out, 0xc4, 16);
    let (mut table, mut address) = (0x148, 0x1000);
    for (name, data) in sections {
        let (raw, padded) = (out.len(), data.len().next_multiple_of(512));
        out[table..table + name.len()].copy_from_slice(name.as_bytes());
        for (field, value) in [(8, data.len()), (12, address), (16, padded), (20, raw)] {
            put32(&mut out, table + field, value as u32);
        }
        out.extend_from_slice(data);
        out.resize(raw + padded, 0);
        table += 40;
        address = (address + data.len()).next_multiple_of(0x1000);
    }
    put32(&mut out, 0x90, address as u32);
    out
}

/// Appends a certificate table with one PKCS#7 blob, and writes a CheckSum.
pub fn sign(mut pe: Vec<u8>, pkcs7: &[u8]) -> Vec<u8> {
    let (start, length) = (pe.len(), 8 + pkcs7.len());
    pe.extend_from_slice(&(length as u32).to_le_bytes());
    pe.extend_from_slice(&[0, 2, 2, 0]);
    pe.extend_from_slice(pkcs7);
    pe.resize(start + length.next_multiple_of(8), 0);
    let size = pe.len() - start;
    put32(&mut pe, 0xc8 + 32, start as u32);
    put32(&mut pe, 0xc8 + 36, size as u32);
    put32(&mut pe, 0x98, 0x1234);
    pe
}

pub fn put16(bytes: &mut [u8], at: usize, value: u16) {
    bytes[at..at + 2].copy_from_slice(&value.to_le_bytes());
}
pub fn put32(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
}
