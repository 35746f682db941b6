//! An image with a whole userland: once the server runs, PID 1 becomes systemd, and the server is a process beside it.
//!
//! ```text
//! PID 1 ── mounts, modules, root ─┬─ waits ───────────────────────── cage ─ exec systemd
//!                                 └─ fork: keys, evidence, tunnel ─┘ serves on, in the mounts as they were
//! ```
//! Whether there is a userland is said by a measured file of the image. What systemd gets is less than what PID 1 had:
//! mounts of its own without a console, a device, a TPM or a place to write but small tmpfs ([`cage`]); no network; eight
//! capabilities ([`privileges::SYSTEMD`]); and a command line and environment that are written here, so that nothing
//! from the machine's firmware or its host reaches it. See `docs/decisions/0008-…`.

mod cage;

use crate::privileges;
use crate::read::small_file;
use crate::stop::{OrStop, Step, Stop};
use crate::sys;
use rustix::event::{poll, PollFd, PollFlags};
use rustix::fs::{open, Mode, OFlags};
use rustix::io::Errno;
use rustix::pipe::{pipe_with, PipeFlags};
use rustix::process::{getppid, pidfd_open, Pid, PidfdFlags};
use std::convert::Infallible;
use std::ffi::CStr;
use std::os::fd::{AsFd, OwnedFd};

/// Says what PID 1 becomes. Made by `vitrine build` from `image.pid1`; the standard images have no such file.
const CHOICE: &str = "/etc/vitrine/pid1";
const SYSTEMD: &[u8] = b"systemd\n";
const PROGRAM: &CStr = c"/usr/lib/systemd/systemd";
/// The kernel command line as systemd sees it, in place of the real one: no credential of firmware or host is taken,
/// and it has nothing to say (systemd(1), kernel-command-line(7), docs/ENVIRONMENT.md).
#[cfg(not(feature = "probe"))]
const ENVIRONMENT: [&CStr; 2] = [
    PATH,
    c"SYSTEMD_PROC_CMDLINE=quiet systemd.import_credentials=no systemd.unit=multi-user.target systemd.log_target=null \
systemd.show_status=no systemd.dump_core=no",
];
/// In a probe it speaks, through the kernel's log, on the console. No shipped program holds the name of that device.
#[cfg(feature = "probe")]
const ENVIRONMENT: [&CStr; 2] = [
    PATH,
    c"SYSTEMD_PROC_CMDLINE=systemd.import_credentials=no systemd.unit=multi-user.target systemd.log_target=kmsg \
systemd.log_level=info systemd.show_status=no systemd.dump_core=no",
];
const PATH: &CStr = c"PATH=/usr/sbin:/usr/bin";
/// Where the number of the server's process stands, for [`guard`]. In systemd's own /run.
const SERVER: &CStr = c"/run/vitrine-server";

/// Held by the server's process until it serves. Dropping it untold ends the machine.
#[derive(Debug)]
pub struct Starting(OwnedFd);

impl Starting {
    /// The server serves: now PID 1 becomes systemd. Returns when it has, with the rights and the mounts that it keeps:
    /// the exec closes the other end of the pipe. The watch would take the PID 1 before that for a violation.
    pub fn done(self) -> Step {
        let told = rustix::io::write(&self.0, b"1").or_stop("userland")?;
        (told == 1).then_some(()).or_stop("userland")?;
        loop {
            match poll(&mut [PollFd::new(&self.0, PollFlags::empty())], None) {
                Err(Errno::INTR) => {}
                Ok(_) => return Ok(()),
                Err(_) => return Err(Stop("userland")),
            }
        }
    }
}

/// Whether the image has a userland.
///
/// # Errors
/// `userland` when the file says something that nobody writes.
pub fn wanted() -> Step<bool> {
    match small_file(CHOICE, SYSTEMD.len()) {
        Ok(text) if text == SYSTEMD => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        _ => Err(Stop("userland")),
    }
}

