//! The quote and what it binds: V08 to V16.

use crate::mock::Scene;
use crate::{refused, sent, signed};
use vitrine_attest::digest::Key32;
use vitrine_attest::rotation::RotatedKey;
use vitrine_attest::Sha256;

#[test]
fn v08_signature() {
    sent(|e| e.signature[10] ^= 1, &["V08 signature-invalid"]);
    // the clock is nothing that another check looks at
    sent(|e| e.attest[76] ^= 1, &["V08 signature-invalid"]);
}

#[test]
fn v09_v10_what_was_signed() {
    signed(|p| p.magic = 0xff54_4348, &["V09 magic-wrong"]);
    // a certification, a creation, a time: the rest of such a structure is no quote
    for kind in [0x8017, 0x801a, 0x8019, 0x8014] {
        signed(
            |p| p.kind = kind,
            &["V10 not-a-quote", "V12 not-reached", "V14 not-reached", "V15 not-reached", "V19 not-reached"],
        );
    }
}

#[test]
fn v11_replay_and_swapped_keys() {
    signed(|p| p.extra_data = Some(vec![0; 32]), &["V11 extra-data-differs"]);
    signed(|p| p.extra_data = Some(vec![]), &["V11 extra-data-differs"]);
    // evidence for an earlier nonce, whoever repeats it
    let old = Scene::good();
    let mut inputs = old.inputs();
    inputs.exchange.nonce = Sha256::of(b"today's nonce");
    refused(inputs, &["V11 extra-data-differs"]);
    let mut relabelled = old.evidence();
    relabelled.nonce = Sha256::of(b"today's nonce");
    let mut inputs = old.inputs_of(relabelled);
    inputs.exchange.nonce = Sha256::of(b"today's nonce");
    refused(inputs, &["V11 extra-data-differs"]);
    // a relay puts its own key in
    let expected =
        ["V11 extra-data-differs", "V15 pcr-digest-differs", "V20 pcr-15-differs", "V22 runtime-keys-differ"];
    sent(|e| e.keys.wg_pub = Key32([9; 32]), &expected);
    sent(|e| e.keys.channel_pub = Key32([9; 32]), &expected);
    sent(|e| e.keys.sign_pub = Key32([9; 32]), &expected);
    sent(|e| e.keys.tls_spki = Sha256::ZERO, &expected);
    sent(|e| e.image_id = "exit 2.0 x".into(), &["V11 extra-data-differs", "V23 image-differs"]);
    sent(|e| e.image_id = "x".repeat(2000), &["V11 image-id-too-long", "V23 image-differs"]);
}

#[test]
fn v12_v13() {
    signed(|p| p.tail = vec![0], &["V12 attest-trailing-bytes"]);
    // a key of the owner hierarchy
    signed(|p| p.hierarchy = 0x4000_0001, &["V13 signer-not-endorsement-primary"]);
}

#[test]
fn v14_relabelled_registers() {
    let selections: [&[(u16, &[u8])]; 7] = [
        &[(0x0b, &[0, 0, 0x81])], // 16 and 23, which anybody can reset
        &[(0x0b, &[0x90, 0xfa, 1])],
        &[(0x0b, &[0x90, 0xfa])],
        &[(0x04, &[0x90, 0xfa, 0])],                           // the SHA-1 bank
        &[(0x0b, &[0x90, 0xfa, 0]), (0x0b, &[0x90, 0xfa, 0])], // one bank twice
        &[(0x0b, &[0x90, 0xfa, 0, 0])],
        &[],
    ];
    for list in selections {
        signed(
            |p| p.selections = list.iter().map(|(hash, bits)| (*hash, bits.to_vec())).collect(),
            &["V14 pcr-selection-differs"],
        );
    }
}

#[test]
fn v15_digest() {
    signed(|p| p.digest = Some(vec![0; 32]), &["V15 pcr-digest-differs", "V19 replay-differs"]);
    signed(|p| p.digest = Some(vec![0; 20]), &["V15 pcr-digest-differs", "V19 replay-differs"]);
    // the fuse burnt after boot: no log of the firmware tells of it
    signed(|p| p.fuse = Some(Sha256::of(b"x")), &["V15 pcr-digest-differs", "V19 replay-differs"]);
}

#[test]
fn v16_clock() {
    signed(|p| p.safe = 0, &["V16 clock-not-safe"]);
    signed(
        |p| p.safe = 2,
        &[
            "V02 attest-malformed",
            "V09 not-reached",
            "V10 not-reached",
            "V11 not-reached",
            "V12 not-reached",
            "V13 not-reached",
            "V14 not-reached",
            "V15 not-reached",
            "V16 not-reached",
            "V19 not-reached",
        ],
    );
}

/// A list changed after the quote: the quote binds it.
#[test]
fn v11_rotated_keys_swapped_on_the_way() {
    let mut scene = Scene::rotating();
    scene.rotated = vec![scene.later_key(1), scene.later_key(2)];
    let lists: [&[RotatedKey]; 3] = [&[], &scene.rotated[..1], &[scene.later_key(2)]];
    for list in lists {
        let mut evidence = scene.evidence();
        evidence.rotated = list.to_vec();
        refused(scene.inputs_of(evidence), &["V11 extra-data-differs"]);
    }
}
