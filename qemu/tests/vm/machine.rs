//! Booting and judging, as every test does it.

use crate::images::Images;
use serde_json::json;
use std::cell::Cell;
use std::ffi::OsString;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use vitrine_attest::digest::base64_bytes;
use vitrine_attest::evidence::Evidence;
use vitrine_qemu::boot::{Arrival, Guest, Options};
use vitrine_qemu::machine::NETDEV;
use vitrine_qemu::verify::{Outcome, Report, Verifier};

/// Two machines on two cores, and other tests beside them.
pub const PATIENCE: Duration = Duration::from_secs(600);
const AT_MOST: usize = 2;

/// How many places are taken, and how many tests wait for both.
struct Taken {
    places: usize,
    pairs: usize,
}

static TAKEN: Mutex<Taken> = Mutex::new(Taken { places: 0, pairs: 0 });
static FREED: Condvar = Condvar::new();

thread_local! {
    /// Of both places, those that this test has not used yet.
    static KEPT: Cell<usize> = const { Cell::new(0) };
}

fn taken() -> MutexGuard<'static, Taken> {
    TAKEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A place for one machine; waits until there is one.
pub struct Place(());

impl Place {
    pub fn take() -> Self {
        if let Some(left) = KEPT.get().checked_sub(1) {
            KEPT.set(left);
            return Self(());
        }
        // who waits for both would wait for ever
        let full = |taken: &mut Taken| taken.places >= AT_MOST || taken.pairs > 0;
        FREED.wait_while(taken(), full).unwrap_or_else(PoisonError::into_inner).places += 1;
        Self(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        taken().places -= 1;
        FREED.notify_all();
    }
}

/// Both places, to be held by a test with two machines. They are taken at once: a test that has one and waits for the other keeps
/// it from everybody, and two such tests would wait for each other for ever.
pub struct Both(());

pub fn two_machines() -> Both {
    let mut waits = taken();
    waits.pairs += 1;
    let mut taken = FREED.wait_while(waits, |taken| taken.places > 0).unwrap_or_else(PoisonError::into_inner);
    taken.pairs -= 1;
    taken.places = AT_MOST;
    KEPT.set(AT_MOST);
    Both(())
}

impl Drop for Both {
    fn drop(&mut self) {
        taken().places -= KEPT.take();
        FREED.notify_all();
    }
}

/// Takes one step of a boot and says how it went. False: it failed; the others are taken nevertheless.
pub fn succeeds(name: &str, step: impl FnOnce()) -> bool {
    eprintln!("── {name}");
    let begin = Instant::now();
    let done = catch_unwind(AssertUnwindSafe(step)).is_ok();
    eprintln!("── {name}: {} after {:.1} s", if done { "ok" } else { "FAILED" }, begin.elapsed().as_secs_f32());
    done
}

/// The machine gets a TPM that somebody else keeps, at this control socket.
pub fn with_tpm(mut options: Options, socket: &Path) -> Options {
    options.tpm = None;
    let chardev = format!("socket,id=tpm,path={}", socket.display());
    let device = ["-tpmdev", "emulator,id=tpm0,chardev=tpm", "-device", "tpm-crb,tpmdev=tpm0"];
    options.extra.extend(["-chardev", &chardev].into_iter().chain(device).map(String::from));
    options
}

/// A machine that answers.
pub struct Running {
    // Dropped in this order.
    pub guest: Guest,
    _place: Place,
}

/// Boots until the server answers.
pub fn boot(options: &Options) -> Running {
    let place = Place::take();
    let mut guest = Guest::start(options, &mut |line| eprintln!("{line}")).unwrap();
    match guest.wait(PATIENCE).unwrap() {
        Arrival::Up(_) => Running { guest, _place: place },
        Arrival::RefusedByFirmware(words) => panic!("the firmware refused the image: {words}"),
    }
}

/// The cable of a guest's network card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cable {
    In,
    Out,
}

