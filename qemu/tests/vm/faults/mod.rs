//! A TPM that fails while the server runs.
//!
//! What is promised (`attest/agent`, `initramfs/guest/src/children`): a warning is waited out; a failed command is told to
//! the client as `tpm`, and to nobody else; three in a row, or one command that takes a minute, end the agent. PID 1 starts
//! it again, with a pause that doubles, and it serves only after the TPM has shown that PCR 15 is as it was. The tunnels
//! of those who have checked the server before go on meanwhile: nothing about what they checked has changed.

mod fuse;
mod proxy;

use crate::ask::{ask, Answer};
use crate::images::Images;
use crate::machine::{boot, succeeds, with_tpm, Judged, Running};
use crate::user::{User, MOMENT};
use proxy::{Fault, Proxy, ACTIVATE_CREDENTIAL, CREATE_PRIMARY, QUOTE};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use vitrine_attest::digest::Key32;
use vitrine_attest::Sha256;
use vitrine_qemu::boot::Options;
use vitrine_qemu::scratch::Scratch;
use vitrine_qemu::tpm::{Pristine, Tpm};
use vitrine_qemu::verify::{Outcome, Verifier};
use vitrine_qemu::wireguard::Client;

/// TPM 2.0 Part 2, §6.6.3.
const RETRY: Fault = Fault::Code(0x922);
const LOCKOUT: Fault = Fault::Code(0x921);
const FAILURE: Fault = Fault::Code(0x101);
const FOR_EVER: usize = usize::MAX;
/// PID 1's pauses are 1, 2, 4, 8 … 60 s, and a start of the agent takes some seconds here.
const BACK: Duration = Duration::from_secs(300);
/// How long a client waits for the TPM (`Limits::SERVICE`), and what this machine may add.
const DEADLINE: Duration = Duration::from_secs(5 + 25);
/// Beyond the agent's deadlines, 5 s for the TPM and 10 s for the answer.
const CLIENT: Duration = Duration::from_secs(40);
/// After this long in one command the service is withdrawn; the next client who has waited finds out.
const HANG: Duration = Duration::from_secs(60);
/// The kernel gives a command up after two minutes (`TPM2_DURATION_DEFAULT`); nobody can end the agent before that.
const KERNEL: Duration = Duration::from_secs(120);

/// A server whose TPM is in our hands.
struct Sick<'a> {
    // Dropped in this order.
    running: Running,
    tpm: Tpm,
    _scratch: Scratch,
    proxy: Proxy,
    images: &'a Images,
    roots: PathBuf,
    key: Key32,
    failed: Vec<&'static str>,
}

/// One machine, one fault after the other, and the TPM's death at the end.
#[test]
fn tpm_faults() {
    faults(|_, _| {});
}

/// The same with a TPM that hangs, which takes minutes until the kernel gives it up.
#[test]
#[ignore = "minutes more: make prove"]
fn tpm_faults_and_a_hang() {
    faults(|server, client| server.step("a_hanging_tpm", |server| server.a_hanging_tpm(client)));
}

