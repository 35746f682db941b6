//! Clients that misbehave on the wire, against a real socket.

use super::*;
use vitrine_attest::evidence::REQUEST_LIMIT;

const SHORT: Deadlines = Deadlines {
    read: Duration::from_millis(300),
    write: Duration::from_millis(300),
    linger: Duration::from_millis(200),
};

struct Echo;

impl Handler for Echo {
    fn answer(&self, method: Method, path: &str, body: &[u8]) -> Response {
        match method {
            Method::Post => Response::json(&(path, body.len())),
            Method::Get => Response::json(&path),
        }
    }

    fn limit(&self, path: &str) -> usize {
        if path == "/large" {
            4 * REQUEST_LIMIT
        } else {
            REQUEST_LIMIT
        }
    }
}

struct Large;

impl Handler for Large {
    fn answer(&self, _: Method, _: &str, _: &[u8]) -> Response {
        Response::bytes_of(vec![b' '; 64 << 20])
    }

    fn limit(&self, _: &str) -> usize {
        REQUEST_LIMIT
    }
}

/// Serves one connection on a port of its own; gives the client's end and the server's thread.
fn connect(handler: impl Handler + Send + 'static) -> (TcpStream, std::thread::JoinHandle<Duration>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let server = std::thread::spawn(move || {
        let stream = listener.incoming().next().unwrap().unwrap();
        let start = Instant::now();
        serve_connection(&stream, &handler, SHORT);
        start.elapsed()
    });
    (client, server)
}

fn answer(request: &[u8]) -> String {
    let (mut client, server) = connect(Echo);
    client.write_all(request).unwrap();
    let mut text = String::new();
    client.read_to_string(&mut text).unwrap();
    server.join().unwrap();
    text
}

fn post(length: usize, body: &[u8]) -> Vec<u8> {
    [format!("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n").as_bytes(), body].concat()
}

#[test]
fn good_twins() {
    assert!(answer(&post(0, b"")).ends_with("\r\n\r\n[\"/x\",0]"));
    assert!(answer(&post(5, b"hello")).ends_with("\r\n\r\n[\"/x\",5]"));
    assert!(answer(&post(REQUEST_LIMIT, &[b' '; REQUEST_LIMIT])).ends_with("\r\n\r\n[\"/x\",8192]"));
    let large = String::from_utf8(post(4 * REQUEST_LIMIT, &[b' '; 4 * REQUEST_LIMIT])).unwrap().replace("/x", "/large");
    assert!(answer(large.as_bytes()).ends_with("\r\n\r\n[\"/large\",32768]"));
    assert!(answer(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n").ends_with("\r\n\r\n\"/x\""));
    // what follows the body is no second request
    assert!(answer(&post(2, b"hello")).ends_with("\r\n\r\n[\"/x\",2]"));
}

#[test]
fn refusals_arrive_although_the_request_was_not_read_to_its_end() {
    let large = post(1 << 20, &[b' '; 32 << 10]);
    let headers = ["POST /x HTTP/1.1\r\n".as_bytes(), "a: b\r\n".repeat(4000).as_bytes()].concat();
    let endless = [b'A'; 40 << 10];
    let table: [(&str, &[u8], &str); 5] = [
        ("body one byte too large", &post(REQUEST_LIMIT + 1, b""), "413 Content Too Large"),
        ("large body", &large, "413 Content Too Large"),
        ("header flood", &headers, "431 Request Header Fields Too Large"),
        ("one endless line", &endless, "431 Request Header Fields Too Large"),
        (
            "chunked",
            b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "501 Not Implemented",
        ),
    ];
    for (defect, request, status) in table {
        assert!(answer(request).starts_with(&format!("HTTP/1.1 {status}\r\n")), "{defect}");
    }
}

#[test]
fn silence_times_out() {
    assert!(answer(b"").starts_with("HTTP/1.1 408 "));
    assert!(answer(b"POST /x HT").starts_with("HTTP/1.1 408 "));
    assert!(answer(&post(9, b"hello")).starts_with("HTTP/1.1 408 "));
}

/// The deadline is for the whole request: a byte now and then does not move it.
#[test]
fn a_dripping_client_times_out() {
    let (mut client, server) = connect(Echo);
    let request = post(5, b"hello");
    let dripping = std::thread::spawn(move || {
        for byte in request {
            if client.write_all(&[byte]).is_err() {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    let took = server.join().unwrap();
    assert!(took < Duration::from_secs(2), "held for {took:?}");
    dripping.join().unwrap();
}

#[test]
fn a_client_that_does_not_read_is_let_go() {
    let (mut client, server) = connect(Large);
    client.write_all(&post(0, b"")).unwrap();
    let took = server.join().unwrap();
    assert!(took < Duration::from_secs(2), "held for {took:?}");
}

#[test]
fn a_client_that_goes_away_gets_no_answer() {
    for request in [&b""[..], b"POST /x", &post(9, b"hello")] {
        let (mut client, server) = connect(Echo);
        client.write_all(request).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let mut text = String::new();
        client.read_to_string(&mut text).unwrap();
        assert_eq!(text, "");
        server.join().unwrap();
    }
}

#[test]
fn both_families() {
    let listener = listen(0).unwrap();
    let port = listener.local_addr().unwrap().port();
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    if listener.local_addr().unwrap().is_ipv6() {
        TcpStream::connect((Ipv6Addr::LOCALHOST, port)).unwrap();
    }
    assert_eq!(listen(port).err(), Some(Failure::Bind));
}

struct Who(std::sync::Mutex<Vec<std::thread::ThreadId>>);

impl Handler for Who {
    fn answer(&self, _: Method, _: &str, _: &[u8]) -> Response {
        self.0.lock().unwrap().push(std::thread::current().id());
        Response::json(&())
    }

    fn limit(&self, _: &str) -> usize {
        REQUEST_LIMIT
    }
}

impl Who {
    /// A server of its own. What is given asks it three times as often as it has threads, and says which of them answered.
    fn serve(turns: Turns) -> impl Fn() -> Vec<std::thread::ThreadId> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let who: &'static Self = Box::leak(Box::new(Self(std::sync::Mutex::default())));
        serve_in_turns(turns, listener, who).unwrap();
        move || {
            for _ in 0..3 * CONNECTIONS {
                let mut client = TcpStream::connect(address).unwrap();
                client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
                client.write_all(&post(0, b"")).unwrap();
                let mut text = String::new();
                client.read_to_string(&mut text).unwrap();
                assert!(text.starts_with("HTTP/1.1 200 "), "{text}");
            }
            std::mem::take(&mut *who.0.lock().unwrap())
        }
    }
}

/// What one client leaves on a thread's stack goes with the thread, when nobody has come for a while …
#[test]
fn who_comes_after_a_pause_has_another_thread() {
    let several = Who::serve(Turns { quiet: Duration::from_millis(500), ..Turns::SERVICE });
    let before = several();
    std::thread::sleep(Duration::from_secs(3));
    let after = several();
    assert_eq!((before.len(), after.len()), (3 * CONNECTIONS, 3 * CONNECTIONS));
    assert!(after.iter().all(|thread| !before.contains(thread)), "{before:?} {after:?}");
}

/// … and when it has served for long, however many come: here each client is the last of its thread.
#[test]
fn who_comes_without_a_pause_has_another_thread_in_the_end() {
    let mut served = Who::serve(Turns { longest: Duration::ZERO, ..Turns::SERVICE })();
    served.sort_by_key(|id| format!("{id:?}"));
    served.dedup();
    assert_eq!(served.len(), 3 * CONNECTIONS);
}
