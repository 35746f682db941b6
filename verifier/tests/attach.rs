//! What a server hands out beside its evidence: handed over by its owner, asked for by everybody, and each way to lie with it.

mod mock;
mod person;

use mock::{Scene, SigningKey};
use person::logs::{log_policy, Log};
use person::{cannot_judge, ends, forward, json, request, serve_scene, text, Person, Reply, Served};
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::process::Output;
use std::time::{Duration, Instant};
use vitrine_attest::attachments::Attachments;
use vitrine_attest::digest::Key32;
use vitrine_attest::dsse::{self, Envelope};
use vitrine_attest::order::Operation;
use vitrine_attest::predicate;
use vitrine_attest::rebuild_verdict::{Builder, Compared, RebuildVerdict};
use vitrine_attest::revocation::{Reason, Revocation};
use vitrine_attest::Sha256;

struct Here {
    person: Person,
    served: Served,
    envelope: Envelope,
    proof: String,
}

impl Here {
    fn new() -> Self {
        let scene = Scene::good();
        let person = Person::of(&scene);
        let envelope = scene.envelope();
        let proof = Log::of(&envelope.to_json().unwrap()).proof();
        let here = Self { person, served: serve_scene(scene), envelope, proof };
        here.write("log-policy", &log_policy());
        here.write("proof", &here.proof);
        here
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.person.path(name), text).unwrap();
    }

    fn attach(&self, more: &str) -> Output {
        let url = &self.served.url;
        self.person.run(&format!(
            "attach --server {url} --statement statement --key key --ek-roots roots --owner-key owner {more}"
        ))
    }

    /// With keys and policies alone.
    fn check(&self, more: &str) -> Output {
        self.check_at(&self.served.url, more)
    }

    fn check_at(&self, url: &str, more: &str) -> Output {
        self.person.run(&format!("check {url} --key key --ek-roots roots --no-state {more}"))
    }

    fn statement(&self) -> Envelope {
        self.envelope.clone()
    }

    /// A server that hands this out without any owner.
    fn hands_out(&self, attachments: &Attachments) {
        self.brings(attachments.to_bytes().unwrap());
    }

    fn brings(&self, bytes: Vec<u8>) {
        let mut inside = self.served.inside.lock().unwrap();
        inside.pid1.attached = Some(Sha256::of(&bytes));
        inside.brought = Some(bytes);
    }
}

/// Rejected by a report, for nothing but this.
#[track_caller]
fn only(output: &Output, reason: &str) {
    let report = json(output);
    let failed = report["checks"].as_array().unwrap().iter().filter(|check| check["status"] == "failed");
    let failed: Vec<&str> = failed.map(|check| check["reason"].as_str().unwrap()).collect();
    assert_eq!((output.status.code(), failed.as_slice()), (Some(1), [reason].as_slice()), "{report}");
}

/// No report, two lines of words, and a code that is no acceptance.
#[track_caller]
fn says(output: &Output, code: i32, words: &str) {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), text(output).as_str()), (Some(code), ""), "{errors}");
    assert!(errors.contains(words) && errors.lines().count() == 2, "{errors}");
}

const LOGGED: &str = "--log-policy log-policy";

