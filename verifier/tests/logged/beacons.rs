//! Beacons that were made before a log took them in.

use super::*;

#[test]
fn a_bundle_of_a_beacon() {
    let here = Here::new();
    let body = format!("{LOG}\n5\n{}\n", STANDARD.encode([7; 32]));
    let note = format!("{body}\n{}", sign(&body, LOG, &secret(1), None).unwrap());
    here.write("checkpoint", &note);
    here.write("log-keys", &format!("{}\n", key(Kind::Note, LOG, 1)));
    let made = here.person.run(&format!("beacon {} --checkpoint checkpoint --out record", here.served.url));
    ends(&made, 0, "record written");
    ends(&bundle(&here, "--proof proof"), 0, "server.vitrine written, ");
    let line = "check server.vitrine --key key --ek-roots roots --log-policy log-policy --accept-level L1";
    cannot_judge(&here.person.run(line), "--log-keys");
    let output = here.person.run(&format!("{line} --log-keys log-keys"));
    ends(&output, 0, "ACCEPTED; at level L1 only, as asked: V06 skipped; from a beacon");
}

/// A beacon that a log has taken in was made before.
#[test]
fn a_beacon_that_stands_in_a_log() {
    let here = Here::new();
    let body = format!("{LOG}\n5\n{}\n", STANDARD.encode([7; 32]));
    let lines = sign(&body, LOG, &secret(1), None).unwrap()
        + &sign(&body, witness(2).name(), &secret(2), Some(1_763_600_000)).unwrap();
    here.write("checkpoint", &format!("{body}\n{lines}"));
    here.write("log-keys", &format!("{}\n", witness(2)));
    let made = here.person.run(&format!("beacon {} --checkpoint checkpoint --out beacon.json", here.served.url));
    ends(&made, 0, "beacon.json written");
    here.write("policy", "version = 1\n[log]\nrequired = false\nfile = \"log-policy\"\n");
    let check = |more: &str| {
        let line = "--ek-roots roots --accept-level L1 --log-keys log-keys --beacon-proof beacon-proof";
        here.person.check("beacon.json", &format!("{line} {more}"))
    };
    let file = std::fs::read(here.person.path("beacon.json")).unwrap();
    let mut log = Log::of(&file);
    // by the second of two of three it had been seen
    log.witnesses = vec![(2, 1_763_600_700), (3, 1_763_600_300), (4, 1_763_600_500)];
    here.write("beacon-proof", &log.proof());
    let output = check("--policy policy");
    ends(&output, 0, "ACCEPTED");
    let words =
        "made after 2025-11-20T00:53:20Z, when log.example/vitrine had 5 entries, and before 2025-11-20T01:01:40Z";
    assert!(text(&output).contains(words), "{}", text(&output));
    cannot_judge(&check(""), "nobody said which logs and witnesses count");
    cannot_judge(&here.check("--beacon-proof beacon-proof"), "a server is no beacon");
    here.write("none", &format!("log {}\nquorum none\n", key(Kind::Note, LOG, 1)));
    cannot_judge(&check("--log-policy none"), "no witness that could say");
    // one that does not hold is no acceptance
    for (bad, says) in [
        (Log::of(b"another beacon").proof(), "not in the tree"),
        (Log { witnesses: vec![(2, 5)], ..Log::of(&file) }.proof(), "signed by w2"),
        (Log { signer: 9, ..Log::of(&file) }.proof(), "has not signed"),
        ("nothing".into(), "no empty line"),
    ] {
        here.write("beacon-proof", &bad);
        let output = check("--policy policy");
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), text(&output).as_str()), (Some(1), ""), "{errors}");
        assert!(errors.contains(says), "{errors}");
    }
}

#[test]
fn beacons_too_large_for_an_entry() {
    use vitrine_verifier::beacon::entry;
    let most = vec![b' '; 65_535];
    assert_eq!(*entry(&most), most);
    let more = vec![b' '; 65_536];
    assert_eq!(*entry(&more), Sha256::of(&more).0);
}
