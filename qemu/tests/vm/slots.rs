//! One machine through an update, back, and what keeps it from going back: `vitrine slots` where it starts from, `vitrine-verify` for
//! who checks it, the firmware at last.

use crate::images::Images;
use crate::machine::{boot, refused_by_firmware, with_tpm, Judged, Running};
use crate::platform::downgrade::{build_newer, once_the_clock_is_there};
use ed25519_dalek::pkcs8::DecodePrivateKey as _;
use ed25519_dalek::SigningKey;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;
use vitrine_attest::dsse::{read_unverified, sign, Envelope};
use vitrine_attest::secure_boot::Variables;
use vitrine_qemu::boot::{Options, SecureBoot};
use vitrine_qemu::download::Download;
use vitrine_qemu::medium::Medium;
use vitrine_qemu::scratch::Scratch;
use vitrine_qemu::tpm::{Pristine, Tpm};
use vitrine_qemu::verify::Verifier;
use vitrine_qemu::web::AS_SEEN_BY_GUEST;

/// The shipped image is the older release; the newer one differs in its os-release, configuration and sequence number.
struct Fleet<'a> {
    images: &'a Images,
    dir: TempDir,
    newer: PathBuf,
}

impl Fleet<'_> {
    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// `vitrine slots VERB PLACE …`: its exit code, and what it says.
    fn slots(&self, place: &str, verb: &str, more: &[&Path]) -> (i32, String) {
        let mut command = Command::new("vitrine");
        command.args(["slots", verb]).arg(self.path(place)).args(more);
        let output = command.arg("--key").arg(self.images.path("keys/release.pub")).output();
        let output = output.expect("`vitrine` is in the PATH: use `make test`");
        let said = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8(said).unwrap())
    }

    fn done(&self, place: &str, verb: &str, more: &[&Path]) {
        let (code, said) = self.slots(place, verb, more);
        assert_eq!(code, 0, "{verb}: {said}");
    }

    fn refused(&self, place: &str, verb: &str, more: &[&Path], reason: &str) {
        let (code, said) = self.slots(place, verb, more);
        assert!(code == 1 && said.contains(reason), "{verb}: {code}, no {reason}: {said}");
    }

    fn verify(&self, arguments: &[&str]) -> String {
        let outcome = Verifier::find().unwrap().run(arguments.iter().copied()).unwrap();
        assert_eq!(outcome.exit_code, 0, "{arguments:?}: {outcome:?}");
        outcome.stdout
    }

    /// What was the active release, by what people have been given.
    fn older(&self) -> PathBuf {
        self.images.path("exit/release.dsse.json")
    }

    /// The operator takes the older release back, in a log; a folder with the entry as anybody gets it from there.
    fn revoked(&self) -> PathBuf {
        let [log, file, found] = ["log", "revocation.dsse.json", "revocations"].map(|name| self.path(name));
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let (statement, key) = (text(&self.older()), text(&self.images.path("keys/release.key")));
        let revoke =
            ["revoke", "--statement", &statement, "--reason", "vulnerability", "--text", "use 0.2.0", "--seq", "1"];
        self.verify(&[&revoke[..], &["--key-file", &key, "--out", &text(&file)]].concat());
        self.verify(&["log", "init", &text(&log), "--origin", "log.example/fleet"]);
        self.verify(&["log", "append", &text(&log), &text(&file)]);
        let (public, log_key) = (text(&log.join("public")), text(&log.join("log.pub")));
        let entry = self.verify(&["log", "get", &public, "--key", &log_key, "0"]);
        fs::create_dir(&found).unwrap();
        fs::write(found.join("0.json"), entry).unwrap();
        found
    }

    /// The older release stated once more, with a last day that is over.
    fn expired(&self) -> PathBuf {
        let envelope = Envelope::from_json(&fs::read(self.older()).unwrap()).unwrap();
        let mut statement = read_unverified(&envelope).unwrap();
        statement.predicate.not_after = Some("2020-01-01".into());
        let key = String::from_utf8(self.images.read("keys/release.key")).unwrap();
        let path = self.path("expired.dsse.json");
        let envelope = sign(&statement, &SigningKey::from_pkcs8_pem(&key).unwrap()).unwrap();
        fs::write(&path, envelope.to_json().unwrap()).unwrap();
        path
    }
}

/// The machine: its TPM and the firmware's variables stay from boot to boot.
struct Machine {
    scratch: Scratch,
    pristine: Pristine,
    tpm: Option<Tpm>,
    variables: SecureBoot,
}

impl Machine {
    fn new(images: &Images) -> Self {
        let (scratch, pristine) = (Scratch::new().unwrap(), Pristine::named("default").unwrap());
        Self { scratch, pristine, tpm: None, variables: images.secure_boot() }
    }

    fn boot(&mut self, mut options: Options) -> Running {
        let tpm = match self.tpm.take() {
            None => self.pristine.start(&self.scratch).unwrap(),
            Some(mut before) => {
                before.stop();
                Tpm::resume(&self.scratch).unwrap()
            }
        };
        options.secure_boot = self.variables.clone();
        let running = boot(&with_tpm(options, &tpm.socket));
        self.tpm = Some(tpm);
        running
    }

    fn switch_off(&mut self, running: Running) {
        self.variables = SecureBoot::Left(fs::read(running.guest.vars()).unwrap());
        running.guest.stop();
    }
}

