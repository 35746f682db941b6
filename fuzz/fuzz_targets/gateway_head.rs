//! Heads of HTTP/1.1 requests, as the gateway reads them before hyper does. Invariants, for any bytes:
//! - reading never panics, and in pieces gives what it gives in one;
//! - a head that is taken is one for hyper's parser, too, with the same lines and no more;
//! - it has one Host, and one framing: Content-Length or `Transfer-Encoding: chunked`, once, never both.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vitrine_gateway::head::{check, progress, Framing, Progress};
use vitrine_gateway::limits::HEADERS;

fuzz_target!(|data: &[u8]| {
    let whole = progress(data, 0);
    let mut seen = 0;
    for end in 1..=data.len() {
        match progress(&data[..end], seen) {
            Progress::More => seen = end,
            found => {
                assert_eq!((found, matches!(found, Progress::Whole(length) if length != end)), (whole, false));
                break;
            }
        }
    }
    let Progress::Whole(length) = whole else { return };
    let Ok(framing) = check(&data[..length]) else { return };
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    assert_eq!(request.parse(&data[..length]), Ok(httparse::Status::Complete(length)));
    assert_eq!(request.version, Some(1));
    let values = |name: &str| -> Vec<&[u8]> {
        request.headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value).collect()
    };
    assert_eq!(values("host").len(), 1);
    let (lengths, codings) = (values("content-length"), values("transfer-encoding"));
    match framing {
        Framing::Chunked => assert!(lengths.is_empty() && codings.len() == 1 && codings[0].eq_ignore_ascii_case(b"chunked")),
        Framing::Length(length) => {
            assert!(codings.is_empty() && lengths.len() <= 1);
            let said = lengths.first().map_or(Ok(0), |text| std::str::from_utf8(text).unwrap().trim().parse());
            assert_eq!(said, Ok(length));
        }
    }
});
