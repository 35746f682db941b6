//! V29: statements that stand in a log as demanded, and each way in which they do not.

use super::*;

#[test]
fn demanded_and_shown() {
    let here = Here::new();
    let output = here.check("--no-state --proof proof --log-policy log-policy");
    ends(&output, 0, "ACCEPTED");
    let shown = text(&output);
    assert!(shown.contains("entry 2 of 5 in log.example/vitrine; seen by w2, w3, w4 at "), "{shown}");
    assert!(shown.contains("- that others are shown the same log, unless the witnesses"), "{shown}");
    assert!(!shown.contains("- that the statement is in a public log"));
    // nothing demanded, nothing given
    let output = here.check("--no-state");
    ends(&output, 0, "ACCEPTED");
    assert!(
        text(&output).contains("no log demanded") && text(&output).contains("- that the statement is in a public log")
    );
    // another spelling of the same envelope
    let statement = std::fs::read(here.person.path("statement")).unwrap();
    let value: serde_json::Value = serde_json::from_slice(&statement).unwrap();
    here.write("statement", &serde_json::to_string_pretty(&value).unwrap());
    ends(&here.check("--no-state --proof proof --log-policy log-policy"), 0, "ACCEPTED");
}

#[test]
fn without_a_proof() {
    let here = Here::new();
    only(&here.check("--no-state --json --log-policy log-policy"), "proof-missing");
    here.write("policy", "version = 1\n[log]\nfile = \"log-policy\"\n");
    only(&here.check("--no-state --json --policy policy"), "proof-missing");
    here.write("policy", "version = 1\n[log]\nrequired = false\nfile = \"log-policy\"\n");
    let output = here.check("--no-state --json --policy policy");
    assert_eq!((output.status.code(), v29(&output).as_str()), (Some(0), "no proof given, and none required"));
    // one that is given is judged all the same
    here.write("proof", "nothing");
    only(&here.check("--no-state --json --policy policy --proof proof"), "proof-malformed");
}

#[test]
fn mistakes_of_the_person_are_no_verdict() {
    let here = Here::new();
    cannot_judge(&here.check("--no-state --proof proof"), "nobody said which logs and witnesses count");
    cannot_judge(&here.check("--no-state --proof nowhere --log-policy log-policy"), "nowhere");
    here.write("policy", "version = 1\n[log]\nfile = \"log-policy\"\n");
    let both = here.check("--no-state --proof proof --policy policy --log-policy log-policy");
    cannot_judge(&both, "has a table [log] already");
    here.write("bad", "log x\nquorum none\n");
    let output = here.check("--no-state --proof proof --log-policy bad");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(2) && errors.contains("bad: 1 problem\n  line 1: the vkey"), "{errors}");
    here.write("bad", "quorum none\n");
    let errors = String::from_utf8(here.check("--proof proof --log-policy bad").stderr).unwrap();
    assert!(errors.contains("it names no log"), "{errors}");
    for (table, says) in [
        ("", "line 2: log: give `policy`"),
        ("file = \"a\"\npolicy = \"b\"", "line 2: log: give `policy`"),
        ("file = \"bad\"", "line 3: file, line 1 of it: it names no log"),
        ("file = \"nowhere\"", "line 3: file: "),
        ("policy = \"\"\"\nlog x\nquorum none\n\"\"\"", "line 3: policy, line 1 of it: the vkey"),
        ("file = \"log-policy\"\nmax_age = \"soon\"", "line 4: max_age"),
        ("file = \"log-policy\"\nmin_size = 3", "line 4: unknown field `min_size`"),
    ] {
        here.write("policy", &format!("version = 1\n[log]\n{table}\n"));
        let errors = String::from_utf8(here.check("--proof proof --policy policy").stderr).unwrap();
        assert!(errors.contains(says), "{table}: {errors}");
    }
    let alone = format!("log {}\nquorum none", key(Kind::Note, LOG, 1));
    here.write("policy", &format!("version = 1\n[log]\npolicy = '''\n{alone}\n'''\nmax_age = \"1h\"\n"));
    let errors = String::from_utf8(here.check("--proof proof --policy policy").stderr).unwrap();
    assert!(errors.contains("line 7: max_age: with \"quorum none\""), "{errors}");
    assert_eq!(here.served.inside.lock().unwrap().looks, 0, "somebody was asked");
}

