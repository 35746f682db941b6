//! Orders that somebody on the way has recorded.

use super::Provisioned;
use crate::world::User;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use vitrine_attest::evidence::ORDER_PATH;

const MOMENT: Duration = Duration::from_secs(60);
/// A request of `vitrine-verify` is smaller.
const LONGEST: usize = 256 << 10;

/// What becomes of an order that was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    PassedOn,
    /// The owner's program gets no answer.
    Kept,
}

/// Somebody between the owner and the server: passes everything on and keeps a copy of the orders.
struct Recorder {
    address: SocketAddr,
    orders: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Recorder {
    /// To be called in the outside.
    fn start(server: SocketAddr, fate: Fate) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let orders: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
        let kept = orders.clone();
        // Ends with the test's process
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let _ = pass(client, server, fate, &kept);
            }
        });
        Self { address, orders }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The only order that came by.
    fn order(&self) -> Vec<u8> {
        let orders = self.orders.lock().unwrap();
        assert_eq!(orders.len(), 1, "orders that came by");
        orders[0].clone()
    }
}

fn pass(mut client: TcpStream, server: SocketAddr, fate: Fate, orders: &Mutex<Vec<Vec<u8>>>) -> std::io::Result<()> {
    let request = read_request(&mut client)?;
    if request.starts_with(format!("POST {ORDER_PATH} ").as_bytes()) {
        orders.lock().unwrap().push(request.clone());
        if fate == Fate::Kept {
            return Ok(());
        }
    }
    client.write_all(&exchange(server, &request)?)
}

/// To the end of the body, whose length the head tells.
fn read_request(client: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    client.set_read_timeout(Some(MOMENT))?;
    let mut request = Vec::new();
    let mut piece = [0; 4096];
    while !is_whole(&request) && request.len() < LONGEST {
        let length = client.read(&mut piece)?;
        if length == 0 {
            break;
        }
        request.extend_from_slice(&piece[..length]);
    }
    Ok(request)
}

fn is_whole(request: &[u8]) -> bool {
    let Some(end) = request.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&request[..end]).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    request.len() - end - 4 >= length.map_or(0, |length| length.trim().parse().unwrap())
}

/// One request; the server closes after its answer.
fn exchange(server: SocketAddr, request: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server)?;
    stream.set_read_timeout(Some(MOMENT))?;
    stream.write_all(request)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(answer)
}

fn status(answer: &[u8]) -> &str {
    std::str::from_utf8(answer)
        .ok()
        .or(std::str::from_utf8(&answer[..12]).ok())
        .and_then(|head| head.get(9..12))
        .unwrap()
}

/// An order that was carried out once is refused the second time, byte for byte the same, and so is one that was
/// held back until a later one had been taken. Nobody but the owner sees which: the refusal is sealed.
pub fn recorded_orders_are_refused(server: &Provisioned) {
    let agent = server.agent();
    let user = User::number(30);
    let add = |user: &User, recorder: &Recorder| {
        let more = ["--peer", &user.public().to_string(), "--allowed-ips", &user.networks()];
        server.peers_at(recorder.url(), &["add"], &more).exit_code
    };
    let recorder = Recorder::start(agent, Fate::PassedOn);
    assert_eq!(add(&user, &recorder), 0);
    assert!(server.has(&user));
    server.remove(&user);
    assert_eq!(status(&exchange(agent, &recorder.order()).unwrap()), "200");
    assert!(!server.has(&user), "a recorded order was carried out again");

    let (early, late) = (User::number(31), User::number(32));
    let recorders = [Recorder::start(agent, Fate::Kept), Recorder::start(agent, Fate::Kept)];
    assert_ne!(add(&early, &recorders[0]), 0, "nobody answered it");
    assert_ne!(add(&late, &recorders[1]), 0, "nobody answered it");
    for recorder in recorders.iter().rev() {
        assert_eq!(status(&exchange(agent, &recorder.order()).unwrap()), "200");
    }
    assert_eq!([server.has(&late), server.has(&early)], [true, false], "late orders first: the early one is void");
    server.remove(&late);
}

/// One byte of a sealed order is another one; or there is more, or nothing at all.
pub fn altered_orders_are_refused(server: &Provisioned) {
    let agent = server.agent();
    let user = User::number(33);
    let recorder = Recorder::start(agent, Fate::Kept);
    let more = ["--peer", &user.public().to_string(), "--allowed-ips", &user.networks()];
    assert_ne!(server.peers_at(recorder.url(), &["add"], &more).exit_code, 0, "nobody answered it");
    let order = recorder.order();
    let body = order.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap() + 4;
    for place in [body, (body + order.len()) / 2, order.len() - 1] {
        let mut altered = order.clone();
        altered[place] ^= 1;
        assert_eq!(status(&exchange(agent, &altered).unwrap()), "403");
    }
    assert!(!server.has(&user), "an altered order was carried out");
}
