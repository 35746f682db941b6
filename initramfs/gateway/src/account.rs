//! A request's place among those that are being answered, and its line in the counts when it is over.

use crate::client::Activity;
use crate::counts::Counts;
use crate::exchange::Exchange;
use hyper::StatusCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use vitrine_attest::inside::Outcome;

/// Dropped when the last byte of the answer was handed over, or the request given up.
#[derive(Debug)]
pub struct Account {
    counts: Arc<Counts>,
    activity: Arc<Activity>,
    exchange: Arc<Exchange>,
    permit: Option<OwnedSemaphorePermit>,
    pub upstream: Option<usize>,
    /// Whoever drops the request before it is over has left.
    pub outcome: Outcome,
    answered: Option<Duration>,
    /// How the request ends if the answer's body does.
    said: Outcome,
}

impl Account {
    pub fn open(counts: &Arc<Counts>, activity: &Arc<Activity>, exchange: &Arc<Exchange>) -> Self {
        activity.enter();
        let (counts, activity, exchange) = (counts.clone(), activity.clone(), exchange.clone());
        Self {
            counts,
            activity,
            exchange,
            permit: None,
            upstream: None,
            outcome: Outcome::ClientLeft,
            answered: None,
            said: Outcome::Ok,
        }
    }

    pub fn holds(&mut self, permit: OwnedSemaphorePermit) {
        self.permit = Some(permit);
    }

    /// The header of the answer is there.
    pub fn answered(&mut self) {
        self.answered = Some(self.exchange.age());
    }

    /// The class of the upstream's status.
    pub fn upstream_said(&mut self, status: StatusCode) {
        self.said = match status.as_u16() {
            ..300 => Outcome::Ok,
            300..400 => Outcome::Redirect,
            400..500 => Outcome::ClientError,
            _ => Outcome::ServerError,
        };
    }

    /// From now on the client has to take pieces of the answer.
    pub fn watch(&self) {
        self.activity.watch(&self.exchange);
    }

    /// The answer was handed over to its end.
    pub fn is_over(&mut self) {
        self.outcome = self.said;
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        let latency = self.answered.unwrap_or_else(|| self.exchange.age());
        self.counts.add(self.upstream, self.outcome, latency, self.exchange.bytes());
        self.activity.leave(self.outcome == Outcome::ClientLeft);
    }
}
