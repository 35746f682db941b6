use super::*;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Instant;

/// Says what it was asked; at `/slow` it takes its time.
struct Echo;

impl Handler for Echo {
    fn body_limit(&self) -> usize {
        100
    }
    fn answer(&self, request: Request) -> Answer {
        match request.path.as_str() {
            "/slow" => std::thread::sleep(Duration::from_millis(600)),
            "/panic" => panic!("meant"),
            "/large" => return Answer::new(200, "application/octet-stream", vec![7; 16 << 20]),
            "/bad-header" => return Answer { headers: vec![("x", "a\nb".into())], ..Answer::text(200, "") },
            _ => {}
        }
        let mut answer = Answer::text(200, &format!("{:?} {} {}", request.method, request.path, request.body.len()));
        answer.headers.push(("cache-control", "no-cache".into()));
        answer
    }
}

struct Running {
    address: SocketAddr,
    end: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

fn run(limits: Limits) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (end, ended) = tokio::sync::oneshot::channel();
    let until = async move { _ = ended.await };
    let thread = std::thread::spawn(move || serve_within(limits, listener, Arc::new(Echo), until).unwrap());
    Running { address, end: Some(end), thread: Some(thread) }
}

impl Running {
    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    fn ask(&self, request: &str) -> String {
        ask(&self.connect(), request)
    }

    fn end(&mut self) {
        drop(self.end.take());
        self.thread.take().unwrap().join().unwrap();
    }
}

/// The head of the answer, and as much body as it announces.
fn ask(mut stream: &TcpStream, request: &str) -> String {
    stream.write_all(request.as_bytes()).unwrap();
    answer(stream, request.starts_with("HEAD"))
}

fn answer(stream: &TcpStream, head_only: bool) -> String {
    let mut reader = BufReader::new(stream);
    let (mut text, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return text;
        }
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.trim().parse().unwrap();
        }
        text += &line;
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; if head_only { 0 } else { length }];
    reader.read_exact(&mut body).unwrap();
    text + &String::from_utf8_lossy(&body)
}

fn is_closed(mut stream: &TcpStream) -> bool {
    matches!(stream.read(&mut [0]), Ok(0) | Err(_))
}

const QUICK: Limits = Limits {
    connections: 8,
    head: Duration::from_millis(1000),
    request: Duration::from_millis(4000),
    idle: Duration::from_millis(2500),
};