/// Started from an EFI system partition with these files.
fn from_partition(folder: &Path) -> Options {
    let file = |name: &str| fs::read(folder.join(name)).unwrap();
    let mut options = Options::new(file("EFI/BOOT/BOOTX64.EFI"), SecureBoot::Off);
    for entry in fs::read_dir(folder.join("EFI/vitrine")).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            let name = format!("EFI/vitrine/{}", entry.file_name().to_str().unwrap());
            options = options.esp_file(&name, &file(&name));
        }
    }
    options
}

#[test]
fn an_update_a_rollback_and_what_refuses_it() {
    let Some(images) = Images::find() else { return };
    let dir = tempfile::tempdir().unwrap();
    let newer = build_newer(&images, dir.path());
    let fleet = Fleet { images: &images, dir, newer };
    let state = fleet.path("state").display().to_string();
    let mut machine = Machine::new(&images);
    let roots = machine.pristine.ek_roots();
    let judge = |running: &Running, statement: &Path, more: &[&str]| {
        let check = || Judged::check_statement(running.guest.url(), statement.into(), &images, roots.clone(), more);
        once_the_clock_is_there(check)
    };
    let remembering = ["--state", state.as_str()];

    // by HTTP: the older release, then the newer one
    fs::create_dir(fleet.path("boot")).unwrap();
    fleet.done("boot", "install", &[&images.path("exit")]);
    fleet.done("boot", "activate", &[]);
    let server = Download::start(&fleet.path("boot")).unwrap();
    let over_http = || {
        let mut options = Options::new(Vec::new(), SecureBoot::Off);
        options.medium = Some(Medium::Http(format!("http://{AS_SEEN_BY_GUEST}:{}/exit.efi", server.port())));
        options
    };
    let running = machine.boot(over_http());
    judge(&running, &fleet.older(), &remembering).assert_accepted();
    fleet.done("boot", "install", &[&fleet.newer]);
    fleet.done("boot", "activate", &[]);
    machine.switch_off(running);
    let running = machine.boot(over_http());
    let statement = fleet.newer.join("release.dsse.json");
    judge(&running, &statement, &remembering).assert_accepted();
    judge(&running, &fleet.older(), &[]).assert_rejected(&["image-differs", "pcr-4-differs", "pcr-digest-differs"]);
    machine.switch_off(running);

    // from a partition: back to the older one, which is still valid
    fs::create_dir_all(fleet.path("esp/EFI")).unwrap();
    for build in [images.path("exit"), fleet.newer.clone()] {
        fleet.done("esp", "install", &[&build]);
        fleet.done("esp", "activate", &[]);
    }
    fleet.done("esp", "rollback", &[]);
    let running = machine.boot(from_partition(&fleet.path("esp")));
    judge(&running, &fleet.older(), &[]).assert_accepted();
    judge(&running, &fleet.older(), &remembering).assert_rejected(&["statement-went-back"]);

    revoked(&fleet, |more| judge(&running, &fleet.older(), more));
    judge(&running, &fleet.expired(), &[]).assert_rejected(&["statement-expired"]);
    running.guest.stop();
    firmware_refuses(&fleet);
}

/// No way back to a revoked release; by hand there is one, and whoever checks finds it. `judge`: a server that runs it.
fn revoked(fleet: &Fleet, judge: impl Fn(&[&str]) -> Judged) {
    let revocations = fleet.revoked();
    let given: [&Path; 2] = ["--revocation".as_ref(), &revocations];
    fleet.refused("boot", "rollback", &given, "revoked: vulnerability");
    fleet.refused("esp", "status", &given, "revoked: vulnerability");
    fleet.done("esp", "activate", &given);
    // kept in the folder
    fleet.refused("esp", "rollback", &[], "revoked: vulnerability");
    let (there, expired) = (fleet.path("esp/EFI/vitrine/a.dsse.json"), fleet.expired());
    fs::copy(&expired, &there).unwrap();
    fleet.refused("esp", "rollback", &[], "statement-expired: its last day was 2020-01-01");
    fs::copy(fleet.older(), &there).unwrap();

    fs::copy(fleet.images.path("exit/image.efi"), fleet.path("esp/EFI/BOOT/BOOTX64.EFI")).unwrap();
    fleet.refused("esp", "status", &[], "revoked: vulnerability");
    judge(&["--revocation", revocations.to_str().unwrap()]).assert_rejected(&["revoked"]);
}

/// With the older image in dbx, neither the command nor the firmware starts it.
fn firmware_refuses(fleet: &Fleet) {
    let (out, image) = (fleet.path("enrolment"), fleet.images.path("exit/image.efi"));
    let mut enrol = Command::new("vitrine");
    enrol.args(["--quiet", "enrol", "--keys"]).arg(fleet.images.path("keys")).arg("--revoke").arg(&image);
    assert!(enrol.arg("--out").arg(&out).output().unwrap().status.success());
    let enrolled = out.join("secure-boot.json");
    fs::create_dir_all(fleet.path("new/EFI")).unwrap();
    let given: [&Path; 3] = [&fleet.images.path("exit"), "--secure-boot".as_ref(), &enrolled];
    fleet.refused("new", "install", &given, "firmware-refuses: its Authenticode digest stands in dbx");
    let variables: Variables = serde_json::from_slice(&fs::read(&enrolled).unwrap()).unwrap();
    let mut options = from_partition(&fleet.path("esp"));
    options.secure_boot = SecureBoot::On(variables);
    let words = refused_by_firmware(&options);
    assert!(words.contains("Access Denied"), "{words}");
}
