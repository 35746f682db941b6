//! What has to work.

use crate::images::Images;
use crate::machine::{boot, Judged, Place, PATIENCE};
use crate::user::{User, MOMENT};
use serde_json::{json, Value};
use std::time::{Duration, Instant};
use vitrine_attest::boot::{BootFacts, BootRecord};
use vitrine_attest::digest::Key32;
use vitrine_attest::evidence::Evidence;
use vitrine_attest::expected::{Platform, Prediction};
use vitrine_attest::pcr::Pcr;
use vitrine_attest::tpm::{Attest, Public};
use vitrine_attest::Sha256;
use vitrine_qemu::boot::{Guest, Options, SecureBoot};

/// The digest a quote must hold when the TPM has exactly the predicted values.
pub fn predicted_digest(images: &Images, prediction: &Prediction, platform: Platform, evidence: &Evidence) -> Vec<u8> {
    let config = Sha256::of(&config_bytes(images));
    let record = BootRecord {
        config_digest: config,
        keys: evidence.keys.clone(),
        ak_name: Public::parse(&evidence.ak_pub).unwrap().name().unwrap(),
        facts: BootFacts::sealed(),
    };
    let mut pcrs = prediction.platforms[&platform].pcrs.clone();
    pcrs.0.insert(Pcr::RUNTIME, record.pcr15().unwrap());
    let values: Vec<u8> = Pcr::QUOTED.iter().flat_map(|pcr| pcrs.get(*pcr).unwrap().0).collect();
    Sha256::of(&values).0.to_vec()
}

/// Canonical configuration, out of the signed statement.
fn config_bytes(images: &Images) -> Vec<u8> {
    let envelope = vitrine_attest::dsse::Envelope::from_json(&images.read("exit/release.dsse.json")).unwrap();
    let statement: Value = serde_json::from_slice(&envelope.payload).unwrap();
    vitrine_attest::canonical::to_canonical_json(&statement["predicate"]["config"]).unwrap()
}

pub fn quoted_digest(evidence: &Evidence) -> Vec<u8> {
    Attest::parse(&evidence.attest).unwrap().quote.unwrap().digest
}

#[test]
fn shipped_image_is_accepted() {
    let Some(images) = Images::find() else { return };
    let running = boot(&Options::new(images.exit(), images.secure_boot()));
    let judged = Judged::server(&images, &running);
    judged.assert_accepted();
    let evidence = judged.evidence();
    let predicted = predicted_digest(&images, &images.prediction(), Platform::SecureBoot, &evidence);
    assert_eq!(quoted_digest(&evidence), predicted, "the TPM's values are not the predicted ones");
    assert!(!running.guest.console().contains("vitrine"), "a production image spoke on the console");
    offline(&images, &judged, running.guest.ek_roots());
    crate::crosscheck::tpm2_tools(&evidence);
    tunnel(&images, &running.guest, judged.report.keys.as_ref().unwrap().wireguard);
}

/// The saved messages are accepted again, and nothing else about them is.
fn offline(images: &Images, judged: &Judged, roots: std::path::PathBuf) {
    Judged::check(images, judged.record(), roots.clone(), &[]).assert_accepted();
    crate::refused::replayed_evidence(images, judged, &roots);
    crate::refused::altered_statement(images, judged, &roots);
    crate::refused::altered_record(images, judged, &roots);
}

/// A peer added by the owner reaches the server and the world outside, and nobody else does.
fn tunnel(images: &Images, guest: &Guest, server: Key32) {
    let user = User::new(images, "exit", server);
    user.is_nobody(guest);
    user.add(guest);
    user.browses(guest);
    user.remove(guest);
    user.is_nobody(guest);
}

/// Predicted and equal; and still refused, because Secure Boot is off.
#[test]
fn prediction_holds_without_secure_boot() {
    let Some(images) = Images::find() else { return };
    let running = boot(&Options::new(images.exit(), SecureBoot::Off));
    let judged = Judged::server(&images, &running);
    judged.assert_rejected(&["pcr-4-differs", "pcr-digest-differs"]);
    judged.assert_explained("Secure Boot is off");
    let evidence = judged.evidence();
    let predicted = predicted_digest(&images, &images.prediction(), Platform::NoSecureBoot, &evidence);
    assert_eq!(quoted_digest(&evidence), predicted, "the TPM's values are not the predicted ones");
    crate::crosscheck::tpm2_tools(&evidence);
}

/// A machine without a TPM powers itself off: no tunnel without evidence.
#[test]
fn without_a_tpm_there_is_no_service() {
    let Some(images) = Images::find() else { return };
    let _place = Place::take();
    let options = Options { tpm: None, ..Options::new(images.exit(), images.secure_boot()) };
    let mut guest = Guest::start(&options, &mut |line| eprintln!("{line}")).unwrap();
    let error = guest.wait(PATIENCE).unwrap_err();
    assert!(error.what.starts_with("QEMU ended (exit status: 0)"), "{error}");
    assert!(!guest.is_running());
}

/// Disks of three kinds are plugged in; the image sees none, and nothing on them changes.
#[test]
fn no_disk_can_be_reached() {
    let Some(images) = Images::find() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut options = Options::new(images.exit(), images.secure_boot());
    let devices = [("virtio", "virtio-blk-pci"), ("nvme", "nvme,serial=1"), ("usb", "usb-storage,bus=xhci.0")];
    options.extra.extend(["-device".into(), "qemu-xhci,id=xhci".into()]);
    for (name, device) in devices {
        let file = folder.path().join(name);
        std::fs::write(&file, pattern()).unwrap();
        options.extra.extend(["-drive".into(), format!("if=none,id={name},format=raw,file={}", file.display())]);
        options.extra.extend(["-device".into(), format!("{device},drive={name}")]);
    }
    let mut running = boot(&options);
    let at_start = operations(&mut running.guest);
    let judged = Judged::server(&images, &running);
    judged.assert_accepted();
    std::thread::sleep(Duration::from_secs(10));
    assert_eq!(operations(&mut running.guest), at_start, "a disk was read or written after the server came up");
    for (name, _, writes) in at_start {
        assert_eq!(writes, 0, "{name} was written to");
    }
    running.guest.stop();
    for (name, _) in devices {
        assert!(std::fs::read(folder.path().join(name)).unwrap() == pattern(), "{name} was changed");
    }
}

fn pattern() -> Vec<u8> {
    (0..4u32 << 20).map(|i| (i / 512).wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect()
}

/// Reads and writes of each disk so far.
fn operations(guest: &mut Guest) -> Vec<(String, u64, u64)> {
    let deadline = Instant::now() + MOMENT;
    let answer = loop {
        match guest.qmp().execute("query-blockstats", json!({})) {
            Ok(answer) => break answer,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
    };
    let disks = answer.as_array().unwrap().iter().filter(|disk| disk["device"] != "" && !disk["device"].is_null());
    disks
        .filter(|disk| !disk["device"].as_str().unwrap_or_default().starts_with("pflash"))
        .map(|disk| {
            let count = |name: &str| disk["stats"][name].as_u64().unwrap();
            (disk["device"].as_str().unwrap().to_string(), count("rd_operations"), count("wr_operations"))
        })
        .collect()
}
