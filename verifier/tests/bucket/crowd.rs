//! Several machines append to one log.

use super::{bad, command, each_once, good, numbered, verify, Machine, Store};
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::sync::Mutex;
use vitrine_verifier::log::{Placed, Writer};

/// Programs, each on a machine of its own, with entries of their own and some that all of them have.
#[test]
fn programs_at_once() {
    for count in [2, 4] {
        let Some(store) = Store::start() else { return };
        let first = Machine::init(&store);
        let machines: Vec<Machine> = (0..count).map(|_| first.another()).collect();
        let shared = numbered("shared", 20);
        let mut all = shared.clone();
        let children: Vec<Child> = machines
            .iter()
            .enumerate()
            .map(|(n, machine)| {
                let own = numbered(&format!("machine {n} entry"), 40);
                all.extend(own.clone());
                let lines: Vec<String> = own
                    .into_iter()
                    .zip(shared.iter().cycle().skip(n))
                    .flat_map(|(own, shared)| [own, shared.clone()])
                    .collect();
                machine.append(&lines, 8).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
            })
            .collect();
        for child in children {
            good(&child.wait_with_output().unwrap());
        }
        each_once(&first.entries(&store), &all);
    }
}

/// What is acknowledged stands where it was said, and an entry of several writers at one place alone.
#[test]
fn acknowledged_once() {
    let Some(store) = Store::start() else { return };
    let first = Machine::init(&store);
    first.keep_credentials();
    let machines: Vec<Machine> = (0..4).map(|_| first.another()).collect();
    let told: Mutex<Vec<(String, Placed)>> = Mutex::default();
    std::thread::scope(|scope| {
        for (n, machine) in machines.iter().enumerate() {
            let told = &told;
            scope.spawn(move || {
                let mut writer = Writer::open(&machine.dir()).unwrap();
                for round in 0..10 {
                    // two of four have it, and that at about the same time
                    let shared = format!("shared {round} of {}", n / 2);
                    let entries = [format!("{n} {round}"), shared];
                    let batch: Vec<&[u8]> = entries.iter().map(String::as_bytes).collect();
                    let placed = writer.append(&batch).unwrap();
                    told.lock().unwrap().extend(entries.into_iter().zip(placed));
                }
            });
        }
    });
    let found = first.entries(&store);
    let (told, mut places) = (told.into_inner().unwrap(), BTreeMap::new());
    assert_eq!((told.len(), found.len()), (80, 60));
    for (entry, placed) in told {
        assert_eq!(found[placed.index as usize], entry);
        assert_eq!(*places.entry(entry).or_insert(placed.index), placed.index);
    }
}

/// A writer that was asleep while others went on neither goes back nor loses anything.
#[test]
fn an_old_writer() {
    let Some(store) = Store::start() else { return };
    let first = Machine::init(&store);
    first.keep_credentials();
    let second = first.another();
    let mut old = Writer::open(&first.dir()).unwrap();
    let mut new = Writer::open(&second.dir()).unwrap();
    new.append(&[b"one", b"two"]).unwrap();
    assert_eq!(old.size(), 0);
    // what it thinks is new is there, and what is new comes behind
    let placed = old.append(&[b"two", b"three", b"one"]).unwrap();
    assert_eq!(
        placed.iter().map(|placed| (placed.index, placed.duplicate)).collect::<Vec<_>>(),
        [(1, true), (2, false), (0, true)]
    );
    new.append(&[b"four"]).unwrap();
    old.refresh().unwrap();
    assert_eq!((old.size(), store.published().0), (4, 4));
    for n in 0..20 {
        let [first, second] = [format!("old {n}"), format!("new {n}")];
        old.append(&[first.as_bytes()]).unwrap();
        new.append(&[second.as_bytes(), first.as_bytes()]).unwrap();
    }
    assert_eq!(first.entries(&store).len(), 44);
}

/// A witness over HTTP; it ends with this value.
struct Witness {
    child: Child,
    _folder: tempfile::TempDir,
}

impl Witness {
    /// Of the log of this machine, which from now on asks it.
    fn of(machine: &Machine) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("witness").display().to_string();
        good(&verify(&["witness", "init", &dir, "--name", "witness.example/w1"]));
        good(&verify(&["witness", "add-log", &dir, "--key", machine.dir().join("log.pub").to_str().unwrap()]));
        let mut serve = command(&["witness", "serve", &dir, "--listen", "127.0.0.1:0"]);
        let mut child = serve.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let key = std::fs::read_to_string(folder.path().join("witness/witness.pub")).unwrap();
        let url = line.trim().strip_prefix("listening on ").unwrap();
        std::fs::write(machine.dir().join("witnesses"), format!("witness w1 {} {url}\nquorum w1\n", key.trim()))
            .unwrap();
        Self { child, _folder: folder }
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Each checkpoint that is public is witnessed, also when several machines bring theirs at once; a witness that is away holds the
/// log up and loses nothing; and a bucket from a backup is found out.
#[test]
fn with_a_witness() {
    let Some(store) = Store::start() else { return };
    let first = Machine::init(&store);
    let witness = Witness::of(&first);
    let machines: Vec<Machine> = (0..3).map(|_| first.another()).collect();
    let mut all = vec![];
    let children: Vec<Child> = machines
        .iter()
        .enumerate()
        .map(|(n, machine)| {
            let own = numbered(&format!("machine {n} entry"), 20);
            all.extend(own.clone());
            machine.append(&own, 4).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    for child in children {
        good(&child.wait_with_output().unwrap());
    }
    each_once(&first.entries(&store), &all);
    let witnessed = || String::from_utf8(store.get("a/checkpoint").unwrap()).unwrap().contains("witness.example/w1");
    assert!(witnessed());
    let backup: Vec<_> = store.list().into_iter().map(|name| (name.clone(), store.get(&name).unwrap())).collect();
    first.lines(&numbered("later", 5), 5);
    assert!(witnessed());
    let newest: Vec<_> = store.list().into_iter().map(|name| (name.clone(), store.get(&name).unwrap())).collect();
    backup.iter().for_each(|(name, bytes)| store.put(name, bytes));
    let told = bad(&machines[1].append(&numbered("more", 1), 1).output().unwrap(), 1);
    assert!(told.contains("old copy"), "{told}");
    assert_eq!(store.published().0, 60);
    newest.iter().for_each(|(name, bytes)| store.put(name, bytes));
    // away: nothing is signed, and nothing is lost
    drop(witness);
    bad(&machines[1].append(&numbered("more", 1), 1).output().unwrap(), 2);
    assert_eq!(store.published().0, 65);
    good(&first.fsck());
}
