//! The resolver without an image, for `tools/bench/dns.sh`: `native ADDRESS PORT AUTHORITY-PORT ROOT TRUST-ANCHOR`.
//! It listens on loopback, is not sealed, and ends with its stdin.
#![allow(clippy::disallowed_macros, clippy::disallowed_methods)] // a tool of the bench

use std::io::Read as _;
use vitrine_attest::config::{Resolver, Span, Transport, Upstream};
use vitrine_attest::inside::{ResolverStart, TlsKey};
use vitrine_resolver::run::{run, Place};
use vitrine_resolver::server::Ports;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [address, port, authorities, root, anchor] = words.as_slice() else {
        eprintln!("native ADDRESS PORT AUTHORITY-PORT ROOT TRUST-ANCHOR");
        std::process::exit(2);
    };
    let address: std::net::IpAddr = address.parse().expect("an address");
    assert!(address.is_loopback(), "loopback only");
    let mut resolver = Resolver {
        upstream: Upstream::Recursive {
            roots: vec![root.parse().expect("a root")],
            trust_anchors: vec![anchor.clone()],
        },
        transports: vec![Transport::Plain],
        forget_after: Span::seconds(3600),
        ..Resolver::default()
    };
    resolver.cache.entries = 200_000;
    let start = ResolverStart { resolver, addresses: vec![address], tls_key: TlsKey(vec![]) };
    let place = Place {
        ports: Ports { plain: port.parse().expect("a port"), dot: 0, doh: 0 },
        authorities: authorities.parse().expect("a port"),
    };
    let (init, ours) = std::os::unix::net::UnixStream::pair().expect("a socket pair");
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        drop(init);
    });
    let end = run(ours, start, || None, place, |_| Ok(()));
    assert!(end.is_ok(), "{end:?}");
}
