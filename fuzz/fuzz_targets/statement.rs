//! Entries of a log, statements of every kind, customers' files of a fleet's epoch. Invariants, for any bytes:
//! - as an entry: never panics; what is read was at most as long as an entry, and is written again in the same bytes;
//! - as a payload: never panics; what is read as a kind can be signed, and is that kind again;
//! - no key that signed nothing has signed it; a second signature is added once;
//! - a customer's file that is read leads to no root but that of its own path.
#![no_main]

use ed25519_dalek::SigningKey;
use libfuzzer_sys::fuzz_target;
use vitrine_attest::dsse::{add_signature, sign_payload};
use vitrine_attest::entry::{k_of_n, signers, Entry};
use vitrine_attest::fleet_epoch::{check_record, FleetEpoch, RecordFile};
use vitrine_attest::statement::{Statement, Subject};
use vitrine_attest::tile::ENTRY_LIMIT;
use vitrine_attest::vkey::NoteKey;
use vitrine_attest::Sha256;

fuzz_target!(|data: &[u8]| {
    let secret = |byte| SigningKey::from_bytes(&[byte; 32]);
    let named = |byte| NoteKey::new("key", secret(byte).verifying_key()).expect("a key");
    if let Ok((envelope, entry)) = Entry::read(data) {
        assert!(data.len() <= ENTRY_LIMIT);
        assert_eq!(envelope.to_json().expect("an envelope has a JSON form"), data);
        assert!(signers(&envelope, &[named(8)]).is_empty());
        if let Ok(more) = add_signature(&envelope, &secret(8)) {
            assert_eq!(Entry::of(&more), Ok(entry));
            assert!(k_of_n(&more, &[named(8), named(9)], 1).is_ok() && add_signature(&more, &secret(8)).is_err());
        }
    }
    let signed = sign_payload(data.to_vec(), &secret(7));
    if let Ok(entry) = Entry::of(&signed) {
        let text = String::from_utf8_lossy(data);
        assert!(matches!(entry, Entry::Unknown(_)) || text.contains(entry.kind()));
        assert_eq!(signers(&signed, &[named(7)]).len(), 1);
    }
    if let Ok(file) = RecordFile::from_json(data) {
        let [from, until] = ["2026-11-01", "2026-11-30"].map(|day| day.parse().expect("a day"));
        let root = Sha256::of(b"somebody else's");
        let epoch = FleetEpoch { epoch: file.record.epoch, root, capacity: 1024, from, until };
        let statement = Statement::about(vec![Subject::new("x", root)], "x", epoch);
        assert!(check_record(&statement, &file.statement, &file).is_err());
    }
});
