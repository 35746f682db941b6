//! Zones signed with NSEC3 by ldns and served by nsd: other programs than hickory judge what is sent.

use super::{host, network, AUTHORITIES};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A root on .1 with NSEC as the real one, `org.` on .2 with Opt-Out, `example.org.` and `tampered.org.` on .3, unsigned `plain.org.` on .4.
pub struct Nsec3World {
    pub network: [u8; 3],
    /// The root's key.
    pub anchor: String,
    servers: Vec<Child>,
    // last: the servers' files
    _folder: tempfile::TempDir,
}

impl Nsec3World {
    pub fn start() -> Self {
        let network = network();
        let folder = tempfile::tempdir().unwrap();
        let anchor = write_zones(folder.path(), network);
        let zones =
            [(1, vec!["."]), (2, vec!["org."]), (3, vec!["example.org.", "tampered.org."]), (4, vec!["plain.org."])];
        let servers = zones.iter().map(|(number, names)| serve(folder.path(), host(network, *number), names)).collect();
        Self { network, anchor, servers, _folder: folder }
    }

    pub fn host(&self, number: u8) -> Ipv4Addr {
        host(self.network, number)
    }
}

impl Drop for Nsec3World {
    fn drop(&mut self) {
        for server in &mut self.servers {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

fn head(address: Ipv4Addr) -> String {
    format!("$TTL 300\n@ SOA ns hostmaster 1 3600 600 864000 30\n@ NS ns\nns A {address}\n")
}

fn delegate(name: &str, address: Ipv4Addr) -> String {
    format!("{name} NS ns.{name}\nns.{name} A {address}\n")
}

/// The root's key, as the configuration has trust anchors.
fn write_zones(folder: &Path, network: [u8; 3]) -> String {
    let at = |number| host(network, number);
    let names = "www A 192.0.2.1\nalias CNAME www\n*.wild A 192.0.2.5\nleaf.empty A 192.0.2.6\n";
    let example = sign(folder, "example.org.", &(head(at(3)) + names), &["-n"]);
    let tampered = sign(folder, "tampered.org.", &(head(at(3)) + "www A 192.0.2.8\ngood A 192.0.2.9\n"), &["-n"]);
    let file = folder.join("tampered.org.");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("192.0.2.8"));
    std::fs::write(&file, text.replace("192.0.2.8", "192.0.2.66")).unwrap();
    std::fs::write(folder.join("plain.org."), head(at(4)) + "www A 192.0.2.7\n").unwrap();
    let org = head(at(2))
        + &delegate("example", at(3))
        + &delegate("tampered", at(3))
        + &delegate("plain", at(4))
        + &example.ds
        + &tampered.ds;
    let org = sign(folder, "org.", &org, &["-n", "-p"]);
    sign(folder, ".", &(head(at(1)) + &delegate("org", at(2)) + &org.ds), &[]).anchor
}

struct Signed {
    ds: String,
    anchor: String,
}

/// Writes the zone's file, signed with a new key.
fn sign(folder: &Path, name: &str, text: &str, options: &[&str]) -> Signed {
    let unsigned = folder.join("unsigned");
    std::fs::write(&unsigned, text).unwrap();
    let output = |command: &mut Command| {
        let output = command.current_dir(folder).output().expect("ldns-keygen, ldns-signzone: apt install ldnsutils");
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let keygen = ["-r", "/dev/urandom", "-a", "ECDSAP256SHA256", "-k", name];
    let key = output(Command::new("ldns-keygen").args(keygen));
    let zone = if name == "." { "root".into() } else { folder.join(name) };
    output(Command::new("ldns-signzone").args(options).args(["-o", name, "-f"]).arg(zone).arg(&unsigned).arg(&key));
    let read = |suffix| std::fs::read_to_string(folder.join(format!("{key}.{suffix}"))).unwrap();
    let (ds, public) = (read("ds"), read("key"));
    // <name> [<ttl>] IN DNSKEY <flags> <protocol> <algorithm> <base64> ;…
    let (_, fields) = public.split_once("DNSKEY").unwrap();
    Signed { ds, anchor: fields.split(';').next().unwrap().trim().to_owned() }
}

fn serve(folder: &Path, address: Ipv4Addr, zones: &[&str]) -> Child {
    let folder_text = folder.display();
    let mut config = format!(
        "server:\n ip-address: {address}@{AUTHORITIES}\n server-count: 1\n username: \"\"\n chroot: \"\"\n \
         zonesdir: \"{folder_text}\"\n pidfile: \"{folder_text}/{address}.pid\"\n xfrdfile: \"{folder_text}/{address}.x\"\n \
         zonelistfile: \"{folder_text}/{address}.l\"\n database: \"\"\n logfile: /dev/null\n \
         rrl-ratelimit: 0\nremote-control:\n control-enable: no\n"
    );
    for zone in zones {
        let file = if *zone == "." { "root" } else { zone };
        config += &format!("zone:\n name: \"{zone}\"\n zonefile: \"{file}\"\n");
    }
    let path = folder.join(format!("{address}.conf"));
    std::fs::write(&path, config).unwrap();
    let path_env = format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default());
    let mut nsd = Command::new("nsd");
    nsd.env("PATH", path_env).arg("-d").arg("-c").arg(path).stdout(Stdio::null()).stderr(Stdio::null());
    let child = nsd.spawn().expect("nsd: apt install nsd");
    let listens = || TcpStream::connect(SocketAddr::new(address.into(), AUTHORITIES)).is_ok();
    let waited = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(50));
        listens()
    });
    assert!(waited, "nsd does not answer on {address}");
    child
}
