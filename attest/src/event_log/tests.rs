//! Real logs, and one defect at a time.

use super::*;
use crate::digest::hex;
use crate::testing::vector;
use std::collections::BTreeMap;

const AGILE: &[&str] = &[
    "go-attestation-coreos_36_shielded_vm_no_secure_boot_eventlog",
    "go-attestation-crypto_agile_eventlog",
    "go-attestation-sb_cert_eventlog",
    "go-attestation-ubuntu_2104_shielded_vm_no_secure_boot_eventlog",
];
const SHA1: &[&str] = &[
    "go-attestation-ebs_event_missing_eventlog",
    "go-attestation-option_rom_eventlog",
    "go-attestation-short_no_action_eventlog",
];
/// With values that tpm2-tools replayed.
const REPLAYED: &[&str] = &[
    "arch-linux",
    "bootorder",
    "gce-ubuntu-2104-log",
    "moklisttrusted",
    "postcode",
    "sd-boot-fedora37",
    "uefi-sha1-log",
    "uefiaction",
    "uefiservices",
    "uefivar",
];

fn log(name: &str) -> Option<Vec<u8>> {
    vector(&format!("eventlog/{name}"))
}

/// Bank → PCR → hex digits.
pub type Banks = BTreeMap<String, BTreeMap<u8, String>>;

/// The `pcrs:` part of tpm2-tools' YAML.
pub fn expected_pcrs(yaml: &str) -> Banks {
    let mut banks = Banks::new();
    let mut bank = String::new();
    for line in yaml.lines().skip_while(|line| *line != "pcrs:").skip(1) {
        match line.split_once(':') {
            Some((name, "")) => bank = name.trim().to_owned(),
            Some((pcr, value)) => {
                let value = value.trim().strip_prefix("0x").expect("values begin with 0x").to_owned();
                banks.entry(bank.clone()).or_default().insert(pcr.trim().parse().expect("a PCR index"), value);
            }
            None => {}
        }
    }
    banks
}

#[test]
fn replays_what_tpm2_tools_replayed() {
    let mut compared = 0;
    for name in REPLAYED {
        let Some(bytes) = log(&format!("tpm2-tools-{name}.bin")) else { return };
        let Some(yaml) = log(&format!("tpm2-tools-{name}.expected.yaml")) else { return };
        let parsed = EventLog::parse(&bytes).unwrap_or_else(|e| panic!("{name}: {e}"));
        let banks = expected_pcrs(std::str::from_utf8(&yaml).unwrap());
        assert!(!banks.is_empty(), "{name}");
        for (bank, values) in banks {
            let algorithm = *parsed.algorithms.iter().find(|a| a.to_string() == bank).unwrap();
            let replayed = parsed.replay(algorithm).unwrap_or_else(|e| panic!("{name} {bank}: {e}"));
            let replayed: BTreeMap<_, _> = replayed.into_iter().map(|(pcr, value)| (pcr, hex(&value))).collect();
            assert_eq!(replayed, values, "{name} {bank}");
            compared += values.len();
        }
    }
    assert!(compared > 100, "{compared} values compared");
}

#[test]
fn forms_of_the_other_real_logs() {
    for (names, form) in [(AGILE, Form::CryptoAgile), (SHA1, Form::Sha1)] {
        for name in names {
            let Some(bytes) = log(name) else { return };
            let parsed = EventLog::parse(&bytes).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert_eq!(parsed.form, form, "{name}");
            for bank in &parsed.algorithms {
                parsed.replay(*bank).unwrap_or_else(|e| panic!("{name}: {e}"));
            }
            assert_eq!(parsed.require_sha256().is_ok(), form == Form::CryptoAgile, "{name}");
        }
    }
}

/// 49 bytes: a SHA-1 log whose only event is StartupLocality 3. It extends nothing.
#[test]
fn short_no_action() {
    let Some(bytes) = log("go-attestation-short_no_action_eventlog") else { return };
    let parsed = EventLog::parse(&bytes).unwrap();
    assert_eq!((parsed.events.len(), parsed.startup_locality), (1, Some(3)));
    assert!(parsed.replay(Algorithm::SHA1).unwrap().is_empty());
}

