//! OpenTimestamps files and calendars' answers. Invariants, for any bytes:
//! - reading never panics, and ends;
//! - a file has one spelling: what was read is written as it was;
//! - an answer only adds: the file stays one of the same digest, and waits no longer where the answer came.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vitrine_attest::Sha256;
use vitrine_verifier::anchor::bitcoin::Header;
use vitrine_verifier::anchor::ots::OtsFile;

fuzz_target!(|data: &[u8]| {
    let _ = Header::parse(data);
    if let Ok(file) = OtsFile::parse(data) {
        assert_eq!(file.to_bytes(), data);
        assert!(!file.attestations().is_empty() && file.pending().len() <= file.attestations().len());
    }
    let mut file = OtsFile::request(Sha256::ZERO, [0; 16], "http://a.example").expect("an address");
    let place = file.pending().remove(0).0;
    if file.add(&place, data).is_ok() {
        assert_eq!(OtsFile::parse(&file.to_bytes()), Ok(file.clone()));
        assert_eq!(file.digest, Sha256::ZERO);
        assert!(file.to_bytes().ends_with(data));
    }
});
