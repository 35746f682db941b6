//! What is answered and what is refused, over every transport.
#![allow(clippy::disallowed_macros)]
mod common;

use base64::prelude::{Engine as _, BASE64_URL_SAFE_NO_PAD};
use common::client::{addresses, ede, plain_question, question, receive, send};
use common::world::World;
use common::{recursive, tls, Running};
use hickory_proto::op::{Message, OpCode, Query, ResponseCode};
use hickory_proto::rr::{DNSClass, RData, RecordType};
use std::io::{Read, Write};
use std::time::Duration;

struct Setup {
    // dropped in this order: the resolver first
    resolver: Running,
    _world: World,
}

fn setup() -> Setup {
    let world = World::start();
    let resolver = Running::start(world.host(53), recursive(&world));
    Setup { resolver, _world: world }
}

#[test]
fn refusals() {
    let Setup { resolver, .. } = &setup();
    for kind in [RecordType::AXFR, RecordType::IXFR, RecordType::from(250), RecordType::from(0)] {
        let answer = resolver.ask("example.org.", kind);
        assert_eq!(answer.metadata.response_code, ResponseCode::Refused, "{kind}");
    }
    let mut chaos = question("version.bind.", RecordType::TXT);
    chaos.queries[0].query_class = DNSClass::CH;
    assert_eq!(resolver.udp(&chaos).metadata.response_code, ResponseCode::Refused);
    // what others have asked for is nobody's business
    assert_eq!(addresses(&resolver.ask("www.example.org.", RecordType::A)).len(), 1);
    let mut snoop = question("www.example.org.", RecordType::A);
    snoop.metadata.recursion_desired = false;
    assert_eq!(resolver.udp(&snoop).metadata.response_code, ResponseCode::Refused);
    for code in [OpCode::Status, OpCode::Notify, OpCode::Update] {
        let mut other = plain_question("example.org.", RecordType::SOA);
        other.metadata.op_code = code;
        assert_eq!(resolver.udp(&other).metadata.response_code, ResponseCode::NotImp, "{code:?}");
    }
    let mut two = plain_question("www.example.org.", RecordType::A);
    two.add_query(Query::query("v4.example.org.".parse().unwrap(), RecordType::A));
    assert_eq!(resolver.udp(&two).metadata.response_code, ResponseCode::FormErr);
    let mut version = question("www.example.org.", RecordType::A);
    version.edns.as_mut().unwrap().set_version(1);
    // BADVERS and BADSIG are one number (RFC 6895 §2.3)
    assert_eq!(u16::from(resolver.udp(&version).metadata.response_code), 16);
}

#[test]
fn any_is_answered_without_data() {
    let Setup { resolver, .. } = &setup();
    let answer = resolver.ask("example.org.", RecordType::ANY);
    assert_eq!(answer.answers.len(), 1);
    assert!(matches!(&answer.answers[0].data, RData::HINFO(info) if &*info.cpu == b"RFC8482"), "{answer:?}");
    assert!(answer.to_vec().unwrap().len() < 100, "no amplification");
}

#[test]
fn nothing_is_said_to_what_is_no_question() {
    let Setup { resolver, .. } = &setup();
    let response = Message::response(7, OpCode::Query).to_vec().unwrap();
    for packet in [&b""[..], b"\0", &[0; 11], &response] {
        assert_eq!(resolver.udp_raw(packet, Duration::from_millis(300)), None);
    }
}

#[test]
fn special_names_stay_here() {
    let Setup { resolver, .. } = &setup();
    for name in ["localhost.", "a.test.", "printer.local.", "1.0.0.10.in-addr.arpa.", "9.9.31.172.in-addr.arpa."] {
        let answer = resolver.ask(name, RecordType::PTR);
        assert_eq!(answer.metadata.response_code, ResponseCode::NXDomain, "{name}");
        assert!(answer.authorities.is_empty(), "{name}: somebody was asked");
    }
}