/// The log lacks an ExitBootServices event: it is read as it is, without one.
#[test]
fn missing_exit_boot_services_is_not_added() {
    let Some(bytes) = log("go-attestation-ebs_event_missing_eventlog") else { return };
    let parsed = EventLog::parse(&bytes).unwrap();
    let exits = parsed.events.iter().filter(|e| e.text().starts_with("Exit Boot Services")).count();
    let length: usize = parsed.events.iter().map(|e| 32 + e.data.len()).sum();
    assert_eq!(length, bytes.len(), "every byte belongs to an event, and no event was made up");
    assert!(exits < 2, "{exits}");
}

#[test]
fn every_prefix_and_every_flipped_byte_gives_an_answer() {
    for name in
        AGILE.iter().chain(SHA1).map(|n| (*n).to_owned()).chain(REPLAYED.iter().map(|n| format!("tpm2-tools-{n}.bin")))
    {
        let Some(bytes) = log(&name) else { return };
        let whole = EventLog::parse(&bytes).unwrap();
        let ends: Vec<_> = whole.events.iter().map(|e| e.offset).collect();
        // all of a short log, the beginning and a sample of a long one
        for end in (0..bytes.len()).filter(|end| *end < 400 || end % 1009 == 0 || ends.contains(end)) {
            match EventLog::parse(&bytes[..end]) {
                Ok(log) => assert!(ends.contains(&end), "{name}: cut at {end}, {} events", log.events.len()),
                Err(error) => assert!(error.what.starts_with("event log, byte "), "{error}"),
            }
        }
        for at in (0..bytes.len()).filter(|at| *at < 200 || at % 997 == 0) {
            for mask in [1, 0xff] {
                let mut changed = bytes.clone();
                changed[at] ^= mask;
                if let Ok(log) = EventLog::parse(&changed) {
                    let _ = log.replay(Algorithm::SHA256);
                    let _: Vec<_> = log.events.iter().map(EventView::from).collect();
                }
            }
        }
    }
}

/// Real firmware with Secure Boot: what it measured as `db` is read as signature lists, and the digest we predict for
/// an authority event is the one it logged.
#[test]
fn authority_events_are_entries_of_db() {
    use crate::secure_boot::signatures;
    let mut compared = 0;
    for name in
        ["go-attestation-sb_cert_eventlog", "tpm2-tools-moklisttrusted.bin", "tpm2-tools-gce-ubuntu-2104-log.bin"]
    {
        let Some(bytes) = log(name) else { return };
        let parsed = EventLog::parse(&bytes).unwrap();
        let variables = |kind| parsed.events.iter().filter(move |e| e.kind == kind && e.pcr == 7);
        let mut entries = Vec::new();
        for event in variables(EventKind::EFI_VARIABLE_DRIVER_CONFIG) {
            let (variable, data) = event.variable().unwrap();
            if ["PK", "KEK", "db", "dbx"].contains(&variable.as_str()) {
                let found = signatures(data).unwrap_or_else(|e| panic!("{name} {variable}: {e}"));
                entries.extend(found.into_iter().filter(|_| variable == "db"));
            }
        }
        for event in variables(EventKind::EFI_VARIABLE_AUTHORITY).filter(|e| e.text() == "db") {
            let logged = event.digest(Algorithm::SHA256).unwrap();
            assert!(entries.iter().any(|entry| entry.authority_digest().0[..] == *logged), "{name}");
            compared += 1;
        }
    }
    assert!(compared > 0);
}

// Small logs made by hand.

fn header(banks: &[(u16, u16)]) -> Vec<u8> {
    let mut data = b"Spec ID Event03\0\0\0\0\0\0\x02\x00\x02".to_vec();
    data.extend((banks.len() as u32).to_le_bytes());
    data.extend(banks.iter().flat_map(|(id, size)| [id.to_le_bytes(), size.to_le_bytes()].concat()));
    data.push(0);
    let mut out = [0u32.to_le_bytes(), 3u32.to_le_bytes()].concat();
    out.extend([0; 20]);
    out.extend((data.len() as u32).to_le_bytes());
    out.extend(data);
    out
}

