//! PE images: headers, Authenticode digest, lint, prediction. Invariants, for any bytes:
//! - nothing panics: parsing, every section's contents, signatures, digest, lint for every stub version, prediction;
//! - sections and certificate table lie inside the file, names are unique;
//! - the digest is deterministic, and does not depend on CheckSum;
//! - a predicted image passes the lint, and its events lead to its PCR values.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vitrine_attest::pcr::PcrValues;
use vitrine_attest::pe::{authenticode, Pe};
use vitrine_attest::predict::predict;
use vitrine_attest::section::{lint, stub_version, NEWEST_STUB, OLDEST_STUB};
use vitrine_attest::secure_boot::{signature_list, Variables};

fuzz_target!(|data: &[u8]| {
    let Ok(pe) = Pe::parse(data) else {
        assert!(authenticode(data).is_err() && predict(data, None).is_err());
        return;
    };
    for (index, section) in pe.sections().iter().enumerate() {
        assert_eq!(pe.section(&section.name), Some(&pe.sections()[index]));
        if let Ok(contents) = pe.contents(section) {
            assert_eq!(contents.len(), section.virtual_size as usize);
        }
    }
    let (start, size) = pe.certificate_table();
    assert!(start + size <= data.len());
    if let Ok(signatures) = pe.signatures() {
        assert!(signatures.iter().map(|s| s.len() + 8).sum::<usize>() <= size);
    }
    digest(data);
    for version in OLDEST_STUB - 1..=NEWEST_STUB + 1 {
        let _ = lint(&pe, version);
    }
    predicts(data, &pe);
});

fn digest(data: &[u8]) {
    let digest = authenticode(data);
    let headers = u32::from_le_bytes([data[0x3c], data[0x3d], data[0x3e], data[0x3f]]) as usize;
    let checksum = headers + 4 + 20 + 64;
    let mut other = data.to_vec();
    other[checksum] ^= 0xff;
    // when the PE header lies over the DOS header, CheckSum may be another field as well
    if headers >= 0x40 {
        assert_eq!(authenticode(&other), digest);
    }
}

fn predicts(data: &[u8], pe: &Pe<'_>) {
    let list = signature_list([1; 16], &[0x30, 0]);
    let variables = Variables { pk: list.clone(), kek: list.clone(), db: list, dbx: vec![] };
    let _ = predict(data, Some(&variables));
    let Ok(prediction) = predict(data, None) else { return };
    let version = stub_version(pe).expect("a predicted image names its stub");
    assert_eq!((lint(pe, version), prediction.stub_version), (Ok(()), version));
    assert_eq!(prediction.authenticode, pe.authenticode());
    for boot in prediction.platforms.values() {
        let mut values = PcrValues::default();
        for event in &boot.events {
            values.extend(event.pcr, event.digest);
        }
        for (pcr, value) in &values.0 {
            assert_eq!(boot.pcrs.get(*pcr), Some(*value));
        }
    }
}
