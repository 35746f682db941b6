//! Serves one page that PID 1 has made: no input, no files, no memory of who asked.
//!
//! Started by init with a socket on descriptor 3: first the port, then pages; see `vitrine_attest::inside`. It ends
//! when init is gone. There is nothing it could say, and nowhere to say it.
#![deny(unsafe_code)]
// Tests may print and panic: they are not in the image.
#![cfg_attr(test, allow(clippy::disallowed_macros, clippy::disallowed_methods))]

mod connection;
mod http;
mod init;
mod server;

use init::Init;
use server::Server;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
use std::os::fd::{FromRawFd as _, OwnedFd};
use std::process::ExitCode;
use vitrine_sandbox::{seal, Profile, Tcp};

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|_| {}));
    // Every end is the same to init: it starts another one
    _ = run();
    ExitCode::FAILURE
}

/// Returns when init is gone, or when a step fails; None says no more than that.
fn run() -> Option<std::convert::Infallible> {
    let mut init = Init::new(init_socket());
    let port = init.wait_port()?;
    let listener = listen(port)?;
    // The port is taken already: from here on none can be, and no other host can be called
    seal(Profile::Metrics, Tcp::default()).ok()?;
    Server::new(listener, init)?.run()
}

/// On all addresses, IPv6 and IPv4; the firewall decides who gets here. A kernel without IPv6 gets IPv4 alone.
fn listen(port: u16) -> Option<TcpListener> {
    TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).or_else(|_| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))).ok()
}

/// Descriptor 3, the socket to init.
#[allow(unsafe_code)] // the one place: a descriptor that is there by agreement has no owner in Rust's sense yet
fn init_socket() -> OwnedFd {
    // SAFETY: init hands over descriptor 3 for us to own; this runs once, before anything could open another one.
    // Were it missing, the first read fails and the program ends.
    unsafe { OwnedFd::from_raw_fd(3) }
}
