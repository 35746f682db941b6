//! The thread that writes to the state file: it gathers what workers propose, and writes once for all of it.

use super::ledger::{Proposal, Settled};
use super::track::Look;
use super::worker::{failed, Shared};
use super::Told;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::sync::Arc;
use std::time::{Duration, Instant};
use vitrine_attest::Error;

/// Gathers for so many times as long as the last write took: writing takes a fifth of the time at most.
const SHARE: u32 = 4;
const LONGEST: Duration = Duration::from_secs(5);
/// Without anything to write, looks so often whether another program has written.
const IDLE: Duration = Duration::from_secs(5);

pub enum Message {
    Propose(usize, Look, Box<Proposal>),
    /// Settle what has come, then answer.
    Flush(Sender<()>),
}

/// Until nobody can send any more.
pub fn run(shared: &Arc<Shared>, messages: &Receiver<Message>, told: &Sender<Told>) {
    let Some(ledger) = &shared.ledger else { return };
    let mut cost = Duration::ZERO;
    loop {
        let first = match messages.recv_timeout(IDLE) {
            Ok(message) => message,
            Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => {
                // what is wrong with the file is said when something has to be written
                let _ = ledger.refresh();
                continue;
            }
        };
        let mut asked = vec![];
        let mut gathered = vec![];
        let until = Instant::now() + (cost * SHARE).min(LONGEST);
        let mut next = Some(first);
        while let Some(message) = next {
            match message {
                Message::Propose(index, look, proposal) => gathered.push((index, look, *proposal)),
                Message::Flush(answer) => asked.push(answer),
            }
            let left = if asked.is_empty() { until.saturating_duration_since(Instant::now()) } else { Duration::ZERO };
            next = messages.recv_timeout(left).ok();
        }
        let begun = Instant::now();
        let (indices, proposals): (Vec<_>, Vec<_>) =
            gathered.into_iter().map(|(index, look, proposal)| ((index, look), proposal)).unzip();
        let settled = if proposals.is_empty() { Ok(vec![]) } else { ledger.settle(&proposals) };
        cost = begun.elapsed();
        report(indices, settled, told);
        for answer in asked {
            let _ = answer.send(());
        }
    }
}

/// The receiver is gone only when the program ends.
fn report(looks: Vec<(usize, Look)>, settled: Result<Vec<Settled>, Error>, told: &Sender<Told>) {
    match settled {
        Ok(settled) => {
            for ((index, look), settled) in looks.into_iter().zip(settled) {
                let _ = told.send(match settled {
                    Settled::Written => Told::Settled(index, look),
                    Settled::Overtaken => Told::Overtaken(index),
                });
            }
        }
        Err(error) => {
            for (index, look) in looks {
                let _ = told.send(Told::Settled(index, Look { seen: failed(error.clone()), ..look }));
            }
        }
    }
}
