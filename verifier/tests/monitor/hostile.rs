//! Logs that are down, slow, endless, damaged or lying; states that are damaged or shared; a monitor that is killed.

use super::made::MadeLog;
use super::person::serve;
use super::{entry, now, other, statement, text, Here, Running};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::{Duration, Instant};

/// Serves a folder, and lets the test change each answer.
fn served(here: &Here, change: impl Fn(&str, Option<Vec<u8>>) -> Option<Vec<u8>> + Send + 'static) -> String {
    let folder = here.path("log");
    serve(move |path, _| {
        let bytes = std::fs::read(folder.join(path.trim_start_matches('/'))).ok();
        Some(change(path, bytes).map_or((404, vec![]), |bytes| (200, bytes)))
    })
}

fn made(here: &Here, entries: usize) -> MadeLog {
    here.made_log((0..entries).map(|n| entry(&statement(&format!("1.{n}"), n as u64), 1)).collect())
}

#[test]
fn a_log_that_is_down() {
    let here = Here::new();
    made(&here, 1);
    here.config("place = \"http://127.0.0.1:9\"", "");
    let said = here.round();
    assert_eq!((said.code, said.kinds(), said.events("trouble").len()), (2, vec![], 1), "{:?}", said.lines);
    here.config("", "");
    here.round().quiet();
    // what was seen last grows old, also while nobody answers
    here.config("place = \"http://127.0.0.1:9\"\nmax_age = \"1s\"", "");
    assert_eq!(here.round().kinds(), ["freeze"]);
}

/// Whatever is wrong with a file: a finding or a trouble, never good, never a crash.
#[test]
fn whatever_is_bent() {
    type Bend = fn(Vec<u8>) -> Option<Vec<u8>>;
    let bends: [(&str, Bend); 5] = [
        ("gone", |_| None),
        ("empty", |_| Some(vec![])),
        ("cut", |bytes| Some(bytes[..bytes.len() - 1].to_vec())),
        ("one bit", |mut bytes| {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            Some(bytes)
        }),
        ("too much", |bytes| Some([bytes, vec![b'x'; 40 << 20]].concat())),
    ];
    for file in ["checkpoint", "tile/0/001", "tile/0/000", "tile/entries/000", "tile/entries/001"] {
        for (name, bend) in bends {
            let here = Here::new();
            let log = made(&here, 3);
            here.config("", "");
            here.round().quiet();
            let mut log = MadeLog { entries: log.entries, seed: log.seed };
            while log.entries.len() < 300 {
                log.entries.push(other(log.entries.len()));
            }
            log.fresh(&here.path("log"));
            let url = served(&here, move |path, bytes| {
                if path.trim_start_matches('/').starts_with(file) {
                    bytes.and_then(bend)
                } else {
                    bytes
                }
            });
            here.config(&format!("place = \"{url}\""), "");
            let said = here.round();
            assert!(!said.errors.contains("panicked"), "{file} {name}: {}", said.errors);
            assert!(said.code == 1 || said.code == 2, "{file} {name}: {:?}", said.lines);
            assert!(
                said.kinds().iter().all(|kind| matches!(*kind, "log-damaged" | "too-few-witnesses")),
                "{file} {name}: {:?}",
                said.lines
            );
        }
    }
}

/// The checkpoint promises more than anybody could read. What it signs is followed as far as time allows, and no further.
#[test]
fn a_size_without_end() {
    use base64::{engine::general_purpose::STANDARD, Engine as _};
    let here = Here::new();
    let log = made(&here, 1);
    let body = format!("{}\n{}\n{}\n", super::ORIGIN, u64::MAX, STANDARD.encode([7; 32]));
    let note = vitrine_attest::note::sign(&body, super::ORIGIN, &super::secret(log.seed), None).unwrap();
    let note = format!("{body}\n{note}");
    let url = serve(move |path, _| {
        Some(match path {
            "/checkpoint" => (200, note.clone().into_bytes()),
            path if path.contains("entries") => (200, [0, 1, b'x'].repeat(256)),
            _ => (200, vec![7; 8192]),
        })
    });
    here.config(&format!("place = \"{url}\"\ntime = \"3s\""), "");
    let begun = Instant::now();
    let said = here.round();
    assert!(said.code == 1 && said.kinds().contains(&"log-damaged"), "{:?}", said.lines);
    assert!(begun.elapsed() < Duration::from_secs(120));
    assert!(std::fs::metadata(here.path("state/state.json")).unwrap().len() < 1 << 20);
}

