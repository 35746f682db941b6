//! DNS over UDP (RFC 1035 §4.2.1).

use crate::limits;
use crate::service::{Quick, Service};
use crate::Transport;
use std::net::SocketAddr;
use std::rc::Rc;
use tokio::net::UdpSocket;

/// Packets that are answered before others get their turn.
const TURN: usize = 64;

/// Answers for ever.
pub async fn serve(socket: UdpSocket, service: Rc<Service>) {
    let socket = Rc::new(socket);
    // one byte more than a question may have, so that a longer one is seen as such
    let mut packet = vec![0; limits::QUESTION + 1];
    let mut out = Vec::with_capacity(limits::UDP_ANSWER);
    loop {
        if socket.readable().await.is_err() {
            continue;
        }
        for _ in 0..TURN {
            // an error is "nothing more", or somebody's ICMP message about an earlier answer
            let Ok((length, asker)) = socket.try_recv_from(&mut packet) else { break };
            match service.quick(&packet[..length], Transport::Udp, &mut out) {
                // a full buffer loses the answer, as the network might: the asker asks again
                Quick::Ready => _ = socket.try_send_to(&out, asker),
                Quick::Silent => {}
                Quick::Ask(question) => {
                    tokio::task::spawn_local(ask(socket.clone(), service.clone(), question, asker));
                }
            }
        }
        tokio::task::yield_now().await;
    }
}

async fn ask(socket: Rc<UdpSocket>, service: Rc<Service>, question: crate::question::Question, asker: SocketAddr) {
    let mut out = Vec::new();
    service.slow(question, Transport::Udp, &mut out).await;
    let _ = socket.try_send_to(&out, asker);
}
