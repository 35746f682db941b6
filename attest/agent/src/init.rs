//! The line to init while serving: orders go out, one at a time; answers and rotated keys come in.

use crate::attachments::Attachments;
use crate::channel::{say, News};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{sync_channel, SyncSender};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use vitrine_attest::inside::{FromAgent, ToAgent};
use vitrine_attest::rotation::{RotatedKey, MOST_LIVE};
use vitrine_attest::watch::Rule;

/// How long init may take for an order. The last part of a synchronisation changes up to 10,000 peers.
const PATIENCE: Duration = Duration::from_secs(30);

/// What init says to an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Sealed to whoever sealed the order.
    Sealed(Vec<u8>),
    /// Fixed code: the order could not be opened.
    Refused(String),
}

/// Init, as the service sees it.
pub struct Init {
    writer: Mutex<UnixStream>,
    /// Who waits for the answer. Stays set when the client's deadline passes, until init has answered.
    asked: Mutex<Option<SyncSender<Answer>>>,
    rotated: Mutex<Vec<RotatedKey>>,
    /// Once there, there for ever.
    violation: Mutex<Option<Rule>>,
    /// What the owner has ordered to be handed out.
    pub attachments: Attachments,
}

impl Init {
    pub fn new(writer: UnixStream, news: News) -> Self {
        let News { rotated, violation, attached } = news;
        Self {
            writer: Mutex::new(writer),
            asked: Mutex::new(None),
            rotated: Mutex::new(rotated),
            violation: Mutex::new(violation),
            attachments: Attachments::ordered(attached),
        }
    }

    /// Later WireGuard keys that live now, oldest first.
    pub fn rotated(&self) -> Vec<RotatedKey> {
        lock(&self.rotated).clone()
    }

    /// What init's watch has found: PCR 14 holds it.
    pub fn violation(&self) -> Option<Rule> {
        *lock(&self.violation)
    }

    /// Hands a sealed order to init. `None`: another order is on its way, or init is slow.
    pub fn order(&self, sealed: &[u8]) -> Option<Answer> {
        let (reply, answer) = sync_channel(1);
        {
            let mut asked = lock(&self.asked);
            if asked.is_some() {
                return None;
            }
            *asked = Some(reply);
        }
        say(&mut lock(&self.writer), &FromAgent::Order(sealed.to_vec())).ok()?;
        answer.recv_timeout(PATIENCE).ok()
    }

    /// Takes a word of init. False when it makes no sense, or answers what nobody asked.
    pub fn hear(&self, word: ToAgent) -> bool {
        match word {
            ToAgent::Answer(sealed) => self.deliver(Answer::Sealed(sealed)),
            ToAgent::Refused(code) => self.deliver(Answer::Refused(code)),
            ToAgent::Rotated(keys) if keys.len() <= MOST_LIVE => {
                *lock(&self.rotated) = keys;
                true
            }
            ToAgent::Violation(rule) => lock(&self.violation).replace(rule).is_none(),
            ToAgent::Attach(digest) => {
                self.attachments.order(digest);
                true
            }
            ToAgent::Rotated(_) | ToAgent::Serve(_) => false,
        }
    }

    fn deliver(&self, answer: Answer) -> bool {
        match lock(&self.asked).take() {
            // the one who asked may have given up; then the answer is dropped
            Some(reply) => {
                let _ = reply.try_send(answer);
                true
            }
            None => false,
        }
    }
}

/// No critical section here can leave anything half done, so a poisoned lock is as good as another.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