#[test]
fn inline_policy_and_what_it_says() {
    let here = Here::new();
    here.write("policy", &format!("version = 1\n[log]\nmax_age = \"48h\"\npolicy = '''\n{}'''\n", log_policy()));
    let output = here.check("--no-state --json --policy policy --proof proof");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let shown = text(&here.person.run("policy show policy"));
    assert!(
        shown.contains("a proof is required: log.example/vitrine; witnesses: most: 2 of (w2, w3, w4); at most "),
        "{shown}"
    );
    let value = json(&here.person.run("policy show policy --json"));
    assert_eq!(value["log"]["witnesses"].as_array().unwrap().len(), 3);
}

#[test]
fn entries_that_are_not_there() {
    let mut here = Here::new();
    here.log.leaves[2] = merkle::leaf(b"another statement");
    here.refused("", "entry-not-in-log");
    // a proof of the release before
    let other = Here::new();
    std::fs::copy(other.person.path("proof"), here.person.path("old")).unwrap();
    let mut statement = Scene::good().statement;
    statement.predicate.seq = 2;
    let envelope = vitrine_attest::dsse::sign(&statement, &secret(1)).unwrap();
    std::fs::write(here.person.path("statement"), envelope.to_json().unwrap()).unwrap();
    only(&here.check("--no-state --json --proof old --log-policy log-policy"), "entry-not-in-log");
    here.log = Log::of(&envelope.to_json().unwrap());
    here.write("proof", &here.log.proof().replace("index 2\n", "index 3\n"));
    only(&here.check("--no-state --json --proof proof --log-policy log-policy"), "entry-not-in-log");
    let output = here.with("");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
}

#[test]
fn malformed_proofs() {
    let here = Here::new();
    let good = here.log.proof();
    for bad in [String::new(), good.replace("@v1", "@v2"), good.replace("\n\n", "\n"), good[..good.len() - 9].into()] {
        here.write("proof", &bad);
        only(&here.check("--no-state --json --proof proof --log-policy log-policy"), "proof-malformed");
    }
    here.write("proof", &"x".repeat(100_000));
    cannot_judge(&here.check("--no-state --proof proof --log-policy log-policy"), "more than");
}

#[test]
fn logs_and_witnesses_that_do_not_count() {
    let mut here = Here::new();
    here.log.signer = 9;
    here.refused("", "log-untrusted");
    here.log.signer = 1;
    here.log.origin = "other.example";
    here.refused("", "log-untrusted");
    here.log.origin = LOG;
    for few in [vec![], vec![(2, now())], vec![(2, now()), (2, now())], vec![(2, now()), (8, now()), (9, now())]] {
        here.log.witnesses = few;
        here.refused("", "quorum-missing");
    }
    here.log.witnesses = vec![(4, now()), (2, now())];
    assert_eq!(here.with("").status.code(), Some(0));
}

#[test]
fn signatures_that_do_not_hold() {
    let mut here = Here::new();
    let other = format!("{LOG}\n7\n{}\n", STANDARD.encode([7; 32]));
    // in the name of the log, of a witness that is needed, and of one that is not
    here.log.witnesses.truncate(2);
    let by_log = sign(&other, LOG, &secret(1), None).unwrap();
    let by_witness = |seed| sign(&other, witness(seed).name(), &secret(seed), Some(now())).unwrap();
    for more in [by_log, by_witness(2), by_witness(4)] {
        here.log.more = more;
        here.refused("", "log-signature-bad");
    }
    // of strangers anything may stand there
    here.log.more = by_witness(8);
    assert_eq!(here.with("").status.code(), Some(0));
}

#[test]
fn age_is_that_of_a_quorum() {
    let mut here = Here::new();
    // 7200, 60 and 3600 s ago: two of three say that it was there 3600 s ago, or later
    assert_eq!(here.with("max_age = \"61m\"").status.code(), Some(0));
    here.refused("max_age = \"59m\"", "proof-too-old");
    let ahead = now() + 3000;
    here.log.witnesses = vec![(2, ahead), (3, ahead), (4, 5)];
    assert_eq!(here.with("max_age = \"1h\"").status.code(), Some(0), "clocks differ");
    here.log.witnesses = vec![(2, ahead + 1000), (3, 5), (4, 5)];
    assert_eq!(here.with("").status.code(), Some(0), "one witness alone decides nothing");
    here.refused("max_age = \"1h\"", "proof-too-old");
    here.log.witnesses = vec![(2, ahead + 1000), (3, ahead + 1000)];
    here.refused("", "proof-from-the-future");
    let latest = i64::MAX as u64;
    here.log.witnesses = vec![(2, latest), (3, latest)];
    here.refused("max_age = \"1h\"", "proof-from-the-future");
    here.log.witnesses = vec![(2, latest + 1), (3, latest + 1)];
    here.refused("", "log-signature-bad"); // the standard has no such times
}

