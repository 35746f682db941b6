//! The saboteur: a PID 1 that does, after a while, one thing that the watch has to see. Feature `saboteur`, never shipped:
//! its image has another fingerprint than any release, and a statement of its own that only tests have.
//!
//! Which deed it is stands in the machine's chassis tag (SMBIOS type 3): `sabotage:<name>`. When the server gets its
//! second peer, it is done; some seconds after the watch has seen it, it is taken back, which must change nothing. So that
//! it can be done at all, this PID 1 keeps the rights that the shipped one gives up.

mod deeds;

use crate::read::small_file;
use deeds::{Deed, Undo, DEEDS};
use std::time::{Duration, Instant};

const TAG: &str = "/sys/class/dmi/id/chassis_asset_tag";
const MARK: &[u8] = b"sabotage:";
const PEERS: usize = 2;
/// Until the deed is taken back.
const REMORSE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(500);

enum State {
    Idle,
    Waiting(&'static Deed),
    Done(Undo),
    Regretting(Undo, Instant),
}

pub struct Saboteur(State);

impl Saboteur {
    /// Reads the name of the deed while /sys is there.
    pub fn open() -> Self {
        let tag = small_file(TAG, 128).unwrap_or_default();
        let name = tag.trim_ascii().strip_prefix(MARK);
        let deed = name.and_then(|name| DEEDS.iter().find(|deed| deed.name.as_bytes() == name));
        Self(deed.map_or(State::Idle, State::Waiting))
    }

    pub fn tick(&mut self, now: Instant, peers: usize, seen: bool) {
        self.0 = match std::mem::replace(&mut self.0, State::Idle) {
            State::Waiting(deed) if peers >= PEERS => (deed.act)().map_or(State::Idle, State::Done),
            State::Done(undo) if seen => State::Regretting(undo, now + REMORSE),
            State::Regretting(undo, time) if now >= time => {
                undo();
                State::Idle
            }
            other => other,
        };
    }

    pub fn wake(&self, now: Instant) -> Option<Instant> {
        (!matches!(self.0, State::Idle)).then(|| now + PAUSE)
    }
}
