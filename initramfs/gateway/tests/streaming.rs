//! Bodies go through piece by piece, both ways, and never pile up.
#![allow(clippy::disallowed_macros)]
mod common;

use common::backend::{read_chunk, read_head, say, Backend};
use common::two::{block_on, connect, request};
use common::{plain, soon, status, Running};
use http_body_util::BodyExt as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

const PIECE: Duration = Duration::from_millis(150);
const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

/// Server-sent events: one each [`PIECE`].
fn events() -> Backend {
    Backend::start(|peer, _| {
        while read_head(peer).is_some() {
            say(peer, CHUNKED);
            for n in 0..5 {
                std::thread::sleep(PIECE);
                say(peer, format!("9\r\ndata: {n}\n\n\r\n").as_bytes());
            }
            say(peer, b"0\r\n\r\n");
        }
    })
}

/// Each piece comes when it was sent, not with the next one.
fn spread(times: &[Duration]) {
    assert_eq!(times.len(), 5);
    for (n, time) in times.iter().enumerate() {
        let sent = PIECE * (u32::try_from(n).unwrap() + 1);
        assert!(*time >= sent - Duration::from_millis(20) && *time < sent + PIECE, "{times:?}");
    }
}

#[test]
fn events_arrive_one_by_one() {
    let backend = events();
    let gateway = Running::start(&plain(backend.address, ""));
    let mut stream = gateway.connect();
    stream.write_all(b"GET /v1 HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n").unwrap();
    let begin = Instant::now();
    let mut lines = BufReader::new(stream).lines();
    let mut times = Vec::new();
    while times.len() < 5 {
        if lines.next().unwrap().unwrap().starts_with("data: ") {
            times.push(begin.elapsed());
        }
    }
    spread(&times);
}

#[test]
fn events_arrive_one_by_one_over_http2() {
    let backend = events();
    let gateway = Running::start(&plain(backend.address, ""));
    let times = block_on(async {
        let mut client = connect(&gateway).await;
        let begin = Instant::now();
        let mut body = client.send_request(request("GET", "/v1", b"")).await.unwrap().into_body();
        let mut times = Vec::new();
        while let Some(frame) = body.frame().await {
            // an empty piece has the end of the stream
            let data = frame.unwrap().into_data().unwrap();
            assert!(data.is_empty() || data.starts_with(b"data: "));
            times.extend((!data.is_empty()).then(|| begin.elapsed()));
        }
        times
    });
    spread(&times);
}