/// Pulls the cable or puts it back: the card tells its driver.
pub fn set_cable(guest: &mut Guest, cable: Cable) {
    guest.qmp().execute("set_link", json!({ "name": NETDEV, "up": cable == Cable::In })).unwrap();
}

/// The firmware's words when it refuses the image.
pub fn refused_by_firmware(options: &Options) -> String {
    let _place = Place::take();
    let mut guest = Guest::start(options, &mut |line| eprintln!("{line}")).unwrap();
    match guest.wait(PATIENCE).unwrap() {
        Arrival::RefusedByFirmware(words) => words,
        Arrival::Up(_) => panic!("the firmware started an image it should refuse"),
    }
}

/// One run of `vitrine-verify check --json --explain`, and what it saved.
pub struct Judged {
    pub outcome: Outcome,
    pub report: Report,
    verifier: Verifier,
}

impl Judged {
    /// Checks a server's address or a saved file against the exit image's statement.
    pub fn check(images: &Images, target: impl Into<OsString>, roots: PathBuf, more: &[&str]) -> Self {
        Self::check_statement(target, images.path("exit/release.dsse.json"), images, roots, more)
    }

    pub fn check_statement(
        target: impl Into<OsString>,
        statement: PathBuf,
        images: &Images,
        roots: PathBuf,
        more: &[&str],
    ) -> Self {
        let verifier = Verifier::find().unwrap();
        let target = target.into();
        let live = target.to_string_lossy().starts_with("http");
        let mut arguments: Vec<OsString> = vec!["check".into(), target, "--json".into(), "--explain".into()];
        arguments.extend(["--statement".into(), statement.into()]);
        arguments.extend(["--key".into(), images.path("keys/release.pub").into()]);
        arguments.extend(["--ek-roots".into(), roots.into()]);
        if live {
            arguments.extend(["--save".into(), verifier.file("record.json").into()]);
        }
        arguments.extend(more.iter().map(OsString::from));
        let outcome = verifier.run(arguments).unwrap();
        let report = Report::parse(&outcome.stdout).unwrap_or_else(|e| panic!("{e}\n{outcome:?}"));
        eprintln!("{} {:?} {:?}", report.verdict, report.reasons(), report.explanation);
        Self { outcome, report, verifier }
    }

    pub fn server(images: &Images, running: &Running) -> Self {
        Self::check(images, running.guest.url(), running.guest.ek_roots(), &[])
    }

    /// The messages it saved.
    pub fn record(&self) -> PathBuf {
        self.verifier.file("record.json")
    }

    /// A file in its folder.
    pub fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.verifier.file(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// M2, the very bytes that came from the server.
    pub fn evidence_bytes(&self) -> Vec<u8> {
        let record: serde_json::Value = serde_json::from_slice(&std::fs::read(self.record()).unwrap()).unwrap();
        base64_bytes::deserialize(&record["m2"]).unwrap()
    }

    pub fn evidence(&self) -> Evidence {
        serde_json::from_slice(&self.evidence_bytes()).unwrap()
    }

    pub fn assert_accepted(&self) {
        assert_eq!((self.outcome.exit_code, self.report.verdict.as_str()), (0, "accepted"), "{:?}", self.outcome);
        assert!(self.report.keys.is_some() && self.report.reasons().is_empty());
    }

    /// Rejected, no key shown, and exactly for these reasons.
    pub fn assert_rejected(&self, reasons: &[&str]) {
        assert_eq!((self.outcome.exit_code, self.report.verdict.as_str()), (1, "rejected"), "{:?}", self.outcome);
        assert!(self.report.keys.is_none(), "a rejected server's key was shown");
        let mut found = self.report.reasons();
        found.sort_unstable();
        found.dedup();
        assert_eq!(found, reasons, "{}", self.outcome.stdout);
    }

    pub fn assert_explained(&self, words: &str) {
        let explained = self.report.explanation.iter().any(|line| line.contains(words));
        assert!(explained, "no \"{words}\" in {:#?}", self.report.explanation);
    }
}
