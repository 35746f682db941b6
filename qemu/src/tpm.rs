//! The guest's TPM: swtpm with an endorsement key certificate from a local CA.
//!
//! Making one takes a second or two and random numbers, so it is done once: the pristine state stays in the
//! user's cache folder, and each boot works on a fresh copy. The CA's private keys are thrown away at once.

use crate::process::Process;
use crate::scratch::Scratch;
use rustix::fs::{flock, FlockOperation};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use vitrine_attest::{Error, Result};

/// What swtpm keeps a TPM 2.0 in.
const STATE: &str = "tpm2-00.permall";
/// The local CA's root and issuing certificates, PEM: what `vitrine-verify --ek-roots` takes.
pub const EK_ROOTS: &str = "ek-roots.pem";
/// Part of the cache folder's name; changes with what [`make`] makes.
const FORM: &str = "tpm-1";
const PACKAGES: &str = "swtpm swtpm-tools";
/// swtpm_setup needs one to three seconds; a loaded machine may need more.
const SETUP_PATIENCE: Duration = Duration::from_secs(120);

/// A TPM as it leaves the factory: RSA-2048 EK with its certificate in NV 0x01C00002 (TCG EK Credential
/// Profile 2.5, §2.2.1.4), only the SHA-256 bank active.
#[derive(Debug, Clone)]
pub struct Pristine {
    folder: PathBuf,
}

impl Pristine {
    /// The cached TPM of this name, made when it is not there yet. Two names are two TPMs of two makers.
    ///
    /// # Errors
    /// When swtpm's tools are missing or fail, or the cache folder cannot be written.
    pub fn named(name: &str) -> Result<Self> {
        Self::in_cache(&crate::cache::folder(FORM), name)
    }

    fn in_cache(cache: &Path, name: &str) -> Result<Self> {
        let failed = |e: std::io::Error| {
            Error::host(format!("cache folder {}: {e}", cache.display()), "make room, or set XDG_CACHE_HOME")
        };
        fs::create_dir_all(cache).map_err(failed)?;
        let lock = File::create(cache.join(format!(".{name}.lock"))).map_err(failed)?;
        flock(&lock, FlockOperation::LockExclusive).map_err(|e| failed(e.into()))?;
        let folder = cache.join(name);
        if !folder.join(STATE).exists() || !folder.join(EK_ROOTS).exists() {
            let _ = fs::remove_dir_all(&folder);
            let half = tempfile::tempdir_in(cache).map_err(failed)?;
            make(half.path())?;
            fs::rename(half.path(), &folder).map_err(failed)?;
        }
        Ok(Self { folder })
    }

    /// Root and issuer certificates of this TPM's maker.
    pub fn ek_roots(&self) -> PathBuf {
        self.folder.join(EK_ROOTS)
    }

    /// A running copy, its files in `scratch`.
    ///
    /// # Errors
    /// When swtpm does not start.
    pub fn start(&self, scratch: &Scratch) -> Result<Tpm> {
        let state = scratch.join("tpm");
        let copied = fs::create_dir(&state)
            .and_then(|()| fs::copy(self.folder.join(STATE), state.join(STATE)))
            .and_then(|_| fs::copy(self.ek_roots(), scratch.join(EK_ROOTS)));
        copied
            .map_err(|e| Error::host(format!("the TPM's state cannot be copied: {e}"), "make room, or set TMPDIR"))?;
        Tpm::start(&state, scratch.join("tpm.sock"), scratch.join("tpm.log"))
    }
}

/// A running swtpm, waiting for QEMU at its control socket. It ends when QEMU closes the connection.
#[derive(Debug)]
pub struct Tpm {
    process: Process,
    pub socket: PathBuf,
}

impl Tpm {
    /// The TPM whose files lie in `scratch` since [`Pristine::start`], with what it remembers: as after a power cut.
    ///
    /// # Errors
    /// When swtpm does not start.
    pub fn resume(scratch: &Scratch) -> Result<Self> {
        let socket = scratch.join("tpm.sock");
        // swtpm leaves it behind when it is killed
        let _ = fs::remove_file(&socket);
        Self::start(&scratch.join("tpm"), socket, scratch.join("tpm.log"))
    }

