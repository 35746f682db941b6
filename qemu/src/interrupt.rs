//! Ctrl-C: whoever waits asks here, gives up with an error, and so everything is stopped and removed on the way out.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use vitrine_attest::{Error, Result};

static STOP: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// From now on SIGINT, SIGTERM and SIGHUP make [`check`] fail; a second one ends the process at once
/// (its children are then killed by the kernel, see [`crate::process`]).
///
/// # Errors
/// When the signals cannot be caught.
pub fn install() -> Result<()> {
    let flag = STOP.get_or_init(|| Arc::new(AtomicBool::new(false)));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP] {
        signal_hook::flag::register_conditional_shutdown(signal, 130, flag.clone())
            .and_then(|_| signal_hook::flag::register(signal, flag.clone()))
            .map_err(|e| Error::host(format!("signal {signal} cannot be caught: {e}"), ""))?;
    }
    Ok(())
}

/// Whether somebody asked us to stop.
pub fn requested() -> bool {
    STOP.get().is_some_and(|flag| flag.load(Ordering::Relaxed))
}

/// # Errors
/// When somebody asked us to stop.
pub fn check() -> Result<()> {
    if requested() {
        return Err(Error::host("interrupted", "everything that was started has been stopped and removed"));
    }
    Ok(())
}

/// Asks again and again until there is an answer, at most until `deadline`; `None` when the time is over.
///
/// # Errors
/// Those of `ask`, and when somebody asked us to stop.
pub fn poll<T>(deadline: Instant, pause: Duration, mut ask: impl FnMut() -> Result<Option<T>>) -> Result<Option<T>> {
    loop {
        check()?;
        if let Some(answer) = ask()? {
            return Ok(Some(answer));
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        std::thread::sleep(pause);
    }
}
