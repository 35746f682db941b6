//! swtpm and its own certificate authority, run through tpm2-tools.

use crate::host;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use vitrine_attest::{Error, Result};

/// Programs that have to be there, each with how it is asked.
const TOOLS: [&str; 3] = ["swtpm", "swtpm_setup", "tpm2_quote"];

/// Whether everything is installed that a TPM is made of.
pub fn installed() -> bool {
    let runs = |tool: &str| {
        let mut command = Command::new(tool);
        command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
    };
    TOOLS.iter().all(|tool| runs(tool))
}

/// The state of a TPM as it leaves its factory: seeds, an RSA EK at 0x81010001, its certificate in NV. Banks SHA-1 and
/// SHA-256. Each [`Swtpm`] starts from a copy, so that all of them are this one TPM, before any boot.
pub struct Factory {
    folder: TempDir,
}

impl Factory {
    /// Makes a new TPM, and a new authority that certifies it.
    pub fn new() -> Result<Self> {
        let folder = TempDir::new().map_err(host)?;
        let at = folder.path().display();
        let files = [
            (
                "localca.conf",
                format!(
                    "statedir = {at}\nsigningkey = {at}/signkey.pem\nissuercert = {at}/issuer.pem\n\
                     certserial = {at}/serial\n"
                ),
            ),
            (
                "localca.options",
                "--platform-manufacturer Nobody\n--platform-version 1\n--platform-model Kit\n".to_owned(),
            ),
            (
                "setup.conf",
                format!(
                    "create_certs_tool = /usr/bin/swtpm_localca\ncreate_certs_tool_config = {at}/localca.conf\n\
                     create_certs_tool_options = {at}/localca.options\nactive_pcr_banks = sha1,sha256\n"
                ),
            ),
        ];
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).map_err(host)?;
        }
        let output = Command::new("swtpm_setup")
            .args(["--tpm2", "--create-ek-cert", "--pcr-banks", "sha1,sha256"])
            .args(["--tpm-state", &at.to_string(), "--config", &format!("{at}/setup.conf")])
            .output()
            .map_err(host)?;
        if !output.status.success() {
            return Err(host(format!("swtpm_setup: {}", String::from_utf8_lossy(&output.stdout).trim())));
        }
        Ok(Self { folder })
    }

    /// The certificate of the authority that signed the EK's: PEM.
    pub fn issuer(&self) -> Result<Vec<u8>> {
        std::fs::read(self.folder.path().join("issuer.pem")).map_err(host)
    }
}

/// A running software TPM; it ends with this value.
pub struct Swtpm {
    child: Child,
    folder: TempDir,
    tcti: String,
}

impl Swtpm {
    pub fn start(factory: &Factory) -> Result<Self> {
        let folder = TempDir::new().map_err(host)?;
        let state = "tpm2-00.permall";
        std::fs::copy(factory.folder.path().join(state), folder.path().join(state)).map_err(host)?;
        let (child, tcti) = launch(folder.path())?;
        Ok(Self { child, folder, tcti })
    }

    /// Takes the power away without a word to the TPM, and gives it back.
    pub fn power_cut(&mut self) -> Result<()> {
        self.stop();
        (self.child, self.tcti) = launch(self.folder.path())?;
        Ok(())
    }

    /// Runs one of tpm2-tools in the scratch folder, then takes out the objects it left in the TPM's few places.
    pub fn run(&self, line: &str) -> Result<()> {
        self.run_only(line)?;
        self.run_only("tpm2_flushcontext -t")
    }

    /// The same, and lets what it made stay in the TPM.
    pub fn run_only(&self, line: &str) -> Result<()> {
        let mut words = line.split_whitespace();
        let output = Command::new(words.next().unwrap_or_default())
            .args(words)
            .current_dir(self.folder.path())
            .env("TPM2TOOLS_TCTI", &self.tcti)
            .output()
            .map_err(host)?;
        if output.status.success() {
            return Ok(());
        }
        Err(Error::host(format!("{line}: {}", String::from_utf8_lossy(&output.stderr).trim()), "see tpm2-tools"))
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn read(&self, name: &str) -> Result<Vec<u8>> {
        std::fs::read(self.path(name)).map_err(host)
    }

    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        std::fs::write(self.path(name), bytes).map_err(host)
    }

    fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Swtpm {
    fn drop(&mut self) {
        self.stop();
    }
}

fn launch(folder: &Path) -> Result<(Child, String)> {
    (0..20).find_map(|_| try_launch(folder)).ok_or_else(|| host("swtpm does not start"))
}

/// tpm2-tools take the port after the server's for its control channel; swtpm opens that one last.
fn try_launch(folder: &Path) -> Option<(Child, String)> {
    let server = TcpListener::bind("127.0.0.1:0").ok()?;
    let port = server.local_addr().ok()?.port();
    let control = TcpListener::bind(("127.0.0.1", port.checked_add(1)?)).ok()?;
    drop((server, control));
    let mut child = Command::new("swtpm")
        .args(["socket", "--tpm2", "--flags", "not-need-init,startup-clear", "--tpmstate"])
        .arg(format!("dir={}", folder.display()))
        .args(["--server", &format!("type=tcp,port={port}"), "--ctrl", &format!("type=tcp,port={}", port + 1)])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let deadline = Instant::now() + Duration::from_secs(30);
    while TcpStream::connect(("127.0.0.1", port + 1)).is_err() {
        if Instant::now() > deadline || child.try_wait().ok()?.is_some() {
            let _ = child.kill();
            let _ = child.wait();
            return None;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Some((child, format!("swtpm:host=127.0.0.1,port={port}")))
}
