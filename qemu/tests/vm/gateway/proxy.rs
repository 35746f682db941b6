//! `vitrine-verify proxy`, and a client behind it.

use super::{Provisioned, GUEST};
use crate::world::run;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use vitrine_qemu::verify::Verifier;

const LISTEN: &str = "127.0.0.1:8480";

/// Runs until it is dropped. To be started in the outside.
pub struct Proxy(Child);

impl Proxy {
    pub fn start(server: &Provisioned) -> Self {
        let mut command = Command::new(Verifier::find().unwrap().program());
        command.args([
            "proxy",
            "--listen",
            LISTEN,
            "--to",
            &format!("https://{GUEST}"),
            "--server",
            &server.running.guest.url(),
        ]);
        for (flag, file) in [("--statement", "gateway/release.dsse.json"), ("--key", "keys/release.pub")] {
            command.arg(flag).arg(server.images.path(file));
        }
        command.arg("--no-state").arg("--ek-roots").arg(server.running.guest.ek_roots());
        let mut child = command.stdout(Stdio::piped()).spawn().expect("vitrine-verify is built");
        let mut ready = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        eprintln!("── {ready}");
        assert!(ready.contains(LISTEN), "{ready}");
        Self(child)
    }

    /// Bytes of an answer.
    pub fn length(&self, path: &str) -> u64 {
        self.curl(path, "%{size_download}").parse().unwrap()
    }

    pub fn time_to_first_byte(&self, path: &str) -> Duration {
        Duration::from_secs_f64(self.curl(path, "%{time_starttransfer}").parse().unwrap())
    }

    fn curl(&self, path: &str, what: &str) -> String {
        let url = format!("http://{LISTEN}{path}");
        run("curl", &["--silent", "--fail", "-o", "/dev/null", "-w", what, &url]).expect_success().trim().to_string()
    }

    /// When each event of an answer arrived, from the request on.
    pub fn pieces(&self, path: &str) -> Vec<Duration> {
        let mut stream = TcpStream::connect(LISTEN).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: {LISTEN}\r\nconnection: close\r\n\r\n").unwrap();
        let (begin, mut times, mut bytes) = (Instant::now(), vec![], [0; 4096]);
        let mut seen = 0;
        let mut text = Vec::new();
        while let Ok(length @ 1..) = stream.read(&mut bytes) {
            text.extend_from_slice(&bytes[..length]);
            let events = text.windows(6).filter(|window| window == b"data: ").count();
            times.extend((seen..events).map(|_| begin.elapsed()));
            seen = events;
        }
        times
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