/// The owner's files once, then everybody with keys and a log policy alone.
#[test]
fn handed_over_and_asked_for() {
    let here = Here::new();
    says(&here.check(LOGGED), 2, "there is no statement to judge by: http://127.0.0.1:");
    ends(&here.attach(&format!("--proof proof {LOGGED}")), 0, "attached: ");
    let output = here.check(LOGGED);
    ends(&output, 0, "ACCEPTED");
    let shown = text(&output);
    assert!(shown.contains("Statement      from the server, judged like a file of yours"), "{shown}");
    assert!(shown.contains("Proof          from the server") && shown.contains("entry 2 of 5 in log.example/vitrine"));
    assert!(shown.contains("- that it is the release you mean: the server chose one"), "{shown}");
    let papers = |more: &str| json(&here.check(&format!("--json {more}")))["papers"].clone();
    assert_eq!(papers(LOGGED), serde_json::json!({"proof": "server", "statement": "server"}));
    // a proof that nobody asked for is left aside, as is what the person has already
    assert_eq!(papers(""), serde_json::json!({"statement": "server"}));
    assert_eq!(papers("--statement statement"), serde_json::json!({"statement": "file"}));
    let own = papers(&format!("--statement statement {LOGGED}"));
    assert_eq!(own, serde_json::json!({"proof": "server", "statement": "file"}));
    let own = papers(&format!("--proof proof {LOGGED}"));
    assert_eq!(own, serde_json::json!({"proof": "file", "statement": "server"}));
    assert_eq!(here.served.inside.lock().unwrap().pid1.orders.len(), 1);
}

#[test]
fn other_commands_ask_for_it_too() {
    let here = Here::new();
    let trust = format!("--server {} --key key --ek-roots roots --no-state {LOGGED}", here.served.url);
    let watch = || here.person.run(&format!("watch {trust} --count 1"));
    let config = || here.person.run(&format!("wg-config {trust} --generate --address 10.66.0.7/32"));
    let output = watch();
    assert!(output.status.code() == Some(2) && text(&output).contains("could-not-judge"), "{}", text(&output));
    says(&config(), 2, "there is no statement to judge by");
    ends(&here.attach(&format!("--proof proof {LOGGED}")), 0, "attached");
    let output = watch();
    assert!(output.status.code() == Some(0) && text(&output).contains("accepted"), "{}", text(&output));
    ends(&config(), 0, "# http://127.0.0.1");
    // whoever gives orders names what the server shall run
    let peer = Key32([9; 32]);
    let output = here.person.run(&format!("peers has {trust} --owner-key owner --peer {peer}"));
    assert!(output.status.code() == Some(2) && String::from_utf8_lossy(&output.stderr).contains("--statement"));
}

#[test]
fn a_bundle_from_the_server() {
    let here = Here::new();
    let bundle = |more: &str| {
        let url = &here.served.url;
        here.person.run(&format!("bundle --evidence {url} --out server.vitrine {more}"))
    };
    says(&bundle(""), 2, "hands out none");
    ends(&bundle("--statement statement"), 0, "server.vitrine written");
    ends(&here.attach(&format!("--proof proof {LOGGED}")), 0, "attached");
    ends(&bundle(""), 0, "server.vitrine written");
    let check = || here.person.run(&format!("check server.vitrine --key key --ek-roots roots {LOGGED} --json"));
    let report = json(&check());
    assert_eq!(report["verdict"], "accepted", "{report}");
    assert_eq!(report["papers"], serde_json::json!({"proof": "bundle", "statement": "bundle"}));
    // a proof for something else is told to who makes the bundle
    here.hands_out(&Attachments::new(here.statement(), Some(Log::of(b"another").proof()), vec![]));
    cannot_judge(&bundle(""), "the proof is not for this statement");
    ends(&bundle("--proof proof"), 0, "server.vitrine written");
    cannot_judge(
        &here.person.run("bundle --evidence statement --out server.vitrine"),
        "a file has no statement beside it",
    );
}

