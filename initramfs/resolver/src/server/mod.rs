//! Sockets and the transports on them.

mod doh;
mod listen;
mod stream;
mod udp;

pub use listen::{Listeners, Ports};
pub use vitrine_child::tls;

use crate::limits;
use crate::service::Service;
use crate::Transport;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

/// Starts everything; the tasks live as long as the thread's task set.
pub fn start(listeners: Listeners, service: &Rc<Service>) {
    // one budget for all stream transports: each connection costs a descriptor and some memory
    let connections = Arc::new(Semaphore::new(limits::CONNECTIONS));
    for socket in listeners.udp {
        tokio::task::spawn_local(udp::serve(socket, service.clone()));
    }
    for listener in listeners.tcp {
        tokio::task::spawn_local(accept(listener, service.clone(), connections.clone(), plain));
    }
    for (listener, acceptor) in listeners.dot {
        let serve = move |stream, service| encrypted(acceptor.clone(), stream, service, Kind::Dot);
        tokio::task::spawn_local(accept(listener, service.clone(), connections.clone(), serve));
    }
    for (listener, acceptor) in listeners.doh {
        let serve = move |stream, service| encrypted(acceptor.clone(), stream, service, Kind::Doh);
        tokio::task::spawn_local(accept(listener, service.clone(), connections.clone(), serve));
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Dot,
    Doh,
}

/// Takes connections for ever.
async fn accept<F>(
    listener: TcpListener,
    service: Rc<Service>,
    connections: Arc<Semaphore>,
    serve: impl Fn(TcpStream, Rc<Service>) -> F,
) where
    F: std::future::Future<Output = ()> + 'static,
{
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // out of descriptors, or the asker has gone: not a reason to spin
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        // one too many: closed at once
        let Ok(permit) = connections.clone().try_acquire_owned() else { continue };
        // without it every answer would wait for an acknowledgement; a connection is of use without, too
        let _ = stream.set_nodelay(true);
        let connection = serve(stream, service.clone());
        tokio::task::spawn_local(async move {
            connection.await;
            drop(permit);
        });
    }
}

async fn plain(stream: TcpStream, service: Rc<Service>) {
    stream::serve(stream, service, Transport::Tcp).await;
}

async fn encrypted(acceptor: TlsAcceptor, stream: TcpStream, service: Rc<Service>, kind: Kind) {
    let Ok(Ok(stream)) = tokio::time::timeout(limits::HANDSHAKE, acceptor.accept(stream)).await else { return };
    match kind {
        Kind::Dot => stream::serve(stream, service, Transport::Encrypted).await,
        Kind::Doh => doh::serve(stream, service).await,
    }
}
