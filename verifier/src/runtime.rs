//! The thread that reads, writes and waits, for those who have to do with many at once.

use std::future::Future;
use std::io;
use tokio::runtime::Builder;
use vitrine_attest::{Error, Result};

/// One thread; what may block it gets others (`spawn_blocking`).
pub fn one_thread() -> Builder {
    let mut builder = Builder::new_current_thread();
    builder.enable_all();
    builder
}

/// Works to the end. Other threads that still wait then, for a server or for who reads our output, are left behind.
///
/// # Errors
/// `failed`, when there is no such thread; and those of the work.
pub fn run<T>(failed: impl FnOnce(io::Error) -> Error, work: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = one_thread().build().map_err(failed)?;
    let ended = runtime.block_on(work);
    runtime.shutdown_background();
    ended
}
