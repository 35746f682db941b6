//! What is remembered, shared by all workers of a fleet and with other programs: one book in memory, one lock on the file,
//! one write for many servers.
//!
//! A worker judges by the book as it is, without any lock, and proposes what it would remember. Proposals are gathered, and
//! settled together under the lock on the file: one whose server has another record by then, written by another program or
//! by a proposal before it, was judged by an old one and is refused as overtaken; all others are written with one replacement
//! of the file. Only after that a server counts as accepted, so no accepted record is lost.

use crate::memory::{place, Book, Kept, LogSeen, Record, ServerId, Stamp, Store};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use vitrine_attest::{Error, Result};

pub struct Ledger {
    store: Store,
    now: Mutex<Now>,
}

#[derive(Clone)]
struct Now {
    stamp: Stamp,
    book: Arc<Book>,
}

/// A server that was accepted by what the book said of it.
#[derive(Debug, Clone)]
pub struct Proposal {
    pub server: ServerId,
    /// By which it was judged.
    pub base: Option<Record>,
    pub seen: Record,
    /// That its statement stands in.
    pub log: Option<(String, LogSeen)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// It stands in the file.
    Written,
    /// The book has another record of this server than it was judged by: look again.
    Overtaken,
}

impl Ledger {
    /// # Errors
    /// When the file cannot be used.
    pub fn open(named: Option<&Path>) -> Result<Self> {
        let store = Store::at(&place(named)?)?;
        let now = read(&store)?;
        Ok(Self { store, now: Mutex::new(now) })
    }

    /// As it was settled last, or read since.
    pub fn book(&self) -> Arc<Book> {
        self.lock().book.clone()
    }

    /// Reads again what another program has written.
    ///
    /// # Errors
    /// When the file cannot be used any more; the book stays.
    pub fn refresh(&self) -> Result<()> {
        let locked = self.store.lock()?;
        if locked.stamp()? != self.lock().stamp {
            drop(locked);
            let now = read(&self.store)?;
            *self.lock() = now;
        }
        Ok(())
    }

    /// Settles them together, in their order.
    ///
    /// # Errors
    /// When the file cannot be read or replaced: then none of them is remembered, and none is accepted.
    pub fn settle(&self, proposals: &[Proposal]) -> Result<Vec<Settled>> {
        let locked = self.store.lock()?;
        let mut now = self.lock().clone();
        let stamp = locked.stamp()?;
        if stamp != now.stamp {
            now = Now { stamp, book: locked.read_after(&Kept::default())?.book };
        }
        let book = Arc::make_mut(&mut now.book);
        let settled: Vec<Settled> = proposals.iter().map(|proposal| settle(book, proposal)).collect();
        if settled.contains(&Settled::Written) {
            let unwritten = "the server passed all checks and is not accepted, because that cannot be remembered";
            locked.write(book).map_err(|e| Error::input(format!("{unwritten}: {}", e.what), e.hint))?;
        }
        now.stamp = locked.stamp()?;
        *self.lock() = now;
        Ok(settled)
    }

