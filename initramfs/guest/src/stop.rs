//! How this boot ends when a step fails: quietly, without a tunnel.

pub use vitrine_child::stop::{OrStop, Step, Stop};

use rustix::system::{reboot, RebootCommand};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::OnceLock;

/// Set once the measured os-release names a dev image.
static DEV_IMAGE: AtomicBool = AtomicBool::new(false);

/// From now on [`halt`] may write its code to the console. Only images that every verifier refuses get here.
pub fn this_is_a_dev_image() {
    DEV_IMAGE.store(true, Ordering::Relaxed);
}

/// Switches the machine off. A dev image with a console shows the code first.
pub fn halt(stop: Stop) -> ! {
    if DEV_IMAGE.load(Ordering::Relaxed) {
        show(stop.0);
    }
    loop {
        // Needs CAP_SYS_BOOT, which is dropped once the server runs; PID 1 that returns makes the kernel panic,
        // and `panic=-1` on the measured command line restarts the machine.
        if reboot(RebootCommand::PowerOff).is_err() {
            std::process::exit(1);
        }
    }
}

/// One line on the dev image's console: `vitrine-init: <code>`.
pub fn show(code: &'static str) {
    say(&["vitrine-init: ", code]);
}

/// One line on the dev image's console, made of parts that were fixed at compile time.
pub fn say(parts: &[&'static str]) {
    let opened = if CONSOLE.get().is_some() { None } else { open_console() };
    let Some(console) = CONSOLE.get().or(opened.as_ref()) else {
        return;
    };
    // In one piece: beside a userland, two processes of a probe speak at the same time
    let line = [parts.concat().as_str(), "\n"].concat();
    if rustix::io::write(console, line.as_bytes()).is_err() {
        return;
    }
    // Otherwise the power goes before the line is out; nothing is lost when it cannot be waited for.
    let _ = rustix::termios::tcdrain(console);
}

/// A dev image's, once /dev is about to go.
static CONSOLE: OnceLock<OwnedFd> = OnceLock::new();

/// /dev goes away, and a dev image still has something to say. No other image opens its console, ever.
pub fn keep_console() {
    if let Some(console) = open_console() {
        // Called once
        let _ = CONSOLE.set(console);
    }
}

fn open_console() -> Option<OwnedFd> {
    use rustix::fs::{open, Mode, OFlags};
    if !DEV_IMAGE.load(Ordering::Relaxed) {
        return None;
    }
    open("/dev/console", OFlags::WRONLY | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty()).ok()
}
