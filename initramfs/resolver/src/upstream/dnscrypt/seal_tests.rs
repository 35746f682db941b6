//! The vectors of draft-denis-dprive-dnscrypt-09 §13 (system 2), answers sealed as a resolver does it, and every way to
//! alter one. System 1: the same inputs through libsodium, and
//! dnsdist in `tests/forward.rs`.

use super::*;
use crate::upstream::dnscrypt::resolver_side::{answer, certificate, fresh};

fn unhex(text: &str) -> Vec<u8> {
    text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

const QUERY: &str = "12340100000100000000000003777777076578616d706c6503636f6d0000010001";
const ANSWER: &str =
    "12348180000100010000000003777777076578616d706c6503636f6d0000010001c00c0001000100000e1000045db8d822";

fn padded(message: &[u8]) -> Vec<u8> {
    let mut padded = message.to_vec();
    padding::add(&mut padded, 0);
    padded
}

#[test]
fn the_drafts_question() {
    let (packet, _) = fresh().seal(&certificate(System::ChaCha), &unhex(QUERY), 256).unwrap();
    let expected = concat!(
        "b1b2b3b4b5b6b7b879a631eede1bf9c98f12032cdeadd0e7a079398fc786b88cc846ec89af85a51aa0a1a2a3a4a5a6a7a8a9aaab",
        "2dae527c26386d5cd4e61152db6dd1812ff6aaf7644fc122afc70b1b580b18f10fbc26577abc759152cde31cd0afc5c5f452f865",
        "4815469723300819bed5a12015c044b94d63ec1f79e48a23968e437feb8bb8720cf4e60a0499746190c8b3eb83aeb0d858df7779",
        "4270b861f86644502be0d22d6f0b2b132e9ca68538300c8d68b8e3c48190cbbf96d602f38dfc3b4d642016ceeaf4bc2c2ded9483",
        "b9f9d4eed703a0bebc252add8822d4b9152e30670bcde9ea75a0e3e67ea576e9b1262bb2b25b4f9432311b75a2238b34bf4f868d",
        "a182b85dccb1762a703bba31d04d77b4c57ec9039663959793677588b3a74ae409b0f16374dd64cbd6d47d801725b014ce9ddaf6",
        "f1aa30688c8efcbfde1d5d1d"
    );
    assert_eq!(packet, unhex(expected));
    assert_eq!(packet.len(), OVERHEAD + 256);
}

#[test]
fn the_drafts_answer() {
    let (_, opener) = fresh().seal(&certificate(System::ChaCha), &unhex(QUERY), 256).unwrap();
    let packet = unhex(concat!(
        "7236666e76576a38a0a1a2a3a4a5a6a7a8a9aaabc0c1c2c3c4c5c6c7c8c9cacbf2670995c6d37c2f8d2016029dd5970b893de83c",
        "02815ece9b48d9fd0b0dca8741674142fbd8e12c1120b111f366326aa71c89823a2931ac5c860dad49685ed6cc22cc13e829d2e5",
        "1d1c00ea64d1d39d"
    ));
    assert_eq!(opener.open(&packet), Some(unhex(ANSWER)));
}

/// The same keys and messages, sealed by libsodium's `crypto_box_easy`.
#[test]
fn libsodiums_boxes() {
    let (packet, opener) = fresh().seal(&certificate(System::Salsa), &unhex(QUERY), 256).unwrap();
    let question = concat!(
        "b1b2b3b4b5b6b7b879a631eede1bf9c98f12032cdeadd0e7a079398fc786b88cc846ec89af85a51aa0a1a2a3a4a5a6a7a8a9aaab",
        "3aefeba2797d010134f7ad5be1fd603815ccc3b217fb9e65c236f0e76a87e614c6058564a457b08f67861f716fee52336c63229a",
        "77eb30c1a24a1b3dfe96e15140ec7c756d39c34625debc6f3cf5ac9018531e5acb637e474cf49e96a3e3a2cbced4bb197025a598",
        "cffcb24bb728c0be828a1c62e834e5dc45018d5228adc75f72e818f50dc3902f9f3603ab075a13b1122d0408ab9a1453eaa7e8a7",
        "d1b12536945ecbe01390e66c38eddd385c3c60674e3f5cab86faee9699b62c2963ac138ad1e28ef15eef7ddca4a1ddf383a51b88",
        "d593880381b0214c84111545d1bc9875a4546d5ee468e4da410a36e2f15b9f89531e5bdf99bce9d51323e1678a5a8fdaedcd338e",
        "3299ba683e95d3e2dc2f60b3"
    );
    assert_eq!(packet, unhex(question));
    let answer = unhex(concat!(
        "7236666e76576a38a0a1a2a3a4a5a6a7a8a9aaabc0c1c2c3c4c5c6c7c8c9cacb86abdc67c1cd0b29822b7a2f78d1fb3abb37d91a",
        "05bb795d7cb4d3ed45e7e02230d2c372c2f2d780f44c8bd2b449ea73f3360ccabed5dcc56b4dc73be4c76f5de023955ae91910ad",
        "3f242f6b28649b53"
    ));
    assert_eq!(opener.open(&answer), Some(unhex(ANSWER)));
}

#[test]
fn an_answer_comes_back_as_it_was() {
    for system in [System::Salsa, System::ChaCha] {
        let (question, opener) = fresh().seal(&certificate(system), &unhex(QUERY), 256).unwrap();
        for message in [&b""[..], b"short", &[0x80; 64], &[0; 700], &[7; 4000]] {
            assert_eq!(opener.open(&answer(system, &question, &padded(message))).as_deref(), Some(message));
        }
        // what the other system sealed with the same keys is another thing
        let other = if system == System::Salsa { System::ChaCha } else { System::Salsa };
        assert_eq!(opener.open(&answer(other, &question, &padded(b"short"))), None);
    }
}

#[test]
fn altered_cut_and_longer_answers_are_refused() {
    for system in [System::Salsa, System::ChaCha] {
        let (question, opener) = fresh().seal(&certificate(system), &unhex(QUERY), 256).unwrap();
        let good = answer(system, &question, &padded(b"a message"));
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(opener.open(&bad), None, "bit {bit}");
        }
        for length in 0..good.len() {
            assert_eq!(opener.open(&good[..length]), None, "{length} bytes");
        }
        assert_eq!(opener.open(&[&good[..], &[0]].concat()), None);
    }
}

