//! The watch: PID 1 looks at the running system at each tick, and at once when the kernel says that something changed.
//! What must not be blows the fuse. See `docs/watch.md`.
//!
//! It is part of PID 1's one thread: while PID 1 carries out an order of ten thousand peers, or waits for the TPM, it
//! does not look; it looks right afterwards.

mod buffer;
mod debug;
mod devices;
mod files;
mod links;
mod modules;
mod mounts;
mod process;
mod processes;
mod ruleset;
mod settings;
mod sockets;
mod trees;

pub use ruleset::Ruleset;

use crate::children::Known;
use crate::stop::{OrStop as _, Step};
use buffer::Buffer;
use debug::Messages;
use devices::Devices;
use files::Files;
use links::Links;
use modules::Modules;
use mounts::Mounts;
use processes::Processes;
use rustix::event::{PollFd, PollFlags};
use settings::Settings;
use sockets::Sockets;
use std::time::{Duration, Instant};
use trees::Trees;
use vitrine_attest::config::Config;
use vitrine_attest::watch::Rule;

/// The costly parts are looked at each time this many looks have passed: the whole ruleset, every message of the kernel.
const THOROUGH: u32 = 6;
/// Looks in a row at which a part could not be seen, after which that is a violation itself. Once or twice can be want of
/// memory, or a table that changed while it was read.
const BLIND: u32 = 6;
/// Between two looks that the kernel's own word has brought about.
const SOONEST: Duration = Duration::from_millis(200);

/// The parts, in the order of a look.
#[derive(Debug, Clone, Copy)]
enum Part {
    Mounts,
    Devices,
    Files,
    Processes,
    Sockets,
    Links,
    Modules,
    Settings,
    Ruleset,
    Messages,
}
use Part as P;
const PARTS: [Part; 10] = [
    P::Mounts,
    P::Devices,
    P::Files,
    P::Processes,
    P::Sockets,
    P::Links,
    P::Modules,
    P::Settings,
    P::Ruleset,
    P::Messages,
];

/// What the rest of PID 1 knows at this moment.
pub struct Expected<'a> {
    pub children: &'a [Known],
    pub tunnels: usize,
}

pub struct Watch {
    tick: Duration,
    next: Instant,
    looks: u32,
    /// Of each part: looks in a row that failed.
    failed: [u32; PARTS.len()],
    buffer: Buffer,
    mounts: Mounts,
    devices: Devices,
    files: Files,
    processes: Processes,
    sockets: Sockets,
    links: Links,
    modules: Modules,
    settings: Settings,
    ruleset: Ruleset,
    messages: Messages,
}

impl Watch {
    /// Opens all it needs while PID 1 may still mount; the first look is due at once.
    pub fn open(config: &Config, ruleset: Ruleset) -> Step<Self> {
        let trees = Trees::open()?;
        Ok(Self {
            tick: config.watch.tick.duration(),
            next: Instant::now(),
            looks: 0,
            failed: [0; PARTS.len()],
            buffer: Buffer::new(),
            mounts: Mounts::new(trees.required("thread-self/mountinfo")?),
            devices: Devices::open(&trees)?,
            files: Files::open()?,
            processes: Processes::open()?,
            sockets: Sockets::open(&trees)?,
            links: Links::new(),
            modules: Modules::open(trees.proc("modules")?)?,
            settings: Settings::open(&trees, crate::sysctl::all(config))?,
            ruleset,
            messages: Messages::new(trees.proc("dynamic_debug/control")?),
        })
    }

    /// When [`Self::tick`] has something to do.
    pub fn wake(&self) -> Instant {
        self.next
    }

    /// To be polled: the kernel tells of mounts, of swap and of files by itself.
    pub fn watch<'a>(&'a self, fds: &mut Vec<PollFd<'a>>) {
        fds.push(PollFd::new(&self.mounts.table, PollFlags::PRI));
        fds.push(PollFd::new(&self.devices.swap, PollFlags::PRI));
        fds.push(PollFd::new(&self.files.events, PollFlags::IN));
    }

    /// One of those had something to say.
    pub fn alarm(&mut self, now: Instant) {
        self.next = self.next.min(now + SOONEST);
    }

    /// A look when it is due: the first rule that is broken.
    pub fn tick(&mut self, now: Instant, expected: &Expected<'_>) -> Option<Rule> {
        if now < self.next {
            return None;
        }
        self.next = now + self.tick;
        let found = self.look(expected);
        self.looks = self.looks.wrapping_add(1);
        self.buffer.wipe();
        found
    }

    fn look(&mut self, expected: &Expected<'_>) -> Option<Rule> {
        for (place, part) in PARTS.into_iter().enumerate() {
            let looked = self.look_at(part, expected);
            if let Ok(Some(rule)) = looked {
                return Some(rule);
            }
            if is_blind(&mut self.failed[place], looked.is_err()) {
                return Some(Rule::Blind);
            }
        }
        None
    }

    fn look_at(&mut self, part: Part, expected: &Expected<'_>) -> Step<Option<Rule>> {
        let (buffer, thoroughly) = (&mut self.buffer, self.looks.is_multiple_of(THOROUGH));
        match part {
            P::Mounts => self.mounts.look(buffer),
            P::Devices => self.devices.look(buffer),
            P::Files => self.files.look(buffer),
            P::Processes => self.processes.look(expected.children),
            P::Sockets => self.sockets.look(buffer, self.processes.sockets.as_ref().or_stop("watch-read")?),
            P::Links => self.links.look(expected.tunnels),
            P::Modules => self.modules.look(buffer),
            P::Settings => self.settings.look(buffer),
            P::Ruleset => self.ruleset.look(thoroughly),
            P::Messages if thoroughly => self.messages.look(buffer),
            P::Messages => Ok(None),
        }
    }
}

/// Counts the looks in a row that failed.
fn is_blind(failed: &mut u32, now: bool) -> bool {
    *failed = if now { *failed + 1 } else { 0 };
    *failed >= BLIND
}

#[cfg(test)]
mod tests;
