//! The batch in a real kernel, in network namespaces: what `nft` says about it, and what it does with traffic.
//!
//! Needs root, `ip` and `nft`. Without root it says that it was skipped, and fails in CI.
#![allow(clippy::disallowed_macros)] // a skipped test says so

mod load;
mod space;
mod town;
mod traffic;

use space::Space;
use std::path::Path;
use vitrine_attest::config::Config;
use vitrine_firewall::{decode, encode, ruleset, Batch};

fn possible() -> bool {
    let root = rustix::process::geteuid().is_root();
    assert!(root || std::env::var_os("CI").is_none(), "CI has to run this test as root");
    if !root {
        eprintln!("skipped: network namespaces need root");
    }
    root
}

fn batch(json: &str) -> Batch {
    let config: Config = serde_json::from_str(json).unwrap();
    assert_eq!(config.problems(), [""; 0]);
    encode(&ruleset(&config))
}

/// `nft` reads the readable rules, and lists what it made of them just as what the kernel made of the bytes.
#[test]
fn nft_lists_bytes_and_text_alike() {
    if !possible() {
        return;
    }
    for name in ["exit", "dedicated", "resolver", "routed"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name).with_extension("json");
        let batch = batch(&std::fs::read_to_string(path).unwrap());
        let (bytes, text) = (Space::new("bytes"), Space::new("text"));
        bytes.inside(|| load::load(&batch));
        text.feed(&["nft", "-f", "-"], &decode(&batch.bytes).unwrap().to_string());
        let listed = bytes.run(&["nft", "-n", "list", "ruleset"]);
        assert!(listed.contains("table inet vitrine") && listed.contains("policy drop"), "{listed}");
        assert_eq!(listed, text.run(&["nft", "-n", "list", "ruleset"]), "{name}");
    }
}

/// A rule that the kernel does not know takes all others with it.
#[test]
fn the_kernel_takes_all_or_nothing() {
    if !possible() {
        return;
    }
    // the first rule that can be, and the last: only the last message asks for an acknowledgement
    for word in [&b"notrack\0"[..], b"masq\0"] {
        let mut batch = batch(r#"{"wireguard":{"addresses":["10.66.0.1/24"]}}"#);
        let at = batch.bytes.windows(word.len()).position(|window| window == word).unwrap();
        batch.bytes[at] = b'x';
        let space = Space::new("broken");
        assert!(space.inside(|| load::try_load(&batch)).is_err());
        assert_eq!(space.run(&["nft", "list", "ruleset"]), "");
    }
}

/// Hundreds of rules fit into one socket, both ways.
#[test]
fn many_rules() {
    if !possible() {
        return;
    }
    let reach: Vec<String> = (0..250).map(|n| format!("\"10.{n}.0.0/16\"")).collect();
    let reach = reach.join(",");
    let batch = batch(&format!(r#"{{"wireguard":{{"addresses":["10.66.0.1/24"]}},"firewall":{{"reach":[{reach}]}}}}"#));
    let space = Space::new("many");
    space.inside(|| load::load(&batch));
    assert!(space.run(&["nft", "list", "ruleset"]).contains("ip daddr 10.249.0.0/16 accept"));
}
