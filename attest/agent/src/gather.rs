//! Those who ask for evidence while the TPM is at work share its next quote.
//!
//! Nobody waits for others to come: the first one's quote is begun as soon as the TPM is free, and takes along whoever came
//! until then. So a nonce waits at most for one command of the TPM, and a slow TPM serves more clients with each quote.

use crate::fault::Fault;
use crate::queue::Queue;
use crate::tpm::{Quote, Quoter};
use std::sync::mpsc::{sync_channel, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use vitrine_attest::batch::{Batch, Challenge, BATCH_LIMIT};
use vitrine_attest::rotation::RotatedKey;
use vitrine_attest::watch::Rule;
use vitrine_attest::Sha256;

/// What is quoted besides the challenge, taken once for all who share a quote.
#[derive(Debug)]
pub struct Subject {
    pub extra_data: Sha256,
    pub rotated: Vec<RotatedKey>,
    pub violation: Option<Rule>,
}

/// A quote, and what it is about.
#[derive(Debug)]
pub struct Quoted {
    pub quote: Quote,
    pub subject: Subject,
}

/// A client's share of a quote.
#[derive(Debug, Clone)]
pub struct Share {
    pub quoted: Arc<Quoted>,
    pub batch: Option<Batch>,
}

/// One who waits.
struct Asked {
    nonce: Sha256,
    deadline: Instant,
    reply: SyncSender<Result<Share, Fault>>,
}

/// Those who wait for the next quote. While there are some, a job of theirs is in the queue.
pub struct Gathering(Arc<Mutex<Vec<Asked>>>);

impl Gathering {
    pub fn new() -> Self {
        Self(Arc::default())
    }

    /// Quotes this nonce, maybe together with others. `subject` is asked right before the quote is made.
    ///
    /// # Errors
    /// [`Fault::Busy`] when the deadline passes first, [`Fault::Tpm`] when there is no quote.
    pub fn quote<Q: Quoter>(
        &self,
        queue: &Queue<Q>,
        nonce: Sha256,
        subject: impl FnOnce(Challenge) -> Subject + Send + 'static,
    ) -> Result<Share, Fault> {
        let (reply, result) = sync_channel(1);
        let first = {
            let mut waiting = lock(&self.0);
            if waiting.len() >= BATCH_LIMIT as usize {
                return Err(Fault::Busy);
            }
            waiting.push(Asked { nonce, deadline: queue.deadline(), reply });
            waiting.len() == 1
        };
        if first {
            let all = Arc::clone(&self.0);
            let job = Box::new(move |tpm: &mut Q| {
                // a statement of its own: the lock must not be held while the TPM is at work
                let asked = std::mem::take(&mut *lock(&all));
                answer(tpm, asked, subject)
            });
            // who came meanwhile has nobody to wait for, either: dropping them tells them
            queue.submit(job).inspect_err(|_| lock(&self.0).clear())?;
        }
        queue.wait(&result)
    }
}

/// One quote for all who still wait.
fn answer<Q: Quoter>(tpm: &mut Q, mut asked: Vec<Asked>, subject: impl FnOnce(Challenge) -> Subject) -> Option<Fault> {
    let now = Instant::now();
    asked.retain(|one| now < one.deadline);
    let nonces: Vec<Sha256> = asked.iter().map(|one| one.nonce).collect();
    // nobody waits any more
    let Some((challenge, places)) = Batch::gather(&nonces) else { return Some(Fault::Busy) };
    let subject = subject(challenge);
    let quoted = tpm.quote(&subject.extra_data).map(|quote| Arc::new(Quoted { quote, subject }));
    for (one, batch) in asked.into_iter().zip(places) {
        let share = quoted.as_ref().map(|quoted| Share { quoted: Arc::clone(quoted), batch }).map_err(|fault| *fault);
        // who has gone meanwhile gets nothing
        let _ = one.reply.try_send(share);
    }
    quoted.err()
}

/// Nothing here leaves anything half done, so a poisoned lock is as good as another.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::Limits;
    use std::time::Duration;
    use zeroize::Zeroizing;

    /// Takes its time, and hands extraData back as the attest.
    struct Slow {
        pause: Duration,
        quotes: u32,
        fault: Option<Fault>,
    }

    impl Quoter for Slow {
        fn quote(&mut self, extra_data: &Sha256) -> Result<Quote, Fault> {
            std::thread::sleep(self.pause);
            self.quotes += 1;
            match self.fault {
                Some(fault) => Err(fault),
                None => Ok(Quote { attest: extra_data.0.to_vec(), signature: vec![] }),
            }
        }
        fn activate(&mut self, _: &[u8], _: &[u8]) -> Result<Zeroizing<[u8; 32]>, Fault> {
            Err(Fault::Request)
        }
    }

    fn queue(pause: Duration, fault: Option<Fault>, wait: Duration) -> Queue<Slow> {
        let limits = Limits { wait, hang: Duration::from_secs(60) };
        Queue::start(Slow { pause, quotes: 0, fault }, limits, || {}).unwrap()
    }

    fn subject(challenge: Challenge) -> Subject {
        Subject { extra_data: Sha256::of(&challenge.fields().concat()), rotated: vec![], violation: None }
    }

    fn holds(nonce: &Sha256, share: &Share) -> bool {
        let challenge = match &share.batch {
            Some(batch) => batch.challenge(nonce).unwrap(),
            None => Challenge::Nonce(*nonce),
        };
        share.quoted.quote.attest == subject(challenge).extra_data.0
    }

    /// All at once, with a TPM that is occupied until they have come.
    fn crowd(queue: &Queue<Slow>, count: u8) -> Vec<Result<Share, Fault>> {
        let gathering = Gathering::new();
        let (gathering, queue) = (&gathering, queue);
        std::thread::scope(|scope| {
            let (held, hold) = sync_channel::<()>(0);
            queue.submit(Box::new(move |_: &mut Slow| hold.recv().err().map(|_| Fault::Busy))).unwrap();
            let ask = |n| scope.spawn(move || (n, gathering.quote(queue, Sha256::of(&[n]), subject)));
            let all: Vec<_> = (0..count).map(ask).collect();
            while lock(&gathering.0).len() < usize::from(count) {
                std::thread::sleep(Duration::from_millis(1));
            }
            held.send(()).unwrap();
            let all = all.into_iter().map(|one| one.join().unwrap());
            all.map(|(n, share)| share.inspect(|share| assert!(holds(&Sha256::of(&[n]), share)))).collect()
        })
    }

    const LONG: Duration = Duration::from_secs(30);

    #[test]
    fn one_who_is_alone_has_a_quote_of_its_own() {
        let queue = queue(Duration::ZERO, None, LONG);
        let share = Gathering::new().quote(&queue, Sha256::of(b"n"), subject).unwrap();
        assert!(share.batch.is_none() && holds(&Sha256::of(b"n"), &share));
    }

    #[test]
    fn a_crowd_shares_one_quote() {
        let queue = queue(Duration::ZERO, None, LONG);
        let shares: Vec<Share> = crowd(&queue, 40).into_iter().map(Result::unwrap).collect();
        assert!(shares.iter().all(|share| Arc::ptr_eq(&share.quoted, &shares[0].quoted)));
        assert_eq!(queue.run(|tpm| Ok(tpm.quotes)), Ok(1));
        // and the next one begins anew
        assert!(crowd(&queue, 1)[0].as_ref().unwrap().batch.is_none());
    }

    #[test]
    fn a_fault_is_everybodys_and_counts_once() {
        let queue = queue(Duration::ZERO, Some(Fault::Tpm), LONG);
        for _ in 0..2 {
            assert!(crowd(&queue, 5).iter().all(|share| share.as_ref().err() == Some(&Fault::Tpm)));
        }
        // ten clients, two failures: the service goes on
        assert_eq!(queue.run(|tpm| Ok(tpm.quotes)), Ok(2));
    }

    /// Those who come while a quote is being made neither wait for it longer than their deadline, nor are they lost.
    #[test]
    fn a_quote_that_hangs_holds_nobody() {
        let queue = queue(Duration::from_secs(2), None, Duration::from_millis(200));
        let gathering = Gathering::new();
        let ask = || {
            let begun = Instant::now();
            let fault = gathering.quote(&queue, Sha256::ZERO, subject).err();
            assert!(begun.elapsed() < Duration::from_millis(1500), "waited for {:?}", begun.elapsed());
            fault
        };
        assert_eq!([ask(), ask(), ask()], [Some(Fault::Busy); 3]);
        std::thread::sleep(Duration::from_secs(3));
        // nobody waited for the second one any more
        assert_eq!(queue.run(|tpm| Ok(tpm.quotes)), Ok(1));
    }

    #[test]
    fn who_waited_too_long_costs_no_quote() {
        let queue = queue(Duration::ZERO, None, Duration::from_millis(50));
        queue
            .submit(Box::new(|_: &mut Slow| {
                std::thread::sleep(Duration::from_millis(300));
                None
            }))
            .unwrap();
        let gathering = Gathering::new();
        assert_eq!(gathering.quote(&queue, Sha256::ZERO, subject).err(), Some(Fault::Busy));
        std::thread::sleep(Duration::from_millis(400));
        assert_eq!(queue.run(|tpm| Ok(tpm.quotes)), Ok(0));
        assert!(gathering.quote(&queue, Sha256::ZERO, subject).is_ok());
    }

    /// A queue that takes no more must not leave somebody behind whose job never runs.
    #[test]
    fn a_full_queue_leaves_nobody_waiting() {
        let queue = queue(Duration::ZERO, None, LONG);
        let (held, hold) = sync_channel::<()>(0);
        queue.submit(Box::new(move |_: &mut Slow| hold.recv().err().map(|_| Fault::Busy))).unwrap();
        while queue.submit(Box::new(|_: &mut Slow| None)).is_ok() {}
        let gathering = Gathering::new();
        assert_eq!(gathering.quote(&queue, Sha256::ZERO, subject).err(), Some(Fault::Busy));
        held.send(()).unwrap();
        let quotes = || queue.run(|tpm| Ok(tpm.quotes));
        while quotes() == Err(Fault::Busy) {}
        assert_eq!(quotes(), Ok(0));
        assert!(gathering.quote(&queue, Sha256::ZERO, subject).is_ok());
    }
}
