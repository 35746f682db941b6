//! The gateway of the image, a child of PID 1: see the library.
//!
//! It ends with 0 when init is gone, with 1 when it could not start. It prints nothing, ever.
#![deny(unsafe_code)]

use std::os::fd::{FromRawFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use vitrine_attest::inside::GatewayStart;
use vitrine_child::start;
use vitrine_gateway::run::{run, upstream_ports};
use vitrine_gateway::stop::{OrStop as _, Step};
use vitrine_sandbox::{seal, Profile, Tcp};
use vitrine_wiping::Wiping;

/// Bodies, headers and keys are cleared when they are freed.
#[global_allocator]
static ALLOCATOR: Wiping = Wiping::new();

/// The socket to init.
const INIT: i32 = 3;

fn main() -> ExitCode {
    // a panic's message could hold what a client sent
    std::panic::set_hook(Box::new(|_| {}));
    match life() {
        // whatever the allocator still holds goes with the process
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn life() -> Step {
    let init = UnixStream::from(descriptor(INIT));
    // the TLS key is in the line: the allocator wipes it, `run` the stack below it
    let start = start::read(&init)?;
    run(init, start, seal_for)?;
    Ok(())
}

/// Only the ports that the configuration needs.
fn seal_for(start: &GatewayStart) -> Step {
    let connect = upstream_ports(&start.gateway);
    seal(Profile::Gateway, Tcp { bind: &[start.gateway.port], connect: &connect }).or_stop("sandbox")
}

/// A descriptor that is there by agreement with init.
#[allow(unsafe_code)] // the one place: it has no owner in Rust's sense yet
fn descriptor(number: i32) -> OwnedFd {
    // SAFETY: init hands it over for us to own; it is taken once, before anything else opens a descriptor. Were it
    // missing, the first read of it fails and the program ends.
    unsafe { OwnedFd::from_raw_fd(number) }
}
