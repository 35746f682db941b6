//! Evidence of one server, passed off as that of another.

use crate::images::Images;
use crate::machine::{boot, Judged};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use vitrine_attest::evidence::EVIDENCE_PATH;
use vitrine_qemu::boot::Options;

/// A server with a genuine image and another TPM answers with the evidence of the first one. The credential tells:
/// only the TPM whose certificate stands in the evidence could open it.
#[test]
fn evidence_of_another_server_is_refused() {
    let Some(images) = Images::find() else { return };
    let genuine = boot(&Options::new(images.exit(), images.secure_boot()));
    let mut options = Options::new(images.exit(), images.secure_boot());
    options.tpm = Some("other".into());
    let other = boot(&options);

    let relay = relay(address(&genuine.guest.url()), address(&other.guest.url()));
    let judged = Judged::check(&images, format!("http://{relay}"), genuine.guest.ek_roots(), &[]);
    assert_eq!((judged.outcome.exit_code, judged.report.keys.is_none()), (1, true));
    judged.assert_rejected(&["activation-refused"]);

    // The other server by itself: a TPM whose maker nobody vouches for
    let judged = Judged::check(&images, other.guest.url(), genuine.guest.ek_roots(), &[]);
    judged.assert_rejected(&["ek-chain-untrusted"]);
    Judged::check(&images, other.guest.url(), other.guest.ek_roots(), &[]).assert_accepted();
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
