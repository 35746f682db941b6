//! One good file, and one defect at a time.

use super::testpe::{build, put32, sign, HEADERS};
use super::*;

fn sample() -> Vec<u8> {
    build(&[(".text", b"code"), (".cmdline", b"quiet"), (".linux", &[7; 600])])
}

#[test]
fn sections_and_contents() {
    let bytes = sample();
    let pe = Pe::parse(&bytes).unwrap();
    assert_eq!(pe.sections().len(), 3);
    let cmdline = pe.section(".cmdline").unwrap();
    assert_eq!((cmdline.raw_size, cmdline.virtual_size), (512, 5));
    assert_eq!(pe.contents(cmdline).unwrap(), b"quiet");
    assert!(pe.section(".initrd").is_none());
    assert_eq!(pe.certificate_table(), (0, 0));
    assert!(pe.signatures().unwrap().is_empty());
}

#[test]
fn signing_does_not_change_the_digest_but_every_other_byte_does() {
    let plain = sample();
    let digest = authenticode(&plain).unwrap();
    let signed = sign(plain.clone(), b"a pkcs7 blob");
    assert_eq!(authenticode(&signed).unwrap(), digest);
    assert_eq!(Pe::parse(&signed).unwrap().signatures().unwrap(), vec![b"a pkcs7 blob"]);
    for at in [2, 0x48, HEADERS - 1, HEADERS, plain.len() - 1] {
        let mut changed = plain.clone();
        changed[at] ^= 1;
        assert_ne!(authenticode(&changed).unwrap(), digest, "byte {at}");
    }
    let longer = [plain, vec![0; 8]].concat();
    assert_ne!(authenticode(&longer).unwrap(), digest, "trailing data is hashed");
}

#[test]
fn every_prefix_is_refused_or_read_without_panic() {
    let signed = sign(sample(), b"a pkcs7 blob");
    for end in 0..signed.len() {
        assert!(Pe::parse(&signed[..end]).is_err(), "{end} bytes were taken");
    }
}

/// One defect each: (offset of a 32-bit field, its new value, what is wrong).
#[test]
fn defects_are_refused() {
    let table = 0x148;
    let defects: &[(usize, u32, &str)] = &[
        (0x3c, 0xffff_fff0, "PE header beyond the end"),
        (0x44, 0x14c, "another machine"),
        (0x7c, 0x300, "file alignment is no power of two"),
        (0x90, 0x1000, "SizeOfImage too small"),
        (0x94, 0x10, "SizeOfHeaders too small"),
        (0x94, 0xffff_ffff, "SizeOfHeaders too great"),
        (0xc4, 0xffff_ffff, "huge number of directories"),
        (table + 12, 0x1001, "unaligned address"),
        (table + 40 + 12, 0x1000, "loaded over the section before"),
        (table + 40 + 20, HEADERS as u32, "raw data over the section before"),
        (table + 40 + 16, 0xffff_ffff, "raw data beyond the end"),
        (table + 80 + 20, 0xa00, "hole before a section"),
        (table + 40, u32::from_le_bytes(*b".tex"), "name changed to a double, part 1"),
    ];
    for (at, value, what) in defects {
        let mut bytes = sample();
        put32(&mut bytes, *at, *value);
        if what.starts_with("name") {
            bytes[table + 40..table + 48].copy_from_slice(b".text\0\0\0");
        }
        assert!(Pe::parse(&bytes).is_err(), "{what} was taken");
    }
}

#[test]
fn certificate_table_must_be_last() {
    let signed = sign(sample(), b"a pkcs7 blob");
    assert!(Pe::parse(&[signed.clone(), vec![0; 8]].concat()).is_err());
    let mut inside = signed;
    put32(&mut inside, 0xc8 + 32, HEADERS as u32);
    assert!(Pe::parse(&inside).is_err());
}

#[test]
fn zero_filled_contents_are_refused() {
    let mut bytes = sample();
    put32(&mut bytes, 0x148 + 80 + 8, 5000);
    put32(&mut bytes, 0x90, 0x10000);
    let pe = Pe::parse(&bytes).unwrap();
    assert!(pe.contents(pe.section(".linux").unwrap()).is_err());
}
