//! What the two halves of one request share: when something last moved, how much, and who is to blame.

use crate::limits::SLACK;
use crate::refusal::Refusal;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::OnceLock;
use std::time::Duration;
use tokio::time::Instant;
use vitrine_attest::config::Limits;

#[derive(Debug)]
pub struct Exchange {
    began: Instant,
    idle: Duration,
    total: Duration,
    /// Milliseconds after `began`: when a piece of the request last came, and when a piece of the answer was last taken.
    up: AtomicU64,
    down: AtomicU64,
    bytes: AtomicU64,
    blame: OnceLock<Refusal>,
}

impl Exchange {
    pub fn new(limits: &Limits) -> Self {
        Self {
            began: Instant::now(),
            idle: limits.idle.duration(),
            total: limits.total.duration(),
            up: AtomicU64::new(0),
            down: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            blame: OnceLock::new(),
        }
    }

    pub fn age(&self) -> Duration {
        self.began.elapsed()
    }

    pub fn came_up(&self, bytes: usize) {
        self.moved(&self.up, bytes);
    }

    pub fn went_down(&self, bytes: usize) {
        self.moved(&self.down, bytes);
    }

    fn moved(&self, direction: &AtomicU64, bytes: usize) {
        direction.store(u64::try_from(self.age().as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Of both bodies.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Until when the next piece of the request has to come.
    pub fn until_up(&self) -> Instant {
        self.after(&self.up, Duration::ZERO)
    }

    /// Until when the upstream has to take what has come, or answer.
    pub fn until_answer(&self) -> Instant {
        self.after(&self.up, SLACK)
    }

    /// Until when the next piece of the answer has to come.
    pub fn until_down(&self) -> Instant {
        self.after(&self.down, Duration::ZERO)
    }

    /// Until when the client has to take a piece of the answer.
    pub fn until_taken(&self) -> Instant {
        self.after(&self.down, SLACK)
    }

    fn after(&self, direction: &AtomicU64, slack: Duration) -> Instant {
        let last = Duration::from_millis(direction.load(Ordering::Relaxed));
        self.began + (last + self.idle).min(self.total) + slack
    }

    /// The first who is blamed stays it.
    pub fn blame(&self, refusal: Refusal) {
        let _ = self.blame.set(refusal);
    }

    pub fn blamed(&self) -> Option<Refusal> {
        self.blame.get().copied()
    }
}
