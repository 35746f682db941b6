//! Bundles, which hold the proof: judged offline, and refused.

use super::*;

#[test]
fn a_bundle_is_judged_offline() {
    let here = Here::new();
    let key = std::fs::read_to_string(here.person.path("key")).unwrap();
    ends(&here.check("--no-state --save record"), 0, "ACCEPTED");
    ends(&bundle(&here, "--proof proof"), 0, "server.vitrine written, ");
    here.write(
        "policy",
        &format!("version = 1\n[statement]\nkeys = [\"{}\"]\n[log]\nfile = \"log-policy\"\n", key.trim()),
    );
    let looks = here.served.inside.lock().unwrap().looks;
    for name in ["statement", "proof", "record", "key"] {
        std::fs::remove_file(here.person.path(name)).unwrap();
    }
    let output = here.person.run("check server.vitrine --policy policy --ek-roots roots");
    ends(&output, 0, "ACCEPTED; from messages saved in server.vitrine");
    assert!(text(&output).contains("entry 2 of 5 in log.example/vitrine"), "{}", text(&output));
    assert_eq!(here.served.inside.lock().unwrap().looks, looks);
    // the person's papers do not mix with the bundle's
    here.write("statement", "{}");
    let beside = |more: &str| here.person.run(&format!("check server.vitrine --policy policy --ek-roots roots {more}"));
    cannot_judge(&beside("--statement statement"), "a bundle has its own");
    cannot_judge(&beside("--proof statement"), "a bundle has its own");
    cannot_judge(&beside(&format!("--nonce {}", "0".repeat(64))), "--nonce");
    // its proof needs a log policy as any
    here.write("policy", &format!("version = 1\n[statement]\nkeys = [\"{}\"]\n", key.trim()));
    cannot_judge(&beside(""), "nobody said which logs and witnesses count");
}

#[test]
fn what_no_bundle_is_made_of() {
    let here = Here::new();
    here.write("record", "{}");
    cannot_judge(&bundle(&here, ""), "record is bare evidence");
    ends(&here.check("--no-state --save record"), 0, "ACCEPTED");
    here.write("bad", "x");
    cannot_judge(&bundle(&here, "--proof bad"), "the proof");
    let mut other = Log::of(b"another statement");
    here.write("bad", &other.proof());
    cannot_judge(&bundle(&here, "--proof bad"), "the proof is not for this statement");
    other.leaves.clear();
    assert!(!here.person.path("server.vitrine").exists());
    cannot_judge(
        &here.person.run(&format!("check {} --key key", here.served.url)),
        "there is no statement to judge by",
    );
    // noise cannot be packed
    here.served.inside.lock().unwrap().before = |inside| {
        let mut noise = vec![];
        for n in 0..2000_u32 {
            noise.extend(Sha256::of(&n.to_be_bytes()).0);
        }
        inside.scene.measure_raw(8, 0xd, Sha256::of(&noise), &noise);
    };
    let big = here.check("--no-state --save record");
    assert!(matches!(big.status.code(), Some(0 | 1)), "{}", text(&big));
    cannot_judge(&bundle(&here, "--proof proof"), "more than 65536: evidence ");
}

#[test]
fn altered_bundles() {
    let here = Here::new();
    ends(&here.check("--no-state --save record"), 0, "ACCEPTED");
    ends(&bundle(&here, "--proof proof"), 0, "server.vitrine written, ");
    let good = std::fs::read(here.person.path("server.vitrine")).unwrap();
    let check = |bytes: &[u8]| {
        std::fs::write(here.person.path("altered"), bytes).unwrap();
        here.person.run("check altered --key key --ek-roots roots --log-policy log-policy")
    };
    ends(&check(&good), 0, "ACCEPTED");
    for at in (0..good.len()).step_by(good.len() / 23) {
        let mut altered = good.clone();
        altered[at] ^= 1;
        let code = check(&altered).status.code();
        assert!(matches!(code, Some(1 | 2)), "byte {at}: {code:?}");
    }
    let text = String::from_utf8(good.clone()).unwrap();
    for (bad, says) in [
        (text.replace("\"v\":1", "\"v\":2"), "version 2"),
        (text.replace(",\"v\":1", ",\"v\":1,\"w\":1"), "unknown field"),
        (text.replace(",\"v\"", ", \"v\""), "not in canonical form"),
        (format!("{text}\n"), "not in canonical form"),
        (text.replace("\",\"v\"", "AAAA\",\"v\""), ""),
        (format!("{text}{}", " ".repeat(1 << 16)), "more than 65536 bytes"),
    ] {
        let output = check(bad.as_bytes());
        cannot_judge(&output, "altered is no usable bundle");
        cannot_judge(&output, says);
    }
}
