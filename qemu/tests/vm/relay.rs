//! Evidence of one server, passed off as that of another.

use crate::images::Images;
use crate::machine::{boot, two_machines, Judged, Running};
use crate::user::{order, MOMENT};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;
use vitrine_attest::evidence::EVIDENCE_PATH;
use vitrine_qemu::boot::Options;
use vitrine_qemu::verify::Verifier;
use vitrine_qemu::wireguard::{ClientKey, Tunnel};

/// A server with a genuine image and another TPM answers with the evidence of the first one. The credential tells:
/// only the TPM whose certificate stands in the evidence could open it.
#[test]
fn evidence_of_another_server_is_refused() {
    let Some(images) = Images::find() else { return };
    let _both = two_machines();
    let [genuine, other] = pair(&images);

    let relay = relay(address(&genuine.guest.url()), address(&other.guest.url()));
    let judged = Judged::check(&images, format!("http://{relay}"), genuine.guest.ek_roots(), &[]);
    assert_eq!((judged.outcome.exit_code, judged.report.keys.is_none()), (1, true));
    judged.assert_rejected(&["activation-refused"]);

    // The other server by itself: a TPM whose maker nobody vouches for
    let judged = Judged::check(&images, other.guest.url(), genuine.guest.ek_roots(), &[]);
    judged.assert_rejected(&["ek-chain-untrusted"]);
    Judged::check(&images, other.guest.url(), other.guest.ek_roots(), &[]).assert_accepted();
}

/// The same image with TPMs of two makers.
fn pair(images: &Images) -> [Running; 2] {
    let mut options = Options::new(images.exit(), images.secure_boot());
    let first = boot(&options);
    options.tpm = Some("other".into());
    [first, boot(&options)]
}

fn address(url: &str) -> SocketAddr {
    url.strip_prefix("http://").unwrap().parse().unwrap()
}

/// Sends evidence requests to one server and everything else to the other.
fn relay(evidence: SocketAddr, rest: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            thread::spawn(move || pass(client, evidence, rest));
        }
    });
    address
}

fn pass(mut client: TcpStream, evidence: SocketAddr, rest: SocketAddr) -> std::io::Result<()> {
    let mut head = vec![0; 1024];
    let length = client.read(&mut head)?;
    let wanted = format!("POST {EVIDENCE_PATH} ");
    let target = if head[..length].starts_with(wanted.as_bytes()) { evidence } else { rest };
    let mut server = TcpStream::connect(target)?;
    server.write_all(&head[..length])?;
    let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || std::io::copy(&mut from_client, &mut to_server));
    std::io::copy(&mut server, &mut client)?;
    client.shutdown(std::net::Shutdown::Both)
}

/// How long a handshake that must not happen is tried, once a second.
const IN_VAIN: Duration = Duration::from_secs(20);
const USER: &str = "10.66.0.2/32,fd66::2/128";

/// Two genuine servers, both makers trusted, the user known to both. Somebody in between shows the user the evidence of
/// one and moves the tunnel's packets to the other. The verdict is "accepted", and honest: no verifier can see a relay.
/// The tunnel does: the key in its configuration is the first server's, and the second cannot answer for it.
#[test]
fn a_relay_cannot_take_over_the_tunnel() {
    let Some(images) = Images::find() else { return };
    let _both = two_machines();
    let [shown, other] = pair(&images);
    let folder = tempfile::tempdir().unwrap();
    let roots = both_roots(folder.path(), [&shown, &other]);
    Judged::check(&images, other.guest.url(), roots.clone(), &[]).assert_accepted();

    let shown_agent = address(&shown.guest.url());
    let web = format!("http://{}", relay(shown_agent, shown_agent));
    let wire = Wire::start(other.guest.wireguard());
    let judged = Judged::check(&images, web.as_str(), roots.clone(), &[]);
    judged.assert_accepted();
    let config = configure(&images, &web, wire.address, &roots, &folder.path().join("user.conf"));
    let key = ClientKey::of(config["PrivateKey"].parse().unwrap());
    for server in [&shown, &other] {
        let peer = key.public().to_string();
        order(&images, "exit", &server.guest, &roots, &["add", "--peer", &peer, "--allowed-ips", USER]);
    }
    let shake = |server: &str, patience| {
        let endpoint = config["Endpoint"].parse().unwrap();
        Tunnel::new(&key, server.parse().unwrap(), endpoint).unwrap().handshake(patience)
    };

    // Nothing comes back from the wrong machine, though all that was sent arrived there
    assert!(shake(&config["PublicKey"], IN_VAIN).is_err(), "the wrong machine completed a handshake");
    let (there, back) = wire.counts();
    assert!(there >= 5 && back == 0, "{there} packets there, {back} back");
    // The same configuration, when the packets go where the evidence came from
    wire.point(shown.guest.wireguard());
    shake(&config["PublicKey"], MOMENT).unwrap();
    assert!(wire.counts().1 > 0);
    // The wrong machine was there all the time, and knows the user: it answers who asks for its own key
    wire.point(other.guest.wireguard());
    let own = Judged::check(&images, other.guest.url(), roots, &[]).report.keys.unwrap().wireguard;
    assert_ne!(own.to_string(), config["PublicKey"]);
    shake(&own.to_string(), MOMENT).unwrap();
}

