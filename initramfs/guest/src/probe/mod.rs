//! The probe: what a taken-over PID 1, or a taken-over resolver, could still do. Feature `probe`, never shipped.
//!
//! ```text
//! probe: init packet-socket: refused
//! probe: resolver packet-socket: refused
//! probe: done
//! probe: killed agent
//! probe: memory agent: 6144 KiB
//! probe: restarted agent
//! probe: children done
//! probe: watch: 6 looks took 31000 us
//! probe: stacks: 2 handshakes and 32 begun took 31000 us of 170000
//! ```
//! Each attempt runs in a process of its own: one that PID 1 has forked, with all that PID 1 has at that moment, and
//! one that has become the resolver, user, root, limits and sandbox. `refused`: the kernel said so, or killed the
//! process for it. `ALLOWED`: it worked. `UNCLEAR`: an error that says nothing about rights; then the attempt is wrong.
#![allow(unsafe_code)]

mod attempts;
mod cost;
mod errors;
mod killer;
mod memory;

pub use cost::{cost_of_stacks, Cost};
pub use killer::Killer;

use crate::children::program::{resolver, Program};
use crate::stop::say;
use attempts::{Attempt, ATTEMPTS};
use vitrine_attest::config;
use vitrine_sandbox::{seal, Profile, Tcp};

/// What became of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Refused,
    Allowed,
    Unclear,
}

impl Fate {
    fn word(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Allowed => "ALLOWED",
            Self::Unclear => "UNCLEAR",
        }
    }
}

/// Goes through the table twice and says what came of it.
pub fn run() {
    for attempt in ATTEMPTS {
        say(&["probe: init ", attempt.name, ": ", in_process(attempt, || true).word()]);
    }
    let program = resolver(&config::Resolver::default());
    for attempt in ATTEMPTS {
        say(&["probe: resolver ", attempt.name, ": ", in_process(attempt, || become_resolver(&program)).word()]);
    }
    forget_the_dead();
    say(&["probe: done"]);
}

/// Children of attempts that were killed with them are PID 1's now: the watch would take them for strangers.
fn forget_the_dead() {
    for _ in 0..20 {
        std::thread::sleep(std::time::Duration::from_millis(50));
        // SAFETY: numbers; no state is asked for. The agent lives, or this boot ends anyway
        while unsafe { libc::waitpid(-1, std::ptr::null_mut(), libc::WNOHANG) } > 0 {}
    }
}

/// The same with all that systemd gets as PID 1, and so with more than anything that it starts.
pub fn run_as_systemd() {
    for attempt in ATTEMPTS {
        say(&["probe: systemd ", attempt.name, ": ", in_process(attempt, || true).word()]);
    }
    say(&["probe: systemd done"]);
}

fn become_resolver(program: &Program) -> bool {
    program.enter().is_ok() && seal(Profile::Resolver, Tcp { bind: &[53, 853, 443], connect: &[53] }).is_ok()
}

/// Exit code of a process that could not be prepared.
const UNPREPARED: i32 = 77;

/// Forks, prepares, tries, and reads the fate from the way the process ends.
fn in_process(attempt: &Attempt, prepare: impl FnOnce() -> bool) -> Fate {
    // SAFETY: PID 1 has a single thread, so the child may do whatever the parent may. It leaves by `_exit`.
    match unsafe { libc::fork() } {
        -1 => Fate::Unclear,
        0 => {
            let code = if prepare() { (attempt.run)() as i32 } else { UNPREPARED };
            // SAFETY: ends the process and nothing else
            unsafe { libc::_exit(code) }
        }
        child => fate_of(child),
    }
}

fn fate_of(child: i32) -> Fate {
    let mut status = 0;
    // SAFETY: status lives until the call returns
    if unsafe { libc::waitpid(child, &raw mut status, 0) } != child {
        return Fate::Unclear;
    }
    if libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGSYS {
        return Fate::Refused;
    }
    [Fate::Refused, Fate::Allowed]
        .into_iter()
        .find(|fate| libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == *fate as i32)
        .unwrap_or(Fate::Unclear)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fates(prepare: impl Fn() -> bool) -> Vec<(&'static str, Fate)> {
        ATTEMPTS.iter().map(|attempt| (attempt.name, in_process(attempt, &prepare))).collect()
    }

    /// The attempts are real ones: without the image around them, root can do some.
    #[test]
    fn root_elsewhere_is_allowed_more() {
        if !rustix::process::geteuid().is_root() {
            eprintln!("skipped: this needs root");
            return;
        }
        let fate = |name: &str| {
            let attempt = ATTEMPTS.iter().find(|attempt| attempt.name == name).expect(name);
            in_process(attempt, || true)
        };
        for name in ["raw-socket", "packet-socket", "user-namespace", "ptrace-child", "read-child-memory", "core-limit"]
        {
            assert_eq!(fate(name), Fate::Allowed, "{name}");
        }
    }

    /// Sealed like the resolver, everything is refused on any machine.
    #[test]
    fn a_sealed_child_is_refused_everything() {
        let sealed = || seal(Profile::Resolver, Tcp { bind: &[53], connect: &[53] }).is_ok();
        let others: Vec<_> = fates(sealed).into_iter().filter(|(_, fate)| *fate != Fate::Refused).collect();
        assert!(others.is_empty(), "{others:?}");
    }

    #[test]
    fn names_are_unique_and_of_one_form() {
        let mut names: Vec<_> = ATTEMPTS.iter().map(|attempt| attempt.name).collect();
        assert!(names.iter().all(|name| name.bytes().all(|c| c.is_ascii_lowercase() || c == b'-')));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ATTEMPTS.len());
    }

    #[test]
    fn a_child_that_cannot_be_prepared_is_unclear() {
        assert_eq!(in_process(&ATTEMPTS[0], || false), Fate::Unclear);
    }
}
