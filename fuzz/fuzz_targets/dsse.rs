//! Release statements. Invariants, for any bytes:
//! - as an envelope: never panics; what was read, written and read again, is the same; no key that signed nothing verifies it;
//! - as a payload that is really signed: never panics, and a statement is only taken in the one spelling that was signed,
//!   so that signing it again gives the same envelope.
#![no_main]

use ed25519_dalek::{Signer as _, SigningKey};
use libfuzzer_sys::fuzz_target;
use vitrine_attest::dsse::{pae, sign, verify, Envelope, EnvelopeSignature, ENVELOPE_LIMIT};
use vitrine_attest::statement::PAYLOAD_TYPE;

fuzz_target!(|data: &[u8]| {
    let key = SigningKey::from_bytes(&[7; 32]);
    if let Ok(envelope) = Envelope::from_json(data) {
        assert!(data.len() <= ENVELOPE_LIMIT);
        let written = envelope.to_json().expect("an envelope has a JSON form");
        if written.len() <= ENVELOPE_LIMIT {
            assert_eq!(Envelope::from_json(&written), Ok(envelope.clone()));
        }
        assert!(verify(&envelope, &SigningKey::from_bytes(&[8; 32]).verifying_key()).is_err());
    }
    let sig = key.sign(&pae(PAYLOAD_TYPE, data)).to_bytes().to_vec();
    let signatures = vec![EnvelopeSignature { keyid: String::new(), sig }];
    let envelope = Envelope { payload_type: PAYLOAD_TYPE.into(), payload: data.to_vec(), signatures };
    let Ok(statement) = verify(&envelope, &key.verifying_key()) else { return };
    let again = sign(&statement, &key).expect("a statement has a JSON form");
    assert_eq!((&again.payload, &again.signatures[0].sig), (&envelope.payload, &envelope.signatures[0].sig));
});