/// A byte now and then: the connection is given up.
#[test]
fn a_log_that_drips() {
    let here = Here::new();
    made(&here, 1);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                let _ = stream.read(&mut [0; 1024]);
                let _ = stream.write_all(b"HTTP/1.1 200 X\r\n\r\n");
                while stream.write_all(b"x").is_ok() {
                    std::thread::sleep(Duration::from_millis(500));
                }
            });
        }
    });
    here.config(&format!("place = \"{url}\""), "");
    let begun = Instant::now();
    let said = here.round();
    assert_eq!((said.code, said.kinds()), (2, vec![]), "{:?}", said.lines);
    assert!(begun.elapsed() < Duration::from_secs(100));
}

/// A log full of what is no statement: counted, told as far as anybody would read, and the rest goes on.
#[test]
fn a_log_full_of_rubbish() {
    let here = Here::new();
    let mut entries: Vec<Vec<u8>> = (0..3_000u32).map(|n| n.to_be_bytes().repeat(n as usize % 40)).collect();
    entries.push(entry(&statement("1.0", 1), 1));
    here.made_log(entries);
    here.config("", "");
    let said = here.round();
    assert_eq!(said.code, 1);
    assert_eq!(said.kinds().iter().filter(|kind| **kind == "malformed-entry").count(), 100);
    assert!(said.kinds().contains(&"too-much") && said.events("release").len() == 1, "{:?}", said.kinds());
    let metrics = std::fs::read_to_string(here.path("metrics")).unwrap();
    assert!(metrics.contains("dropped_alerts 2900"), "{metrics}");
}

#[test]
fn a_state_that_is_damaged_shared_or_of_another_log() {
    let here = Here::new();
    let log = made(&here, 2);
    here.config("", "");
    here.round().quiet();
    let state = std::fs::read(here.path("state/state.json")).unwrap();
    // an older state is only behind
    here.config("", "");
    let mut more = MadeLog { entries: log.entries.clone(), seed: log.seed };
    more.entries.push(entry(&statement("9", 9), 1));
    more.fresh(&here.path("log"));
    here.round().quiet();
    here.write("state/state.json", &state);
    here.round().quiet();
    for bad in [&b""[..], b"{}", &state[..state.len() - 1], &[&state[..], b" "].concat()] {
        here.write("state/state.json", bad);
        let said = here.round();
        assert!(said.code == 2 && said.errors.contains("is damaged"), "{}", said.errors);
        assert_eq!(std::fs::read(here.path("state/state.json")).unwrap(), bad, "nothing is repaired");
    }
    here.write("state/state.json", &state);
    let held = std::fs::File::open(here.path("state/lock")).unwrap();
    rustix::fs::flock(&held, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let said = here.round();
    assert!(said.code == 2 && said.errors.contains("another monitor holds"), "{}", said.errors);
}

/// Killed again and again in the midst of it: nothing is lost, and in the end all is read and told.
#[test]
fn killed_at_any_moment() {
    let here = Here::new();
    let mut entries: Vec<Vec<u8>> = (0..40_000u32).map(|n| format!("{{\"n\":{n}}}").into_bytes()).collect();
    entries.push(entry(&statement("1.0", 1), 9));
    here.made_log(entries);
    here.config("", "");
    for n in 0..12u64 {
        let (mut running, _out) = Running::start(here.command("monitor run monitor.toml --once --json"));
        std::thread::sleep(Duration::from_millis(n * n * 12));
        let _ = running.0.kill();
        let _ = running.0.wait();
    }
    let said = here.round();
    assert_eq!(said.code, 1, "{}", said.errors);
    let alerts = here.alerts();
    let of = |kind: &str| alerts.iter().filter(|alert| alert["kind"] == kind).count();
    assert_eq!((of("malformed-entry"), of("unexpected-key")), (100, 1));
    assert!(alerts.iter().all(|alert| alert["told"] == true));
    for alert in alerts.iter().filter(|alert| alert["kind"] != "too-much") {
        let file = here.path("state/evidence").join(alert["evidence"].as_str().unwrap());
        assert!(vitrine_verifier::monitor::Evidence::from_file(&std::fs::read(file).unwrap()).is_ok());
    }
}

/// Ends when it is asked to, between rounds.
#[test]
fn it_ends_at_sigterm() {
    let here = Here::new();
    made(&here, 1);
    here.config("", "");
    let (mut running, _out) =
        Running::start(here.command("monitor run monitor.toml --every 1s --json --html page.html"));
    let begun = Instant::now();
    while !here.path("page.html").exists() && begun.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(50));
    }
    std::thread::sleep(Duration::from_millis(1500));
    let pid = rustix::process::Pid::from_child(&running.0);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(running.0.wait().unwrap().code(), Some(0));
    let plain = here.run("monitor run monitor.toml --once");
    assert!(plain.status.code() == Some(0) && now() > 0, "{}", text(&plain.stderr));
}
