//! `proxy`: what is passed on, and what is not.

use super::*;
use person::{forward, serve};
use std::io::{BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::AtomicBool;
use std::sync::Arc;
use std::time::{Duration, Instant};

impl Running {
    /// A request as it is written here; the connection it stands in.
    fn write(&self, request: &str) -> BufReader<TcpStream> {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.write_all(request.replace("HERE", &self.address.to_string()).as_bytes()).unwrap();
        BufReader::new(stream)
    }

    /// Everything that comes to a request that ends the connection.
    fn say(&self, request: &str) -> String {
        let mut answer = String::new();
        let end = self.write(request).read_to_string(&mut answer);
        end.unwrap_or_else(|e| panic!("{e} after {:?}", answer.get(..500).unwrap_or(&answer)));
        answer
    }
}

/// Until this text has come.
fn until(stream: &mut BufReader<TcpStream>, text: &str) -> String {
    let (mut read, mut byte) = (String::new(), [0]);
    while !read.ends_with(text) {
        stream.read_exact(&mut byte).unwrap_or_else(|e| panic!("{e} after {read}"));
        read.push(byte[0] as char);
    }
    read
}

#[test]
fn passed_on_cleaned() {
    let here = Here::new();
    let proxy = here.proxy("");
    let (status, body) = proxy.get("/x?y=z");
    assert_eq!(status, 200);
    assert!(body.starts_with("get /x?y=z http/1.1\r\n"), "{body}");
    assert!(body.contains(&format!("\r\nhost: {}\r\n", here.gateway.address)), "{body}");
    let answer = proxy.say(
        "POST /x HTTP/1.1\r\nHost: HERE\r\nAuthorization: Bearer x\r\nReferer: http://localhost/private\r\nX-Hop: 1\r\n\
         Connection: close, x-hop\r\nContent-Length: 0\r\n\r\n",
    );
    assert!(
        answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("\r\nauthorization: bearer x\r\n"),
        "{answer}"
    );
    assert!(!answer.contains("private") && !answer.contains("x-hop"), "{answer}");
}

/// One connection here is one there, for request after request.
#[test]
fn connections_are_kept() {
    let here = Here::new();
    let proxy = here.proxy("");
    let mut stream = proxy.write("");
    for n in 0..5 {
        let request = format!("GET /{n} HTTP/1.1\r\nHost: {}\r\n\r\n", proxy.address);
        stream.get_mut().write_all(request.as_bytes()).unwrap();
        until(&mut stream, &format!("get /{n} http/1.1\r\n"));
        until(&mut stream, "\r\n\r\n");
    }
    assert_eq!(here.gateway.connections.load(SeqCst), 1);
    // the gateway ends it; the next request gets another
    for _ in 0..3 {
        stream
            .get_mut()
            .write_all(format!("GET /last HTTP/1.1\r\nHost: {}\r\n\r\n", proxy.address).as_bytes())
            .unwrap();
        until(&mut stream, "\r\n\r\nlast");
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn pieces_go_both_ways_at_once() {
    let here = Here::new();
    let proxy = here.proxy("");
    let mut stream =
        proxy.write("POST /echo HTTP/1.1\r\nHost: HERE\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n");
    for piece in ["one", "two", "three"] {
        stream.get_mut().write_all(format!("{:x}\r\n{piece}\r\n", piece.len()).as_bytes()).unwrap();
        until(&mut stream, &format!("\r\n{piece}\r\n"));
    }
    stream.get_mut().write_all(b"0\r\n\r\n").unwrap();
    until(&mut stream, "0\r\n\r\n");
    let mut stream = proxy.write("GET /steps HTTP/1.1\r\nHost: HERE\r\n\r\n");
    until(&mut stream, "data: 1\n\n");
    here.gateway.go.send(()).unwrap();
    until(&mut stream, "data: 2\n\n");
}

/// KiB of a process: what it has used at most, `VmHWM` of proc(5).
fn most_memory(child: &Child) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn large_bodies_take_no_memory() {
    let here = Here::new();
    let proxy = here.proxy("");
    proxy.get("/");
    let before = most_memory(&proxy.child);
    // nobody reads for a while: what the gateway sends waits there
    let mut stream = proxy.write("GET /mebibytes/64 HTTP/1.1\r\nHost: HERE\r\nConnection: close\r\n\r\n");
    std::thread::sleep(Duration::from_secs(1));
    let got = std::io::copy(&mut stream, &mut std::io::sink()).unwrap();
    assert!(got > 64 << 20, "{got}");
    let piece = vec![b'y'; 1 << 20];
    let mut stream = proxy.write(&format!("POST /echo HTTP/1.1\r\nHost: HERE\r\nContent-Length: {}\r\n\r\n", 64 << 20));
    let mut reader = stream.get_ref().try_clone().unwrap();
    let reading = std::thread::spawn(move || {
        let (mut buffer, mut count) = (vec![0; 1 << 16], 0);
        while count < 64 << 20 {
            count += reader.read(&mut buffer).unwrap();
        }
    });
    for _ in 0..64 {
        stream.get_mut().write_all(&piece).unwrap();
    }
    reading.join().unwrap();
    let grown = most_memory(&proxy.child) - before;
    assert!(grown < 8 << 10, "{grown} KiB more for bodies of 64 MiB");
}

#[test]
fn who_may_not_ask() {
    let here = Here::new();
    let proxy = here.proxy("--origin http://localhost:3000");
    let localhost = format!("localhost:{}", proxy.address.port());
    let ok = proxy.say(&format!("GET / HTTP/1.1\r\nHost: {localhost}\r\nConnection: close\r\n\r\n"));
    assert!(ok.starts_with("HTTP/1.1 200 OK\r\n"), "{ok}");
    let before = here.gateway.bytes.load(SeqCst);
    for (head, word) in [
        ("GET / HTTP/1.1\r\nHost: evil.example", "host-not-allowed"),
        ("GET / HTTP/1.1\r\nX: y", "host-not-allowed"),
        ("GET http://evil.example/ HTTP/1.1\r\nHost: HERE", "host-not-allowed"),
        ("POST / HTTP/1.1\r\nHost: HERE\r\nOrigin: https://evil.example", "origin-not-allowed"),
        ("POST / HTTP/1.1\r\nHost: HERE\r\nOrigin: null", "origin-not-allowed"),
        ("GET / HTTP/1.1\r\nHost: HERE\r\nSec-Fetch-Site: cross-site", "origin-not-allowed"),
        ("OPTIONS * HTTP/1.1\r\nHost: HERE", "request-not-allowed"),
    ] {
        let answer = proxy.say(&format!("{head}\r\nConnection: close\r\n\r\n"));
        assert!(
            answer.starts_with("HTTP/1.1 40") && answer.ends_with(&format!("{{\"error\":\"{word}\"}}\n")),
            "{answer}"
        );
    }
    // a proxy that hangs up on what is still coming may take its own answer along
    let mut large = TcpStream::connect(proxy.address).unwrap();
    let _ = large.write_all(
        format!("GET / HTTP/1.1\r\nHost: {}\r\nX: {}\r\n\r\n", proxy.address, "y".repeat(200_000)).as_bytes(),
    );
    let mut answer = String::new();
    let _ = large.read_to_string(&mut answer);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{:?}", answer.get(..200));
    assert_eq!(here.gateway.bytes.load(SeqCst), before, "something was passed on");

    let asked =
        "OPTIONS / HTTP/1.1\r\nHost: HERE\r\nOrigin: http://localhost:3000\r\nAccess-Control-Request-Method: POST\r\n\
                 Access-Control-Request-Headers: authorization\r\nConnection: close\r\n\r\n";
    let answer = proxy.say(asked);
    assert!(answer.contains("access-control-allow-headers: authorization"), "{answer}");
    assert_eq!(here.gateway.bytes.load(SeqCst), before, "the gateway was asked");
    let answer =
        proxy.say("GET / HTTP/1.1\r\nHost: HERE\r\nOrigin: http://localhost:3000\r\nConnection: close\r\n\r\n");
    assert!(answer.contains("access-control-allow-origin: http://localhost:3000"), "{answer}");
    assert!(answer.contains("get / http/1.1") && !answer.contains("\norigin:"), "{answer}");
}

#[test]
fn refused_at_the_start() {
    let here = Here::new();
    here.served.inside.lock().unwrap().scene.measure(12, "EVIL=1");
    let line = format!(
        "proxy --listen 127.0.0.1:0 --to https://{} --server {} {TRUST}",
        here.gateway.address, here.served.url
    );
    let output = here.command(&line).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(out(&output).starts_with("REJECTED") && !out(&output).contains("listening"), "{}", out(&output));
    for (line, says) in [
        (line.replace("127.0.0.1:0", "0.0.0.0:0"), "no loopback address"),
        (line.replace("127.0.0.1:0", "[::]:0"), "no loopback address"),
        (line.replace(" --server", "/v1 --server"), "a path stands in it"),
        (line.replace("https:", "http:"), "only https://"),
    ] {
        ends(&here.command(&line).output().unwrap(), 2, says);
    }
    assert_eq!(here.gateway.connections.load(SeqCst), 0);
}

/// The server is found out while it serves: what runs ends, and nothing more goes there.
#[test]
fn refused_later() {
    let here = Here::new();
    let mut proxy = here.proxy("--every 1s");
    let mut stream = proxy.write("GET /steps HTTP/1.1\r\nHost: HERE\r\n\r\n");
    until(&mut stream, "data: 1\n\n");
    here.served.inside.lock().unwrap().scene.measure(12, "EVIL=1");
    let line = proxy.line();
    assert_eq!(line["event"], "rejected", "{line}");
    assert!(line["reasons"].to_string().contains("pcr-12-not-zero"), "{line}");
    let mut rest = String::new();
    match stream.read_to_string(&mut rest) {
        Ok(_) => assert!(!rest.ends_with("0\r\n\r\n"), "the stream was ended as if it were whole: {rest:?}"),
        Err(e) => assert_ne!(e.kind(), std::io::ErrorKind::WouldBlock, "the stream goes on"),
    }
    let (connections, bytes) = (here.gateway.connections.load(SeqCst), here.gateway.bytes.load(SeqCst));
    proxy.refuses("/secret", "server-rejected");
    assert_eq!((here.gateway.connections.load(SeqCst), here.gateway.bytes.load(SeqCst)), (connections, bytes));
}

/// Nobody answers for the server's evidence: that it was accepted does not last.
#[test]
fn not_judged_for_a_while() {
    let here = Here::new();
    let (down, inner) = (Arc::new(AtomicBool::new(false)), here.served.url.clone());
    let lost = down.clone();
    let front = serve(move |path, body| {
        let broken = (500, br#"{"code":"broken"}"#.to_vec());
        Some(if lost.load(SeqCst) { broken } else { forward(&inner, path, body) })
    });
    let mut proxy = here.proxy_of(&front, "--every 1s");
    assert_eq!(proxy.get("/").0, 200);
    down.store(true, SeqCst);
    assert_eq!(proxy.line()["event"], "unreachable");
    let bytes = here.gateway.bytes.load(SeqCst);
    proxy.refuses("/secret", "server-not-judged");
    assert_eq!(here.gateway.bytes.load(SeqCst), bytes, "something was sent");
    down.store(false, SeqCst);
    assert_eq!(proxy.line()["event"], "accepted");
    assert_eq!(proxy.get("/").0, 200);
}

#[test]
fn two_on_one_port() {
    let here = Here::new();
    let proxy = here.proxy("");
    let line = format!("proxy --listen {} --to https://{}", proxy.address, here.gateway.address);
    let output = here.command(&format!("{line} --server {} {TRUST}", here.served.url)).output().unwrap();
    ends(&output, 2, "name another address with --listen");
    assert_eq!(proxy.get("/").0, 200);
}

#[test]
fn a_server_that_is_started_again() {
    let here = Here::new();
    let mut proxy = here.proxy("--every 1h");
    let mut stream = proxy.write("GET / HTTP/1.1\r\nHost: HERE\r\n\r\n");
    until(&mut stream, "\r\n\r\n");
    let next = Identity::new();
    here.gateway.change(next.clone());
    {
        let scene = &mut here.served.inside.lock().unwrap().scene;
        scene.reboot(0x58);
        scene.record.keys.tls_spki = next.spki;
    }
    assert_eq!(proxy.get("/after").0, 200, "the key that differs was not asked about");
    let line = proxy.line();
    assert_eq!((line["event"].as_str(), line["tls_spki"].as_str()), (Some("rebooted"), Some(&*next.spki.to_string())));
}

#[test]
fn a_key_that_the_evidence_does_not_know() {
    let here = Here::new();
    let proxy = here.proxy("");
    assert_eq!(proxy.get("/").0, 200);
    let bytes = here.gateway.bytes.load(SeqCst);
    here.gateway.change(Identity::new());
    let looks = here.served.inside.lock().unwrap().looks;
    proxy.refuses("/secret", "tls-key-differs");
    assert_eq!(here.served.inside.lock().unwrap().looks, looks + 1);
    assert_eq!(here.gateway.bytes.load(SeqCst), bytes, "something was sent to a stranger");
}

#[test]
fn gateways_that_break() {
    let here = Here::new();
    let proxy = here.proxy("");
    proxy.refuses("/none", "gateway-broke-off");
    for path in ["/short", "/cut", "/until-the-end"] {
        let answer = proxy.say(&format!("GET {path} HTTP/1.1\r\nHost: HERE\r\n\r\n"));
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(!body.ends_with("0\r\n\r\n"), "{path} was ended as if it were whole: {answer}");
    }
    assert_eq!(proxy.get("/").0, 200, "the proxy has survived");
}

#[test]
fn a_client_that_goes_away() {
    let here = Here::new();
    let proxy = here.proxy("");
    let mut stream = proxy.write("GET /mebibytes/1000000 HTTP/1.1\r\nHost: HERE\r\n\r\n");
    until(&mut stream, "xxx");
    drop(stream);
    here.gateway.ended.recv_timeout(Duration::from_secs(20)).expect("the gateway still sends to nobody");
}

#[test]
fn a_clean_end() {
    let here = Here::new();
    let mut proxy = here.proxy("");
    let mut idle = proxy.write("GET / HTTP/1.1\r\nHost: HERE\r\n\r\n");
    until(&mut idle, "\r\n\r\n");
    let begun = Instant::now();
    proxy.signal(15);
    assert_eq!(proxy.child.wait().unwrap().code(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(4), "it waited for an idle connection");
    assert!(TcpStream::connect(proxy.address).is_err());
}
