//! Work on all bundles of a log at once, on all processors.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Mutex;
use vitrine_attest::Result;

/// Bundles that one processor takes at a time, so that the lock is not what all wait for.
const SHARE: u64 = 16;

/// What `work` makes of each of these, in their order; of some it may make nothing.
pub(super) fn each<T: Send>(bundles: Range<u64>, work: impl Fn(u64) -> Option<T> + Sync) -> Vec<T> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(16);
    let next = AtomicU64::new(bundles.start);
    let done: Mutex<Vec<(u64, T)>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| loop {
                let first = next.fetch_add(SHARE, Ordering::Relaxed);
                if first >= bundles.end {
                    break;
                }
                let mine: Vec<_> =
                    (first..bundles.end.min(first + SHARE)).filter_map(|at| Some((at, work(at)?))).collect();
                done.lock().unwrap_or_else(std::sync::PoisonError::into_inner).extend(mine);
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, made)| made).collect()
}

/// The same for work that can fail. It is done for all of them even so.
///
/// # Errors
/// That of the first bundle with which `work` failed.
pub(super) fn try_each<T: Send>(bundles: Range<u64>, work: impl Fn(u64) -> Result<T> + Sync) -> Result<Vec<T>> {
    each(bundles, |at| Some(work(at))).into_iter().collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn in_order_and_without_gaps() {
        let odd: Vec<u64> = super::each(3..1000, |at| (at % 2 == 1).then_some(at));
        assert_eq!(odd, (3..1000).step_by(2).collect::<Vec<_>>());
        assert!(super::each(5..5, Some).is_empty());
    }
}
