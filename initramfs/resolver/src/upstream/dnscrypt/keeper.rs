//! Which certificate is used, and when the server is asked for another one (DNSCrypt version 2, §12).

use super::certificate::{self, Certificate};
use super::wire;
use crate::limits;
use ed25519_dalek::VerifyingKey;
use hickory_net::NetError;
use hickory_proto::op::{Message, Query};
use hickory_proto::rr::{Name, RecordType};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::Mutex as Turn;

pub struct Keeper {
    server: SocketAddr,
    /// The provider's name, `2.dnscrypt-cert.…`.
    name: Name,
    provider: VerifyingKey,
    state: Mutex<State>,
    /// Who has it asks; one at a time.
    turn: Arc<Turn<()>>,
}

#[derive(Default)]
struct State {
    certificate: Option<Arc<Certificate>>,
    /// When a good certificate came.
    came: Option<Instant>,
    asked: Option<Instant>,
    /// A question stayed without an answer: perhaps the server has forgotten its key.
    doubted: bool,
}

impl Keeper {
    pub fn new(server: SocketAddr, name: Name, provider: VerifyingKey) -> Self {
        Self { server, name, provider, state: Mutex::default(), turn: Arc::default() }
    }

    /// The certificate to use now. An old one that is still valid is used while another task asks for the next.
    ///
    /// # Errors
    /// There is no valid certificate, and the server has shown none.
    pub async fn certificate(self: &Arc<Self>) -> Result<Arc<Certificate>, NetError> {
        // in a statement of its own: the lock is free again before the next line
        let known = self.state().current(now());
        if let Some(certificate) = known {
            self.renew();
            return Ok(certificate);
        }
        let _turn = self.turn.lock().await;
        let known = self.state().current(now());
        match known {
            Some(certificate) => Ok(certificate),
            None if self.state().asked_within(limits::CERTIFICATE_RETRY) => Err(NetError::NoConnections),
            None => {
                self.ask().await;
                self.state().current(now()).ok_or(NetError::NoConnections)
            }
        }
    }

    /// A question stayed without an answer.
    pub fn doubt(self: &Arc<Self>) {
        self.state().doubted = true;
        self.renew();
    }

    /// Asks in a task of its own when it is time to.
    fn renew(self: &Arc<Self>) {
        if !self.state().is_old() {
            return;
        }
        if let Ok(turn) = self.turn.clone().try_lock_owned() {
            let keeper = self.clone();
            tokio::spawn(async move {
                let _turn = turn;
                keeper.ask().await;
            });
        }
    }

    /// UDP first, then TCP. The question is in the clear, as the protocol has it: it holds the provider's name only.
    async fn ask(&self) {
        self.state().asked = Some(Instant::now());
        let Some((question, id)) = self.question() else { return };
        let read = |packet: &[u8]| self.read(packet, id);
        let found = match wire::udp(self.server, &question, read).await {
            Ok(certificate) => Some(certificate),
            Err(_) => wire::tcp(self.server, &question).await.ok().and_then(|packet| read(&packet)),
        };
        if let Some(certificate) = found {
            self.state().take(certificate, now());
        }
    }

    fn question(&self) -> Option<(Vec<u8>, u16)> {
        let mut message = Message::query();
        message.metadata.id = random_id().ok()?;
        message.metadata.recursion_desired = true;
        message.add_query(Query::query(self.name.clone(), RecordType::TXT));
        Some((message.to_vec().ok()?, message.metadata.id))
    }

    /// Whoever forges an answer has no signature: it is passed over, and the wait goes on.
    fn read(&self, packet: &[u8], id: u16) -> Option<Certificate> {
        let answer = Message::from_vec(packet).ok().filter(|answer| answer.metadata.id == id)?;
        certificate::best(&answer, &self.name, &self.provider, now())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // nothing panics while it is held, and every state is a good one
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn current(&self, now: u64) -> Option<Arc<Certificate>> {
        self.certificate.as_ref().filter(|certificate| certificate.is_current(now)).cloned()
    }

    fn is_old(&self) -> bool {
        let old = self.came.is_none_or(|came| came.elapsed() >= limits::CERTIFICATE);
        (old || self.doubted) && !self.asked_within(limits::CERTIFICATE_PAUSE)
    }

    fn asked_within(&self, time: Duration) -> bool {
        self.asked.is_some_and(|asked| asked.elapsed() < time)
    }

    /// A certificate with a lower serial does not replace one that is valid: else whoever has recorded an old one, and
    /// stolen its key, could bring it back.
    fn take(&mut self, certificate: Certificate, now: u64) {
        if self.current(now).is_none_or(|current| certificate.serial >= current.serial) {
            self.certificate = Some(Arc::new(certificate));
        }
        self.came = Some(Instant::now());
        self.doubted = false;
    }
}

/// Seconds of Unix time by the machine's clock, which DNSSEC and TLS are judged by as well. 0 before 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

/// # Errors
/// The kernel gives no random bytes.
pub fn random_id() -> Result<u16, getrandom::Error> {
    let mut id = [0; 2];
    getrandom::fill(&mut id)?;
    Ok(u16::from_be_bytes(id))
}

#[cfg(test)]
#[path = "keeper_tests.rs"]
mod tests;
