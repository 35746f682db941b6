//! The world's name servers: root, top level domain, and zones; each an `nsd` of its own, as on the real Internet.

use std::net::UdpSocket;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use vitrine_qemu::process::Process;

/// Folder of zones, and where they are served.
const SERVERS: [(&str, &str); 3] = [("root", "198.51.100.1"), ("tld", "198.51.100.2"), ("zones", "198.51.100.3")];
/// A name server that never answers: zone `silent.vitrine.` lies there.
const SILENT: &str = "198.51.100.253";

/// Stops when dropped.
pub struct Names {
    _servers: Vec<Process>,
    _silent: UdpSocket,
    _work: tempfile::TempDir,
}

impl Names {
    /// To be called in the outside. `folder` is what `tools/test-zones.sh` left.
    pub fn start(folder: &Path) -> Self {
        let work = tempfile::tempdir().unwrap();
        let servers = SERVERS.map(|(name, address)| serve(&folder.join(name), address, &work.path().join(name)));
        for (_, address) in SERVERS {
            wait_for(address);
        }
        let silent = UdpSocket::bind((SILENT, 53)).unwrap();
        Self { _servers: servers.into(), _silent: silent, _work: work }
    }
}

fn serve(zones: &Path, address: &str, work: &Path) -> Process {
    std::fs::create_dir(work).unwrap();
    let work = work.display();
    let mut config = format!(
        "server:\n ip-address: {address}\n database: \"\"\n username: \"\"\n chroot: \"\"\n pidfile: \"\"\n zonesdir: \"{}\"\n \
         logfile: \"{work}/log\"\n xfrdfile: \"{work}/xfrd\"\n zonelistfile: \"{work}/list\"\n xfrdir: \"{work}\"\n \
         server-count: 1\nremote-control:\n control-enable: no\n",
        zones.display()
    );
    for entry in std::fs::read_dir(zones).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let zone = name.strip_suffix(".zone").unwrap_or_else(|| panic!("{name} is no zone"));
        let zone = if zone == "root" { "." } else { zone };
        config += &format!("zone:\n name: \"{zone}\"\n zonefile: \"{name}\"\n");
    }
    let file = format!("{work}/nsd.conf");
    std::fs::write(&file, config).unwrap();
    let mut command = Command::new("nsd");
    command.args(["-d", "-c", &file]).stdin(Stdio::null());
    Process::start("nsd", "nsd", command).unwrap()
}

fn wait_for(address: &str) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while super::run("kdig", &[&format!("@{address}"), "+timeout=1", "+retry=0", ".", "SOA"]).code != Some(0) {
        assert!(Instant::now() < deadline, "the name server at {address} does not answer");
    }
}
