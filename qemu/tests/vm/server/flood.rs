//! More than a server can do, for some seconds: from the world outside, and by its own users. All of it is bounded,
//! and afterwards nothing is left of it.

use super::Provisioned;
use crate::world::{self, Client, GUEST, GUEST6, OTHER, WEB};
use boringtun::noise::{Tunn, TunnResult};
use boringtun::x25519::{PublicKey, StaticSecret};
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::ops::Range;
use std::time::{Duration, Instant};
use vitrine_attest::digest::Key32;
use vitrine_attest::evidence::{EVIDENCE_PATH, ORDER_PATH};

/// How long it lasts.
const FLOOD: Duration = Duration::from_secs(8);
/// How long the server may take until it is itself again.
const AFTER: Duration = Duration::from_secs(90);
/// Between two batches of packets: a queue on the way holds some hundred.
const PAUSE: Duration = Duration::from_millis(5);
const BATCH: usize = 25;
/// Of one user, within the 30 s that the table keeps them: about half of what it holds.
const CONNECTIONS: u64 = 30_000;
/// Datagrams between two looks at how many have passed.
const PART: usize = 10_000;
/// Of one user, one after the other.
const NAMES: usize = 3000;
/// Connections that one flooder keeps open.
const HELD: usize = 64;

/// Handshakes of strangers, which cost the server a key agreement each, and packets that only look like some; open
/// connections that say nothing, half a request, too much, or nonsense; questions without an end.
pub fn floods_end(server: &Provisioned) {
    let (_user, client) = server.join(7);
    let until = Instant::now() + FLOOD;
    let key = server.keys.wireguard;
    let agent = server.agent();
    std::thread::scope(|scope| {
        scope.spawn(move || handshakes(key, SocketAddr::new(GUEST.into(), 51820), until));
        scope.spawn(move || handshakes(key, SocketAddr::new(GUEST6.parse().unwrap(), 443), until));
        scope.spawn(move || garbage(SocketAddr::new(GUEST.into(), 443), until));
        for request in [b"".to_vec(), b"POST /v1/evid".to_vec(), long(EVIDENCE_PATH), long(ORDER_PATH), senseless()] {
            scope.spawn(move || connections(agent, &request, until));
        }
        scope.spawn(|| client.within(|| questions(until)));
    });
    works_again(server, &client);
}

/// One user's connections and names, more than anybody has. The first are still in the server's table when the last
/// come, where the machine is quick enough: the table keeps those without an answer for 30 s.
pub fn many_connections_and_names(server: &Provisioned, client: &Client) {
    let (begin, before) = (Instant::now(), world::frames_from_guest());
    for part in 0.. {
        client.within(|| datagrams(part * PART..(part + 1) * PART));
        let (passed, seconds) = (world::frames_from_guest() - before, begin.elapsed().as_secs_f32());
        if passed >= CONNECTIONS {
            eprintln!("{passed} connections of {} datagrams: {seconds:.1} s", (part + 1) * PART);
            break;
        }
        assert!(begin.elapsed() < AFTER, "{passed} connections in {seconds} s");
    }
    let begin = Instant::now();
    let answered = client.within(|| different_names(NAMES));
    eprintln!("{answered} of {NAMES} names answered: {:.1} s", begin.elapsed().as_secs_f32());
    assert!(answered > NAMES / 2, "{answered} of {NAMES}");
    works_again(server, client);
}

/// It is the same boot, it answers everybody, and a quarter of its memory is free.
fn works_again(server: &Provisioned, client: &Client) {
    server.wait_until("a user reaches the world", AFTER, |_| {
        client.run("curl", &["--silent", "--max-time", "10", &format!("http://{WEB}/")]).code == Some(0)
    });
    assert_eq!(client.seen_as(WEB), GUEST.to_string());
    server.wait_until("names are answered", AFTER, |_| {
        let said = client.run("kdig", &["@10.66.0.1", "+cdflag", "+timeout=10", "+retry=0", "www.good.vitrine", "A"]);
        said.out.contains(WEB)
    });
    let judged = server.judge();
    judged.assert_accepted();
    assert_eq!(judged.report.keys.unwrap().wireguard, server.keys.wireguard, "it was restarted");
    let memory = || client.curl(&["--fail", "http://10.66.0.1:9469/metrics"]).expect_success();
    server.wait_until("memory is free again", AFTER, |_| {
        let page = memory();
        ["low", "medium", "high"].iter().any(|class| page.contains(&format!("vitrine_memory{{class=\"{class}\"}} 1")))
    });
}