/// What an owner is told before anything is ordered, and what an agent can do that is not ours.
#[test]
fn what_is_not_attached() {
    let here = Here::new();
    here.write("bad", &Log::of(b"another statement").proof());
    cannot_judge(&here.attach(&format!("--proof bad {LOGGED}")), "the proof is not for this statement");
    cannot_judge(&here.attach("--proof proof"), "nobody said which logs and witnesses count");
    let output = here.attach(LOGGED);
    assert!(output.status.code() == Some(1) && text(&output).contains("proof-missing"), "{}", text(&output));
    let few = Log { witnesses: vec![], ..Log::of(&here.statement().to_json().unwrap()) };
    here.write("few", &few.proof());
    let output = here.attach(&format!("--proof few {LOGGED}"));
    assert!(output.status.code() == Some(1) && text(&output).contains("quorum-missing"), "{}", text(&output));
    assert!(here.served.inside.lock().unwrap().pid1.orders.is_empty());
    let lie = |hands_out: fn(Option<Vec<u8>>) -> Option<Reply>, words: &str| {
        here.served.inside.lock().unwrap().hands_out = hands_out;
        says(&here.attach(""), 1, words);
    };
    lie(|_| None, "hands out something else than it was given");
    lie(|brought| brought.map(|bytes| (404, bytes)), "hands out something else");
    lie(|_| Some((200, b"{}".to_vec())), "hands out something else");
    says(&here.attach("--nothing"), 1, "still hands something out");
}

#[test]
fn replaced_as_a_whole_and_taken_away() {
    let here = Here::new();
    ends(&here.attach(&format!("--proof proof {LOGGED}")), 0, "attached");
    ends(&here.attach(""), 0, "attached");
    only(&here.check(&format!("--json {LOGGED}")), "proof-missing");
    ends(&here.check(""), 0, "ACCEPTED");
    let done = json(&here.attach("--nothing --json"));
    assert_eq!((&done["done"], &done["bytes"]), (&"attached".into(), &0.into()));
    says(&here.check(""), 2, "hands out none");
    let orders = here.served.inside.lock().unwrap().pid1.orders.clone();
    let digests: Vec<bool> = orders.iter().map(|op| matches!(op, Operation::Attach(Some(_)))).collect();
    assert_eq!(digests, [true, true, false]);
    // strangers can bring what the owner has ordered, and nothing else
    ends(&here.attach(""), 0, "attached");
    let bytes = here.served.inside.lock().unwrap().brought.take().unwrap();
    says(&here.check(""), 2, "hands out none");
    assert_eq!(forward(&here.served.url, "/v1/attachments", b"mine").0, 403);
    assert_eq!(forward(&here.served.url, "/v1/attachments", &bytes).0, 200);
    ends(&here.check(""), 0, "ACCEPTED");
}