    fn start(state: &Path, socket: PathBuf, log: PathBuf) -> Result<Self> {
        let mut command = Command::new("swtpm");
        command
            .args(["socket", "--tpm2", "--terminate", "--tpmstate"])
            .arg(format!("dir={}", state.display()))
            .arg("--ctrl")
            .arg(format!("type=unixio,path={}", socket.display()))
            .arg("--log")
            .arg(format!("file={},level=1", log.display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut process = Process::start("swtpm", PACKAGES, command)?;
        let deadline = Instant::now() + Duration::from_secs(10);
        let came = crate::interrupt::poll(deadline, Duration::from_millis(10), || {
            if process.ended().is_some() {
                return Err(Error::host(
                    "swtpm ended at once",
                    format!("its log says: {}", crate::text::last_lines(&log, 3)),
                ));
            }
            Ok(socket.exists().then_some(()))
        })?;
        came.ok_or_else(|| Error::host("swtpm did not open its socket within 10 s", ""))?;
        Ok(Self { process, socket })
    }

    pub fn stop(&mut self) {
        self.process.stop();
    }
}

/// Makes a TPM in `folder`: its state and `ek-roots.pem`.
fn make(folder: &Path) -> Result<()> {
    let work = Scratch::new()?;
    let conf = configuration(&work)?;
    let log = work.join("setup.log");
    let mut command = Command::new("swtpm_setup");
    command
        .args(["--tpm2", "--create-ek-cert", "--lock-nvram", "--pcr-banks", "sha256", "--overwrite"])
        .arg("--tpm-state")
        .arg(folder)
        .arg("--config")
        .arg(conf)
        .arg("--logfile")
        .arg(&log)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let status = Process::start("swtpm_setup", PACKAGES, command)?.finish(SETUP_PATIENCE)?;
    if !status.is_some_and(|s| s.success()) {
        let how = status.map_or("took longer than 120 s".to_string(), |s| s.to_string());
        return Err(Error::host(
            format!("swtpm_setup failed: {how}"),
            format!("install {PACKAGES} and gnutls-bin; its log says: {}", crate::text::last_lines(&log, 5)),
        ));
    }
    let failed = |e: std::io::Error| Error::host(format!("the TPM's certificates: {e}"), "");
    let root = fs::read(work.join("ca/swtpm-localca-rootca-cert.pem")).map_err(failed)?;
    let issuer = fs::read(work.join("ca/issuercert.pem")).map_err(failed)?;
    fs::write(folder.join(EK_ROOTS), [root, issuer].concat()).map_err(failed)
}

/// swtpm_setup.conf(5), swtpm-localca.conf(5) and its options, all of our own: nothing in /etc or the
/// user's home is read or changed.
fn configuration(work: &Scratch) -> Result<PathBuf> {
    let ca = work.join("ca");
    fs::create_dir(&ca).map_err(|e| Error::host(format!("{}: {e}", ca.display()), "make room, or set TMPDIR"))?;
    let at = ca.display();
    let localca = work.write(
        "localca.conf",
        format!(
            "statedir = {at}\nsigningkey = {at}/signkey.pem\nissuercert = {at}/issuercert.pem\ncertserial = {at}/certserial\n"
        )
        .as_bytes(),
    )?;
    let options = work
        .write("localca.options", b"--platform-manufacturer Vitrine\n--platform-version 1\n--platform-model QEMU\n")?;
    work.write(
        "setup.conf",
        format!(
            "create_certs_tool = {}\ncreate_certs_tool_config = {}\ncreate_certs_tool_options = {}\nactive_pcr_banks = sha256\n",
            program("swtpm_localca")?.display(),
            localca.display(),
            options.display()
        )
        .as_bytes(),
    )
}

/// Absolute path of a program in PATH.
fn program(name: &str) -> Result<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
        .chain([PathBuf::from("/usr/bin")])
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
        .ok_or_else(|| {
            Error::host(format!("{name} is not installed"), format!("install it: apt-get install {PACKAGES}"))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_once_and_copied_fresh() {
        if program("swtpm_setup").is_err() {
            eprintln!("skipped: swtpm-tools is not installed");
            return;
        }
        let cache = tempfile::tempdir().unwrap();
        let pristine = Pristine::in_cache(cache.path(), "a").unwrap();
        let state = fs::read(cache.path().join("a").join(STATE)).unwrap();
        let roots = fs::read_to_string(pristine.ek_roots()).unwrap();
        assert_eq!(roots.matches("BEGIN CERTIFICATE").count(), 2);
        assert!(!roots.contains("PRIVATE"));

        let scratch = Scratch::new().unwrap();
        let mut tpm = pristine.start(&scratch).unwrap();
        assert!(tpm.socket.exists() && scratch.join(EK_ROOTS).exists());
        tpm.stop();

        Pristine::in_cache(cache.path(), "a").unwrap();
        assert_eq!(fs::read(cache.path().join("a").join(STATE)).unwrap(), state, "it was made a second time");
        let other = Pristine::in_cache(cache.path(), "b").unwrap();
        assert_ne!(fs::read_to_string(other.ek_roots()).unwrap(), roots);
        let left: Vec<_> = fs::read_dir(cache.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left.len(), 4, "two TPMs and two locks, nothing half-made: {left:?}");
    }
}
