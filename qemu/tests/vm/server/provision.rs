//! A server of the tests' world, accepted by the verifier, with its owner's orders.

use crate::images::Images;
use crate::machine::{boot, succeeds, Judged, Running};
use crate::world::{self, Client, User, World, GUEST6};
use std::net::SocketAddr;
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
    provision_with(world, images, image, |options| options)
}

/// The same on another machine.
pub fn provision_with<'w>(
    world: &World,
    images: &'w Images,
    image: &'static str,
    change: impl FnOnce(Options) -> Options,
) -> Provisioned<'w> {
    let server = accepted(images, image, start(world, images, image, change));
    its_ipv6_answers();
    server
}

/// Boots an image that asks for its address; somebody in the world has to give it. It has no IPv6.
pub fn provision_by_lease<'w>(world: &World, images: &'w Images, image: &'static str) -> Provisioned<'w> {
    accepted(images, image, start(world, images, image, |options| options))
}

/// A server that runs already.
pub fn accepted<'w>(images: &'w Images, image: &'static str, running: Running) -> Provisioned<'w> {
    let judged = judge(images, image, &running);
    judged.assert_accepted();
    let keys = judged.report.keys.clone().unwrap();
    let verifier = Verifier::find().unwrap();
    Provisioned { images, image, running, keys, verifier, failed: Vec::new() }
}

/// Boots an image into the world.
pub fn start(world: &World, images: &Images, image: &str, change: impl FnOnce(Options) -> Options) -> Running {
    let config = images.config(image);
    let ports = Ports { wireguard: config.wireguard.all_ports(), attestation: config.attestation.port };
    let options = Options::new(images.read(&format!("{image}/image.efi")), images.secure_boot());
    boot(&change(world.plug(options, ports)))
}

/// An IPv6 address is used a second later, when nobody on the link has claimed it (RFC 4862 §5.4).
pub fn its_ipv6_answers() {
    world::run("ping", &["-n", "-c", "1", "-w", "20", GUEST6]).expect_success();
}

pub fn judge(images: &Images, image: &str, running: &Running) -> Judged {
    let statement = images.path(&format!("{image}/release.dsse.json"));
    Judged::check_statement(running.guest.url(), statement, images, running.guest.ek_roots(), &[])
}

impl Provisioned<'_> {
    /// Takes a step; a failure is told at the end.
    pub fn step(&mut self, name: &'static str, step: impl FnOnce(&Self)) {
        self.step_on_the_machine(name, |server| step(server));
    }

    /// The same, for what is done to the machine itself.
    pub fn step_on_the_machine(&mut self, name: &'static str, step: impl FnOnce(&mut Self)) {
        if !succeeds(name, || step(self)) {
            self.failed.push(name);
            // A kernel that panics starts the machine again, without a word and without its peers
            let starts = self.running.guest.console().matches("BdsDxe: starting").count();
            eprintln!("the firmware has started the image {starts} time(s)");
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
        self.verify_at(self.running.guest.url(), words, more)
    }

    /// The same, when somebody between us and the server has this address.
    pub fn verify_at(&self, url: String, words: &[&str], more: &[&str]) -> Outcome {
        self.verify_as(self.image, url, words, more)
    }

    /// The same with the statement of another image.
    pub fn verify_as(&self, image: &str, url: String, words: &[&str], more: &[&str]) -> Outcome {
        let mut arguments: Vec<String> = words.iter().map(ToString::to_string).collect();
        arguments.extend(["--server".into(), url]);
        let statement = format!("{image}/release.dsse.json");
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
        self.peers_at(self.running.guest.url(), words, more)
    }

    /// See [`Self::verify_at`].
    pub fn peers_at(&self, url: String, words: &[&str], more: &[&str]) -> Outcome {
        let owner = self.images.path("keys/owner.key").display().to_string();
        self.verify_at(url, &[&["peers"], words].concat(), &[&["--owner-key", &owner], more].concat())
    }

    /// Whether the server has a peer with this key.
    pub fn has(&self, user: &User) -> bool {
        let outcome = self.peers(&["has"], &["--peer", &user.public().to_string(), "--json"]);
        assert!(outcome.stdout.contains(if outcome.exit_code == 0 { "\"has\":true" } else { "\"has\":false" }));
        outcome.exit_code == 0
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
        let client = self.join_as(&user);
        (user, client)
    }

    /// The same for a user there is already.
    pub fn join_as(&self, user: &User) -> Client {
        self.add(user);
        let client = user.connect(self.keys.wireguard, self.running.guest.wireguard());
        client.ping("10.66.0.1").expect_success();
        client
    }

    /// Where evidence is served.
    pub fn agent(&self) -> SocketAddr {
        self.running.guest.url().strip_prefix("http://").and_then(|address| address.parse().ok()).expect("an address")
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