/// Never accepted, whatever is handed out.
#[test]
fn servers_that_lie() {
    let here = Here::new();
    let statement = here.statement();
    let logged = |statement: &Envelope| {
        let proof = Log::of(&statement.to_json().unwrap()).proof();
        Attachments::new(statement.clone(), Some(proof), vec![])
    };
    let json_of = || here.check(&format!("--json {LOGGED}"));
    // another release of the same signer, as well logged
    let mut other = Scene::good().statement;
    other.predicate.image.lock = Sha256::of(b"another lock");
    other.predicate.boot.pcrs.0.values_mut().for_each(|value| *value = Sha256::of(&value.0));
    here.hands_out(&logged(&dsse::sign(&other, &SigningKey::from_bytes(&[1; 32])).unwrap()));
    let report = json(&json_of());
    assert_eq!((&report["verdict"], &report["keys"]), (&"rejected".into(), &serde_json::Value::Null), "{report}");
    // the true statement, signed by somebody else
    here.hands_out(&logged(&dsse::sign(&Scene::good().statement, &SigningKey::from_bytes(&[9; 32])).unwrap()));
    let report = json(&json_of());
    let failed = |code: &str| {
        let all = report["checks"].as_array().unwrap().iter();
        all.filter(|check| check["code"] == code).any(|check| check["status"] == "failed")
    };
    assert!(report["verdict"] == "rejected" && failed("V21"), "{report}");
    assert_eq!(report["release"], serde_json::Value::Null);
    // the proof of another entry, one of nobody's log, and none
    here.hands_out(&Attachments::new(statement.clone(), Some(Log::of(b"another").proof()), vec![]));
    only(&json_of(), "entry-not-in-log");
    let strange = Log { signer: 9, ..Log::of(&statement.to_json().unwrap()) };
    here.hands_out(&Attachments::new(statement.clone(), Some(strange.proof()), vec![]));
    only(&json_of(), "log-untrusted");
    here.hands_out(&Attachments::new(statement.clone(), Some("garbage".into()), vec![]));
    only(&json_of(), "proof-malformed");
    here.hands_out(&Attachments::new(statement.clone(), None, vec![]));
    only(&json_of(), "proof-missing");
    // its keys do not count, with which it could sign anything
    here.hands_out(&logged(&statement));
    here.write("no-keys", "version = 1\n");
    let alone = format!("check {} --policy no-keys --ek-roots roots --no-state", here.served.url);
    says(&here.person.run(&alone), 2, "nobody said who may sign the statement");
    let none = here.person.run(&format!("check {} --ek-roots roots --no-state", here.served.url));
    assert!(none.status.code() == Some(2) && text(&none).is_empty());
    // rubbish
    let good = logged(&statement).to_bytes().unwrap();
    let flipped = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        bytes
    };
    for bytes in [b"x".to_vec(), b"{}".to_vec(), vec![b' '; 40_000], flipped(0), flipped(good.len() - 2)] {
        here.brings(bytes);
        says(&here.check(LOGGED), 1, "hands out beside its evidence is unusable");
    }
    for at in (0..good.len()).step_by(good.len() / 17) {
        here.brings(flipped(at));
        let code = here.check(LOGGED).status.code();
        assert!(matches!(code, Some(1 | 2)), "byte {at}: {code:?}");
    }
    here.brings(good);
    ends(&here.check(LOGGED), 0, "ACCEPTED");
}

/// Files of the person's are judged as ever, and the server is not even asked for what else it hands out.
#[test]
fn nothing_handed_out_touches_a_verdict_by_files() {
    let here = Here::new();
    let verdict = |more: &str| {
        let mut report = json(&here.check(&format!("--statement statement --json {more}")));
        // each conversation has another nonce
        report["source"].take();
        report
    };
    let own = format!("--proof proof {LOGGED}");
    let (plain, logged) = (verdict(""), verdict(&own));
    assert_eq!((&plain["verdict"], &logged["verdict"]), (&"accepted".into(), &"accepted".into()));
    let asked = |_| -> Option<Reply> { panic!("it was asked") };
    for hands_out in [asked, |_| Some((200, b"garbage".to_vec())), |_| Some((500, vec![]))] {
        here.served.inside.lock().unwrap().hands_out = hands_out;
        assert_eq!((verdict(""), verdict(&own)), (plain.clone(), logged.clone()));
    }
}

/// Passes everything on to a good server but the attachments, which are written by hand.
fn hostile(url: &str, write: fn(&mut TcpStream)) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, url) = (format!("http://{}", listener.local_addr().unwrap()), url.to_owned());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let (path, body) = request(&mut stream);
            if path == "/v1/attachments" {
                write(&mut stream);
            } else {
                let (status, body) = forward(&url, &path, &body);
                let head =
                    format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
                let _ = stream.write_all(&[head.as_bytes(), &body].concat());
            }
        }
    });
    address
}

