//! Work that has to be done on each processor.

use rustix::thread::{sched_getaffinity, sched_setaffinity, CpuSet};

/// Runs `work` on each processor that PID 1 may run on, but on no more than `most`; then it may run on all of them again.
pub fn on_each(most: usize, mut work: impl FnMut()) {
    let Ok(ours) = sched_getaffinity(None) else { return };
    for processor in (0..CpuSet::MAX_CPU).filter(|processor| ours.is_set(*processor)).take(most) {
        let mut only = CpuSet::new();
        only.set(processor);
        if sched_setaffinity(None, &only).is_ok() {
            work();
        }
    }
    let _ = sched_setaffinity(None, &ours);
}
