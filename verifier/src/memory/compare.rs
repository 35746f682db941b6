//! Whether one TPM can have said both: what was remembered, and what it says now.
//!
//! | reset count | restart count | clock | keys of the boot | what it is |
//! |---|---|---|---|---|
//! | less | any | any | any | a copy that was put back, or a cleared TPM: refused, `reset-count-went-back` |
//! | the same | less | any | any | the same: refused, `restart-count-went-back` |
//! | not less | not less | less | any | the same: refused, `clock-went-back` |
//! | the same | the same | not less | the same | the same boot: nothing to say |
//! | the same | the same | not less | other | impossible, PCR 15 is set back by a reset only: refused, `boot-differs-without-reset` |
//! | the same | greater | not less | any | suspended and woken since; the same keys, or a boot from there |
//! | greater | any | not less | all new | booted since |
//! | greater | any | not less | one of them as before | the TPM was reset and the machine was not: refused, `boot-keys-survived-reset` |
//!
//! The attestation key comes from the TPM's endorsement seed by a template, so it is the same at each boot. Another
//! one in another boot is that of another agent, or of other TPM firmware: it is said and not refused, for V06 shows
//! that the same TPM holds it, and V13 how. In the same boot it is refused as a key of that boot: PCR 15 names it.
//!
//! All of it holds for safe clocks only, as V16 demands first: after a power cut a TPM's clock may stand up to 70
//! minutes back, and says so.

use super::book::{Boot, Record, ReleaseSeen};
use crate::outcome::Failure;
use vitrine_attest::boot::BootKeys;

/// Said with each counter that went back.
const CLEARED: &str =
    "the TPM was put back to a copy, or was cleared; if the operator says why, `vitrine-verify state forget` it";

/// Why `now` cannot follow `before` on one TPM; none when it can.
pub fn problem(before: &Boot, now: &Boot) -> Option<Failure> {
    let back = |reason, name: &str, before: u64, now: u64| {
        (now < before).then(|| Failure::differs(reason, format!("{name}: {CLEARED}"), format!("{before} or more"), now))
    };
    let counts = |count: u32| u64::from(count);
    if let Some(failure) =
        back("reset-count-went-back", "the TPM's reset count", counts(before.reset_count), counts(now.reset_count))
    {
        return Some(failure);
    }
    let same_reset = before.reset_count == now.reset_count;
    let (old, new) = (counts(before.restart_count), counts(now.restart_count));
    if let Some(failure) = back("restart-count-went-back", "the TPM's restart count", old, new).filter(|_| same_reset) {
        return Some(failure);
    }
    if let Some(failure) = back("clock-went-back", "the TPM's clock in milliseconds", before.clock, now.clock) {
        return Some(failure);
    }
    match (same_reset, old == new) {
        (true, true) => other_boot(before, now),
        (true, false) => None,
        (false, _) => survivors(&before.keys, &now.keys),
    }
}

/// Within one boot, everything that PCR 15 holds is the same.
fn other_boot(before: &Boot, now: &Boot) -> Option<Failure> {
    let mut differing = kept(&before.keys, &now.keys, false);
    if before.ak_name != now.ak_name {
        differing.push("the attestation key");
    }
    if differing.is_empty() {
        return None;
    }
    let detail = format!(
        "other than when it was last accepted, and the TPM was not reset since: {}; two machines share this TPM's key",
        differing.join(", ")
    );
    let key = |boot: &Boot| format!("WireGuard key {} at boot, attestation key {}", boot.keys.wg_pub, boot.ak_name);
    Some(Failure::differs("boot-differs-without-reset", detail, key(before), key(now)))
}

/// Keys are made in RAM at each boot: after a reset all are new.
fn survivors(before: &BootKeys, now: &BootKeys) -> Option<Failure> {
    let same = kept(before, now, true);
    (!same.is_empty()).then(|| {
        let detail = format!(
            "the TPM was reset since, and yet as before: {}; the TPM alone was reset, or keys are not made at boot",
            same.join(", ")
        );
        Failure::new("boot-keys-survived-reset", detail)
    })
}

