//! What all steps of the demo share: the image, the keys, how to boot it and how to judge it.

use super::super::{files, note};
use super::unexpected;
use crate::boot::{Arrival, Guest, Options, SecureBoot, PATIENCE};
use crate::cli::Demo;
use crate::kvm::Choice;
use crate::machine::Accel;
use crate::progress::Waiting;
use crate::verify::{Outcome, Report, Verifier};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use vitrine_attest::config::Config;
use vitrine_attest::{Error, Result};

pub struct Parts {
    pub image: Vec<u8>,
    pub config: Config,
    pub keys: SecureBoot,
    pub verifier: Verifier,
    pub owner_key: PathBuf,
    statement: PathBuf,
    release_key: PathBuf,
    memory_mib: u32,
    accel: Accel,
    keep: bool,
}

/// One check by `vitrine-verify`.
pub struct Judgement {
    pub outcome: Outcome,
    pub report: Report,
    /// The messages it saved; can be checked again.
    pub record: PathBuf,
}

impl Parts {
    /// # Errors
    /// When a file is missing, the statement's signature does not hold, or `vitrine-verify` is not there.
    pub fn read(args: &Demo) -> Result<Self> {
        let (out, keys) = (files::absolute(&args.out), files::absolute(&args.keys));
        let (statement, release_key) = (out.join("release.dsse.json"), keys.join("release.pub"));
        Ok(Self {
            image: files::image(&out)?,
            config: files::release(&statement, &release_key)?.config,
            keys: files::secure_boot(&keys.join("secure-boot.json"))?,
            verifier: Verifier::find()?,
            owner_key: keys.join("owner.key"),
            statement,
            release_key,
            memory_mib: args.machine.memory,
            accel: args.machine.accel.map_or_else(Choice::from_environment, Choice::from).decide(&mut note)?,
            keep: args.machine.keep,
        })
    }

    /// How this image is booted with Secure Boot on; the image and the rest can be altered.
    pub fn options(&self) -> Options {
        let mut options = Options::new(self.image.clone(), self.keys.clone());
        options.memory_mib = self.memory_mib;
        options.accel = self.accel;
        options.keep = self.keep;
        options.guest_ports = files::guest_ports(&self.config);
        options
    }

    /// Boots until the server answers.
    ///
    /// # Errors
    /// When the firmware refuses the image, or nobody answers.
    pub fn boot(&self, options: &Options) -> Result<(Guest, Duration)> {
        let (guest, arrival) = self.try_boot(options)?;
        match arrival {
            Arrival::Up(time) => Ok((guest, time)),
            Arrival::RefusedByFirmware(words) => Err(unexpected("the firmware refused the image", &words)),
        }
    }

    /// Boots until the server answers or the firmware refuses the image.
    pub fn try_boot(&self, options: &Options) -> Result<(Guest, Arrival)> {
        let mut guest = Guest::start(options, &mut note)?;
        let waiting = Waiting::begin("waiting for the server");
        let arrival = guest.wait(PATIENCE);
        waiting.end();
        Ok((guest, arrival?))
    }

    /// `vitrine-verify check` of a running guest; the text report is the outcome's stdout.
    pub fn check(&self, guest: &Guest, name: &str) -> Result<Judgement> {
        let record = self.verifier.file(&format!("{name}.json"));
        let roots = self.verifier.file(&format!("{name}.pem"));
        fs::copy(guest.ek_roots(), &roots).map_err(|e| Error::host(format!("{}: {e}", roots.display()), ""))?;
        let mut arguments = self.check_arguments(guest.url(), Some(&roots));
        arguments.extend(["--explain".into(), "--save".into(), record.clone().into()]);
        let outcome = self.verifier.run(arguments)?;
        let report = self.read_again(&record, &roots, &outcome)?;
        Ok(Judgement { outcome, report, record })
    }

    /// The saved messages judged once more, for a report that programs read. It has to agree.
    fn read_again(&self, record: &Path, roots: &Path, first: &Outcome) -> Result<Report> {
        if !record.exists() {
            return Err(Error::host("vitrine-verify could not judge", first.stderr.clone()));
        }
        let mut arguments = self.check_arguments(record, Some(roots));
        arguments.extend(["--explain".into(), "--json".into()]);
        let second = self.verifier.run(arguments)?;
        if second.exit_code != first.exit_code {
            let codes = format!("live {}, from saved messages {}", first.exit_code, second.exit_code);
            return Err(unexpected("vitrine-verify judged the same messages twice, differently", &codes));
        }
        Report::parse(&second.stdout)
    }

    /// `check TARGET --statement … --key … --ek-roots …`
    pub fn check_arguments(&self, target: impl Into<OsString>, roots: Option<&Path>) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec!["check".into(), target.into()];
        arguments.extend(self.trust());
        if let Some(roots) = roots {
            arguments.extend(["--ek-roots".into(), roots.into()]);
        }
        arguments
    }

    /// `--statement FILE --key FILE`
    pub fn trust(&self) -> [OsString; 4] {
        ["--statement".into(), self.statement.clone().into(), "--key".into(), self.release_key.clone().into()]
    }
}