#[test]
fn long_answers_go_over_tcp() {
    let Setup { resolver, .. } = &setup();
    let ask = question("big.example.org.", RecordType::TXT);
    for _ in 0..2 {
        // the second one comes from memory
        let bytes = resolver.udp_raw(&ask.to_vec().unwrap(), Duration::from_secs(8)).unwrap();
        let answer = Message::from_vec(&bytes).unwrap();
        assert!(answer.metadata.truncation && answer.answers.is_empty() && bytes.len() <= 1232);
    }
    let mut stream = resolver.tcp();
    send(&mut stream, &ask);
    let (answer, length) = receive(&mut stream);
    assert!(!answer.metadata.truncation && length > 1232);
    assert_eq!(answer.answers.iter().filter(|record| record.record_type() == RecordType::TXT).count(), 8);
}

/// 300 bytes of names: over 512, below 1232.
#[test]
fn without_edns_512_bytes_are_the_limit() {
    let Setup { resolver, .. } = &setup();
    let answer = resolver.udp(&plain_question("medium.example.org.", RecordType::TXT));
    assert!(answer.metadata.truncation);
    let answer = resolver.ask("medium.example.org.", RecordType::TXT);
    assert!(!answer.metadata.truncation && answer.answers.len() >= 3);
}

#[test]
fn many_questions_on_one_connection() {
    let Setup { resolver, .. } = &setup();
    let mut stream = resolver.tcp();
    for number in 0..40_u16 {
        let mut ask = question(&format!("n{number}.example.org."), RecordType::A);
        ask.metadata.id = number;
        send(&mut stream, &ask);
    }
    let mut seen: Vec<u16> = (0..40)
        .map(|_| {
            let (answer, _) = receive(&mut stream);
            let wanted = format!("192.0.2.{}", answer.metadata.id + 1);
            assert_eq!(addresses(&answer), [wanted]);
            answer.metadata.id
        })
        .collect();
    seen.sort_unstable();
    assert_eq!(seen, (0..40).collect::<Vec<_>>());
}

#[test]
fn a_broken_stream_is_closed() {
    let Setup { resolver, .. } = &setup();
    for bytes in [&b"\xff\xff"[..], b"\0\0", b"\0\x05short"] {
        let mut stream = resolver.tcp();
        stream.write_all(bytes).unwrap();
        if bytes.len() > 2 {
            // five bytes are no question, and have no ID to answer to
            stream.write_all(b"!").unwrap();
        }
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        assert_eq!(rest, b"");
    }
}

#[test]
fn dot() {
    let Setup { resolver, .. } = &setup();
    let mut stream = tls::connect(resolver.dot(), b"dot");
    for name in ["www.example.org.", "v4.example.org.", "www.example.org."] {
        send(&mut stream, &question(name, RecordType::A));
        let (answer, length) = receive(&mut stream);
        assert!(answer.metadata.authentic_data && addresses(&answer).len() == 1);
        assert_eq!(length % 468, 0, "RFC 8467: answers of one length");
    }
}

fn http(resolver: &Running, request: &[u8]) -> (String, Vec<u8>) {
    let mut stream = tls::connect(resolver.doh(), b"http/1.1");
    stream.write_all(request).unwrap();
    stream.flush().unwrap();
    let mut all = Vec::new();
    // whoever closes without a TLS goodbye: the bytes are there
    let _ = stream.read_to_end(&mut all);
    let end = all.windows(4).position(|four| four == b"\r\n\r\n").expect("no head") + 4;
    (String::from_utf8(all[..end].to_vec()).unwrap().to_lowercase(), all[end..].to_vec())
}

