//! Authorities over UDP: one socket for each packet, on a port of its own.
//!
//! hickory's way to do it makes a task, two channels, two timers and six copies of the question for each packet. This
//! is what is left without them. What protects against forged answers is the same: a random port (RFC 5452 §4.5,
//! RFC 6056 §3.2), a random ID, and an answer from the address and to the question that were asked.

use crate::limits;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use hickory_net::runtime::TokioRuntimeProvider;
use hickory_net::xfer::DnsHandle;
use hickory_net::NetError;
use hickory_proto::op::{DnsRequest, DnsResponse, Message, DEFAULT_RETRY_FLOOR};
use std::io::{Error, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use tokio::net::UdpSocket;
use tokio::time::{timeout_at, Instant};

/// Packets for one question: one and two repetitions, as hickory has it.
const PACKETS: usize = 3;
/// Random ports that are tried; then the kernel chooses one.
const PORTS: usize = 10;
/// Bytes of the longest answer; questions ask for less (`edns_payload_len`).
const LONGEST: usize = 4096;

/// One server.
#[derive(Clone)]
pub struct Datagrams(pub SocketAddr);

impl DnsHandle for Datagrams {
    type Response = BoxStream<'static, Result<DnsResponse, NetError>>;
    type Runtime = TokioRuntimeProvider;

    fn send(&self, request: DnsRequest) -> Self::Response {
        stream::once(ask(self.0, request)).boxed()
    }
}

/// Asks, and again after a while: from the same port with the same ID, so that there is no more to guess at.
async fn ask(server: SocketAddr, request: DnsRequest) -> Result<DnsResponse, NetError> {
    let packet = request.to_vec()?;
    let socket = bind(server.ip()).await?;
    let pause = request.options().retry_interval.max(DEFAULT_RETRY_FLOOR);
    let begin = Instant::now();
    let end = begin + limits::AUTHORITY;
    for sent in 1..=PACKETS {
        socket.send_to(&packet, server).await?;
        let next = if sent == PACKETS { end } else { end.min(Instant::now() + pause) };
        if let Ok(answer) = timeout_at(next, answer(&socket, server, &request)).await {
            return answer;
        }
        if next == end {
            break;
        }
    }
    Err(NetError::Timeout)
}

/// The first packet that is an answer; others are not looked at any further.
async fn answer(socket: &UdpSocket, server: SocketAddr, request: &DnsRequest) -> Result<DnsResponse, NetError> {
    loop {
        socket.readable().await?;
        match receive(socket, server, request) {
            Ok(Some(packet)) => {
                let answer = DnsResponse::from_buffer(packet)?;
                if answer.queries == request.queries {
                    return Ok(answer);
                }
            }
            Ok(None) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// A packet; `None` when it is from somebody else or has another ID. It is not read before that is known.
fn receive(socket: &UdpSocket, server: SocketAddr, request: &DnsRequest) -> Result<Option<Vec<u8>>, Error> {
    let mut buffer = [0; LONGEST];
    let room = LONGEST.min(request.max_payload().into());
    let (length, source) = socket.try_recv_from(&mut buffer[..room])?;
    let packet = &buffer[..length];
    // an address of the form ::ffff:192.0.2.1 is the same as 192.0.2.1
    let same = source.ip().to_canonical() == server.ip().to_canonical() && source.port() == server.port();
    Ok((same && packet.starts_with(&request.metadata.id.to_be_bytes())).then(|| packet.to_vec()))
}

async fn bind(server: IpAddr) -> Result<UdpSocket, Error> {
    let any = match server {
        IpAddr::V4(_) => IpAddr::from(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::from(Ipv6Addr::UNSPECIFIED),
    };
    for _ in 0..PORTS {
        let port = random();
        // those below are others' (RFC 6056 §3.2)
        if port < 1024 {
            continue;
        }
        match UdpSocket::bind((any, port)).await {
            Err(error) if matches!(error.kind(), ErrorKind::AddrInUse | ErrorKind::PermissionDenied) => {}
            done => return done,
        }
    }
    UdpSocket::bind((any, 0)).await
}

/// From the generator that makes hickory's IDs: ChaCha, with a seed from the kernel and no system call each time.
fn random() -> u16 {
    Message::query().metadata.id
}