/// In an image without a userland: nothing. Otherwise the caller goes on as a process of its own, with mounts of its
/// own, and PID 1 waits for it.
pub fn divide() -> Step<Option<Starting>> {
    if !wanted()? {
        return Ok(None);
    }
    // Both ends are above 4: stdio.rs keeps the lower numbers
    let (told, teller) = pipe_with(PipeFlags::CLOEXEC).or_stop("userland")?;
    match sys::fork().or_stop("userland")? {
        None => {
            drop(told);
            sys::own_mounts().or_stop("userland")?;
            Ok(Some(Starting(teller)))
        }
        Some(server) => {
            drop(teller);
            let Err(stop) = wait_and_become(&told, server);
            Err(stop)
        }
    }
}

fn wait_and_become(told: &OwnedFd, server: Pid) -> Step<Infallible> {
    let mut word = [0; 1];
    loop {
        match rustix::io::read(told, &mut word) {
            Ok(1) => break,
            Err(Errno::INTR) => {}
            // It has ended the machine, or is gone
            Ok(_) | Err(_) => return Err(Stop("server-gone")),
        }
    }
    #[cfg(feature = "probe")]
    crate::stop::keep_console();
    sys::own_network().or_stop("userland")?;
    cage::close()?;
    name_server(server)?;
    privileges::keep_for_systemd()?;
    #[cfg(feature = "probe")]
    crate::probe::run_as_systemd();
    sys::become_program(PROGRAM, &ENVIRONMENT);
    Err(Stop("systemd-missing"))
}

fn name_server(server: Pid) -> Step {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
    let file = open(SERVER, flags, Mode::RUSR).or_stop("userland")?;
    let mut digits = [0; 10];
    let text = decimal(server.as_raw_nonzero().get().unsigned_abs(), &mut digits);
    let written = rustix::io::write(&file, text).or_stop("userland")?;
    (written == text.len()).then_some(()).or_stop("userland")
}

/// A number's digits, at the end of the buffer.
fn decimal(mut number: u32, digits: &mut [u8; 10]) -> &[u8] {
    let mut first = digits.len();
    loop {
        first -= 1;
        // A u32 has at most ten digits, and a digit fits a byte
        digits[first] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 || first == 0 {
            return &digits[first..];
        }
    }
}

/// The same program, started by systemd: returns when the server has ended, or when it cannot tell. Then the machine
/// ends (`vitrine.service`).
pub fn guard() {
    let child_of_systemd = getppid().is_some_and(Pid::is_init) && wanted() == Ok(true);
    if child_of_systemd {
        // Whatever came of it: it returns, and that ends the machine
        let _ = wait_for_end();
    }
}

fn wait_for_end() -> Step {
    let path = SERVER.to_str().or_stop("userland")?;
    let text = small_file(path, 10).or_stop("userland")?;
    let number = std::str::from_utf8(&text).ok().and_then(|text| text.parse().ok()).and_then(Pid::from_raw);
    let server = pidfd_open(number.or_stop("userland")?, PidfdFlags::empty()).or_stop("userland")?;
    loop {
        match poll(&mut [PollFd::from_borrowed_fd(server.as_fd(), PollFlags::IN)], None) {
            Err(Errno::INTR) => {}
            _ => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits() {
        for number in [0, 7, 10, 4_194_304, u32::MAX] {
            assert_eq!(decimal(number, &mut [0; 10]), number.to_string().as_bytes());
        }
    }

    /// This machine's root has no such file, as the standard images.
    #[test]
    fn without_the_file_there_is_no_userland() {
        assert_eq!(wanted(), Ok(false));
        assert!(divide().is_ok_and(|starting| starting.is_none()));
        guard();
    }

    #[test]
    #[cfg(not(feature = "probe"))]
    fn systemd_is_told_to_take_nothing_and_say_nothing() {
        let line = ENVIRONMENT[1].to_str().unwrap();
        for word in ["systemd.import_credentials=no", "systemd.log_target=null", "systemd.show_status=no"] {
            assert!(line.split([' ', '=']).count() > 1 && line.contains(word), "{word}");
        }
    }
}