fn event(pcr: u32, kind: u32, digests: &[(u16, usize)], data: &[u8]) -> Vec<u8> {
    let mut out = [pcr.to_le_bytes(), kind.to_le_bytes(), (digests.len() as u32).to_le_bytes()].concat();
    for (id, size) in digests {
        out.extend(id.to_le_bytes());
        out.extend(vec![0xaa; *size]);
    }
    out.extend((data.len() as u32).to_le_bytes());
    out.extend(data);
    out
}

const SHA256: (u16, usize) = (0x0b, 32);
const EXTENDS: u32 = 4;
const INFORMS: u32 = 3;

fn small(events: &[Vec<u8>]) -> Vec<u8> {
    [header(&[(0x0b, 32)]), events.concat()].concat()
}

fn refusal(bytes: &[u8]) -> String {
    EventLog::parse(bytes).expect_err("taken").what
}

#[test]
fn no_action_never_extends() {
    let extending = event(4, EXTENDS, &[SHA256], b"x");
    let with = small(&[extending.clone(), event(4, INFORMS, &[SHA256], b"x"), event(0xffff_ffff, INFORMS, &[], b"")]);
    let without = small(&[extending]);
    let replay = |bytes: &[u8]| EventLog::parse(bytes).unwrap().replay_sha256().unwrap();
    assert_eq!(replay(&with), replay(&without));
    assert_eq!(replay(&with).0.len(), 1);
}

#[test]
fn startup_locality() {
    let locality = |pcr, value: &[u8]| event(pcr, INFORMS, &[SHA256], &[b"StartupLocality\0", value].concat());
    let extends = event(0, EXTENDS, &[SHA256], b"");
    let value = |bytes: &[u8]| EventLog::parse(bytes).unwrap().replay_sha256().unwrap().0;
    assert_ne!(value(&small(&[locality(0, &[3]), extends.clone()])), value(&small(std::slice::from_ref(&extends))));
    assert_eq!(value(&small(&[locality(0, &[0]), extends.clone()])), value(&small(std::slice::from_ref(&extends))));
    let bad = [
        (vec![extends.clone(), locality(0, &[3])], "after PCR 0 was extended"),
        (vec![locality(1, &[3])], "StartupLocality for PCR 1"),
        (vec![locality(0, &[3]), locality(0, &[3])], "a second StartupLocality"),
        (vec![locality(0, &[2])], "not 0, 3 or 4"),
        (vec![locality(0, &[3, 0])], "not 0, 3 or 4"),
    ];
    for (events, why) in bad {
        let what = refusal(&small(&events));
        assert!(what.contains(why), "{what}");
    }
}

#[test]
fn defects_are_refused_with_their_reason() {
    let start = header(&[(0x0b, 32)]).len();
    let mut long_header = header(&[(0x0b, 32)]);
    long_header[28] += 1;
    long_header.push(0);
    let mut version = header(&[(0x0b, 32)]);
    version[32 + 21] = 1;
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (vec![], "byte 0: cut off"),
        (small(&[vec![1]]), "cut off"),
        (small(&[event(24, EXTENDS, &[SHA256], b"")]), "an event for PCR 24"),
        (small(&[event(4, EXTENDS, &[], b"")]), "without any digest"),
        (small(&[event(4, EXTENDS, &[(4, 20)], b"")]), "sha1, which the header does not name"),
        (small(&[event(4, EXTENDS, &[SHA256, SHA256], b"")]), "2 digests, the header names 1"),
        (
            [header(&[(4, 20), (0x0b, 32)]), event(4, EXTENDS, &[SHA256, SHA256], b"")].concat(),
            "a second digest of sha256",
        ),
        (header(&[]), "0 banks"),
        (header(&[(0x0b, 20)]), "bank sha256 with digests of 20 bytes"),
        (header(&[(0x0b, 32), (0x0b, 32)]), "named twice"),
        (header(&[(0x77, 0)]), "algorithm 0x0077 with digests of 0 bytes"),
        (long_header, "left over in the Spec ID header"),
        (version, "version 1.0"),
        (small(&[event(0, INFORMS, &[SHA256], b"Spec ID Event03\0")]), "a second Spec ID"),
    ];
    for (bytes, why) in cases {
        let what = refusal(&bytes);
        assert!(what.contains(why), "{what} / {why}");
    }
    let mut huge = small(&[event(4, EXTENDS, &[SHA256], b"")]);
    let count_at = start + 8;
    huge[count_at..count_at + 4].fill(0xff);
    assert!(refusal(&huge).contains("4294967295 digests"));
    let mut huge = small(&[event(4, EXTENDS, &[SHA256], b"")]);
    let length = huge.len();
    huge[length - 4..].fill(0xff);
    assert!(refusal(&huge).contains(&format!("byte {length}: cut off: 4294967295 bytes")));
}

