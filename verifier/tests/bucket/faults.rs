//! Every request of an append fails once, in every way; the program is killed in the middle of each; the store goes away.

use super::{each_once, numbered, Machine, Store};
use serde_json::json;
use std::process::Stdio;
use std::time::Duration;

/// Entries before, and after: so that the change has full tiles of two bundles, and partial ones of three levels.
const BEFORE: usize = 250;
const AFTER: usize = 520;

/// Each so-manieth time all objects are read and hashed; each time, what is published is looked at.
const WHOLE: usize = 4;

type Saved = Vec<(String, Vec<u8>)>;

/// A log, and how its bucket was when it had the entries before.
fn begun() -> Option<(Store, Machine, Saved)> {
    let store = Store::start()?;
    let machine = Machine::init(&store);
    machine.lines(&numbered("entry", BEFORE), BEFORE);
    let saved = store.save();
    Some((store, machine, saved))
}

/// One fault is no failure: it is tried again, and what was done is not done twice.
#[test]
fn each_request_fails_once() {
    let Some((store, machine, saved)) = begun() else { return };
    let (all, mut root) = (numbered("entry", AFTER), None);
    for fault in ["before", "half", "after", "cut", "409", "412", "500-after", "503"] {
        for n in 1.. {
            store.restore(&saved);
            store.faults(&[(n, fault)]);
            let told = machine.lines(&all, AFTER);
            assert!(told.contains(&format!("\"size\":{AFTER}")), "{fault} at {n}: {told}");
            if store.requests().len() < n {
                assert!(n > 12, "{n} requests only");
                break;
            }
            let published = store.published();
            assert_eq!(published.0, AFTER as u64, "{fault} at {n}");
            assert_eq!(*root.get_or_insert(published.1.clone()), published.1, "{fault} at {n}: another tree");
            if n % WHOLE == 0 {
                assert_eq!(machine.entries(&store), all, "{fault} at {n}");
            }
        }
    }
}

/// The store goes away in the middle, after it has done the request or before, and comes back.
#[test]
fn the_store_goes_away() {
    let Some((store, machine, saved)) = begun() else { return };
    let all = numbered("entry", AFTER);
    for n in 1..=12 {
        store.restore(&saved);
        let first = if n % 2 == 0 { "after" } else { "before" };
        let faults: Vec<(usize, &str)> = (n..n + 200).map(|at| (at, if at == n { first } else { "before" })).collect();
        store.faults(&faults);
        let output = machine.append(&all, AFTER).output().unwrap();
        store.quiet();
        assert_eq!(output.status.code(), Some(2), "{n}: {}", super::text(&output.stderr));
        assert!(output.stdout.is_empty(), "{n}: acknowledged what is not published");
        // others find the log whole in the meantime, and the same command ends well
        machine.another().lines(&["meanwhile".into()], 1);
        machine.lines(&all, AFTER);
        each_once(&machine.entries(&store), &[&all[..], &["meanwhile".into()]].concat());
    }
}

/// Killed while it waits for the answer to each of its requests; what it had sent is done before, never, or long after.
#[test]
fn killed_at_each_request() {
    let Some((store, machine, saved)) = begun() else { return };
    let (other, all) = (machine.another(), numbered("entry", AFTER));
    for fault in ["hang", "hang-after", "late"] {
        for n in 1.. {
            store.restore(&saved);
            store.faults(&[(n, fault)]);
            let mut child = machine.append(&all, AFTER).stdout(Stdio::null()).spawn().unwrap();
            if !store.wait_until_hanging(&mut child) {
                assert!(child.wait().unwrap().success());
                assert!(n > 12, "{n} requests only");
                break;
            }
            child.kill().unwrap();
            child.wait().unwrap();
            if fault != "late" {
                store.ask(&json!({"release": true}));
            }
            // another machine goes on; then what was on its way arrives
            other.lines(&["meanwhile".into()], 1);
            let before = store.published();
            store.ask(&json!({"release": true}));
            while store.ask(&json!({}))["hanging"] != 0 {
                std::thread::sleep(Duration::from_millis(10));
            }
            assert_eq!(store.published(), before, "{fault} at {n}: it went back, or on without anybody");
            machine.lines(&all, AFTER);
            assert_eq!(store.published().0, AFTER as u64 + 1, "{fault} at {n}");
            if n % WHOLE != 0 {
                continue;
            }
            each_once(&machine.entries(&store), &[&all[..], &["meanwhile".into()]].concat());
        }
    }
}
