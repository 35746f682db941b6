//! A DNSCrypt resolver by somebody else: Debian's dnsdist, in front of a plain one.

use std::fmt::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use vitrine_attest::config::{ForwardProtocol, ForwardServer};

pub const PROVIDER: &str = "2.dnscrypt-cert.example";

/// A certificate to make: its system (1 or 2), its serial, and the seconds from now at which it begins and ends.
pub type Wanted = (u8, u32, i64, i64);
/// One that is valid.
pub const GOOD: &[Wanted] = &[(1, 1, -60, 3600)];

/// Ends when dropped.
pub struct Dnsdist {
    pub address: SocketAddr,
    /// The provider's public key.
    pub key: [u8; 32],
    process: Child,
    _folder: tempfile::TempDir,
}

impl Dnsdist {
    /// `None`, with a word about it, where there is no dnsdist; CI has to have it.
    pub fn start(address: SocketAddr, to: SocketAddr, certificates: &[Wanted]) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("dnsdist.conf");
        std::fs::write(&config, lua(folder.path(), address, to, certificates)).unwrap();
        let mut command = Command::new("dnsdist");
        command.args(["--supervised", "--disable-syslog", "--config"]).arg(&config);
        let Ok(process) = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn() else {
            assert!(std::env::var_os("CI").is_none(), "CI has to have dnsdist");
            eprintln!("skipped: dnsdist is not installed (tools/deps.sh installs it)");
            return None;
        };
        let mut this = Self { address, key: [0; 32], process, _folder: folder };
        for _ in 0..200 {
            if TcpStream::connect(address).is_ok() {
                let key = std::fs::read(this._folder.path().join("provider.pub")).unwrap();
                this.key = key.try_into().unwrap();
                return Some(this);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("dnsdist does not listen");
    }

    /// How a configuration names it, asked at `address`.
    pub fn server(&self, address: SocketAddr) -> ForwardServer {
        let (protocol, name, key) = (ForwardProtocol::DnsCrypt, PROVIDER.to_owned(), Some(self.key.into()));
        ForwardServer { protocol, address, name, trust: None, key }
    }
}

impl Drop for Dnsdist {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn lua(folder: &Path, address: SocketAddr, to: SocketAddr, certificates: &[Wanted]) -> String {
    let file = |name: &str| format!("{:?}", folder.join(name));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64;
    let mut text = format!("setACL('127.0.0.0/8')\nnewServer{{address='{to}'}}:setUp()\n");
    writeln!(text, "generateDNSCryptProviderKeys({}, {})", file("provider.pub"), file("provider.key")).unwrap();
    for (n, (system, serial, from, until)) in certificates.iter().enumerate() {
        let (provider, cert, key) = (file("provider.key"), file(&format!("{n}.cert")), file(&format!("{n}.key")));
        let (from, until) = (now + from, now + until);
        writeln!(
            text,
            "generateDNSCryptCertificate({provider}, {cert}, {key}, {serial}, {from}, {until}, \
             DNSCryptExchangeVersion.VERSION{system})"
        )
        .unwrap();
    }
    let list = |kind: &str| {
        let names: Vec<String> = (0..certificates.len()).map(|n| file(&format!("{n}.{kind}"))).collect();
        names.join(", ")
    };
    let (certs, keys) = (list("cert"), list("key"));
    writeln!(text, "addDNSCryptBind('{address}', '{PROVIDER}', {{{certs}}}, {{{keys}}})").unwrap();
    text
}
