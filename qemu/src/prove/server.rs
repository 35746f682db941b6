//! The server under proof: booted as it is shipped, accepted by the verifier, ordered by its owner.

use super::memory;
use crate::boot::{Arrival, Guest, Options, SecureBoot};
use crate::commands::files;
use crate::verify::{Keys, Outcome, Report, Verifier};
use crate::world::{World, GUEST6};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;
use vitrine_attest::config::{Cidr, Config};
use vitrine_attest::digest::Key32;
use vitrine_attest::statement::Release;
use vitrine_attest::{Error, Result};

/// What `vitrine build` and `vitrine keygen` left.
pub struct Subject {
    pub image: Vec<u8>,
    pub release: Release,
    pub secure_boot: SecureBoot,
    statement: PathBuf,
    release_key: PathBuf,
    owner_key: PathBuf,
}

impl Subject {
    /// # Errors
    /// When a file is missing, or the statement's signature does not hold.
    pub fn read(out: &Path, keys: &Path) -> Result<Self> {
        let (out, keys) = (files::absolute(out), files::absolute(keys));
        let (statement, release_key) = (out.join("release.dsse.json"), keys.join("release.pub"));
        Ok(Self {
            image: files::image(&out)?,
            release: files::release(&statement, &release_key)?,
            secure_boot: files::secure_boot(&keys.join("secure-boot.json"))?,
            statement,
            release_key,
            owner_key: keys.join("owner.key"),
        })
    }

    pub fn config(&self) -> &Config {
        &self.release.config
    }
}

/// A running server.
pub struct Server<'s> {
    pub guest: Guest,
    /// As the verifier showed them.
    pub keys: Keys,
    subject: &'s Subject,
    verifier: Verifier,
}

impl<'s> Server<'s> {
    /// Boots it into the world and has it accepted; `change` adds to the machine.
    ///
    /// # Errors
    /// When it does not come up, or is not accepted.
    pub fn start(
        subject: &'s Subject,
        world: &World,
        patience: Duration,
        change: impl FnOnce(&mut Options),
        log: &mut dyn FnMut(&str),
    ) -> Result<Self> {
        let mut options = Options::new(subject.image.clone(), subject.secure_boot.clone());
        options = world.plug(options, files::guest_ports(subject.config()));
        options.extra.extend(memory::arguments(options.memory_mib));
        change(&mut options);
        let mut guest = Guest::start(&options, log)?;
        if let Arrival::RefusedByFirmware(words) = guest.wait(patience)? {
            return Err(Error::artefact(format!("the firmware refused the image: {words}"), ""));
        }
        let verifier = Verifier::find()?;
        let keys = accepted(&verifier, subject, &guest)?;
        // An IPv6 address is used a second later, when nobody on the link has claimed it (RFC 4862 §5.4)
        crate::world::run("ping", &["-n", "-c", "1", "-w", "60", GUEST6]).succeeded("the server's IPv6 address")?;
        Ok(Self { guest, keys, subject, verifier })
    }

    /// # Errors
    /// When the server does not take the order.
    pub fn add(&self, peer: Key32, networks: &[Cidr]) -> Result<()> {
        let networks = networks.iter().map(Cidr::to_string).collect::<Vec<_>>().join(",");
        self.order("add", &["--peer", &peer.to_string(), "--allowed-ips", &networks])
    }

    /// # Errors
    /// When the server does not take the order.
    pub fn remove(&self, peer: Key32) -> Result<()> {
        self.order("remove", &["--peer", &peer.to_string()])
    }

    fn order(&self, verb: &str, words: &[&str]) -> Result<()> {
        let mut arguments: Vec<OsString> =
            vec!["peers".into(), verb.into(), "--server".into(), self.guest.url().into()];
        arguments.extend(trust(self.subject, &self.guest));
        arguments.extend(["--owner-key".into(), self.subject.owner_key.clone().into()]);
        arguments.extend(words.iter().map(OsString::from));
        let outcome = self.verifier.run(arguments)?;
        if outcome.exit_code != 0 {
            return Err(refused(&format!("the server did not take the order to {verb} a peer"), &outcome));
        }
        Ok(())
    }

    pub fn config(&self) -> &Config {
        self.subject.config()
    }

    /// TCP port on which evidence is served.
    pub fn agent_port(&self) -> u16 {
        self.config().attestation.port
    }

    /// All messages of one check, as the verifier saves them.
    ///
    /// # Errors
    /// When the server does not answer.
    pub fn record(&self) -> Result<Vec<u8>> {
        let file = self.verifier.file("record.json");
        let mut arguments: Vec<OsString> = vec!["check".into(), self.guest.url().into()];
        arguments.extend(trust(self.subject, &self.guest));
        arguments.extend(["--save".into(), file.clone().into()]);
        let outcome = self.verifier.run(arguments)?;
        std::fs::read(&file).map_err(|_| refused("the server gives no evidence", &outcome))
    }

    /// After a reset: until it answers and is accepted again. Its keys are new ones.
    ///
    /// # Errors
    /// When it does not come up, or is not accepted.
    pub fn wait_again(&mut self, patience: Duration) -> Result<()> {
        self.guest.wait(patience)?;
        self.keys = accepted(&self.verifier, self.subject, &self.guest)?;
        crate::world::run("ping", &["-n", "-c", "1", "-w", "60", GUEST6]).succeeded("the server's IPv6 address")?;
        Ok(())
    }

    /// Whether it is still accepted: its runtime register is clean.
    ///
    /// # Errors
    /// When it is not.
    pub fn is_accepted(&self) -> Result<Keys> {
        accepted(&self.verifier, self.subject, &self.guest)
    }
}

fn trust(subject: &Subject, guest: &Guest) -> Vec<OsString> {
    let statement = ["--statement".into(), subject.statement.clone().into()];
    let key = ["--key".into(), subject.release_key.clone().into()];
    [statement, key, ["--ek-roots".into(), guest.ek_roots().into()]].into_iter().flatten().collect()
}

fn accepted(verifier: &Verifier, subject: &Subject, guest: &Guest) -> Result<Keys> {
    let mut arguments: Vec<OsString> = vec!["check".into(), guest.url().into(), "--json".into()];
    arguments.extend(trust(subject, guest));
    let outcome = verifier.run(arguments)?;
    match (outcome.exit_code, Report::parse(&outcome.stdout).ok().and_then(|report| report.keys)) {
        (0, Some(keys)) => Ok(keys),
        _ => Err(refused("the verifier does not accept this server", &outcome)),
    }
}

fn refused(what: &str, outcome: &Outcome) -> Error {
    Error::artefact(what, format!("vitrine-verify said: {} {}", outcome.stdout, outcome.stderr))
}
