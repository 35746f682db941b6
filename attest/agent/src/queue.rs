//! One TPM, many clients: a thread owns the TPM and works through a bounded queue.
//!
//! Clients wait with a deadline, so a TPM that hangs occupies one thread and nobody's connection.

use crate::fault::{Failure, Fault};
use std::sync::mpsc::{sync_channel, Receiver, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Jobs waiting at once. More clients than connections cannot wait, so this only bounds memory.
const WAITING: usize = 64;
/// TPM failures in a row after which the service is withdrawn.
const FAILURES: u32 = 3;

/// The limits in time; tests use shorter ones.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How long a client waits for the TPM.
    pub wait: Duration,
    /// One command running longer than this: the TPM hangs, the service is withdrawn. The longest command of the
    /// PC Client profile, key creation, may take 300 s, but none of those runs here: quotes and activations end in seconds.
    pub hang: Duration,
}

impl Limits {
    pub const SERVICE: Self = Self { wait: Duration::from_secs(5), hang: Duration::from_secs(60) };
}

pub type Job<T> = Box<dyn FnOnce(&mut T) -> Option<Fault> + Send>;

/// Access to the TPM from any thread.
pub struct Queue<T> {
    jobs: SyncSender<Job<T>>,
    /// Since when the current job runs.
    running: Arc<Mutex<Option<Instant>>>,
    limits: Limits,
    /// Called once evidence can no longer be made. In the program: ends the process.
    withdraw: fn(),
}

impl<T: Send + 'static> Queue<T> {
    pub fn start(tpm: T, limits: Limits, withdraw: fn()) -> Result<Self, Failure> {
        let (jobs, inbox) = sync_channel(WAITING);
        let running = Arc::new(Mutex::new(None));
        let shared = Arc::clone(&running);
        std::thread::Builder::new()
            .spawn(move || work(tpm, &inbox, &shared, withdraw))
            .map_err(|_| Failure::Threads)?;
        Ok(Self { jobs, running, limits, withdraw })
    }

    /// Runs one job on the TPM.
    ///
    /// # Errors
    /// [`Fault::Busy`] when the deadline passes first; the job is then skipped, or its result dropped.
    pub fn run<R: Send + 'static>(
        &self,
        job: impl FnOnce(&mut T) -> Result<R, Fault> + Send + 'static,
    ) -> Result<R, Fault> {
        let deadline = self.deadline();
        let (reply, result) = sync_channel(1);
        let job: Job<T> = Box::new(move |tpm| {
            if Instant::now() >= deadline {
                return Some(Fault::Busy);
            }
            let done = job(tpm);
            let fault = done.as_ref().err().copied();
            // nobody waits any more: the result is dropped
            let _ = reply.send(done);
            fault
        });
        self.submit(job)?;
        self.wait(&result)
    }

    /// Has a job run when its turn comes. It says what went wrong with the TPM, and gives its result away by itself.
    ///
    /// # Errors
    /// [`Fault::Busy`]: too many wait already.
    pub fn submit(&self, job: Job<T>) -> Result<(), Fault> {
        self.jobs.try_send(job).map_err(|_| Fault::Busy)
    }

    /// Waits for the result of a job.
    ///
    /// # Errors
    /// [`Fault::Busy`] when the deadline passes first, or nobody will answer any more.
    pub fn wait<R>(&self, result: &Receiver<Result<R, Fault>>) -> Result<R, Fault> {
        result.recv_timeout(self.limits.wait).map_err(|_| {
            self.watch();
            Fault::Busy
        })?
    }

    /// Until when a client who comes now waits.
    pub fn deadline(&self) -> Instant {
        Instant::now() + self.limits.wait
    }

    /// Withdraws the service when the TPM has been at one command for too long.
    fn watch(&self) {
        let since = *self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if since.is_some_and(|since| since.elapsed() > self.limits.hang) {
            (self.withdraw)();
        }
    }
}

fn work<T>(mut tpm: T, inbox: &Receiver<Job<T>>, running: &Mutex<Option<Instant>>, withdraw: fn()) {
    let set = |since| *running.lock().unwrap_or_else(PoisonError::into_inner) = since;
    let mut failures = 0;
    for job in inbox {
        set(Some(Instant::now()));
        match job(&mut tpm) {
            None => failures = 0,
            Some(Fault::Tpm) => failures += 1,
            Some(Fault::Busy | Fault::Request) => {}
        }
        set(None);
        if failures == FAILURES {
            return withdraw();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    const SHORT: Limits = Limits { wait: Duration::from_millis(100), hang: Duration::from_millis(150) };

    fn never() {
        panic!("the service was withdrawn");
    }

    #[test]
    fn results_come_back_in_order() {
        let queue = Queue::start(0, SHORT, never).unwrap();
        for expected in 1..=5 {
            let got = queue.run(|n| {
                *n += 1;
                Ok(*n)
            });
            assert_eq!(got, Ok(expected));
        }
    }

    #[test]
    fn two_failures_and_a_success_go_on_and_requests_never_count() {
        let queue = Queue::start((), SHORT, never).unwrap();
        for _ in 0..4 {
            assert_eq!(queue.run(|()| Err::<(), _>(Fault::Tpm)), Err(Fault::Tpm));
            assert_eq!(queue.run(|()| Err::<(), _>(Fault::Request)), Err(Fault::Request));
            assert_eq!(queue.run(|()| Err::<(), _>(Fault::Tpm)), Err(Fault::Tpm));
            assert_eq!(queue.run(|()| Ok(())), Ok(()));
        }
    }

    #[test]
    fn three_failures_in_a_row_withdraw_the_service() {
        static WITHDRAWN: AtomicU32 = AtomicU32::new(0);
        let queue = Queue::start((), SHORT, || _ = WITHDRAWN.fetch_add(1, Ordering::SeqCst)).unwrap();
        for _ in 0..3 {
            assert_eq!(queue.run(|()| Err::<(), _>(Fault::Tpm)), Err(Fault::Tpm));
        }
        assert_eq!(queue.run(|()| Ok(())), Err(Fault::Busy));
        assert_eq!(WITHDRAWN.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn a_tpm_that_hangs_gives_busy_and_then_ends_the_service() {
        static WITHDRAWN: AtomicU32 = AtomicU32::new(0);
        let queue = Queue::start((), SHORT, || _ = WITHDRAWN.fetch_add(1, Ordering::SeqCst)).unwrap();
        let hung = queue.run(|()| {
            std::thread::sleep(Duration::from_secs(2));
            Ok(())
        });
        assert_eq!(hung, Err(Fault::Busy));
        assert_eq!(WITHDRAWN.load(Ordering::SeqCst), 0);
        assert_eq!(queue.run(|()| Ok(())), Err(Fault::Busy));
        assert_eq!(WITHDRAWN.load(Ordering::SeqCst), 1);
    }

    /// What nobody waits for any more must not cost a TPM command.
    #[test]
    fn a_job_past_its_deadline_is_skipped() {
        let queue = Queue::start(0, Limits { hang: Duration::from_secs(60), ..SHORT }, never).unwrap();
        let count = |n: &mut u32| {
            *n += 1;
            Ok(*n)
        };
        let slow = queue.run(|_| {
            std::thread::sleep(Duration::from_millis(250));
            Ok(0)
        });
        assert_eq!((slow, queue.run(count)), (Err(Fault::Busy), Err(Fault::Busy)));
        std::thread::sleep(Duration::from_millis(150));
        assert_eq!(queue.run(count), Ok(1));
    }
}