#[test]
fn answers_that_do_not_end() {
    let here = Here::new();
    let at = |write: fn(&mut TcpStream), words: &str| {
        let begun = Instant::now();
        let url = hostile(&here.served.url, write);
        says(&here.check_at(&url, &format!("--timeout 2 {LOGGED}")), 2, words);
        assert!(begun.elapsed() < Duration::from_secs(20), "{words}: {:?}", begun.elapsed());
    };
    at(
        |stream| {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 66000\r\n\r\n");
            let _ = stream.write_all(&[b' '; 66000]);
        },
        "sent more than 49152 bytes",
    );
    at(
        |stream| {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
            for _ in 0..10_000 {
                if stream.write_all(&[b' '; 4096]).is_err() {
                    break;
                }
            }
        },
        "sent more than 49152 bytes",
    );
    at(
        |stream| {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 40000\r\n\r\n");
            for _ in 0..100 {
                if stream.write_all(b" ").is_err() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        },
        "did not answer in time",
    );
    at(
        |stream| {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 40000\r\nConnection: close\r\n\r\n{");
        },
        "",
    );
    at(
        |stream| _ = stream.write_all(b"HTTP/1.1 503 X\r\nContent-Length: 15\r\n\r\n{\"code\":\"busy\"}"),
        "busy (status 503)",
    );
}

/// To a server that would do the same, if it was followed.
#[test]
fn redirects_are_not_followed() {
    let here = Here::new();
    ends(&here.attach(&format!("--proof proof {LOGGED}")), 0, "attached");
    let target = here.served.url.clone();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let (path, _) = request(&mut stream);
            let _ = write!(stream, "HTTP/1.1 302 X\r\nLocation: {target}{path}\r\nContent-Length: 0\r\n\r\n");
        }
    });
    says(&here.check_at(&url, LOGGED), 2, "302");
}

fn verdict_of(here: &Here, equal: bool, by: u8) -> Envelope {
    let built = Sha256::ZERO;
    let got = if equal { built } else { Sha256::of(b"x") };
    let words = || "x".to_owned();
    let said = RebuildVerdict {
        builder: Builder { cores: 2, distribution: words(), kernel: words(), vitrine: words() },
        date: "2026-11-22".parse().unwrap(),
        equal,
        first_difference: None,
        image: Compared { expected: built, got },
        statement: Sha256::of(&here.statement().to_json().unwrap()),
    };
    let subject = Scene::good().statement.subject;
    predicate::sign(subject, said, &SigningKey::from_bytes(&[by; 32])).unwrap()
}

/// Whose key the person's policy names, whoever has handed it on.
#[test]
fn verdicts_of_rebuilds_beside_it() {
    let here = Here::new();
    let rebuilder = vitrine_attest::vkey::NoteKey::new("r.example", SigningKey::from_bytes(&[7; 32]).verifying_key());
    here.write("policy", &format!("version = 1\n[rebuild]\nverdicts = 1\nkeys = [\"{}\"]\n", rebuilder.unwrap()));
    let write = |name: &str, envelope: &Envelope| {
        std::fs::write(here.person.path(name), envelope.to_json().unwrap()).unwrap();
    };
    write("good", &verdict_of(&here, true, 7));
    write("stranger", &verdict_of(&here, true, 8));
    let policy = "--policy policy";
    ends(&here.attach("--also stranger"), 0, "attached");
    only(&here.check(&format!("--json {policy}")), "rebuild-verdicts-missing");
    ends(&here.attach("--also stranger --also good"), 0, "attached");
    ends(&here.check(policy), 0, "ACCEPTED");
    // those of the person's go before
    only(&here.check(&format!("--json {policy} --rebuild-verdict stranger")), "rebuild-verdicts-missing");
    let others = vec![verdict_of(&here, false, 7), verdict_of(&here, true, 7)];
    here.hands_out(&Attachments::new(here.statement(), None, others));
    only(&here.check(&format!("--json {policy}")), "rebuild-differs");
    let revocation = Revocation {
        date: "2026-11-22".parse().unwrap(),
        fingerprint: Some(Scene::good().statement.predicate.fingerprint),
        statement: None,
        reason: Reason::Mistake,
        seq: 1,
        text: String::new(),
    };
    let subject = Scene::good().statement.subject;
    write("revocation", &predicate::sign(subject, revocation, &SigningKey::from_bytes(&[1; 32])).unwrap());
    cannot_judge(&here.attach("--also revocation"), "a server that does not want it seen");
    cannot_judge(&here.attach("--also statement"), "the release goes with --statement");
}
