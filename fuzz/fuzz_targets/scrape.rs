//! A request for the page of metrics. The reader's source is taken as it is. Invariants, for any bytes:
//! - judging never panics, and bytes that come later change nothing about a judgement;
//! - who is given the page has asked for it, by GET;
//! - every answer says its own length.
#![no_main]

#[path = "../../initramfs/metrics/src/http.rs"]
#[allow(dead_code)]
mod http;

use http::{judge, Answer, HEAD_LIMIT};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let head = &data[..data.len().min(HEAD_LIMIT)];
    let Some(answer) = judge(head) else { return assert!(head.len() < HEAD_LIMIT) };
    if answer != Answer::HeadTooLarge {
        assert_eq!(judge(&[head, b"\r\n\r\nGET /metrics HTTP/1.1\r\n\r\n"].concat()), Some(answer));
    }
    let page = "a 1\n";
    let bytes = answer.bytes(Some(page));
    let text = String::from_utf8(bytes).expect("an answer is text");
    let (head_of_answer, body) = text.split_once("\r\n\r\n").expect("a head and a body");
    assert!(head_of_answer.contains(&format!("Content-Length: {}\r\n", body.len())));
    assert_eq!(body == page, answer == Answer::Page);
    if answer == Answer::Page {
        assert!(head.starts_with(b"GET /metrics"));
    }
});
