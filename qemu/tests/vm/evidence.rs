//! Evidence for many at once, and for nobody in particular.

use crate::ask::{ask, Answer};
use crate::images::Images;
use crate::machine::{boot, Judged, Running, PATIENCE};
use crate::published::published;
use base64::{engine::general_purpose::STANDARD, Engine as _};
use ed25519_dalek::SigningKey;
use serde_json::json;
use std::collections::HashSet;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use vitrine_attest::evidence::Evidence;
use vitrine_attest::note::sign;
use vitrine_attest::vkey::{Kind, NoteKey};
use vitrine_attest::Sha256;
use vitrine_qemu::boot::Options;
use vitrine_qemu::verify::Verifier;

const CLIENTS: u8 = 100;

#[test]
fn a_crowd_a_beacon_and_a_log() {
    let Some(images) = Images::find() else { return };
    let mut running = boot(&Options::new(images.exit(), images.secure_boot()));
    Judged::server(&images, &running).assert_accepted();
    crowd(&images, &mut running);
    beacon(&images, &running);
    published(&images, &mut running);
}

/// A hundred clients stand before a server that does not move, and all come in when it goes on. Each gets evidence for a
/// nonce of its own, and fewer quotes are made than there are clients.
fn crowd(images: &Images, running: &mut Running) {
    running.guest.qmp().execute("stop", json!({})).unwrap();
    let url = running.guest.url();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|n| {
            let (url, nonce) = (url.clone(), Sha256::of(&[n]));
            std::thread::spawn(move || (nonce, evidence(&url, nonce)))
        })
        .collect();
    std::thread::sleep(Duration::from_secs(3));
    running.guest.qmp().execute("cont", json!({})).unwrap();
    let answers: Vec<(Sha256, Vec<u8>)> = clients.into_iter().map(|client| client.join().unwrap()).collect();
    let all: Vec<Evidence> = answers.iter().map(|(_, body)| serde_json::from_slice(body).unwrap()).collect();
    let quotes: HashSet<&[u8]> = all.iter().map(|evidence| evidence.attest.as_slice()).collect();
    let largest = all.iter().filter_map(|evidence| Some(evidence.batch.as_ref()?.size)).max();
    eprintln!("{CLIENTS} clients, {} quotes, at most {largest:?} nonces under one", quotes.len());
    assert!(quotes.len() < all.len() && largest > Some(1), "nobody shares a quote");
    let folder = tempfile::tempdir().unwrap();
    let verify = |nonce: &Sha256, body: &[u8]| {
        let file = folder.path().join("evidence");
        std::fs::write(&file, body).unwrap();
        let more = ["--accept-level", "L1", "--nonce", &nonce.to_string()];
        Judged::check(images, file, running.guest.ek_roots(), &more)
    };
    answers.iter().for_each(|(nonce, body)| verify(nonce, body).assert_accepted());
    // what is evidence for one is none for another
    verify(&answers[1].0, &answers[0].1).assert_rejected(&["extra-data-differs"]);
}

/// Evidence, whenever it comes: a server that is busy says so, and is asked again.
fn evidence(url: &str, nonce: Sha256) -> Vec<u8> {
    let until = Instant::now() + PATIENCE;
    loop {
        match ask(url, nonce, Duration::from_secs(120)) {
            Answer::Evidence(body) => return body,
            Answer::Code(status, code) => assert_eq!((status, code.as_str()), (503, "busy")),
            Answer::Nobody => {}
        }
        assert!(Instant::now() < until, "no evidence");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// A witness signs a checkpoint now; the beacon made of it is checked by somebody who knows the witness.
fn beacon(images: &Images, running: &Running) {
    let verifier = Verifier::find().unwrap();
    let witness = SigningKey::from_bytes(&[5; 32]);
    let key = NoteKey::of_kind(Kind::Cosignature, "witness.example/w", witness.verifying_key()).unwrap();
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let text = format!("log.example/vitrine\n12\n{}\n", STANDARD.encode([7; 32]));
    let line = sign(&text, key.name(), &witness, Some(time)).unwrap();
    let file = |name: &str, content: String| {
        let path = verifier.file(name);
        std::fs::write(&path, content).unwrap();
        path
    };
    let checkpoint = file("checkpoint", format!("{text}\n{line}"));
    let keys = file("keys", format!("{key}\n"));
    let policy = file("policy", "version = 1\n[evidence]\nmax_age = \"1h\"\n".into());
    let [beacon, state] = ["beacon.json", "state.json"].map(|name| verifier.file(name));
    let words = ["beacon", &running.guest.url(), "--checkpoint"].map(std::ffi::OsString::from);
    let made = words.into_iter().chain([checkpoint.into(), "--out".into(), beacon.clone().into()]);
    let made = verifier.run(made.collect::<Vec<_>>()).unwrap();
    assert_eq!(made.exit_code, 0, "{made:?}");

    let [keys, policy, state] = [&keys, &policy, &state].map(|path| path.to_str().unwrap());
    let common = ["--policy", policy, "--log-keys", keys];
    let check = |more: &[&str]| {
        let more = [&common[..], more].concat();
        Judged::check(images, beacon.clone(), running.guest.ek_roots(), &more)
    };
    check(&["--accept-level", "L1"]).assert_accepted();
    assert_eq!(check(&[]).outcome.exit_code, 2, "a file alone reached level L2");
    Judged::check(images, running.guest.url(), running.guest.ek_roots(), &["--state", state]).assert_accepted();
    check(&["--state", state]).assert_accepted();
    // the same evidence, said to be dated by another checkpoint
    let bent = std::fs::read_to_string(&beacon).unwrap().replace("\\n12\\n", "\\n13\\n");
    std::fs::write(&beacon, bent).unwrap();
    check(&["--accept-level", "L1"]).assert_rejected(&["checkpoint-untrusted", "evidence-age-unknown"]);
}
