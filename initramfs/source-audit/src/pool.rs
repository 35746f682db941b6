//! Work on many things at once, in their order.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{available_parallelism, scope};

/// Most threads: a parser needs up to 120 MB for the largest file that is read.
const THREADS: usize = 8;
/// Things whose results wait to be put into order, at most: what bounds the memory that they take.
const BATCH: usize = 128;

/// Does `work` for each item, on as many threads as there are processors, and hands the results to `each` in the order
/// of the items: what comes out does not depend on how many threads there are, or on their speed.
pub fn in_order<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync, mut each: impl FnMut(R)) {
    let threads = available_parallelism().map_or(1, usize::from).min(THREADS);
    for batch in items.chunks(BATCH) {
        let next = AtomicUsize::new(0);
        let some = || {
            let numbers = std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed));
            let taken = numbers.map_while(|number| Some((number, batch.get(number)?)));
            taken.map(|(number, item)| (number, work(item))).collect::<Vec<_>>()
        };
        let mut done = scope(|scope| {
            let workers: Vec<_> = (0..threads.min(batch.len())).map(|_| scope.spawn(some)).collect();
            let results = workers.into_iter().map(|worker| worker.join());
            results.flat_map(|done| done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect::<Vec<_>>()
        });
        done.sort_unstable_by_key(|(number, _)| *number);
        done.into_iter().for_each(|(_, result)| each(result));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_done_once_and_in_order() {
        for count in [0, 1, BATCH - 1, BATCH, 3 * BATCH + 5] {
            let items: Vec<usize> = (0..count).collect();
            let mut out = Vec::new();
            let slow_first = |item: &usize| {
                if item.is_multiple_of(64) {
                    std::thread::sleep(std::time::Duration::from_millis(2));
                }
                item * 2
            };
            in_order(&items, slow_first, |result| out.push(result));
            assert_eq!(out, items.iter().map(|item| item * 2).collect::<Vec<_>>());
        }
    }
}
