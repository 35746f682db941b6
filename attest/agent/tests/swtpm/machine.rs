//! One TPM in software: made once with an EK certificate of a local CA, copied fresh for each test.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

/// A running swtpm. Stopped, and its folder removed, when dropped.
pub struct Machine {
    pub folder: PathBuf,
    pub tcti: String,
    process: Mutex<Child>,
}

impl Machine {
    /// `None`: swtpm is not installed, and that is allowed here.
    pub fn start() -> Option<Self> {
        let pristine = pristine()?;
        let folder = unique("machine");
        fs::copy(pristine.join("tpm2-00.permall"), folder.join("tpm2-00.permall")).unwrap();
        let port = free_ports();
        let process = Command::new("swtpm")
            .args(["socket", "--tpm2", "--flags", "not-need-init,startup-clear"])
            .arg("--tpmstate")
            .arg(format!("dir={}", folder.display()))
            .args(["--server", &format!("type=tcp,port={port},bindaddr=127.0.0.1")])
            .args(["--ctrl", &format!("type=tcp,port={},bindaddr=127.0.0.1", port + 1)])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let machine = Self { folder, tcti: format!("swtpm:host=127.0.0.1,port={port}"), process: Mutex::new(process) };
        // the control port opens last, and takes clients without occupying the TPM
        for _ in 0..500 {
            if TcpStream::connect(("127.0.0.1", port + 1)).is_ok() {
                return Some(machine);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("swtpm does not listen");
    }

    /// The same TPM, whose every answer comes this much later, as those of a chip do.
    pub fn slowed(mut self, pause: Duration) -> Self {
        let port: u16 = self.tcti.rsplit_once('=').unwrap().1.parse().unwrap();
        let before = free_ports();
        relay(before, port, pause);
        // of the control port
        relay(before + 1, port + 1, Duration::ZERO);
        self.tcti = format!("swtpm:host=127.0.0.1,port={before}");
        self
    }

    pub fn stop(&self) {
        let mut process = self.process.lock().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }

    pub fn signal(&self, name: &str) {
        let id = self.process.lock().unwrap().id().to_string();
        tool("kill", &[&format!("-{name}"), &id]).unwrap();
    }

    /// Writes a file for a tool to read; gives its path.
    pub fn file(&self, name: &str, content: &[u8]) -> String {
        let path = self.folder.join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    pub fn put_nv(&self, index: u32, content: &[u8]) {
        let (index, size) = (format!("{index:#x}"), content.len().to_string());
        let attributes = "ownerwrite|authwrite|ownerread|authread|ppread";
        tool("tpm2_nvdefine", &["-T", &self.tcti, "-C", "o", "-s", &size, "-a", attributes, &index]).unwrap();
        let file = self.file("nv", content);
        tool("tpm2_nvwrite", &["-T", &self.tcti, "-C", "o", "-i", &file, &index]).unwrap();
    }

    pub fn clear_nv(&self, index: u32) {
        tool("tpm2_nvundefine", &["-T", &self.tcti, "-C", "p", &format!("{index:#x}")]).unwrap();
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let process = self.process.get_mut().unwrap();
        let _ = process.kill();
        let _ = process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Runs a program to its end; its words are the error.
pub fn tool(name: &str, arguments: &[&str]) -> Result<(), String> {
    let output =
        Command::new(name).args(arguments).stdin(Stdio::null()).output().map_err(|e| format!("{name}: {e}"))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(format!("{name} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr)))
    }
}

/// A TCP port that is free together with the one after it, as swtpm's TCTI wants them.
pub fn free_ports() -> u16 {
    // below the range from which the kernel takes ports for outgoing connections
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let step = NEXT.fetch_add(2, Ordering::SeqCst);
        let port = u16::try_from(20_000 + (std::process::id() * 64 + step) % 12_000).unwrap() & !1;
        if [port, port + 1].iter().all(|&port| TcpListener::bind(("::", port)).is_ok()) {
            return port;
        }
    }
}

/// Passes on whatever comes to `port`, and what comes back `pause` later.
fn relay(port: u16, to: u16, pause: Duration) {
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let server = TcpStream::connect(("127.0.0.1", to)).unwrap();
            let (from_client, to_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            std::thread::spawn(move || pass(from_client, to_server, Duration::ZERO));
            std::thread::spawn(move || pass(server, client, pause));
        }
    });
}

fn pass(mut from: TcpStream, mut to: TcpStream, pause: Duration) {
    let mut bytes = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        std::thread::sleep(pause);
        if to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

fn unique(name: &str) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::SeqCst);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}-{count}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// State of a TPM that left the factory: RSA EK with a certificate of a CA made on the spot.
fn pristine() -> Option<&'static Path> {
    static PRISTINE: OnceLock<Option<PathBuf>> = OnceLock::new();
    PRISTINE.get_or_init(manufacture).as_deref()
}

fn manufacture() -> Option<PathBuf> {
    if let Err(problem) = tool("swtpm", &["socket", "--tpm2", "--print-capabilities"]) {
        assert!(std::env::var_os("CI").is_none(), "{problem}");
        eprintln!("skipped: swtpm is not installed (apt install swtpm swtpm-tools tpm2-tools)");
        return None;
    }
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pristine");
    if kept.join("tpm2-00.permall").exists() {
        return Some(kept);
    }
    let folder = unique("factory");
    let path = |name: &str| folder.join(name).display().to_string();
    fs::create_dir(folder.join("ca")).unwrap();
    let ca = format!(
        "statedir = {0}\nsigningkey = {0}/signkey.pem\nissuercert = {0}/issuercert.pem\ncertserial = {0}/certserial\n",
        path("ca")
    );
    fs::write(folder.join("ca.conf"), ca).unwrap();
    let options = "--platform-manufacturer Vitrine\n--platform-version 1\n--platform-model test\n";
    fs::write(folder.join("ca.options"), options).unwrap();
    let setup = format!(
        "create_certs_tool = swtpm_localca\ncreate_certs_tool_config = {}\ncreate_certs_tool_options = {}\n\
         active_pcr_banks = sha256\n",
        path("ca.conf"),
        path("ca.options")
    );
    fs::write(folder.join("setup.conf"), setup).unwrap();
    let (state, config) = (path(""), path("setup.conf"));
    let mut arguments = vec!["--tpm2", "--tpmstate", &state, "--create-ek-cert", "--config", &config];
    if fs::metadata(&folder).unwrap().uid() == 0 {
        // as root it would change to a user who may not write here
        arguments.extend(["--runas", "root"]);
    }
    tool("swtpm_setup", &arguments).unwrap();
    // another run may have been faster; then its state is as good
    if fs::rename(&folder, &kept).is_err() {
        let _ = fs::remove_dir_all(&folder);
    }
    Some(kept)
}
