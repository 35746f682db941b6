//! What a child of PID 1 gives up before it speaks to anybody: files, programs, other processes, and every system
//! call that its work does not need.
//!
//! ```no_run
//! use vitrine_sandbox::{seal, Profile, Tcp};
//! seal(Profile::Metrics, Tcp { bind: &[9469], connect: &[] })?;
//! # Ok::<(), vitrine_sandbox::Refused>(())
//! ```
//! Three layers, each of which holds alone: `no_new_privs`, Landlock (`landlock(7)`), seccomp (`seccomp(2)`).
//! `docs/sandbox.md` has the tables and the reasons.
#![forbid(unsafe_code)]

mod allowed;
mod condition;
mod deadly;
mod filter;
mod landlock_rules;

/// Which program seals itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Answers over TCP; speaks to the TPM over a descriptor that is open already. Threads.
    Agent,
    /// Answers and asks over UDP and TCP. Threads, epoll.
    Resolver,
    /// Answers and asks over TCP, no UDP. Threads, epoll.
    Gateway,
    /// Answers over TCP. One thread, for ever.
    Metrics,
    /// A program of the operator's, of which nothing is known: answers over TCP, reads and runs what is in its root. The caller
    /// becomes it by `execveat` of [`PROGRAM_FD`], and nobody does so again.
    App,
}

/// The descriptor by which a launcher becomes the operator's program; above every limit that program can have.
pub const PROGRAM_FD: i32 = 16_384;

/// TCP ports; Landlock enforces them from Linux 6.7 on. UDP has no such rule: there the firewall decides.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tcp<'a> {
    /// Ports that may be listened on.
    pub bind: &'a [u16],
    /// Ports of others that may be called. None: agent and metrics have no `connect` at all.
    pub connect: &'a [u16],
}

/// Which layer the kernel refused. The program has to end: it is not sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    Landlock,
    Seccomp,
}

/// Seals the whole process, for ever.
///
/// Call it while there is one thread: Landlock takes the calling thread and those it makes later (seccomp takes
/// all). Descriptors that are open stay open: whoever needs a file opens it before.
///
/// # Errors
/// When a layer cannot be put up. A kernel without Landlock (`ENOSYS`, `EOPNOTSUPP`) is not an error: seccomp
/// refuses the same calls. Any other failure of Landlock is one.
pub fn seal(profile: Profile, tcp: Tcp<'_>) -> Result<(), Refused> {
    landlock_rules::restrict(profile, tcp).map_err(|_| Refused::Landlock)?;
    filter::install(profile, tcp).map_err(|_| Refused::Seccomp)
}