/// Names of the keys that are the same (`same`), or that are not.
fn kept(before: &BootKeys, now: &BootKeys, same: bool) -> Vec<&'static str> {
    let pairs = [
        ("the WireGuard key of the boot", before.wg_pub == now.wg_pub),
        ("the key for orders", before.channel_pub == now.channel_pub),
        ("the signing key of the boot", before.sign_pub == now.sign_pub),
        ("the TLS key", before.tls_spki == now.tls_spki),
    ];
    pairs.into_iter().filter(|(_, equal)| *equal == same).map(|(name, _)| name).collect()
}

/// What has changed and may change, in words for the report; empty when nothing has.
pub fn remarks(before: &Boot, now: &Boot) -> Vec<String> {
    let mut list = vec![];
    if before.reset_count != now.reset_count {
        list.push(format!("booted since ({} resets then)", before.reset_count));
    } else if before.restart_count != now.restart_count {
        list.push(format!("suspended since ({} restarts then)", before.restart_count));
    }
    if before.ak_name != now.ak_name {
        list.push("another attestation key of the same TPM: another agent or TPM firmware makes another".into());
    }
    if before.firmware_version != now.firmware_version {
        list.push(format!("the TPM's firmware was {} then", before.firmware_version));
    }
    if before.firmware != now.firmware {
        list.push("PCR 0-3 of the firmware's log were others then".into());
    }
    list
}

/// Least share of the time that passes which a TPM's clock counts, in percent: its rate may be off by 15 (TPM 2.0 Part 1,
/// "Clock", and TPM2_ClockRateAdjust).
const SLOWEST: u64 = 85;
/// Seconds that are nobody's fault: a check takes some, and clocks are set.
const SLACK: u64 = 60;

/// Within one boot a TPM's clock runs on. One that has counted far less than this computer's is said, and not refused:
/// the machine was stopped, or is a copy that was put back and has caught up since, or this computer's clock was set.
pub fn stood_still(before: &Record, now: &Boot, at: u64) -> Option<String> {
    let (old, new) = (&before.boot, now);
    if (old.reset_count, old.restart_count) != (new.reset_count, new.restart_count) {
        return None;
    }
    let passed = at.saturating_sub(before.last_seen);
    let counted = new.clock.saturating_sub(old.clock) / 1000;
    (counted.saturating_add(SLACK) < passed / 100 * SLOWEST).then(|| {
        format!("the TPM's clock has counted {counted} s since, and this computer's {passed} s: it stood still, or went back")
    })
}

/// Releases of one name and one key rise: an older one than was seen on this server is a way back.
pub fn older_statement(before: &ReleaseSeen, now: &ReleaseSeen) -> Option<Failure> {
    let comparable = (&before.key, &before.image) == (&now.key, &now.image);
    (comparable && now.seq < before.seq).then(|| {
        let detail = "the statement is older than the one that this server was last accepted with";
        let words = |release: &ReleaseSeen| format!("sequence number {} ({})", release.seq, release.version);
        Failure::differs("statement-went-back", detail, format!("{} or later", words(before)), words(now))
    })
}

#[cfg(test)]
mod tests {
    use super::super::book::tests::{boot, record};
    use super::*;
    use vitrine_attest::Sha256;