#[test]
fn a_message_without_padding_is_refused() {
    let (question, opener) = fresh().seal(&certificate(System::Salsa), &unhex(QUERY), 256).unwrap();
    for bad in [&[][..], &[0; 64], b"no padding", &[0x81]] {
        assert_eq!(opener.open(&answer(System::Salsa, &question, bad)), None, "{bad:?}");
    }
}

#[test]
fn answers_to_other_questions_are_refused() {
    let certificate = certificate(System::Salsa);
    let seal = || Fresh::random().unwrap().seal(&certificate, &unhex(QUERY), 256).unwrap();
    let ((first, opener), (second, _)) = (seal(), seal());
    assert_eq!(opener.open(&answer(System::Salsa, &second, &padded(b"x"))), None);
    assert!(opener.open(&answer(System::Salsa, &first, &padded(b"x"))).is_some());
    // a question of ours, thrown back
    assert_eq!(opener.open(&first), None);
    assert_ne!(first[8..40], second[8..40], "two questions showed one key");
    assert_ne!(first[40..52], second[40..52]);
}

/// Points of small order (RFC 7748 §6.1): with them, everybody knows the shared key.
#[test]
fn weak_keys_of_a_resolver_are_refused() {
    let mut one = [0; 32];
    one[0] = 1;
    let eight = "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800";
    for resolver in [[0; 32], one, unhex(eight).try_into().unwrap()] {
        let certificate = Certificate { resolver, ..certificate(System::Salsa) };
        assert!(fresh().seal(&certificate, b"x", 256).is_none());
    }
}
