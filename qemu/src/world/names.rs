//! The world's name servers: root, top level domain, and zones; each an `nsd` of its own, as on the real Internet.

use crate::process::Process;
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use vitrine_attest::{Error, Result};

/// Folder of zones, and where they are served.
const SERVERS: [(&str, &str); 3] = [("root", "198.51.100.1"), ("tld", "198.51.100.2"), ("zones", "198.51.100.3")];
/// The Internet's root servers (<https://www.iana.org/domains/root/servers>): whoever asks them here gets answers of our
/// root, whose signatures are not theirs.
#[rustfmt::skip]
pub const IANA_ROOTS: [&str; 26] = [
    "198.41.0.4", "170.247.170.2", "192.33.4.12", "199.7.91.13", "192.203.230.10", "192.5.5.241", "192.112.36.4",
    "198.97.190.53", "192.36.148.17", "192.58.128.30", "193.0.14.129", "199.7.83.42", "202.12.27.33",
    "2001:503:ba3e::2:30", "2801:1b8:10::b", "2001:500:2::c", "2001:500:2d::d", "2001:500:a8::e", "2001:500:2f::f",
    "2001:500:12::d0d", "2001:500:1::53", "2001:7fe::53", "2001:503:c27::2:30", "2001:7fd::1", "2001:500:9f::42",
    "2001:dc3::35",
];
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
    ///
    /// # Errors
    /// When the zones are not there, or `nsd` does not start.
    pub fn start(folder: &Path) -> Result<Self> {
        let work = tempfile::tempdir().map_err(|e| failed(folder, &e))?;
        let roots: String = IANA_ROOTS.iter().map(|root| format!("addr add {root} dev lo\n")).collect();
        super::tools::ip(&roots)?;
        let mut servers = Vec::new();
        for (name, address) in SERVERS {
            let mut addresses = vec![address];
            if name == "root" {
                addresses.extend(IANA_ROOTS);
            }
            servers.push(serve(&folder.join(name), &addresses, &work.path().join(name))?);
        }
        for (_, address) in SERVERS {
            wait_for(address)?;
        }
        let silent = UdpSocket::bind((SILENT, 53)).map_err(|e| failed(folder, &e))?;
        Ok(Self { _servers: servers, _silent: silent, _work: work })
    }
}

fn failed(folder: &Path, e: &std::io::Error) -> Error {
    Error::host(format!("name servers of {}: {e}", folder.display()), "make the zones: tools/test-zones.sh DIR")
}

fn serve(zones: &Path, addresses: &[&str], work: &Path) -> Result<Process> {
    std::fs::create_dir(work).map_err(|e| failed(zones, &e))?;
    let work = work.display();
    let addresses: String = addresses.iter().map(|address| format!(" ip-address: {address}\n")).collect();
    let mut config = format!(
        "server:\n{addresses} database: \"\"\n username: \"\"\n chroot: \"\"\n pidfile: \"\"\n zonesdir: \"{}\"\n \
         logfile: \"{work}/log\"\n xfrdfile: \"{work}/xfrd\"\n zonelistfile: \"{work}/list\"\n xfrdir: \"{work}\"\n \
         server-count: 1\nremote-control:\n control-enable: no\n",
        zones.display()
    );
    for entry in std::fs::read_dir(zones).map_err(|e| failed(zones, &e))? {
        let name = entry.map_err(|e| failed(zones, &e))?.file_name().to_string_lossy().into_owned();
        let zone = name.strip_suffix(".zone").ok_or_else(|| failed(zones, &std::io::Error::other(name.as_str())))?;
        let zone = if zone == "root" { "." } else { zone };
        config += &format!("zone:\n name: \"{zone}\"\n zonefile: \"{name}\"\n");
    }
    let file = format!("{work}/nsd.conf");
    std::fs::write(&file, config).map_err(|e| failed(zones, &e))?;
    let mut command = Command::new("nsd");
    command.args(["-d", "-c", &file]).stdin(Stdio::null());
    Process::start("nsd", "nsd", command)
}

fn wait_for(address: &str) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(20);
    while super::run("kdig", &[&format!("@{address}"), "+timeout=1", "+retry=0", ".", "SOA"]).code != Some(0) {
        crate::interrupt::check()?;
        if Instant::now() >= deadline {
            return Err(Error::host(
                format!("the name server at {address} does not answer"),
                "install nsd and knot-dnsutils; the zones come from tools/test-zones.sh",
            ));
        }
    }
    Ok(())
}
