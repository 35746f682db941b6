//! Which certificate stays, and how often the server is asked: a socket of the test's own is the server.

use super::*;
use crate::upstream::dnscrypt::certificate::System;
use ed25519_dalek::{Signer as _, SigningKey};
use hickory_proto::op::OpCode;
use hickory_proto::rr::rdata::TXT;
use hickory_proto::rr::{RData, Record};
use tokio::net::UdpSocket;

const NOW: u64 = 100;

fn certificate(serial: u32, until: u32) -> Certificate {
    Certificate { system: System::Salsa, resolver: [9; 32], client_magic: [8; 8], serial, from: 0, until }
}

fn ago(seconds: u64) -> Option<Instant> {
    Some(Instant::now().checked_sub(Duration::from_secs(seconds)).expect("the machine runs longer than a test's time"))
}

#[test]
fn a_lower_serial_replaces_only_what_is_over() {
    let mut state = State::default();
    let serial = |state: &State| state.certificate.as_ref().map(|certificate| certificate.serial);
    for (new, now, kept) in [
        (certificate(5, 200), NOW, 5),
        (certificate(4, 300), NOW, 5),
        (certificate(6, 200), NOW, 6),
        (certificate(6, 150), NOW, 6),
        (certificate(1, 300), 151, 1),
    ] {
        state.take(new, now);
        assert_eq!(serial(&state), Some(kept));
    }
    assert!(state.current(300).is_some() && state.current(301).is_none());
}

#[test]
fn asked_each_hour_or_in_doubt_but_not_at_every_question() {
    let old = |came, asked, doubted| State { certificate: None, came, asked, doubted }.is_old();
    let (hour, pause) = (limits::CERTIFICATE.as_secs(), limits::CERTIFICATE_PAUSE.as_secs());
    assert!(old(None, None, false));
    assert!(!old(ago(10), ago(pause), false));
    assert!(old(ago(10), ago(pause), true));
    assert!(!old(ago(10), ago(0), true));
    // a machine that has just started has no instant an hour ago
    if let Some(came) = Instant::now().checked_sub(Duration::from_secs(hour)) {
        assert!(old(Some(came), ago(pause), false));
        assert!(!old(Some(came), ago(0), false));
    }
}

fn provider() -> SigningKey {
    SigningKey::from_bytes(&[3; 32])
}

/// A certificate for all times.
fn text(serial: u32) -> RData {
    let body = [&[9; 32][..], &[8; 8], &serial.to_be_bytes(), &[0; 4], &[0xff; 4]].concat();
    let certificate = [b"DNSC\0\x01\0\0", &provider().sign(&body).to_bytes()[..], &body].concat();
    RData::TXT(TXT::from_bytes(vec![&certificate]))
}

/// Answers each question with what comes next of `serials`, after a forgery with another number; then with silence.
async fn server(serials: &[u32]) -> (Arc<Keeper>, tokio::task::JoinHandle<usize>) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let name = Name::from_ascii("2.dnscrypt-cert.example.").unwrap();
    let keeper = Keeper::new(socket.local_addr().unwrap(), name.clone(), provider().verifying_key());
    let serials = serials.to_vec();
    let task = tokio::spawn(async move {
        let (mut buffer, mut count) = ([0; 512], 0);
        loop {
            let wait = tokio::time::timeout(Duration::from_millis(500), socket.recv_from(&mut buffer));
            let Ok(Ok((length, asker))) = wait.await else { return count };
            let question = Message::from_vec(&buffer[..length]).unwrap();
            assert_eq!(question.queries, [Query::query(name.clone(), RecordType::TXT)]);
            count += 1;
            let Some(serial) = serials.get(count - 1) else { continue };
            for (id, serial) in [(question.metadata.id ^ 1, 99), (question.metadata.id, *serial)] {
                let mut answer = Message::response(id, OpCode::Query);
                answer.add_answer(Record::from_rdata(name.clone(), 60, text(serial)));
                socket.send_to(&answer.to_vec().unwrap(), asker).await.unwrap();
            }
        }
    });
    (Arc::new(keeper), task)
}

fn run<T>(test: impl std::future::Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
}

#[test]
fn many_at_once_ask_once() {
    run(async {
        let (keeper, task) = server(&[7, 8]).await;
        let all = futures_util::future::join_all((0..100).map(|_| keeper.certificate())).await;
        assert!(all.iter().all(|found| found.as_ref().is_ok_and(|certificate| certificate.serial == 7)));
        // in doubt, but the pause is not over
        keeper.doubt();
        assert_eq!(task.await.unwrap(), 1);
    });
}

#[test]
fn doubt_brings_the_next_certificate() {
    run(async {
        let (keeper, task) = server(&[7, 8]).await;
        assert_eq!(keeper.certificate().await.unwrap().serial, 7);
        keeper.state().asked = ago(limits::CERTIFICATE_PAUSE.as_secs());
        keeper.doubt();
        // the old one is used while another task asks
        assert_eq!(keeper.certificate().await.unwrap().serial, 7);
        assert_eq!(task.await.unwrap(), 2);
        assert_eq!(keeper.certificate().await.unwrap().serial, 8);
    });
}

#[test]
fn a_silent_server_is_not_asked_again_at_once() {
    run(async {
        let (keeper, task) = server(&[]).await;
        let began = Instant::now();
        let all = futures_util::future::join_all((0..100).map(|_| keeper.certificate())).await;
        assert!(all.iter().all(Result::is_err));
        assert!(began.elapsed() < limits::FORWARDER, "a forwarder's time is over");
        assert_eq!(task.await.unwrap(), 1);
    });
}