/// The upstream has a piece before the client has sent the next one.
#[test]
fn uploads_arrive_piece_by_piece() {
    let (got, told) = std::sync::mpsc::channel();
    let got = std::sync::Mutex::new(got);
    let backend = Backend::start(move |peer, _| {
        let Some(_) = read_head(peer) else { return };
        while let Some(Some(chunk)) = read_chunk(peer) {
            got.lock().unwrap().send(chunk).unwrap();
        }
        say(peer, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    });
    let gateway = Running::start(&plain(backend.address, ""));
    let mut stream = gateway.connect();
    stream.write_all(b"POST /v1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap();
    for piece in ["first", "next", "last"] {
        write!(stream, "{:x}\r\n{piece}\r\n", piece.len()).unwrap();
        assert_eq!(told.recv_timeout(Duration::from_secs(5)).unwrap(), piece.as_bytes());
    }
    stream.write_all(b"0\r\n\r\n").unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
}

fn pattern(n: u64) -> u8 {
    (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8
}

/// Bytes of one piece of a large body; its length divides the body's.
fn block() -> Vec<u8> {
    (0..1 << 16).map(pattern).collect()
}

/// 100 MB up: each byte arrives, and the gateway's memory does not grow with them.
#[test]
fn large_upload() {
    const BLOCKS: usize = 1600;
    let good = Arc::new(AtomicU64::new(0));
    let count = good.clone();
    let backend = Backend::start(move |peer, _| {
        let head = read_head(peer).unwrap();
        assert!(head.contains(&format!("content-length: {}\r\n", BLOCKS << 16)));
        let (expected, mut piece) = (block(), vec![0; 1 << 16]);
        while count.load(Ordering::Relaxed) < BLOCKS as u64 && peer.read_exact(&mut piece).is_ok() && piece == expected
        {
            count.fetch_add(1, Ordering::Relaxed);
        }
        say(peer, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    });
    let gateway = Running::start(&plain(backend.address, ""));
    let before = gateway.memory();
    let mut stream = gateway.connect();
    write!(stream, "POST /v1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", BLOCKS << 16)
        .unwrap();
    let (piece, mut most) = (block(), 0);
    for n in 0..BLOCKS {
        stream.write_all(&piece).unwrap();
        if n % 100 == 0 {
            most = most.max(gateway.memory());
        }
    }
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    assert_eq!((status(&answer), good.load(Ordering::Relaxed)), (200, BLOCKS as u64));
    assert!(most < before + (8 << 10), "{before} KiB, then {most} KiB");
}

/// 256 MiB down, to a client that reads slowly at first: the upstream is held back, and the gateway's memory stays flat.
fn large_download(two: bool) {
    const BLOCKS: u64 = 4096;
    let sent = Arc::new(AtomicU64::new(0));
    let count = sent.clone();
    let backend = Backend::start(move |peer, _| {
        let Some(_) = read_head(peer) else { return };
        say(peer, format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", BLOCKS << 16).as_bytes());
        let piece = block();
        while count.load(Ordering::Relaxed) < BLOCKS && say(peer, &piece) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    });
    let gateway = Running::start(&plain(backend.address, ""));
    let before = gateway.memory();
    let held_back = || {
        std::thread::sleep(Duration::from_millis(700));
        let first = sent.load(Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(sent.load(Ordering::Relaxed), first, "nobody reads, and still it flows");
        assert!(first < 512, "{first} blocks wait somewhere");
    };
    let (mut got, mut most) = (0, 0);
    if two {
        block_on(async {
            let mut client = connect(&gateway).await;
            let mut body = client.send_request(request("GET", "/v1", b"")).await.unwrap().into_body();
            held_back();
            while let Some(frame) = body.frame().await {
                got += frame.unwrap().into_data().unwrap().len() as u64;
                if got % (16 << 20) < 16 << 10 {
                    most = most.max(gateway.memory());
                }
            }
        });
    } else {
        let mut stream = gateway.connect();
        stream.write_all(b"GET /v1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        held_back();
        let (expected, mut piece) = (block(), vec![0; 1 << 16]);
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            reader.read_line(&mut line).unwrap();
        }
        while got < BLOCKS << 16 {
            reader.read_exact(&mut piece).unwrap();
            assert!(piece == expected);
            got += piece.len() as u64;
            if got % (16 << 20) == 0 {
                most = most.max(gateway.memory());
            }
        }
    }
    assert_eq!(got, BLOCKS << 16);
    assert!(most > 0 && most < before + (8 << 10), "{before} KiB, then {most} KiB");
}

#[test]
fn large_download_http1() {
    large_download(false);
}

#[test]
fn large_download_http2() {
    large_download(true);
}

/// The client leaves in the middle of an answer: the upstream notices at its next piece.
#[test]
fn a_client_that_leaves_ends_the_upstreams_answer() {
    for two in [false, true] {
        let gone = Arc::new(AtomicBool::new(false));
        let noticed = gone.clone();
        let backend = Backend::start(move |peer, _| {
            let Some(_) = read_head(peer) else { return };
            say(peer, CHUNKED);
            while say(peer, b"9\r\ndata: x\n\n\r\n") {
                std::thread::sleep(Duration::from_millis(20));
            }
            noticed.store(true, Ordering::Relaxed);
        });
        let gateway = Running::start(&plain(backend.address, ""));
        if two {
            block_on(async {
                let mut client = connect(&gateway).await;
                let mut body = client.send_request(request("GET", "/v1", b"")).await.unwrap().into_body();
                assert!(body.frame().await.unwrap().is_ok());
            });
        } else {
            let mut stream = gateway.connect();
            stream.write_all(b"GET /v1 HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
            stream.read_exact(&mut [0; 100]).unwrap();
        }
        soon("the upstream goes on", || gone.load(Ordering::Relaxed));
    }
}

/// The client leaves before there is an answer, or in the middle of his own body.
#[test]
fn a_client_that_leaves_ends_the_upstreams_request() {
    for request in
        ["GET /v1 HTTP/1.1\r\nHost: x\r\n\r\n", "POST /v1 HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc"]
    {
        let gone = Arc::new(AtomicBool::new(false));
        let noticed = gone.clone();
        let backend = Backend::start(move |peer, _| {
            let Some(_) = read_head(peer) else { return };
            let mut rest = Vec::new();
            let _ = peer.read_to_end(&mut rest);
            assert!(b"abc".starts_with(&rest));
            noticed.store(true, Ordering::Relaxed);
        });
        let gateway = Running::start(&plain(backend.address, ""));
        let mut stream = gateway.connect();
        stream.write_all(request.as_bytes()).unwrap();
        soon("the upstream has it", || backend.connections() == 1);
        std::thread::sleep(Duration::from_millis(100));
        assert!(!gone.load(Ordering::Relaxed));
        drop(stream);
        soon("the upstream waits on", || gone.load(Ordering::Relaxed));
    }
}

/// An answer that comes before the request is over.
#[test]
fn early_answers() {
    let backend = Backend::start(|peer, _| {
        let Some(_) = read_head(peer) else { return };
        say(peer, b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
        let _ = peer.read_to_end(&mut Vec::new());
    });
    let gateway = Running::start(&plain(backend.address, ""));
    let mut stream = gateway.connect();
    stream.write_all(b"POST /v1 HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nabc").unwrap();
    let mut answer = Vec::new();
    let mut piece = [0; 1024];
    while !answer.ends_with(b"\r\n\r\nno") {
        let length = stream.read(&mut piece).unwrap();
        assert!(length > 0, "{}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&piece[..length]);
    }
    assert!(answer.starts_with(b"HTTP/1.1 403 "));
}