/// Every command that checks has the options.
#[test]
fn other_commands_demand_it_too() {
    let here = Here::new();
    let trust = format!("--server {} --statement statement --key key --ek-roots roots --no-state", here.served.url);
    let peer = STANDARD.encode([9; 32]);
    let commands = [
        format!("watch {trust} --count 1"),
        format!("wg-config {trust} --generate --address 10.66.0.7/32"),
        format!("peers add {trust} --owner-key owner --peer {peer} --allowed-ips 10.66.0.7/32"),
    ];
    for line in commands {
        let without = here.person.run(&format!("{line} --log-policy log-policy"));
        assert_eq!(without.status.code(), Some(1), "{line}");
        assert!(text(&without).contains("proof-missing"), "{}", text(&without));
        let with = here.person.run(&format!("{line} --log-policy log-policy --proof proof"));
        assert_eq!(with.status.code(), Some(0), "{line}: {}", String::from_utf8_lossy(&with.stderr));
    }
}

#[test]
fn a_fleet_demands_it_too() {
    let here = Here::new();
    let once = |more: &str| {
        let url = &here.served.url;
        here.write(
            "fleet.toml",
            &format!(
                "version = 1\n[defaults]\nkey = \"key\"\nek_roots = \"roots\"\nno_state = true\n\
                 log_policy = \"log-policy\"\n{more}\n[[server]]\nname = \"one\"\nurl = \"{url}\"\n"
            ),
        );
        here.person.run("watch fleet.toml --once")
    };
    let one = "statement = \"statement\"";
    ends(&once(&format!("{one}\nproof = \"proof\"")), 0, "");
    let without = once(one);
    assert!(without.status.code() == Some(1) && text(&without).contains("V29 proof-missing"), "{}", text(&without));
    let two = once("statement = [\"statement\", \"statement\"]\nproof = \"proof\"");
    assert!(String::from_utf8_lossy(&two.stderr).contains("2 statements and 1 proofs"));
}

#[test]
fn a_log_with_two_trees_of_one_size() {
    let mut here = Here::new();
    let check = |here: &Here, more: &str| {
        here.write("proof", &here.log.proof());
        here.check(&format!("--state state --proof proof --log-policy log-policy {more}"))
    };
    ends(&check(&here, ""), 0, "ACCEPTED");
    let first = here.log.proof();
    ends(&check(&here, ""), 0, "ACCEPTED");
    // another tree of that size
    here.log.leaves[4] = merkle::leaf(b"something else");
    let output = check(&here, "--json");
    only(&output, "log-forked");
    let report = json(&output);
    let forked = report["checks"].as_array().unwrap().iter().find(|check| check["code"] == "V29").unwrap();
    let note = |proof: &str| proof.split_once("\n\n").unwrap().1.to_owned();
    assert_eq!(forked["expected"], note(&first));
    assert_eq!(forked["got"], note(&here.log.proof()));
    ends(&here.check("--no-state --proof proof --log-policy log-policy"), 0, "ACCEPTED");
    // a smaller one says nothing, a larger one is remembered instead
    here.log.leaves.truncate(4);
    ends(&check(&here, ""), 0, "ACCEPTED");
    here.log.leaves.extend([merkle::leaf(b"x"), merkle::leaf(b"y")]);
    ends(&check(&here, ""), 0, "ACCEPTED");
    let shown = text(&here.person.run("state list --state state"));
    assert!(shown.contains("Log log.example/vitrine\n  Largest        6 entries, root "), "{shown}");
    here.log.leaves[5] = merkle::leaf(b"z");
    only(&check(&here, "--json"), "log-forked");
    // a log that began again, as its operator says
    ends(&here.person.run("state forget log.example/vitrine --state state"), 0, "forgotten: log.example/vitrine");
    ends(&check(&here, ""), 0, "ACCEPTED");
    // what is not accepted is not remembered
    here.log.leaves.push(merkle::leaf(b"more"));
    here.log.witnesses.truncate(1);
    only(&check(&here, "--json"), "quorum-missing");
    assert!(text(&here.person.run("state list --state state")).contains("6 entries"));
}