/// First messages of WireGuard handshakes, each of another stranger (§5.4.2); with the server's key anybody makes them.
fn handshakes(key: Key32, server: SocketAddr, until: Instant) {
    let messages: Vec<Vec<u8>> = (0..64)
        .map(|index| {
            let secret = StaticSecret::from(vitrine_qemu::random::bytes::<32>().unwrap());
            let mut tunnel = Tunn::new(secret, PublicKey::from(key.0), None, None, index, None);
            let mut message = vec![0; 256];
            match tunnel.format_handshake_initiation(&mut message, true) {
                TunnResult::WriteToNetwork(bytes) => bytes.to_vec(),
                other => panic!("{other:?}"),
            }
        })
        .collect();
    send_all(server, &messages, until);
}

/// Of the length and type of a first message, with nothing true in it; and others.
fn garbage(server: SocketAddr, until: Instant) {
    let mut messages = vec![vec![1; 148], vec![4; 1400], vec![0; 1], vec![0xff; 32]];
    messages.iter_mut().for_each(|message| message[0] %= 5);
    send_all(server, &messages, until);
}

fn send_all(server: SocketAddr, messages: &[Vec<u8>], until: Instant) {
    let any: IpAddr = if server.is_ipv4() { "192.0.2.200".parse() } else { "2001:db8:52::2".parse() }.unwrap();
    let socket = UdpSocket::bind((any, 0)).unwrap();
    let mut sent = 0_u32;
    while Instant::now() < until {
        for message in messages.iter().cycle().skip(sent as usize % messages.len()).take(BATCH) {
            sent += u32::from(socket.send_to(message, server).is_ok());
        }
        std::thread::sleep(PAUSE);
    }
    eprintln!("{sent} packets to {server}");
    assert!(sent > 1000, "that is no flood");
}

/// As many connections as one flooder can have, each with this request and then silence.
fn connections(agent: SocketAddr, request: &[u8], until: Instant) {
    let (mut held, mut opened) = (std::collections::VecDeque::new(), 0_u32);
    while Instant::now() < until {
        if held.len() == HELD {
            held.pop_front();
        }
        let Ok(mut stream) = TcpStream::connect_timeout(&agent, Duration::from_secs(1)) else { continue };
        stream.set_nonblocking(true).unwrap();
        let _ = stream.write(request);
        let _ = stream.read(&mut [0; 64]);
        held.push_back(stream);
        opened += 1;
    }
    eprintln!("{opened} connections with {} bytes each", request.len());
}

/// Says that more comes than anybody may send.
fn long(path: &str) -> Vec<u8> {
    [format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n").as_bytes(), &[b'x'; 60_000]]
        .concat()
}

/// An order of the largest size that nobody has sealed.
fn senseless() -> Vec<u8> {
    let body = vec![0x5a; 32 << 10];
    let head = format!("POST {ORDER_PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), &body].concat()
}

/// Names that are different each time, and packets that are no question.
fn questions(until: Instant) {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    let mut n = 0;
    while Instant::now() < until {
        for _ in 0..BATCH {
            n += 1;
            let packet = if n % 5 == 0 { vec![n as u8; n % 600] } else { question(n, &format!("f{n}.plain.vitrine")) };
            let _ = socket.send_to(&packet, "10.66.0.1:53");
        }
        std::thread::sleep(4 * PAUSE);
    }
    eprintln!("{n} questions");
}

/// Each to another port or address, and so an entry in the server's table.
fn datagrams(numbers: Range<usize>) {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    let targets = numbers.map(|n| (if n % 2 == 0 { OTHER } else { WEB }, 1024 + (n / 2 % 60_000) as u16));
    for (n, target) in targets.enumerate() {
        let _ = socket.send_to(b"x", target);
        if n % BATCH == 0 {
            std::thread::sleep(PAUSE);
        }
    }
}

/// Asks for that many different names, some at a time; gives the number of answers. With CD, so that it does not
/// depend on the clock.
fn different_names(count: usize) -> usize {
    const AT_A_TIME: usize = 32;
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.connect("10.66.0.1:53").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(6))).unwrap();
    let (mut asked, mut answered, mut buffer) = (0, 0, [0; 4096]);
    while asked < count {
        let goal = (asked + AT_A_TIME).min(count);
        let wanted = goal - asked;
        for n in asked..goal {
            socket.send(&question(n, &format!("n{n}.plain.vitrine"))).unwrap();
        }
        asked = goal;
        answered += (0..wanted).take_while(|_| socket.recv(&mut buffer).is_ok()).count();
    }
    answered
}

/// RFC 1035 §4.1, type A, with RD and CD.
fn question(id: usize, name: &str) -> Vec<u8> {
    let mut packet = vec![(id >> 8) as u8, id as u8, 0x01, 0x10, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        packet.push(label.len() as u8);
        packet.extend(label.as_bytes());
    }
    packet.extend([0, 0, 1, 0, 1]);
    packet
}
