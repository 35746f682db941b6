//! The mistake of a mutation control (`qemu/controls/gateway-keep-request.toml`): the heads of the last requests are kept, as somebody
//! would do who wants to see later what went wrong. In no shipped build.

use hyper::http::request::Parts;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// Requests that are kept.
const MOST: usize = 64;

static KEPT: Mutex<VecDeque<String>> = Mutex::new(VecDeque::new());

/// Target and headers, the credential among them.
pub fn keep(parts: &Parts) {
    let headers =
        parts.headers.iter().map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())));
    let head = format!("{} {} {}", parts.method, parts.uri, headers.collect::<Vec<_>>().join(" "));
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    kept.push_back(head);
    if kept.len() > MOST {
        kept.pop_front();
    }
}
