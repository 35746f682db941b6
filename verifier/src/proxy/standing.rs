//! What the last check of the server has found: one task writes it, every request reads it.

use super::refusal::Refusal;
use crate::gateway::{client, Tls};
use rustix::time::{clock_gettime, ClockId};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{watch, Notify};
use vitrine_attest::{Result, Sha256};

/// What a request may go by.
#[derive(Debug, Clone)]
pub enum Held {
    Accepted {
        spki: Sha256,
        tls: Tls,
        /// When the check was begun, by [`uptime`].
        asked: Duration,
    },
    Not(Refusal),
}

#[derive(Debug, Clone)]
struct State {
    /// Checks so far.
    checks: u64,
    held: Held,
}

/// For those who read.
#[derive(Debug, Clone)]
pub struct Standing {
    state: watch::Receiver<State>,
    wanted: Arc<Notify>,
    oldest: Duration,
}

/// For the one who checks.
#[derive(Debug)]
pub struct Publisher {
    state: watch::Sender<State>,
    wanted: Arc<Notify>,
}

/// Since the machine's start, with the time that it slept: a proxy that wakes up in the evening does not go by the morning's check.
pub fn uptime() -> Duration {
    let now = clock_gettime(ClockId::Boottime);
    Duration::new(now.tv_sec.try_into().unwrap_or_default(), now.tv_nsec.try_into().unwrap_or_default())
}

/// A server that was accepted by a check begun at `asked`. A check older than `oldest` does not count.
///
/// # Errors
/// Never with the cryptography that is compiled in.
pub fn publisher(spki: Sha256, asked: Duration, oldest: Duration) -> Result<(Publisher, Standing)> {
    let held = Held::Accepted { spki, tls: client(spki)?, asked };
    let (state, receiver) = watch::channel(State { checks: 1, held });
    let wanted = Arc::new(Notify::new());
    Ok((Publisher { state, wanted: wanted.clone() }, Standing { state: receiver, wanted, oldest }))
}

impl Publisher {
    /// Over when a request needs a check.
    pub async fn wanted(&self) {
        self.wanted.notified().await;
    }

    pub fn is_accepted(&self) -> bool {
        matches!(self.state.borrow().held, Held::Accepted { .. })
    }

    /// The server was accepted with this key.
    ///
    /// # Errors
    /// As [`publisher`].
    pub fn accept(&self, spki: Sha256, asked: Duration) -> Result<()> {
        let tls = match &self.state.borrow().held {
            Held::Accepted { spki: before, tls, .. } if *before == spki => Some(tls.clone()),
            _ => None,
        };
        let tls = tls.map_or_else(|| client(spki), Ok)?;
        self.publish(Held::Accepted { spki, tls, asked });
        Ok(())
    }

    pub fn refuse(&self, why: Refusal) {
        self.publish(Held::Not(why));
    }

    fn publish(&self, held: Held) {
        self.state.send_modify(|state| *state = State { checks: state.checks + 1, held });
    }
}

impl Standing {
    /// The key to go by, its TLS, and the number of the check that says so; waits for another check when that one is too old.
    ///
    /// # Errors
    /// When the server is not accepted.
    pub(super) async fn current(&self) -> std::result::Result<(Sha256, Tls, u64), Refusal> {
        loop {
            let State { checks, held } = self.state.borrow().clone();
            match held {
                Held::Not(why) => return Err(why),
                Held::Accepted { spki, tls, asked } if uptime().saturating_sub(asked) <= self.oldest => {
                    return Ok((spki, tls, checks));
                }
                Held::Accepted { .. } => self.after(checks).await,
            }
        }
    }

    /// Has the server checked again, and waits until there was a check after this one.
    pub(super) async fn after(&self, checks: u64) {
        let mut state = self.state.clone();
        if state.borrow().checks <= checks {
            self.wanted.notify_one();
        }
        // an error: the program is about to end
        let _ = state.wait_for(|state| state.checks > checks).await;
    }

    /// Over when the server is not accepted with this key any more.
    pub(super) async fn lost(&self, spki: Sha256) {
        let goes_on = |state: &State| matches!(&state.held, Held::Accepted { spki: now, .. } if *now == spki);
        let _ = self.state.clone().wait_for(|state| !goes_on(state)).await;
    }
}