    fn reason(before: &Boot, now: &Boot) -> &'static str {
        problem(before, now).map_or("", |failure| failure.reason)
    }

    /// The table above, line by line.
    #[test]
    fn counters_and_keys() {
        let before = boot((5, 2, 1000), 1);
        for (position, keys, expected) in [
            ((4, 9, 9000), 1, "reset-count-went-back"),
            ((4, 9, 9000), 9, "reset-count-went-back"),
            ((5, 1, 9000), 1, "restart-count-went-back"),
            ((5, 2, 999), 1, "clock-went-back"),
            ((5, 3, 999), 1, "clock-went-back"),
            ((6, 0, 999), 9, "clock-went-back"),
            ((5, 2, 1000), 1, ""),
            ((5, 2, 1001), 1, ""),
            ((5, 2, 1001), 9, "boot-differs-without-reset"),
            ((5, 3, 1001), 1, ""),
            ((5, 3, 1001), 9, ""),
            ((6, 0, 1001), 9, ""),
            ((7, 9, 1000), 9, ""),
            ((6, 0, 1001), 1, "boot-keys-survived-reset"),
            ((u32::MAX, u32::MAX, u64::MAX), 9, ""),
        ] {
            assert_eq!(reason(&before, &boot(position, keys)), expected, "{position:?} {keys}");
        }
    }

    #[test]
    fn each_key_counts() {
        let before = boot((5, 2, 1000), 1);
        let changes: [fn(&mut BootKeys, &BootKeys); 4] = [
            |keys, from| keys.wg_pub = from.wg_pub,
            |keys, from| keys.channel_pub = from.channel_pub,
            |keys, from| keys.sign_pub = from.sign_pub,
            |keys, from| keys.tls_spki = from.tls_spki,
        ];
        for change in changes {
            let (mut same_boot, mut next_boot) = (boot((5, 2, 1000), 1), boot((6, 0, 1000), 9));
            change(&mut same_boot.keys, &next_boot.keys);
            assert_eq!(reason(&before, &same_boot), "boot-differs-without-reset");
            change(&mut next_boot.keys, &before.keys);
            assert_eq!(reason(&before, &next_boot), "boot-keys-survived-reset");
        }
    }

    #[test]
    fn attestation_keys() {
        let before = boot((5, 2, 1000), 1);
        let other = |position, keys| Boot { ak_name: "000c".into(), ..boot(position, keys) };
        assert_eq!(reason(&before, &other((5, 2, 1000), 1)), "boot-differs-without-reset");
        assert_eq!(reason(&before, &other((6, 0, 1000), 9)), "");
        assert!(remarks(&before, &other((6, 0, 1000), 9)).iter().any(|words| words.contains("another agent")));
    }

    #[test]
    fn changes_that_are_said() {
        let before = boot((5, 2, 1000), 1);
        assert!(remarks(&before, &before).is_empty());
        assert!(remarks(&before, &boot((6, 0, 1000), 1))[0].contains("booted since (5"));
        assert!(remarks(&before, &boot((5, 3, 1000), 1))[0].contains("suspended since (2"));
        let mut firmware = Boot { firmware_version: "1".into(), ..before.clone() };
        firmware.firmware.0.values_mut().for_each(|value| *value = Sha256::of(b"x"));
        assert_eq!(remarks(&before, &firmware).len(), 2);
    }

    #[test]
    fn clocks_that_stood_still() {
        let before = Record { boot: boot((5, 2, 1000), 1), ..record("", 10_000) };
        let said = |clock: u64, seconds: u64| stood_still(&before, &boot((5, 2, clock), 1), 10_000 + seconds).is_some();
        assert!(!said(1000, 0) && !said(1000, 70) && !said(3_601_000, 3600) && !said(3_061_000, 3600));
        assert!(said(1000, 3600) && said(2_900_000, 3600));
        assert!(!said(u64::MAX, 3600));
        assert_eq!(stood_still(&before, &boot((6, 0, 1000), 9), 99_999), None, "it was off meanwhile");
        assert_eq!(stood_still(&before, &boot((5, 2, 1000), 1), 0), None, "this computer's clock was set back");
    }

    #[test]
    fn statements() {
        let before = record("", 0).release;
        let with = |seq, image: &str, key: &str| ReleaseSeen {
            seq,
            image: image.into(),
            key: key.into(),
            ..record("", 0).release
        };
        let key = before.key.clone();
        assert_eq!(older_statement(&before, &with(6, "exit", &key)).unwrap().reason, "statement-went-back");
        for later in [with(7, "exit", &key), with(8, "exit", &key), with(1, "relay", &key), with(1, "exit", "x")] {
            assert_eq!(older_statement(&before, &later), None);
        }
    }
}
