//! An older release in place of a newer one: properly built, signed and stated, as it once was published.

use crate::images::Images;
use crate::machine::{boot, with_tpm, Judged, PATIENCE};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use vitrine_qemu::boot::Options;
use vitrine_qemu::scratch::Scratch;
use vitrine_qemu::tpm::{Pristine, Tpm};

/// One machine with one TPM. It is accepted with the newer release; then it runs the exit image as shipped, which is
/// the older one. Nothing but its age is wrong with that.
#[test]
fn downgraded_image_is_refused() {
    let Some(images) = Images::find() else { return };
    let folder = tempfile::tempdir().unwrap();
    let newer = build_newer(&images, folder.path());
    let (statement, older) = (newer.join("release.dsse.json"), images.path("exit/release.dsse.json"));
    let state = folder.path().join("state").display().to_string();
    let scratch = Scratch::new().unwrap();
    let pristine = Pristine::named("default").unwrap();
    let mut tpm = pristine.start(&scratch).unwrap();
    let judge = |url: String, statement: &Path, more: &[&str]| {
        Judged::check_statement(url, statement.into(), &images, pristine.ek_roots(), more)
    };

    let image = std::fs::read(newer.join("image.efi")).unwrap();
    let running = boot(&with_tpm(Options::new(image, images.secure_boot()), &tpm.socket));
    judge(running.guest.url(), &statement, &["--state", &state]).assert_accepted();
    running.guest.stop();
    tpm.stop();

    let tpm = Tpm::resume(&scratch).unwrap();
    let running = boot(&with_tpm(Options::new(images.exit(), images.secure_boot()), &tpm.socket));
    let url = || running.guest.url();
    let judged = once_the_clock_is_there(|| judge(url(), &older, &["--state", &state]));
    judged.assert_rejected(&["statement-went-back"]);
    let policy = |name: &str, least: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, format!("version = 1\n[[image]]\nname = \"exit\"\n{least}\n")).unwrap();
        file.display().to_string()
    };
    judge(url(), &older, &["--policy", &policy("seq", "min_seq = 1")]).assert_rejected(&["release-too-old"]);
    judge(url(), &older, &["--policy", &policy("version", "min_version = \"0.2\"")])
        .assert_rejected(&["version-too-old"]);
    // Whoever holds on to the newer statement sees another image
    let judged = judge(url(), &statement, &["--state", &state]);
    judged.assert_rejected(&["image-differs", "pcr-4-differs", "pcr-digest-differs"]);
    judged.assert_explained("PCR 4: another program than this image was started");
    // Nobody remembers, and nobody asks: accepted. The TPM is the same, so it was no other reason
    judge(url(), &older, &[]).assert_accepted();
}

/// swtpm does not write its clock down where power is cut, as here: until it has caught up, that is refused besides.
pub fn once_the_clock_is_there(judge: impl Fn() -> Judged) -> Judged {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let judged = judge();
        if !judged.report.reasons().contains(&"clock-went-back") {
            return judged;
        }
        assert!(Instant::now() < deadline, "the TPM's clock has not caught up");
        std::thread::sleep(Duration::from_secs(1));
    }
}

/// The exit image with a higher version and sequence number, from the lock and the packages that are there.
pub fn build_newer(images: &Images, folder: &Path) -> PathBuf {
    let recipes = Path::new(env!("CARGO_MANIFEST_DIR")).join("../recipes");
    let fresh = images.path("exit.lock.toml"); // see tools/build-image.sh
    let lock = if fresh.is_file() { fresh } else { recipes.join("exit.lock.toml") };
    let owner = std::fs::read_to_string(images.path("keys/owner.pub")).unwrap();
    let out = folder.join("newer");
    let mut command = Command::new("vitrine");
    command.arg("build").arg(recipes.join("exit.toml")).arg("--offline").arg("--lock").arg(lock);
    command.arg("--keys").arg(images.path("keys")).arg("--out").arg(&out);
    for value in ["version=0.2.0", "release.seq=1", &format!("config.owner={}", owner.trim())] {
        command.args(["--set", value]);
    }
    let output = command.output().expect("`vitrine` is in the PATH: use `make test`");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    out
}
