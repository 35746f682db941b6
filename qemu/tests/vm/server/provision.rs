//! A server of the tests' world, accepted by the verifier, with its owner's orders.

use crate::images::Images;
use crate::machine::{boot, Judged, Running};
use crate::world::{self, Client, User, World, GUEST6};
use std::net::SocketAddr;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::time::{Duration, Instant};
use vitrine_qemu::boot::Options;
use vitrine_qemu::machine::Ports;
use vitrine_qemu::verify::{Keys, Outcome, Verifier};

/// A running server in a world.
pub struct Provisioned<'w> {
    pub images: &'w Images,
    /// Folder of its image.
    pub image: &'static str,
    pub running: Running,
    /// Of the first check.
    pub keys: Keys,
    verifier: Verifier,
    failed: Vec<&'static str>,
}

/// Boots an image into the world and checks it.
pub fn provision<'w>(world: &World, images: &'w Images, image: &'static str) -> Provisioned<'w> {
    let config = images.config(image);
    let ports = Ports { wireguard: config.wireguard.all_ports(), attestation: config.attestation.port };
    let options = Options::new(images.read(&format!("{image}/image.efi")), images.secure_boot());
    let running = boot(&world.plug(options, ports));
    let judged = judge(images, image, &running);
    judged.assert_accepted();
    // An IPv6 address is used a second later, when nobody on the link has claimed it (RFC 4862 §5.4)
    world::run("ping", &["-n", "-c", "1", "-w", "20", GUEST6]).expect_success();
    let keys = judged.report.keys.clone().unwrap();
    let verifier = Verifier::find().unwrap();
    Provisioned { images, image, running, keys, verifier, failed: Vec::new() }
}

fn judge(images: &Images, image: &str, running: &Running) -> Judged {
    let statement = images.path(&format!("{image}/release.dsse.json"));
    Judged::check_statement(running.guest.url(), statement, images, running.guest.ek_roots(), &[])
}

impl Provisioned<'_> {
    /// Takes a step; a failure is told at the end.
    pub fn step(&mut self, name: &'static str, step: impl FnOnce(&Self)) {
        eprintln!("── {name}");
        let begin = Instant::now();
        let done = catch_unwind(AssertUnwindSafe(|| step(self)));
        eprintln!(
            "── {name}: {} after {:.1} s",
            if done.is_ok() { "ok" } else { "FAILED" },
            begin.elapsed().as_secs_f32()
        );
        if done.is_err() {
            self.failed.push(name);
        }
    }

    /// # Panics
    /// When a step failed.
    pub fn end(self) {
        let Self { running, failed, .. } = self;
        running.guest.stop();
        assert!(failed.is_empty(), "failed: {failed:?}");
    }

    pub fn judge(&self) -> Judged {
        judge(self.images, self.image, &self.running)
    }

    /// `vitrine-verify WORDS --server … --statement … --key … --ek-roots … MORE`
    pub fn verify(&self, words: &[&str], more: &[&str]) -> Outcome {
        let mut arguments: Vec<String> = words.iter().map(ToString::to_string).collect();
        arguments.extend(["--server".into(), self.running.guest.url()]);
        let statement = format!("{}/release.dsse.json", self.image);
        for (flag, file) in [("--statement", statement.as_str()), ("--key", "keys/release.pub")] {
            arguments.extend([flag.to_string(), self.images.path(file).display().to_string()]);
        }
        arguments.extend(["--ek-roots".to_string(), self.running.guest.ek_roots().display().to_string()]);
        arguments.extend(more.iter().map(ToString::to_string));
        let outcome = self.verifier.run(arguments).unwrap();
        eprintln!("{words:?} {more:?} → {outcome:?}");
        outcome
    }

    /// `vitrine-verify peers WORDS …` with the owner's key.
    pub fn peers(&self, words: &[&str], more: &[&str]) -> Outcome {
        let owner = self.images.path("keys/owner.key").display().to_string();
        self.verify(&[&["peers"], words].concat(), &[&["--owner-key", &owner], more].concat())
    }

    pub fn add(&self, user: &User) {
        let more = ["--peer", &user.public().to_string(), "--allowed-ips", &user.networks()];
        let outcome = self.peers(&["add"], &more);
        assert_eq!(outcome.exit_code, 0, "{outcome:?}");
    }

    pub fn remove(&self, user: &User) {
        let outcome = self.peers(&["remove"], &["--peer", &user.public().to_string()]);
        assert_eq!(outcome.exit_code, 0, "{outcome:?}");
    }

    /// A user the owner has just added, online.
    pub fn join(&self, n: u8) -> (User, Client) {
        let user = User::number(n);
        self.add(&user);
        let client = user.connect(self.keys.wireguard, self.running.guest.wireguard());
        client.ping("10.66.0.1").expect_success();
        (user, client)
    }

    pub fn endpoint(&self, port: u16) -> SocketAddr {
        self.running.guest.wireguard_at(port).expect("the configuration has this port")
    }

    /// Asks until it is so.
    #[track_caller]
    pub fn wait_until(&self, what: &str, patience: Duration, mut so: impl FnMut(&Self) -> bool) {
        let deadline = Instant::now() + patience;
        while !so(self) {
            assert!(Instant::now() < deadline, "not within {} s: {what}", patience.as_secs());
            std::thread::sleep(Duration::from_millis(500));
        }
    }
}
