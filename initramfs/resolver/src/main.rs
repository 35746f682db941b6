//! The resolver of the image, a child of PID 1: see the library.
//!
//! It ends with 0 when init is gone or when it forgets, with 1 when it could not start. It prints nothing, ever.
#![deny(unsafe_code)]

use std::fs::File;
use std::os::fd::{FromRawFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use vitrine_attest::config::Transport;
use vitrine_attest::inside::ResolverStart;
use vitrine_child::start;
use vitrine_resolver::run::{run, Place};
use vitrine_resolver::server::Ports;
use vitrine_resolver::stop::{OrStop as _, Step};
use vitrine_resolver::upstream::Upstream;
use vitrine_sandbox::{seal, Profile, Tcp};

/// The socket to init.
const INIT: i32 = 3;
/// The blocklist, when the configuration has one.
const BLOCKLIST: i32 = 4;

fn main() -> ExitCode {
    // a panic's message could hold a name
    if !cfg!(feature = "control-panic-name") {
        std::panic::set_hook(Box::new(|_| {}));
    }
    match life() {
        // whatever the allocator still holds goes with the process
        Ok(_) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn life() -> Step<()> {
    let init = UnixStream::from(descriptor(INIT));
    // the TLS key is in the line: wiped with the buffers of a process that ends, and by init_on_free
    let start = start::read(&init)?;
    run(init, start, || Some(File::from(descriptor(BLOCKLIST))), Place::STANDARD, seal_for)?;
    Ok(())
}

/// Only the ports that the configuration needs.
fn seal_for(start: &ResolverStart) -> Step {
    let port = |transport: &Transport| match transport {
        Transport::Plain => Ports::STANDARD.plain,
        Transport::Dot => Ports::STANDARD.dot,
        Transport::Doh => Ports::STANDARD.doh,
    };
    let bind: Vec<u16> = start.resolver.transports.iter().map(port).collect();
    let tcp = Tcp { bind: &bind, connect: &Upstream::ports(&start.resolver) };
    seal(Profile::Resolver, tcp).or_stop("sandbox")
}

/// A descriptor that is there by agreement with init.
#[allow(unsafe_code)] // the one place: it has no owner in Rust's sense yet
fn descriptor(number: i32) -> OwnedFd {
    // SAFETY: init hands over both for us to own; each is taken once, before anything else opens a descriptor. Were
    // one missing, the first read of it fails and the program ends.
    unsafe { OwnedFd::from_raw_fd(number) }
}