#[test]
fn limits() {
    let one = event(4, EXTENDS, &[SHA256], b"");
    assert!(EventLog::parse(&small(&vec![one.clone(); EVENT_LIMIT])).is_ok());
    assert!(refusal(&small(&vec![one; EVENT_LIMIT + 1])).contains("more than 4096 events"));
    assert!(refusal(&vec![0; LOG_LIMIT + 1]).contains("at most 1048576"));
}

#[test]
fn a_bank_without_all_digests_is_not_replayed() {
    let bytes = [header(&[(4, 20), (0x0b, 32)]), event(4, EXTENDS, &[(4, 20)], b"")].concat();
    let log = EventLog::parse(&bytes).unwrap();
    assert!(log.replay(Algorithm::SHA1).is_ok());
    assert!(log.replay(Algorithm::SHA256).unwrap_err().what.contains("incomplete"));
    assert!(log.replay(Algorithm::SHA512).unwrap_err().what.contains("no bank sha512"));
    assert!(log.require_sha256().is_err());
    // no event lacks a digest of the bank that is not there
    let bytes = header(&[(4, 20)]);
    assert!(EventLog::parse(&bytes).unwrap().require_sha256().unwrap_err().what.contains("no bank sha256"));
}

#[test]
fn mismatches_names_the_registers() {
    let bytes = small(&[event(4, EXTENDS, &[SHA256], b"")]);
    let log = EventLog::parse(&bytes).unwrap();
    let mut signed = log.replay_sha256().unwrap();
    signed.0.insert(crate::pcr::Pcr::KERNEL_OVERRIDES, crate::Sha256::ZERO);
    assert!(log.mismatches(&signed).unwrap().is_empty());
    signed.extend(crate::pcr::Pcr::KERNEL_OVERRIDES, crate::Sha256::ZERO);
    assert_eq!(log.mismatches(&signed).unwrap(), [crate::pcr::Pcr::KERNEL_OVERRIDES]);
}

#[test]
fn texts_are_bounded_and_without_control_characters() {
    assert_eq!(printable("a\x1b[31m\u{202e}b"), "a\\u{1b}[31m\\u{202e}b");
    assert_eq!(printable(&"x".repeat(600)).chars().count(), 513);
    let utf16: Vec<u8> = "EVIL=1\0".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let tag = [&[1, 2, 3, 4][..], &6u32.to_le_bytes(), b"Linux\0"].concat();
    for (kind, data, text) in [
        (0x0d, &utf16[..], "EVIL=1"),
        (0x0d, b"grub_cmd: ls\0", "grub_cmd: ls"),
        (6, &tag, "Linux"),
        (6, &tag[..9], ""),
    ] {
        let bytes = small(&[event(12, kind, &[SHA256], data)]);
        assert_eq!(EventLog::parse(&bytes).unwrap().events[0].text(), text);
    }
}

#[test]
fn altered_data_of_a_real_log_is_noticed() {
    let Some(bytes) = log("tpm2-tools-sd-boot-fedora37.bin") else { return };
    let parsed = EventLog::parse(&bytes).unwrap();
    let checked: Vec<_> = parsed.events.iter().filter_map(Event::data_fits).collect();
    assert!(checked.len() > 5 && checked.iter().all(|fits| *fits));
    let variable = parsed.events.iter().find(|e| e.text() == "SecureBoot").unwrap();
    let at = variable.offset + 12 + 34 + 4;
    let mut changed = bytes.clone();
    changed[at] ^= 1;
    let reparsed = EventLog::parse(&changed).unwrap();
    assert!(reparsed.events.iter().any(|e| e.data_fits() == Some(false)));
}

