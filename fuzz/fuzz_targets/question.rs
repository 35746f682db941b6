//! A client's question, as the resolver reads it. Invariants, for any bytes:
//! - reading never panics; what is an answer is never answered;
//! - a question that is taken has a name of the wire's form, and its text has no dot, space or control character in a label;
//! - what is said to a question is a message that another program reads, with the question's number and name.
#![no_main]

use hickory_proto::op::Message;
use libfuzzer_sys::fuzz_target;
use vitrine_resolver::question::{name_end, read, Packet, NAME};
use vitrine_resolver::reply::{bad_version, bare};

fuzz_target!(|data: &[u8]| {
    let mut out = Vec::new();
    match read(data) {
        Packet::Ignore => assert!(data.len() < 12 || data[2] & 0x80 != 0),
        Packet::Refuse(header, code) => {
            bare(&header, code, &mut out);
            assert_eq!((out.len(), &out[..2]), (12, &data[..2]));
        }
        Packet::Question(question) => {
            let name = question.name.bytes();
            assert_eq!((name_end(name), data[12..].starts_with(name)), (Some(name.len()), true));
            assert_eq!(question.name.labels().map(|label| 1 + label.len()).sum::<usize>() + 1, name.len());
            let mut buffer = [0; NAME];
            if let Some(text) = question.name.text(&mut buffer) {
                assert!(text.iter().all(|byte| *byte > b' ' && !byte.is_ascii_uppercase()));
                let labels = question.name.labels().count();
                assert_eq!(text.split(|byte| *byte == b'.').filter(|label| !label.is_empty()).count(), labels);
            }
            bad_version(&question, &mut out);
            let message = Message::from_vec(&out).expect("another program reads it");
            assert_eq!((message.metadata.id, message.queries.len()), (question.id, 1));
        }
    }
});