    /// What is in it is replaced as a whole, so a thread that panicked has left nothing half done.
    fn lock(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(store: &Store) -> Result<Now> {
    let locked = store.lock()?;
    Ok(Now { stamp: locked.stamp()?, book: locked.read_after(&Kept::default())?.book })
}

fn settle(book: &mut Book, proposal: &Proposal) -> Settled {
    let contradicted = proposal.log.as_ref().is_some_and(|(origin, log)| book.contradicting(origin, log).is_some());
    if contradicted || book.get(&proposal.server) != proposal.base.as_ref() {
        return Settled::Overtaken;
    }
    let seen = &proposal.seen;
    book.servers.entry(proposal.server).and_modify(|record| record.follow(seen)).or_insert_with(|| seen.clone());
    book.see(proposal.log.clone());
    Settled::Written
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::tests::record;
    use vitrine_attest::Sha256;

    fn id(n: u32) -> ServerId {
        ServerId(Sha256::of(&n.to_be_bytes()))
    }

    fn proposal(ledger: &Ledger, n: u32, last_seen: u64) -> Proposal {
        let base = ledger.book().get(&id(n)).cloned();
        Proposal { server: id(n), base, seen: record("http://a", last_seen), log: None }
    }

    #[test]
    fn one_write_for_many_and_the_second_of_one_server_is_overtaken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let ledger = Ledger::open(Some(&path)).unwrap();
        let proposals = [proposal(&ledger, 1, 5), proposal(&ledger, 2, 5), proposal(&ledger, 1, 6)];
        let settled = ledger.settle(&proposals).unwrap();
        assert_eq!(settled, [Settled::Written, Settled::Written, Settled::Overtaken]);
        assert_eq!(ledger.book().servers.len(), 2);
        assert_eq!(*Ledger::open(Some(&path)).unwrap().book(), *ledger.book(), "the file holds it");
        assert_eq!(ledger.settle(&[proposal(&ledger, 1, 9)]).unwrap(), [Settled::Written]);
        assert_eq!(ledger.book().get(&id(1)).unwrap().last_seen, 9);
    }

    /// Two programs that were shown two trees of one size at once: the second looks again, and finds out.
    #[test]
    fn two_trees_of_one_log() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(Some(&folder.path().join("state"))).unwrap();
        let with = |n, size, root: u8| {
            let seen = LogSeen { size, root: Sha256([root; 32]), note: String::new() };
            Proposal { log: Some(("log.example".into(), seen)), ..proposal(&ledger, n, 5) }
        };
        let proposals = [with(1, 7, 1), with(2, 7, 2), with(3, 7, 1), with(4, 9, 3), with(5, 8, 4)];
        let settled = ledger.settle(&proposals).unwrap();
        let overtaken: Vec<_> = settled.iter().map(|settled| *settled == Settled::Overtaken).collect();
        assert_eq!(overtaken, [false, true, false, false, false]);
        assert_eq!(ledger.book().logs["log.example"].size, 9);
    }

    #[test]
    fn what_another_program_wrote_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let (ledger, other) = (Ledger::open(Some(&path)).unwrap(), Ledger::open(Some(&path)).unwrap());
        let early = proposal(&ledger, 1, 5);
        other.settle(&[proposal(&other, 1, 7), proposal(&other, 3, 7)]).unwrap();
        assert_eq!(ledger.settle(&[early, proposal(&ledger, 2, 5)]).unwrap(), [Settled::Overtaken, Settled::Written]);
        assert_eq!(ledger.book().servers.len(), 3, "nothing of the other's is lost");
        // forgotten by the operator
        other.refresh().unwrap();
        std::fs::remove_file(&path).unwrap();
        other.refresh().unwrap();
        assert!(other.book().servers.is_empty());
    }

    #[test]
    fn what_cannot_be_written_is_not_accepted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let ledger = Ledger::open(Some(&path)).unwrap();
        ledger.settle(&[proposal(&ledger, 1, 5)]).unwrap();
        std::fs::write(&path, b"{").unwrap();
        let error = ledger.settle(&[proposal(&ledger, 2, 5)]).unwrap_err();
        assert!(error.what.contains("damaged"), "{error}");
        assert!(ledger.refresh().is_err());
        assert_eq!((ledger.book().servers.len(), std::fs::read(&path).unwrap()), (1, b"{".to_vec()));
    }

    #[test]
    fn many_threads_lose_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(Some(&folder.path().join("state"))).unwrap();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let ledger = &ledger;
                scope.spawn(move || {
                    for n in 0..20 {
                        assert_eq!(
                            ledger.settle(&[proposal(ledger, thread * 100 + n, 5)]).unwrap(),
                            [Settled::Written]
                        );
                    }
                });
            }
        });
        assert_eq!(ledger.book().servers.len(), 80);
    }
}