#[test]
fn digests_have_the_length_of_their_algorithm() {
    for (bank, size) in [(4, 21), (0x0b, 31), (0x0c, 47), (0x0d, 63), (0x12, 31)] {
        let what = refusal(&header(&[(bank, size)]));
        assert!(what.contains(&format!("with digests of {size} bytes")), "{what}");
        assert!(EventLog::parse(&header(&[(bank, size + 1)])).is_ok() || bank == 4);
    }
    assert!(EventLog::parse(&header(&[(4, 20)])).is_ok());
}

/// FIPS 180-4's example, in two parts.
#[test]
fn hashes() {
    for (algorithm, start) in [
        (Algorithm::SHA1, "a9993e36"),
        (Algorithm::SHA256, "ba7816bf"),
        (Algorithm::SHA384, "cb00753f"),
        (Algorithm::SHA512, "ddaf35a1"),
    ] {
        let hash = algorithm.hash(&[b"a", b"bc"]).unwrap();
        assert!(hex(&hash).starts_with(start), "{algorithm}");
        assert_eq!(Some(hash.len()), algorithm.size());
    }
    assert_eq!((Algorithm::SM3_256.hash(&[b"abc"]), Algorithm(0x77).hash(&[])), (None, None));
}

/// The greatest log that is read; its one event fills it.
#[test]
fn a_log_of_exactly_the_limit() {
    let rest = LOG_LIMIT - small(&[event(4, EXTENDS, &[SHA256], b"")]).len();
    let log = small(&[event(4, EXTENDS, &[SHA256], &vec![0; rest])]);
    assert_eq!((log.len(), EventLog::parse(&log).unwrap().events.len()), (LOG_LIMIT, 1));
}

/// Refusals name the byte, counted from the log's beginning.
#[test]
fn refusals_of_the_header_name_the_byte() {
    // 32 bytes before the data; 28 in it before the banks
    let what = refusal(&header(&[]));
    assert!(what.starts_with("event log, byte 60: 0 banks"), "{what}");
    // cut after signature and platform class: the version's four bytes are two
    let mut cut = header(&[(0x0b, 32)]);
    cut.truncate(32 + 22);
    cut[28..32].copy_from_slice(&22u32.to_le_bytes());
    let what = refusal(&cut);
    assert!(what.starts_with("event log, byte 52: the Spec ID header is cut off: 4 bytes"), "{what}");
}

#[test]
fn the_header_is_for_pcr_0_with_a_zero_digest() {
    let mut other = header(&[(0x0b, 32)]);
    other[0] = 1;
    assert!(refusal(&other).contains("not for PCR 0 with a zero digest"));
    let mut digest = header(&[(0x0b, 32)]);
    digest[8 + 19] = 1;
    assert!(refusal(&digest).contains("not for PCR 0 with a zero digest"));
}

#[test]
fn the_most_banks() {
    let banks = |count: u16| -> Vec<(u16, u16)> { (0..count).map(|n| (0x100 + n, 1)).collect() };
    assert_eq!(EventLog::parse(&header(&banks(16))).unwrap().algorithms.len(), 16);
    assert!(refusal(&header(&banks(17))).contains("17 banks, 1 to 16"));
}

#[test]
fn what_separators_and_odd_texts_say() {
    for (kind, data, text) in [
        (4, &[0, 0, 0, 0][..], "separator"),
        (4, &[0xff, 0xff, 0xff, 0xff], ""),
        (4, b"", ""),
        (0x0d, b"a\0b", "a\\u{0}b"),
    ] {
        let bytes = small(&[event(4, kind, &[SHA256], data)]);
        assert_eq!(EventLog::parse(&bytes).unwrap().events[0].text(), text, "{data:?}");
    }
}
