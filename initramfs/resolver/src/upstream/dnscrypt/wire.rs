//! Packets to a server and back. Each packet has a socket of its own, with a port that the kernel picks at random.

use crate::limits;
use hickory_net::NetError;
use std::future::Future;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};

/// Sends one packet over UDP and shows what comes from the server to `read`, until that finds what it wants: anybody
/// can forge a packet, so one that means nothing is passed over.
///
/// # Errors
/// Nothing came within [`limits::DATAGRAM`]; or the network refused.
pub async fn udp<T>(
    server: SocketAddr,
    packet: &[u8],
    mut read: impl FnMut(&[u8]) -> Option<T>,
) -> Result<T, NetError> {
    within(limits::DATAGRAM, async {
        let ours: SocketAddr = match server {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = UdpSocket::bind(ours).await?;
        // from now on the kernel drops what others send
        socket.connect(server).await?;
        socket.send(packet).await?;
        let mut buffer = vec![0; limits::SEALED_DATAGRAM];
        loop {
            let length = socket.recv(&mut buffer).await?;
            if let Some(found) = read(&buffer[..length]) {
                return Ok(found);
            }
        }
    })
    .await
}

/// Sends one packet over TCP and waits for one. A connection is for one question (DNSCrypt version 2, §6). Lengths are
/// big-endian as in DNS (RFC 1035 §4.2.2); that the text of version 2 says otherwise is an old mistake in it.
///
/// # Errors
/// No packet within [`limits::STREAM`]; or the network refused.
pub async fn tcp(server: SocketAddr, packet: &[u8]) -> Result<Vec<u8>, NetError> {
    let length = u16::try_from(packet.len()).map_err(|_| NetError::Message("packet"))?;
    within(limits::STREAM, async {
        let mut stream = TcpStream::connect(server).await?;
        stream.write_all(&[&length.to_be_bytes(), packet].concat()).await?;
        let length = stream.read_u16().await?;
        let mut answer = Vec::new();
        stream.take(length.into()).read_to_end(&mut answer).await?;
        Ok(answer)
    })
    .await
}

async fn within<T>(time: Duration, work: impl Future<Output = Result<T, NetError>>) -> Result<T, NetError> {
    tokio::time::timeout(time, work).await.map_err(|_| NetError::Timeout)?
}
