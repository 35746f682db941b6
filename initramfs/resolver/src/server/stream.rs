//! DNS over TCP (RFC 7766) and over TLS (RFC 7858): messages with two bytes of length, answered in any order.

use crate::limits;
use crate::service::{Quick, Service};
use crate::Transport;
use std::rc::Rc;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{mpsc, Semaphore};
use tokio::time::timeout;

/// Serves one connection until it ends, idles, or breaks a rule.
pub async fn serve(stream: impl AsyncRead + AsyncWrite, service: Rc<Service>, transport: Transport) {
    let (reader, writer) = tokio::io::split(stream);
    let (answers, queue) = mpsc::channel(limits::PER_CONNECTION);
    // whoever does not take his answers is not read any more: the queue is full, and then the writer gives up
    tokio::join!(read(reader, service, transport, answers), write(writer, queue));
}

async fn read(
    mut reader: impl AsyncRead + Unpin,
    service: Rc<Service>,
    transport: Transport,
    answers: mpsc::Sender<Vec<u8>>,
) {
    let work = Arc::new(Semaphore::new(limits::PER_CONNECTION));
    let mut message = Vec::new();
    while let Ok(Some(())) = timeout(limits::IDLE, message_of(&mut reader, &mut message)).await {
        let mut out = Vec::new();
        match service.quick(&message, transport, &mut out) {
            Quick::Ready => {
                if answers.send(out).await.is_err() {
                    return;
                }
            }
            // an answer where a question belongs: not a client
            Quick::Silent => return,
            Quick::Ask(question) => {
                let Ok(permit) = work.clone().acquire_owned().await else { return };
                let (service, answers) = (service.clone(), answers.clone());
                tokio::task::spawn_local(async move {
                    service.slow(question, transport, &mut out).await;
                    // gone: the connection has ended
                    let _ = answers.send(out).await;
                    drop(permit);
                });
            }
        }
    }
}

/// One message; `None` at the end of the stream and for a length that no question has.
async fn message_of(reader: &mut (impl AsyncRead + Unpin), message: &mut Vec<u8>) -> Option<()> {
    let length = usize::from(reader.read_u16().await.ok()?);
    (1..=limits::QUESTION).contains(&length).then_some(())?;
    message.resize(length, 0);
    reader.read_exact(message).await.ok()?;
    Some(())
}

async fn write(mut writer: impl AsyncWrite + Unpin, mut queue: mpsc::Receiver<Vec<u8>>) {
    while let Some(answer) = queue.recv().await {
        let Ok(length) = u16::try_from(answer.len()) else { return };
        // one write, so that it is one packet and one TLS record
        let whole = [&length.to_be_bytes()[..], &answer].concat();
        let sent = timeout(limits::IDLE, async {
            writer.write_all(&whole).await?;
            writer.flush().await
        });
        if !matches!(sent.await, Ok(Ok(()))) {
            return;
        }
    }
    // the other side may be gone already
    let _ = timeout(limits::HANDSHAKE, writer.shutdown()).await;
}
