//! What whole configurations become, as read back from the bytes. If you meant to change the rules, run the tests with
//! `VITRINE_UPDATE_GOLDEN=1` and look at the difference.

use std::fs;
use std::path::{Path, PathBuf};
use vitrine_attest::config::Config;
use vitrine_attest::Sha256;
use vitrine_firewall::{acknowledgements, decode, encode, ruleset, Batch};

const SAMPLES: [&str; 4] = ["exit", "dedicated", "resolver", "routed"];

fn file(name: &str, kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.{kind}"))
}

fn batch(name: &str) -> Batch {
    let config: Config = serde_json::from_slice(&fs::read(file(name, "json")).unwrap()).unwrap();
    assert_eq!(config.problems(), [""; 0], "{name}");
    encode(&ruleset(&config))
}

#[test]
fn readable_rules() {
    for name in SAMPLES {
        let found = decode(&batch(name).bytes).unwrap().to_string();
        let path = file(name, "nft");
        if std::env::var_os("VITRINE_UPDATE_GOLDEN").is_some() {
            fs::write(&path, &found).unwrap();
        }
        assert_eq!(found, fs::read_to_string(&path).unwrap_or_default(), "{} differs", path.display());
    }
}

/// If you meant to change the rules or their encoding: update this digest.
#[test]
#[cfg(target_endian = "little")]
fn pinned_bytes() {
    let found = SAMPLES.map(|name| Sha256::of(&batch(name).bytes).short());
    assert_eq!(found, ["3a16a2b6", "2eb895e9", "76f238b5", "8e6b1bd7"]);
}

#[test]
fn acknowledgements_are_counted_from_the_bytes() {
    for name in SAMPLES {
        let batch = batch(name);
        assert_eq!(acknowledgements(&batch.bytes).unwrap(), batch.acknowledgements, "{name}");
    }
}

/// One bit less or more: an error or other rules, never a panic, and never the same rules.
#[test]
fn altered_batches_do_not_read_the_same() {
    for (name, step) in [("resolver", 3), ("routed", 41)] {
        let good = batch(name).bytes;
        let table = decode(&good).unwrap();
        for at in (0..good.len()).step_by(step) {
            let mut bad = good.clone();
            bad[at] ^= 1 << (at % 8);
            if let Ok(read) = decode(&bad) {
                // the upper bit of an attribute's kind only says that its value is a list, which the reader knows
                assert!(read != table || bad[at] ^ good[at] == 0x80, "{name}: byte {at} means nothing");
            }
        }
        for end in (0..good.len()).step_by(29) {
            assert!(decode(&good[..end]).is_err() && acknowledgements(&good[..end]).is_err(), "cut at {end}");
        }
    }
}

/// What a rule must never do is unknown to the reader, too.
#[test]
fn expressions_that_could_keep_something_are_refused() {
    let good = batch("dedicated").bytes;
    for (own, other) in [
        (&b"notrack\0"[..], &b"counter\0"[..]),
        (b"notrack\0", b"dynset\0\0"),
        (b"payload\0", b"counter\0"),
        (b"masq\0", b"log\0\0"),
        (b"masq\0", b"dup\0\0"),
        (b"masq\0", b"fwd\0\0"),
        (b"bitwise\0", b"queue\0\0\0"),
        (b"bitwise\0", b"connlim\0"),
    ] {
        let at = good.windows(own.len()).position(|window| window == own).unwrap();
        let mut bad = good.clone();
        bad[at..at + own.len()].copy_from_slice(other);
        let error = decode(&bad).expect_err("an unknown expression was read");
        assert!(error.what.contains("unknown expression") || error.what.contains("is no name"), "{error}");
    }
}

#[test]
fn other_bytes_are_no_batch() {
    let good = batch("exit").bytes;
    let twice = [&good[..], &good[..]].concat();
    for bad in [&[][..], b"table inet", &good[20..], &good[..good.len() - 20], &twice, &vec![0; 200 << 10]] {
        assert!(decode(bad).is_err());
        assert!(acknowledgements(bad).is_err());
    }
}