fn faults(more: impl FnOnce(&mut Sick<'_>, &mut Client)) {
    let Some(images) = Images::find() else { return };
    let mut server = Sick::boot(&images);
    let user = User::new(&images, "exit", server.key);
    user.add_at(&server.running.guest, &server.roots);
    let mut client = user.browses(&server.running.guest);
    server.step("retry_is_waited_out", Sick::retry_is_waited_out);
    server.step("two_failures_are_survived", Sick::two_failures_are_survived);
    server.step("lockout_is_survived", Sick::lockout_is_survived);
    server.step("three_failures_withdraw", |server| server.three_failures_withdraw(&mut client));
    server.step("short_responses", |server| server.nonsense(Fault::Short));
    server.step("garbage", |server| server.nonsense(Fault::Garbage));
    more(&mut server, &mut client);
    server.step("a_dead_tpm", |server| server.a_dead_tpm(&mut client));
    let Sick { running, failed, .. } = server;
    running.guest.stop();
    assert!(failed.is_empty(), "failed: {failed:?}");
}

impl<'a> Sick<'a> {
    fn boot(images: &'a Images) -> Self {
        let scratch = Scratch::new().unwrap();
        let pristine = Pristine::named("default").unwrap();
        let tpm = pristine.start(&scratch).unwrap();
        let proxy = Proxy::start(scratch.join("proxy.sock"), &tpm.socket);
        let options = with_tpm(Options::new(images.exit(), images.secure_boot()), &proxy.socket);
        let running = boot(&options);
        let roots = pristine.ek_roots();
        let judged = Judged::check(images, running.guest.url(), roots.clone(), &[]);
        judged.assert_accepted();
        let key = judged.report.keys.as_ref().unwrap().wireguard;
        assert!(proxy.seen(QUOTE) > 0 && proxy.seen(ACTIVATE_CREDENTIAL) > 0, "the TPM was reached past the proxy");
        Self { running, tpm, _scratch: scratch, proxy, images, roots, key, failed: Vec::new() }
    }

    fn step(&mut self, name: &'static str, step: impl FnOnce(&mut Self)) {
        if !succeeds(name, || step(self)) {
            self.failed.push(name);
            self.proxy.heal();
            self.is_back();
        }
    }

    fn ask(&self) -> Answer {
        let answer = ask(&self.running.guest.url(), Sha256([7; 32]), CLIENT);
        match &answer {
            Answer::Evidence(body) => eprintln!("asked: evidence, {} bytes", body.len()),
            other => eprintln!("asked: {other:?}"),
        }
        answer
    }

    /// Accepted, with the same key: it is the same boot.
    fn is_accepted(&self) {
        let judged = Judged::check(self.images, self.running.guest.url(), self.roots.clone(), &[]);
        judged.assert_accepted();
        assert_eq!(judged.report.keys.as_ref().unwrap().wireguard, self.key);
    }

    /// What the verifier says to a server that gives no evidence: no verdict, and no key.
    fn could_not_judge(&self) -> Outcome {
        let (url, roots) = (self.running.guest.url(), self.roots.display().to_string());
        let file = |name: &str| self.images.path(name).display().to_string();
        let (statement, key) = (file("exit/release.dsse.json"), file("keys/release.pub"));
        let words = ["check", &url, "--json", "--statement", &statement, "--key", &key, "--ek-roots", &roots];
        let outcome = Verifier::find().unwrap().run(words).unwrap();
        assert_eq!((outcome.exit_code, outcome.stdout.as_str()), (2, ""), "{outcome:?}");
        outcome
    }

    /// Waits until evidence is made again.
    fn is_back(&self) {
        let deadline = Instant::now() + BACK;
        while !matches!(self.ask(), Answer::Evidence(_)) {
            assert!(Instant::now() < deadline, "no evidence within {} s", BACK.as_secs());
            std::thread::sleep(Duration::from_secs(1));
        }
    }

    /// How often an agent has made its keys.
    fn keys_made(&self) -> usize {
        self.proxy.seen(CREATE_PRIMARY)
    }

    /// TPM_RC_RETRY, five times for each command of a whole check.
    fn retry_is_waited_out(&mut self) {
        let (before, quotes) = (self.keys_made(), self.proxy.seen(QUOTE));
        for command in [QUOTE, ACTIVATE_CREDENTIAL] {
            self.proxy.plan(RETRY, Some(command), 5);
            self.is_accepted();
            assert_eq!(self.proxy.left(), 0, "the fault never came");
        }
        assert!(self.proxy.seen(QUOTE) >= quotes + 5 + 2);
        assert_eq!(self.keys_made(), before, "the agent was started again");
    }

    fn two_failures_are_survived(&mut self) {
        let before = self.keys_made();
        self.proxy.plan(FAILURE, Some(QUOTE), 2);
        assert_eq!([self.ask(), self.ask()], [Answer::tpm(), Answer::tpm()]);
        self.is_accepted();
        assert_eq!(self.keys_made(), before, "the agent was started again");
    }

    /// TPM_RC_LOCKOUT, where an authorization is asked for and where none is.
    fn lockout_is_survived(&mut self) {
        let before = self.keys_made();
        self.proxy.plan(LOCKOUT, Some(QUOTE), 1);
        assert_eq!(self.ask(), Answer::tpm());
        self.proxy.plan(LOCKOUT, Some(ACTIVATE_CREDENTIAL), 1);
        let outcome = self.could_not_judge();
        assert!(outcome.stderr.contains("tpm (status 503)") && self.proxy.left() == 0, "{outcome:?}");
        self.is_accepted();
        assert_eq!(self.keys_made(), before, "the agent was started again");
    }

    fn three_failures_withdraw(&mut self, client: &mut Client) {
        let before = self.keys_made();
        self.proxy.plan(FAILURE, Some(QUOTE), 3);
        assert_eq!([self.ask(), self.ask(), self.ask()], [Answer::tpm(), Answer::tpm(), Answer::tpm()]);
        self.is_gone();
        client.ping("10.66.0.1".parse().unwrap(), MOMENT).unwrap();
        self.is_back();
        assert!(self.keys_made() >= before + 2, "the agent went on");
        self.is_accepted();
    }

    /// Waits until nobody answers any more; it may be back soon.
    fn is_gone(&self) {
        let deadline = Instant::now() + DEADLINE;
        while self.ask() != Answer::Nobody {
            assert!(Instant::now() < deadline, "the service was not withdrawn");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// A response that is none. What the agent's library makes of the connection then is its own affair: the answer is
    /// never evidence, and it comes back by itself.
    fn nonsense(&mut self, fault: Fault) {
        self.proxy.plan(fault, Some(QUOTE), 1);
        assert_eq!((self.ask(), self.proxy.left()), (Answer::tpm(), 0));
        self.is_back();
        self.is_accepted();
    }

    /// Clients get `busy` within their deadline; after a minute the service is withdrawn, and it stays away as long as
    /// the TPM does.
    fn a_hanging_tpm(&mut self, client: &mut Client) {
        let before = self.keys_made();
        self.proxy.plan(Fault::Hang, None, FOR_EVER);
        let begin = Instant::now();
        let mut busy = 0;
        loop {
            let asked = Instant::now();
            let answer = self.ask();
            match answer {
                Answer::Nobody => break,
                answer => assert_eq!(answer, Answer::Code(503, "busy".into())),
            }
            busy += 1;
            assert!(asked.elapsed() < DEADLINE, "a client waited for {:?}", asked.elapsed());
            assert!(begin.elapsed() < HANG + 3 * DEADLINE, "the service was not withdrawn");
        }
        assert!(busy >= 3 && begin.elapsed() > HANG, "{busy} clients, {:?}", begin.elapsed());
        client.ping("10.66.0.1".parse().unwrap(), MOMENT).unwrap();
        while begin.elapsed() < KERNEL + DEADLINE {
            assert_eq!(self.ask(), Answer::Nobody, "evidence without a TPM");
            std::thread::sleep(Duration::from_secs(5));
        }
        self.proxy.heal();
        self.is_back();
        assert!(self.keys_made() >= before + 2, "the agent went on");
        self.is_accepted();
    }

    /// swtpm is killed. There is never any evidence again, and no verdict but "could not judge".
    fn a_dead_tpm(&mut self, client: &mut Client) {
        self.tpm.stop();
        let begin = Instant::now();
        while self.ask() != Answer::Nobody {
            assert!(begin.elapsed() < DEADLINE, "the service was not withdrawn");
        }
        while begin.elapsed() < Duration::from_secs(60) {
            assert!(!matches!(self.ask(), Answer::Evidence(_)));
            std::thread::sleep(Duration::from_secs(2));
        }
        self.could_not_judge();
        client.ping("10.66.0.1".parse().unwrap(), MOMENT).unwrap();
    }
}
