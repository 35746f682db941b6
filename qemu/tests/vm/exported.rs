//! What `vitrine export` makes starts a machine: the server is accepted whatever the medium is, and PCR 5 is as predicted.

use crate::images::Images;
use crate::machine::{boot, Judged};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;
use vitrine_attest::event_log::{Algorithm, EventLog};
use vitrine_attest::evidence::Evidence;
use vitrine_attest::expected::ExpectedBoot;
use vitrine_attest::pcr::Pcr;
use vitrine_attest::Sha256;
use vitrine_qemu::boot::Options;
use vitrine_qemu::download::Download;
use vitrine_qemu::medium::Medium;
use vitrine_qemu::web::AS_SEEN_BY_GUEST;

/// One run of `vitrine export --json`.
struct Exported {
    folder: TempDir,
    report: Value,
}

impl Exported {
    fn of(images: &Images, format: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("vitrine");
        command.args(["--json", "export", "--format", format]).arg(images.path("exit"));
        let output =
            command.arg("--to").arg(path(&folder)).output().expect("`vitrine` is in the PATH: use `make test`");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Self { report: serde_json::from_slice(&output.stdout).unwrap(), folder }
    }

    fn path(&self) -> PathBuf {
        path(&self.folder)
    }

    /// What it predicts for a start from `disk`, `cdrom` or `http`.
    fn predicted(&self, from: &str) -> ExpectedBoot {
        let boots = self.report["boots"].as_array().unwrap();
        let boot = boots.iter().find(|boot| boot["from"] == from).unwrap();
        serde_json::from_value(serde_json::json!({ "pcrs": boot["pcrs"], "events": boot["events"] })).unwrap()
    }
}

fn path(folder: &TempDir) -> PathBuf {
    folder.path().join("exported")
}

fn starts(format: &str, from: &str, medium: impl FnOnce(PathBuf) -> Medium) {
    let Some(images) = Images::find() else { return };
    let exported = Exported::of(&images, format);
    accepted_from(&images, medium(exported.path()), &exported.predicted(from));
}

fn accepted_from(images: &Images, medium: Medium, predicted: &ExpectedBoot) {
    let mut options = Options::new(Vec::new(), images.secure_boot());
    options.medium = Some(medium);
    let running = boot(&options);
    let judged = Judged::server(images, &running);
    judged.assert_accepted();
    pcr_5(&judged.evidence(), predicted);
}

/// Every event, in order, and the value that the log leads to.
fn pcr_5(evidence: &Evidence, predicted: &ExpectedBoot) {
    let log = EventLog::parse(&evidence.firmware_log).unwrap();
    let of_5 = log.events.iter().filter(|event| event.pcr == 5 && event.extends());
    let found: Vec<&[u8]> = of_5.map(|event| event.digest(Algorithm::SHA256).unwrap()).collect();
    let expected: Vec<&[u8]> = predicted.events.iter().map(|event| &event.digest.0[..]).collect();
    assert_eq!(found, expected, "PCR 5 has other events: {:?}", predicted.events);
    let value = log.replay_sha256().unwrap().get(Pcr::BOOT_MEDIUM);
    assert_eq!(value, predicted.pcrs.get(Pcr::BOOT_MEDIUM));
}

#[test]
fn an_exported_disk_starts() {
    starts("disk", "disk", Medium::Disk);
}

#[test]
fn an_exported_iso_starts_as_a_cd() {
    starts("iso", "cdrom", Medium::Cdrom);
}

#[test]
#[ignore = "the same disk in another file; make prove runs it"]
fn an_exported_qcow2_starts() {
    starts("qcow2", "disk", Medium::Qcow2);
}

#[test]
#[ignore = "the same disk on another bus; make prove runs it"]
fn an_exported_iso_starts_as_a_usb_stick() {
    starts("iso", "disk", Medium::UsbStick);
}

/// The address comes by DHCP, the image from a web server that nobody has to trust.
#[test]
fn an_exported_folder_starts_over_http() {
    let Some(images) = Images::find() else { return };
    let exported = Exported::of(&images, "netboot");
    let server = Download::start(&exported.path()).unwrap();
    let address = format!("http://{AS_SEEN_BY_GUEST}:{}/{}", server.port(), link(&exported.path()));
    accepted_from(&images, Medium::Http(address), &exported.predicted("http"));
    let asked = server.asked();
    assert!(asked.iter().any(|request| request.starts_with("GET /")), "{asked:?}");
}

/// The stable name in a netboot folder; the version behind it is the image, byte for byte.
fn link(folder: &Path) -> String {
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let link = files.into_iter().find(|file| file.is_symlink()).unwrap();
    let sums = std::fs::read_to_string(folder.join("SHA256SUMS")).unwrap();
    let digest = Sha256::of(&std::fs::read(&link).unwrap()).to_string();
    let name = link.file_name().unwrap().to_str().unwrap().to_string();
    assert!(sums.contains(&format!("{digest}  {name}\n")), "{sums}");
    name
}
