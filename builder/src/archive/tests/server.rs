//! A mirror on this machine: HTTP/1.1, one request a connection, misbehaving where told to.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How a file is served.
#[derive(Debug, Clone)]
pub enum Serve {
    /// As it is, ranges honoured.
    Whole(Vec<u8>),
    /// As it is, ranges ignored.
    NoRanges(Vec<u8>),
    /// Cut after so many bytes from where asked, though the whole length is promised.
    Cut(Vec<u8>, usize),
    /// As [`Self::Cut`]; whoever comes back for the rest gets 500.
    Dies(Vec<u8>, usize),
    /// Without a length, and more bytes than there should be.
    Endless(Vec<u8>),
    /// The head, then nothing.
    Silent,
    /// The head with this length, then nothing.
    Stalls(usize),
    /// 500.
    Broken,
}

pub struct Server {
    pub url: String,
    pub log: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Serves files by path (`/dists/…`); others are 404. Lives as long as the test program.
    pub fn start(files: BTreeMap<String, Serve>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let log = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&log);
        std::thread::spawn(move || {
            let files = Arc::new(files);
            for stream in listener.incoming().flatten() {
                let (files, log) = (Arc::clone(&files), Arc::clone(&shared));
                std::thread::spawn(move || answer(stream, &files, &log));
            }
        });
        Self { url, log }
    }

    /// Requests so far whose line (`GET /path bytes=5-`) holds a word.
    pub fn asked(&self, word: &str) -> usize {
        self.log.lock().unwrap().iter().filter(|line| line.contains(word)).count()
    }
}

fn answer(mut stream: TcpStream, files: &BTreeMap<String, Serve>, log: &Mutex<Vec<String>>) -> Option<()> {
    let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
    let path = lines.next()?.ok()?.split(' ').nth(1)?.to_string();
    let mut range = None;
    for line in lines.map_while(Result::ok).take_while(|line| !line.is_empty()) {
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("range: bytes=") {
            range = value.trim_end_matches('-').parse::<usize>().ok();
        }
    }
    log.lock().unwrap().push(format!("GET {path} {range:?}"));
    let head = |status: &str, more: String| format!("HTTP/1.1 {status}\r\nConnection: close\r\n{more}\r\n");
    let sized = |length: usize| format!("Content-Length: {length}\r\n");
    let (head, body) = match files.get(&path) {
        None => (head("404 Not Found", sized(0)), vec![]),
        Some(Serve::Broken) => (head("500 Broken", sized(0)), vec![]),
        Some(Serve::Dies(..)) if range.is_some() => (head("500 Broken", sized(0)), vec![]),
        Some(Serve::Dies(bytes, at)) => part(bytes, range, *at, &head),
        Some(Serve::Silent) => (head("200 OK", sized(10)), vec![]),
        Some(Serve::Stalls(length)) => (head("200 OK", sized(*length)), vec![]),
        Some(Serve::Endless(bytes)) => (head("200 OK", String::new()), [&bytes[..], &[0; 4096]].concat()),
        Some(Serve::NoRanges(bytes)) => (head("200 OK", sized(bytes.len())), bytes.clone()),
        Some(Serve::Whole(bytes)) => part(bytes, range, bytes.len(), &head),
        Some(Serve::Cut(bytes, at)) => part(bytes, range, *at, &head),
    };
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(&body).ok()?;
    if matches!(files.get(&path), Some(Serve::Silent | Serve::Stalls(_))) {
        std::thread::sleep(Duration::from_secs(3));
    }
    Some(())
}

fn part(bytes: &[u8], range: Option<usize>, most: usize, head: &dyn Fn(&str, String) -> String) -> (String, Vec<u8>) {
    let from = range.unwrap_or(0).min(bytes.len());
    let rest = &bytes[from..];
    let body = rest[..rest.len().min(most)].to_vec();
    let more = match range {
        None => format!("Content-Length: {}\r\n", rest.len()),
        Some(_) => {
            let last = bytes.len() - 1;
            format!("Content-Length: {}\r\nContent-Range: bytes {from}-{last}/{}\r\n", rest.len(), bytes.len())
        }
    };
    (head(if range.is_some() { "206 Partial Content" } else { "200 OK" }, more), body)
}
