//! Kernel stacks of threads that have ended. The kernel keeps two of them for each processor as they are, and clears one when the
//! next thread gets it (NR_CACHED_STACKS, alloc_thread_stack_node in kernel/fork.c). So on each processor a few threads are started
//! that do nothing, and live at the same time.

use super::processors::on_each;
use std::sync::{Mutex, PoisonError};
use std::thread::Builder;

/// One more than the kernel keeps.
const THREADS: usize = 3;
/// Bytes.
const STACK: usize = 64 << 10;

/// Says how many threads there were, [`THREADS`] for each processor at best. All of them have ended: who forks is alone.
pub fn overwrite() -> usize {
    let mut started = 0;
    on_each(usize::MAX, || started += at_once());
    started
}

fn at_once() -> usize {
    let gate = Mutex::new(());
    std::thread::scope(|scope| {
        let closed = gate.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = || drop(gate.lock());
        let start = |_| Builder::new().stack_size(STACK).spawn_scoped(scope, wait).ok();
        let threads: Vec<_> = (0..THREADS).filter_map(start).collect();
        drop(closed);
        threads.into_iter().filter_map(|thread| thread.join().ok()).count()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_on_each_processor() {
        let processors = rustix::thread::sched_getaffinity(None).unwrap().count() as usize;
        assert_eq!(overwrite(), processors * THREADS);
    }
}
