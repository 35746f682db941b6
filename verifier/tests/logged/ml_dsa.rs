//! Witnesses of ML-DSA-44, with the feature and without.

use super::*;

/// Two witnesses of ML-DSA-44, 3.3 KB each in every proof: V29 counts them, a bundle holds them, and a bit turned refuses.
#[cfg(feature = "ml-dsa")]
#[test]
fn witnesses_of_ml_dsa() {
    use vitrine_attest::ml_dsa::SecretKey;
    use vitrine_attest::note::cosign_ml_dsa;
    use vitrine_attest::vkey::NoteKey;
    let mut here = Here::new();
    let name = |seed: u8| format!("witness.example/w{seed}");
    let secret = |seed: u8| SecretKey::from_seed([seed; 32].into());
    let key_of = |seed: u8| NoteKey::of_kind(Kind::MlDsa44, &name(seed), secret(seed).public()).unwrap();
    let policy = |least: u8| {
        let (log, old) = (key(Kind::Note, LOG, 1), witness(2));
        let both = format!("witness w7 {}\nwitness w8 {}\n", key_of(7), key_of(8));
        format!("log {log}\nwitness w2 {old}\n{both}group most {least} w2 w7 w8\nquorum most\n")
    };
    here.log.witnesses = vec![(2, now() - 60)];
    let note = here.log.proof().split_once("\n\n").unwrap().1.to_owned();
    let body = format!("{}\n", note.split_once("\n\n").unwrap().0);
    let line = |seed: u8, time: u64| cosign_ml_dsa(&body, &name(seed), &secret(seed), time, &[0; 32]).unwrap();
    here.log.more = line(7, now() - 60) + &line(8, now() - 60);
    here.write("log-policy", &policy(3));
    let output = here.with("max_age = \"1h\"");
    ends(&output, 0, "");
    assert!(v29(&output).contains("seen by w2, w7, w8"), "{}", v29(&output));
    assert!(here.log.proof().len() > 6600);

    ends(&here.check("--no-state --save record"), 0, "ACCEPTED");
    ends(&bundle(&here, "--proof proof"), 0, "server.vitrine written, ");
    let size = std::fs::metadata(here.person.path("server.vitrine")).unwrap().len();
    assert!(size < 32 << 10, "{size} of 64 KiB");
    ends(&here.person.run("check server.vitrine --key key --policy policy --ek-roots roots"), 0, "ACCEPTED");

    let whole = here.log.more.clone();
    here.log.more = whole.replacen("AAAA", "AAAB", 1);
    here.refused("", "log-signature-bad");
    here.log.more = line(7, now() - 60);
    here.refused("", "quorum-missing");
    here.log.more = line(7, now() - 60) + &line(8, 0);
    here.refused("", "quorum-missing"); // which says nothing of the time
    here.write("log-policy", &policy(2));
    ends(&here.with(""), 0, "");
}

/// A quorum with a witness of ML-DSA-44 is not made without it: the policy is refused, with the word for what is missing.
#[cfg(not(feature = "ml-dsa"))]
#[test]
fn a_witness_of_ml_dsa_needs_the_feature() {
    let here = Here::new();
    let typed = STANDARD.encode([&[6][..], &[5; 1312]].concat());
    let id = &Sha256::of(&[b"witness.example/w9\n".as_slice(), &[6], &[5; 1312]].concat()).to_string()[..8];
    let policy = log_policy().replace("group most 2 w2 w3 w4", "group most 2 w2 w3 w9");
    here.write(
        "log-policy",
        &policy.replace("witness w4", &format!("witness w9 witness.example/w9+{id}+{typed}\nwitness w4")),
    );
    let output = here.check("--no-state --proof proof --log-policy log-policy");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), text(&output).as_str()), (Some(2), ""), "{errors}");
    assert!(errors.contains("line 4: ") && errors.contains("needs a program with the feature `ml-dsa`"), "{errors}");
}