#[test]
fn doh_http1() {
    let Setup { resolver, .. } = &setup();
    let ask = question("www.example.org.", RecordType::A).to_vec().unwrap();
    let text = BASE64_URL_SAFE_NO_PAD.encode(&ask);
    let get = format!("GET /dns-query?dns={text} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let mut post = format!(
        "POST /dns-query HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/dns-message\r\nContent-Length: {}\r\n\r\n",
        ask.len()
    )
    .into_bytes();
    post.extend(&ask);
    for request in [get.as_bytes(), &post] {
        let (head, body) = http(resolver, request);
        assert!(head.starts_with("http/1.1 200") && head.contains("content-type: application/dns-message"), "{head}");
        assert!(head.contains("cache-control: no-store"), "{head}");
        assert_eq!(addresses(&Message::from_vec(&body).unwrap()), ["192.0.2.1"]);
    }
    for (line, code) in [
        ("GET / HTTP/1.1", "404"),
        ("GET /dns-query HTTP/1.1", "400"),
        ("GET /dns-query?dns=%%% HTTP/1.1", "400"),
        ("GET /dns-query?dns=AAAA HTTP/1.1", "400"),
        ("PUT /dns-query HTTP/1.1", "405"),
        ("POST /dns-query HTTP/1.1\r\nContent-Type: text/plain\r\nContent-Length: 0", "415"),
        ("POST /dns-query HTTP/1.1\r\nContent-Type: application/dns-message\r\nContent-Length: 5000", "413"),
    ] {
        let mut request = format!("{line}\r\nHost: x\r\nConnection: close\r\n\r\n").into_bytes();
        if code == "413" {
            request.extend([0; 5000]);
        }
        let (head, body) = http(resolver, &request);
        assert!(head.starts_with(&format!("http/1.1 {code}")), "{line}: {head}");
        assert!(body.is_empty(), "no words");
    }
}

#[test]
fn doh_http2() {
    use http_body_util::{BodyExt as _, Full};
    use hyper::body::Bytes;
    let Setup { resolver, .. } = &setup();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let tcp = tokio::net::TcpStream::connect(resolver.doh()).await.unwrap();
        let name = rustls::pki_types::ServerName::IpAddress(resolver.doh().ip().into());
        let stream = tokio_rustls::TlsConnector::from(vitrine_tls_peer::client_config(b"h2", None))
            .connect(name, tcp)
            .await
            .unwrap();
        let io = hyper_util::rt::TokioIo::new(stream);
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(hyper_util::rt::TokioExecutor::new(), io).await.unwrap();
        tokio::spawn(connection);
        for name in ["www.example.org.", "v4.example.org.", "www.example.org."] {
            let ask = question(name, RecordType::A).to_vec().unwrap();
            let request = hyper::Request::post("https://x/dns-query").header("content-type", "application/dns-message");
            let request = request.body(Full::new(Bytes::from(ask))).unwrap();
            let response = sender.send_request(request).await.unwrap();
            assert_eq!(response.status(), 200);
            let body = response.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(body.len() % 468, 0);
            assert_eq!(addresses(&Message::from_vec(&body).unwrap()).len(), 1);
        }
    });
}

/// The certificate holds the key that init gave, and the address.
#[test]
fn the_certificate_is_for_the_given_key() {
    use rustls::pki_types::PrivatePkcs8KeyDer;
    let key = common::tls_key();
    let der = PrivatePkcs8KeyDer::from(key.0.clone());
    let pair = rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&der, &rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let spki = rcgen::PublicKeyData::subject_public_key_info(&pair);
    let address: std::net::IpAddr = "127.0.0.1".parse().unwrap();
    let config = vitrine_resolver::server::tls::config(&key, &[address], &[b"dot"]).unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let (mut tcp, _) = listener.accept().unwrap();
        let mut connection = rustls::ServerConnection::new(config).unwrap();
        while connection.is_handshaking() {
            connection.complete_io(&mut tcp).unwrap();
        }
    });
    let certificate = tls::certificate(at, b"dot");
    server.join().unwrap();
    assert!(certificate.windows(spki.len()).any(|part| part == spki));
    assert!(certificate.windows(6).any(|part| part == [0x87, 4, 127, 0, 0, 1]), "the address as a SAN");
    let other = vitrine_attest::inside::TlsKey(vec![1, 2, 3]);
    assert!(vitrine_resolver::server::tls::config(&other, &[address], &[]).is_err());
}

#[test]
fn errors_are_extended() {
    let Setup { resolver, .. } = &setup();
    let answer = resolver.ask("www.bogus.org.", RecordType::A);
    assert_eq!((answer.metadata.response_code, ede(&answer)), (ResponseCode::ServFail, Some(6)));
}
