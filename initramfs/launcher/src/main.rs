//! Becomes the operator's own program, after it has given up whatever that one must not have.
//!
//! Started by init in the app's root, as the app's user, with a socket on descriptor 3: one line says what to run; see
//! `vitrine_attest::inside`. The program gets /dev/null as 0 to 2 and nothing else that it knows of. It prints nothing, ever.
#![deny(unsafe_code)]
// Tests may print and panic: they are not in the image.
#![cfg_attr(test, allow(clippy::disallowed_macros, clippy::disallowed_methods))]

mod become_program;
mod descriptors;

use become_program::Words;
use std::process::ExitCode;
use vitrine_attest::inside::AppStart;
use vitrine_sandbox::{seal, Profile, Tcp};

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|_| {}));
    // Returning at all is a failure, and every failure is the same to init: it tries again
    _ = run();
    ExitCode::FAILURE
}

/// Returns when a step fails; None says no more than that.
fn run() -> Option<std::convert::Infallible> {
    let init = descriptors::init_socket();
    let AppStart { app } = vitrine_child::start::read(&init).ok()?;
    let words = Words::new(&app)?;
    descriptors::put_away(&app, init)?;
    seal(Profile::App, Tcp { bind: &[app.port], connect: &[] }).ok()?;
    words.run();
    None
}
