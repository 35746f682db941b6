//! A witness behind somebody's proxy that speaks TLS, asked over `https://`.

use super::*;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use ureq::tls::{Certificate, RootCerts, TlsConfig};

/// Ends TLS for `localhost` and hands requests on, one for each connection; its address and its certificate.
fn proxy(to: &str) -> (String, rcgen::Certificate) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key.into()).unwrap();
    let (config, to) = (Arc::new(config), to.strip_prefix("http://").unwrap().to_owned());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            // a client that does not like the certificate goes away
            let _ = hand_on(stream.unwrap(), &config, &to);
        }
    });
    (url, made.cert)
}

fn hand_on(stream: TcpStream, config: &Arc<ServerConfig>, to: &str) -> std::io::Result<()> {
    let connection = ServerConnection::new(config.clone()).map_err(std::io::Error::other)?;
    let mut outside = StreamOwned::new(connection, stream);
    let mut inside = TcpStream::connect(to)?;
    inside.set_read_timeout(Some(Duration::from_millis(300)))?;
    let mut buffer = vec![0; 1 << 16];
    let mut request = vec![];
    let end = |request: &[u8]| {
        let text = String::from_utf8_lossy(request).to_lowercase();
        let (head, _) = text.split_once("\r\n\r\n")?;
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:"))?;
        Some(head.len() + 4 + length.trim().parse::<usize>().ok()?)
    };
    while end(&request).is_none_or(|end| request.len() < end) {
        let n = outside.read(&mut buffer)?;
        request.extend(&buffer[..n]);
        if n == 0 {
            return Ok(());
        }
    }
    inside.write_all(&request)?;
    while let Ok(n @ 1..) = inside.read(&mut buffer) {
        outside.write_all(&buffer[..n])?;
    }
    outside.conn.send_close_notify();
    outside.flush()
}

/// An agent that trusts this certificate alone.
fn trusting(certificate: &rcgen::Certificate) -> ureq::Agent {
    let root = Certificate::from_der(certificate.der()).to_owned();
    let tls = TlsConfig::builder().root_certs(RootCerts::from(vec![root])).build();
    ureq::Agent::config_builder().http_status_as_error(false).proxy(None).tls_config(tls).build().new_agent()
}

#[test]
fn behind_a_proxy_with_tls() {
    let (log, place) = (Log::new("a", 300), place());
    let running = place.serve();
    let (url, certificate) = proxy(&running.url);
    let witness = [WitnessAt { url, ..place.at(&running, 0) }];
    let begun = Instant::now();
    let strange = asked(&witness, &log, 9, PATIENT).remove(0);
    assert!(matches!(&strange, Err(Failure::Unreachable(why)) if why.contains("certificate")), "{strange:?}");
    assert!(begun.elapsed() < PATIENT / 2, "a certificate that does not hold is not waited for");
    assert_eq!(place.size(), None, "nothing was sent");

    let asked = asked_by(&trusting(&certificate), &witness, &log, 9, PATIENT).remove(0);
    assert!(asked.is_ok_and(|time| now() - time < 60));
    assert_eq!(place.size(), Some(9));
}
