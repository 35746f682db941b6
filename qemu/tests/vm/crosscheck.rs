//! Programs that others wrote judge a real boot of the exit image: `tpm2_checkquote`, `tpm2_eventlog`, `systemd-measure`.

use crate::images::Images;
use std::collections::BTreeMap;
use std::process::{Command, Output};
use vitrine_attest::boot::RuntimeEvent;
use vitrine_attest::digest::hex;
use vitrine_attest::event_log::{Algorithm, EventLog};
use vitrine_attest::evidence::Evidence;
use vitrine_attest::expected::Platform;
use vitrine_attest::pcr::Pcr;
use vitrine_attest::pe::Pe;
use vitrine_attest::predict::predict;
use vitrine_attest::section::contents;
use vitrine_attest::tpm::Attest;
use vitrine_attest::Sha256;

/// tpm2-tools read the log, and what they make of it, with PCR 15's own log, is what their own check of the quote takes.
pub fn tpm2_tools(evidence: &Evidence) {
    if run("tpm2_checkquote", &["--version"]).is_none() {
        assert!(std::env::var_os("CI").is_none(), "tpm2-tools are needed in CI");
        eprintln!("skipped: install tpm2-tools");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.display().to_string()
    };
    let theirs = sha256_bank(&file("log", &evidence.firmware_log));
    let log = EventLog::parse(&evidence.firmware_log).unwrap();
    let ours: BTreeMap<u8, String> =
        log.replay(Algorithm::SHA256).unwrap().into_iter().map(|(pcr, value)| (pcr, hex(&value))).collect();
    assert_eq!(ours, theirs, "we replay the log otherwise than tpm2_eventlog");

    let sized = [&u16::try_from(evidence.ak_pub.len()).unwrap().to_be_bytes(), evidence.ak_pub.as_slice()].concat();
    let (key, message) = (file("ak", &sized), file("attest", &evidence.attest));
    let signature = file("signature", &evidence.signature);
    let extra = hex(&Attest::parse(&evidence.attest).unwrap().extra_data);
    let accepts = |values: &[[u8; 32]], extra: &str| {
        let values = file("values", &as_tpm2_quote_writes(values));
        let words = ["-u", &key, "-m", &message, "-s", &signature, "-q", extra, "-f", &values, "-g", "sha256"];
        let output = run("tpm2_checkquote", &words).unwrap();
        eprintln!("tpm2_checkquote: {}", String::from_utf8_lossy(&output.stderr).trim());
        output.status.success()
    };
    let mut values = values(&theirs, &evidence.runtime_log);
    assert!(accepts(&values, &extra), "tpm2_checkquote refuses our quote");
    assert!(!accepts(&values, &hex(&[7; 32])), "it takes any extraData");
    values[1][8] ^= 1;
    assert!(!accepts(&values, &extra), "it takes any values");
}

/// What `tpm2_quote -o` leaves: TPML_PCR_SELECTION (16 places of 8 bytes), the number of TPML_DIGESTs, and that one (8
/// places of 66 bytes), as they are in memory.
fn as_tpm2_quote_writes(values: &[[u8; 32]]) -> Vec<u8> {
    let one = 1_u32.to_le_bytes();
    let mut file = [&one[..], &[0x0b, 0, 3], &Pcr::quoted_bitmap(), &[0; 2 + 15 * 8], &one].concat();
    assert_eq!(values.len(), 8, "more of them need a second list");
    file.extend((values.len() as u32).to_le_bytes());
    file.extend(values.iter().flat_map(|value| [&[32, 0][..], value, &[0; 32]].concat()));
    file
}

/// The values of the quoted registers, in order: those of the log, zero where it has no event, and PCR 15 from the events
/// of the image.
fn values(firmware: &BTreeMap<u8, String>, runtime: &[RuntimeEvent]) -> Vec<[u8; 32]> {
    let of = |pcr: &Pcr| {
        let start = firmware.get(&pcr.index()).map_or(Sha256::ZERO, |text| text.parse().unwrap());
        let events = runtime.iter().filter(|event| event.pcr == pcr.index());
        events.fold(start, |value, event| Sha256::of(&[value.0, event.digest.0].concat())).0
    };
    Pcr::QUOTED.iter().map(of).collect()
}