#[test]
fn requests_and_answers() {
    let mut running = run(Limits::default());
    let got = running.ask("GET /a%20b?c HTTP/1.1\r\nhost: x\r\n\r\n");
    assert!(got.starts_with("HTTP/1.1 200 OK\r\n") && got.ends_with("\r\n\r\nGet /a%20b 0\n"), "{got}");
    assert!(got.contains("cache-control: no-cache\r\n") && got.contains("content-type: text/plain; charset=utf-8"));
    let post = "POST /p HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc";
    let connection = running.connect();
    for _ in 0..3 {
        assert!(ask(&connection, post).ends_with("Post /p 3\n"), "kept alive");
    }
    let chunked = "POST /p HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    assert!(running.ask(chunked).ends_with("Post /p 5\n"));
    let head = ask(&connection, "HEAD /h HTTP/1.1\r\nhost: x\r\n\r\n");
    assert!(head.contains("content-length: 9\r\n") && head.ends_with("\r\n\r\n"), "{head}");
    assert!(ask(&connection, post).ends_with("Post /p 3\n"), "there was a body after HEAD");
    for (request, status) in [
        ("PUT / HTTP/1.1\r\nhost: x\r\n\r\n", "405"),
        ("nonsense\r\n\r\n", "400"),
        ("GET /panic HTTP/1.1\r\nhost: x\r\n\r\n", "500"),
        ("GET /bad-header HTTP/1.1\r\nhost: x\r\n\r\n", "500"),
        ("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999\r\n\r\n", "413"),
    ] {
        let got = running.ask(request);
        assert_eq!(got.get(9..12), Some(status), "{request}: {got}");
    }
    let large =
        |bytes: usize| format!("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {bytes}\r\n\r\n{}", "x".repeat(bytes));
    assert!(running.ask(&large(100)).contains("Post / 100"));
    for bytes in [101, 70_000, 900_000] {
        assert_eq!(&running.ask(&large(bytes))[9..12], "413", "{bytes}");
    }
    let headers = format!("GET / HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "y".repeat(HEAD));
    assert_eq!(running.ask(&headers).get(9..12), Some("431"));
    running.end();
    assert!(TcpStream::connect(running.address).is_err());
}

/// Heads and bodies that come byte by byte, idle connections: all are ended, and nobody else waits for them.
#[test]
fn slow_clients() {
    let running = run(QUICK);
    let begun = Instant::now();
    let slow: Vec<_> = ["", "GET / HT", "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nab"]
        .map(|beginning| {
            let mut stream = running.connect();
            stream.write_all(beginning.as_bytes()).unwrap();
            stream
        })
        .into();
    let idle = running.connect();
    assert!(ask(&idle, "GET / HTTP/1.1\r\nhost: x\r\n\r\n").contains("200 OK"));
    for _ in 0..20 {
        assert!(running.ask("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").contains("200 OK"));
    }
    assert!(begun.elapsed() < QUICK.head, "slow ones held the others up for {:?}", begun.elapsed());
    for stream in &slow[..2] {
        assert!(is_closed(stream));
    }
    assert!((QUICK.head..QUICK.idle).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    assert!(is_closed(&idle));
    assert!((QUICK.idle..QUICK.request).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    let body = answer(&slow[2], false);
    assert!(body.contains("408 Request Timeout") && begun.elapsed() >= QUICK.request, "{body}");
}

/// A later request's head has the time of a first one, not that of an idle connection.
#[test]
fn a_slow_second_head() {
    let running = run(Limits { idle: Duration::from_secs(60), ..QUICK });
    let mut stream = running.connect();
    for _ in 0..2 {
        assert!(ask(&stream, "GET / HTTP/1.1\r\nhost: x\r\n\r\n").contains("200 OK"));
        std::thread::sleep(QUICK.head * 3 / 2); // all earlier deadlines are over
    }
    stream.write_all(b"GET").unwrap();
    let begun = Instant::now();
    assert!(is_closed(&stream) && begun.elapsed() < QUICK.head * 5, "{:?}", begun.elapsed());
    assert!(begun.elapsed() > QUICK.head / 2, "{:?}", begun.elapsed());
}

/// More connections than places: the rest wait, and are served when there is room.
#[test]
fn more_connections_than_places() {
    let running = run(Limits { connections: 2, ..QUICK });
    let held = [running.connect(), running.connect()];
    let begun = Instant::now();
    assert!(running.ask("GET / HTTP/1.1\r\nhost: x\r\n\r\n").contains("200 OK"));
    assert!(begun.elapsed() >= QUICK.head / 2, "there was a third place");
    drop(held);
}

/// Who has been served and keeps a place makes room at once.
#[test]
fn idle_connections_make_room() {
    let running = run(Limits { connections: 2, idle: Duration::from_secs(60), ..Limits::default() });
    let get = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";
    let begun = Instant::now();
    let mut held = vec![];
    for _ in 0..10 {
        held.push(running.connect());
        assert!(ask(held.last().unwrap(), get).contains("200 OK"));
    }
    let slow = "GET /slow HTTP/1.1\r\nhost: x\r\n\r\n";
    std::thread::scope(|scope| {
        // these become idle while others wait
        for _ in 0..6 {
            scope.spawn(|| assert!(ask(&running.connect(), slow).contains("200 OK")));
        }
    });
    assert!(begun.elapsed() < Duration::from_secs(9), "{:?}", begun.elapsed());
}

#[test]
fn handlers_run_side_by_side_and_not_for_ever() {
    let running = run(QUICK);
    let (told, tell) = mpsc::channel();
    std::thread::scope(|scope| {
        let begun = Instant::now();
        for _ in 0..4 {
            let (running, told) = (&running, told.clone());
            scope.spawn(move || told.send(running.ask("GET /slow HTTP/1.1\r\nhost: x\r\n\r\n")).unwrap());
        }
        assert!(tell.iter().take(4).all(|answer| answer.contains("200 OK")));
        assert!(begun.elapsed() < Duration::from_millis(2300), "one after the other");
    });
    let quick = run(Limits { request: Duration::from_millis(100), ..QUICK });
    assert!(quick.ask("GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").contains("503"));
}

/// What is being answered is answered to the end; idle connections do not hold the end up.
#[test]
fn the_end() {
    let mut running = run(Limits::default());
    let idle = running.connect();
    let mut busy = running.connect();
    busy.write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let mut large = running.connect();
    large.write_all(b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    std::thread::sleep(Duration::from_millis(200));
    let begun = Instant::now();
    let reading = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        answer(&large, false).len()
    });
    running.end();
    assert!(reading.join().unwrap() > 16 << 20, "the end of a large answer is missing");
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    assert!(answer(&busy, false).contains("200 OK"));
    assert!(is_closed(&busy) && is_closed(&idle));
}

#[test]
fn a_large_answer_arrives_whole() {
    let running = run(QUICK);
    let text = running.ask("GET /large HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    assert!(text.len() > 16 << 20);
}
