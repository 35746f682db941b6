//! Limits, with clients that do not keep to anything. What passes through is tested with whole programs (`tests/gateway`).

use super::*;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;
use tokio::sync::oneshot;
use vitrine_attest::Sha256;

const SHORT: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(3600);

/// A proxy before a gateway that takes connections and says nothing.
async fn proxy(limits: Limits, oldest: Duration) -> (SocketAddr, Publisher, oneshot::Sender<()>, TcpListener) {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gateway = Address::parse(&format!("https://{}", silent.local_addr().unwrap())).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (publisher, standing) = publisher(Sha256::ZERO, uptime(), oldest).unwrap();
    let proxy = Proxy { gateway, guard: Guard::new(address, vec![]), standing, limits };
    let (end, ended) = oneshot::channel::<()>();
    tokio::spawn(serve(listener, Arc::new(proxy), async move { drop(ended.await) }));
    (address, publisher, end, silent)
}

async fn say(address: SocketAddr, text: &str) -> TcpStream {
    let mut stream = TcpSocket::new_v4().unwrap().connect(address).await.unwrap();
    stream.write_all(text.replace("HERE", &address.to_string()).as_bytes()).await.unwrap();
    stream
}

async fn rest(mut stream: TcpStream) -> String {
    let mut text = String::new();
    let _ = stream.read_to_string(&mut text).await;
    text
}

#[tokio::test]
async fn a_head_that_does_not_end() {
    let (address, _publisher, _end, _silent) = proxy(Limits { head: SHORT, ..Limits::default() }, LONG).await;
    let slow = say(address, "GET / HTTP/1.1\r\nHost: HERE\r\n").await;
    let idle = say(address, "").await;
    let ended = async { (rest(slow).await, rest(idle).await) };
    timeout(20 * SHORT, ended).await.expect("nobody hangs up");
}

#[tokio::test]
async fn a_gateway_that_never_answers() {
    let (address, _publisher, _end, _silent) = proxy(Limits { idle: SHORT, ..Limits::default() }, LONG).await;
    let stream = say(address, "GET / HTTP/1.1\r\nHost: HERE\r\n\r\n").await;
    assert_eq!(timeout(20 * SHORT, rest(stream)).await.expect("nobody hangs up"), "");
}

/// One place: the second client is served when the first is gone.
#[tokio::test]
async fn as_many_as_there_are_places() {
    let (address, publisher, _end, _silent) = proxy(Limits { connections: 1, ..Limits::default() }, LONG).await;
    publisher.refuse(Refusal::Rejected);
    let first = say(address, "").await;
    sleep(SHORT).await;
    let second = say(address, "GET / HTTP/1.1\r\nHost: HERE\r\nConnection: close\r\n\r\n").await;
    let mut answer = tokio::spawn(rest(second));
    assert!(timeout(SHORT, &mut answer).await.is_err(), "there was a second place");
    drop(first);
    let answer = timeout(20 * SHORT, answer).await.unwrap().unwrap();
    assert!(answer.ends_with("{\"error\":\"server-rejected\"}\n"), "{answer}");
}

/// A check that is too old does not count: a request waits for the next one.
#[tokio::test]
async fn an_old_check() {
    let (address, publisher, _end, _silent) = proxy(Limits::default(), Duration::ZERO).await;
    sleep(SHORT).await;
    let stream = say(address, "GET / HTTP/1.1\r\nHost: HERE\r\nConnection: close\r\n\r\n").await;
    timeout(20 * SHORT, publisher.wanted()).await.expect("no check was asked for");
    publisher.refuse(Refusal::NotJudged);
    let answer = timeout(20 * SHORT, rest(stream)).await.unwrap();
    assert!(answer.ends_with("{\"error\":\"server-not-judged\"}\n"), "{answer}");
}

#[tokio::test]
async fn the_end_is_not_waited_for() {
    let (address, _publisher, end, _silent) = proxy(Limits { grace: SHORT, ..Limits::default() }, LONG).await;
    let waiting = say(address, "").await;
    sleep(SHORT).await;
    drop(end);
    timeout(20 * SHORT, rest(waiting)).await.expect("an idle connection is kept");
    assert!(TcpSocket::new_v4().unwrap().connect(address).await.is_err());
}