/// The part `pcrs: sha256:` of what `tpm2_eventlog` prints.
fn sha256_bank(log: &str) -> BTreeMap<u8, String> {
    let output = run("tpm2_eventlog", &[log]).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines = text.lines().skip_while(|line| *line != "pcrs:").skip_while(|line| line.trim() != "sha256:").skip(1);
    let values = lines.map_while(|line| line.split_once(": 0x").or_else(|| line.split_once(" : 0x")));
    let values: BTreeMap<u8, String> =
        values.map(|(pcr, value)| (pcr.trim().parse().unwrap(), value.trim().to_string())).collect();
    assert!(values.len() > 8, "{text}");
    values
}

/// None: it is not installed.
fn run(program: &str, words: &[&str]) -> Option<Output> {
    Command::new(program).args(words).output().ok()
}

const MEASURE: &str = "/usr/lib/systemd/systemd-measure";
/// Sections that `systemd-measure` has known from 254 on.
const LATER: [&str; 2] = [".uname", ".sbat"];

/// `systemd-measure` computes PCR 11 from the image's sections. An older one (252, 253) knows fewer sections, as the stubs
/// of its version do: then the image is made one of theirs.
#[test]
fn systemd_measure_computes_the_same_pcr_11() {
    let Some(images) = Images::find() else { return };
    let Some(help) = run(MEASURE, &["--help"]) else {
        eprintln!("skipped: systemd-measure is not installed");
        return;
    };
    let image = images.exit();
    let help = String::from_utf8_lossy(&help.stdout);
    let (sections, ours): (Vec<&str>, _) = if LATER.iter().all(|name| help.contains(&name.replace('.', "--"))) {
        (vec![".linux", ".osrel", ".cmdline", ".initrd", ".uname", ".sbat"], images.prediction())
    } else {
        (vec![".linux", ".osrel", ".cmdline", ".initrd"], predict(&as_of_252(&image), None).unwrap())
    };
    let theirs = measure(&image, &sections);
    for (platform, boot) in &ours.platforms {
        assert_eq!(boot.pcrs.get(Pcr::UKI_SECTIONS), Some(theirs), "{platform:?} {sections:?}");
    }
    assert!(ours.platforms.contains_key(&Platform::NoSecureBoot));
    assert_ne!(measure(&image, &sections[..3]), theirs, "it does not look at the sections");
}

fn measure(image: &[u8], sections: &[&str]) -> Sha256 {
    let (folder, pe) = (tempfile::tempdir().unwrap(), Pe::parse(image).unwrap());
    // ":" is the time before any phase is measured
    let mut words = vec!["calculate".to_string(), "--bank=sha256".into(), "--phase=:".into(), "--json=short".into()];
    for name in sections {
        let path = folder.path().join(name);
        std::fs::write(&path, contents(&pe, name).unwrap().unwrap()).unwrap();
        words.push(format!("--{}={}", name.trim_start_matches('.'), path.display()));
    }
    let output = run(MEASURE, &words.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let value = &answer["sha256"][0];
    assert_eq!(value["pcr"], 11, "{answer}");
    value["hash"].as_str().unwrap().parse().unwrap()
}

/// The image with a stub that calls itself 252 and measures what one of 252 does: it knows no `.uname`, which takes a
/// name here that no stub measures.
fn as_of_252(image: &[u8]) -> Vec<u8> {
    let mut image = image.to_vec();
    let mut replace = |from: &[u8], to: &[u8]| {
        let at = image.windows(from.len()).position(|part| part == from).expect("the image has these bytes");
        image[at..at + to.len()].copy_from_slice(to);
    };
    replace(b"LoaderInfo: systemd-stub 257", b"LoaderInfo: systemd-stub 252");
    replace(b".uname\0\0", b".rela\0\0\0");
    image
}
