//! Whom nothing is sent to.

use super::*;
use rcgen::KeyPair;

static OLD: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS12];

/// Names, dates and issuers prove nothing; the key does.
#[test]
fn any_certificate_of_the_attested_key() {
    let key = KeyPair::generate().unwrap();
    let expired = Identity::of(&key, |params| params.not_after = rcgen::date_time_ymd(2001, 1, 1));
    let named = Identity::of(&key, |params| params.subject_alt_names.clear());
    for shown in [expired, named] {
        let here = Here::with(&shown.clone(), shown);
        ends(&here.fetch("/", ""), 0, "ACCEPTED");
    }
}

#[test]
fn another_key_with_the_same_names() {
    let here = Here::with(&Identity::new(), Identity::new());
    let output = here.fetch("/secret", "-H Authorization:secret");
    ends(&output, 1, "shows another TLS key than the one that the server's TPM has vouched for");
    assert_eq!(out(&output), "");
    assert_eq!(here.gateway.connections.load(SeqCst), 1);
    here.nothing_was_sent();
}

#[test]
fn the_right_certificate_without_its_key() {
    let attested = Identity::new();
    let here = Here::with(&attested, attested.stolen());
    ends(&here.fetch("/secret", ""), 1, "shows the attested TLS key and does not hold it");
    here.nothing_was_sent();
}

#[test]
fn what_is_not_accepted_sees_no_connection() {
    let here = Here::new();
    let no_roots = here.fetch("/", "").status.code();
    assert_eq!(no_roots, Some(0));
    let before = here.gateway.connections.load(SeqCst);
    here.served.inside.lock().unwrap().scene.measure(12, "EVIL=1");
    let output = here.fetch("/", "-o file");
    ends(&output, 1, "REJECTED");
    assert_eq!(out(&output), "");
    let output = here.fetch("/", "--json");
    let report: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!((report["verdict"].as_str(), output.status.code()), (Some("rejected"), Some(1)));
    let line = format!("fetch https://{}/ --server http://127.0.0.1:9 {TRUST}", here.gateway.address);
    ends(&here.command(&line).output().unwrap(), 2, "http://127.0.0.1:9 cannot be asked");
    let stranger = Here::new();
    let line = format!("fetch https://{}/ --server {} {TRUST}", here.gateway.address, stranger.served.url);
    ends(&here.command(&line).output().unwrap(), 1, "REJECTED");
    assert_eq!(here.gateway.connections.load(SeqCst), before, "somebody connected");
    assert!(!here.person.path("file").exists());
}

#[test]
fn without_roots_nothing_is_judged() {
    let here = Here::new();
    let line =
        format!("fetch https://{}/ --server {} --statement statement --key key", here.gateway.address, here.served.url);
    ends(&here.command(&line).output().unwrap(), 2, "COULD NOT JUDGE; V03 skipped");
    assert_eq!(here.gateway.connections.load(SeqCst), 0);
    ends(&here.command(&format!("{line} --accept-level L1")).output().unwrap(), 0, "at level L1 only, as asked");
}

#[test]
fn older_tls_and_no_tls() {
    let identity = Identity::new().only(OLD);
    let here = Here::with(&identity.clone(), identity);
    ends(&here.fetch("/", ""), 2, "cannot be reached over TLS 1.3");
    here.nothing_was_sent();
    // the evidence's own port speaks plain HTTP
    let plain = here.served.url.replace("http:", "https:");
    let line = format!("fetch {plain}/ --server {} {TRUST}", here.served.url);
    ends(&here.command(&line).output().unwrap(), 2, "cannot be reached over TLS 1.3");
    let line = format!("fetch https://127.0.0.1:9/ --server {} {TRUST}", here.served.url);
    ends(&here.command(&line).output().unwrap(), 2, "https://127.0.0.1:9 cannot be reached");
}

/// Another library's TLS: OpenSSL as the gateway, with the attested key and then with another.
#[test]
fn openssl_as_the_gateway() {
    if Command::new("openssl").arg("version").output().is_err() {
        eprintln!("skipped: there is no openssl here");
        return;
    }
    let (key, here) = (KeyPair::generate().unwrap(), Here::new());
    std::fs::write(here.person.path("tls.key"), key.serialize_pem()).unwrap();
    let certificate = rcgen::CertificateParams::default().self_signed(&key).unwrap();
    std::fs::write(here.person.path("tls.pem"), certificate.pem()).unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut server = Command::new("openssl")
        .args(["s_server", "-www", "-quiet", "-cert", "tls.pem", "-key", "tls.key", "-accept", &port.to_string()])
        .current_dir(here.person.path(""))
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(server.try_wait().unwrap().is_none(), "openssl has ended");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let line = format!("fetch https://localhost:{port}/ --server {} {TRUST}", here.served.url);
    let other = here.command(&line).output().unwrap();
    here.served.inside.lock().unwrap().scene.record.keys.tls_spki = server::spki(&key);
    let right = here.command(&format!("{line} --no-state")).output().unwrap();
    server.kill().unwrap();
    server.wait().unwrap();
    ends(&other, 1, "shows another TLS key");
    ends(&right, 0, "ACCEPTED");
    assert!(out(&right).contains("Protocol  : TLSv1.3"), "{}", out(&right));
}