/// Who trusts the makers of both TPMs.
fn both_roots(folder: &Path, servers: [&Running; 2]) -> PathBuf {
    let file = folder.join("roots.pem");
    let roots = servers.map(|server| std::fs::read(server.guest.ek_roots()).unwrap());
    assert_ne!(roots[0], roots[1], "the TPMs are of one maker");
    std::fs::write(&file, roots.concat()).unwrap();
    file
}

/// What `vitrine-verify wg-config` writes for the user, key by key.
fn configure(images: &Images, url: &str, endpoint: SocketAddr, roots: &Path, out: &Path) -> BTreeMap<String, String> {
    let statement = images.path("exit/release.dsse.json").display().to_string();
    let (key, roots) = (images.path("keys/release.pub").display().to_string(), roots.display().to_string());
    let (endpoint, file) = (endpoint.to_string(), out.display().to_string());
    let words = ["wg-config", "--server", url, "--statement", &statement, "--key", &key, "--ek-roots", &roots];
    let more = ["--generate", "--address", USER, "--endpoint", &endpoint, "--out", &file];
    let outcome = Verifier::find().unwrap().run([&words[..], &more].concat()).unwrap();
    assert_eq!(outcome.exit_code, 0, "{outcome:?}");
    let text = std::fs::read_to_string(out).unwrap();
    let pairs = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(" = "));
    pairs.map(|(key, value)| (key.to_string(), value.to_string())).collect()
}

/// Moves UDP packets between the one who sends here and a server, and counts them.
struct Wire {
    address: SocketAddr,
    server: Arc<Mutex<SocketAddr>>,
    counts: Arc<[AtomicUsize; 2]>,
}

impl Wire {
    fn start(server: SocketAddr) -> Self {
        let inside = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = inside.local_addr().unwrap();
        let wire = Self { address, server: Arc::new(Mutex::new(server)), counts: Arc::default() };
        let (server, counts) = (Arc::clone(&wire.server), Arc::clone(&wire.counts));
        thread::spawn(move || carry(&inside, &server, &counts));
        wire
    }

    fn point(&self, server: SocketAddr) {
        *self.server.lock().unwrap() = server;
    }

    /// There and back.
    fn counts(&self) -> (usize, usize) {
        (self.counts[0].load(Ordering::SeqCst), self.counts[1].load(Ordering::SeqCst))
    }
}

/// For each new port of the user one of ours, as a router does.
fn carry(inside: &UdpSocket, server: &Mutex<SocketAddr>, counts: &Arc<[AtomicUsize; 2]>) {
    let mut users: BTreeMap<SocketAddr, UdpSocket> = BTreeMap::new();
    let mut packet = [0; 4096];
    while let Ok((length, user)) = inside.recv_from(&mut packet) {
        let outside = users.entry(user).or_insert_with(|| {
            let outside = UdpSocket::bind("127.0.0.1:0").unwrap();
            let (from, to, counts) = (outside.try_clone().unwrap(), inside.try_clone().unwrap(), Arc::clone(counts));
            thread::spawn(move || bring_back(&from, &to, user, &counts[1]));
            outside
        });
        let target = *server.lock().unwrap();
        if outside.send_to(&packet[..length], target).is_ok() {
            counts[0].fetch_add(1, Ordering::SeqCst);
        }
    }
}

fn bring_back(from: &UdpSocket, to: &UdpSocket, user: SocketAddr, count: &AtomicUsize) {
    let mut packet = [0; 4096];
    while let Ok((length, _)) = from.recv_from(&mut packet) {
        count.fetch_add(1, Ordering::SeqCst);
        let _ = to.send_to(&packet[..length], user);
    }
}
