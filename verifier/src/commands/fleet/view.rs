//! What the metrics and the page are made of.

use super::metrics::Durations;
use super::track::{State, Track};
use crate::fleet::{Fleet, Member};

pub struct View<'w> {
    pub fleet: &'w Fleet,
    /// One for each member.
    pub tracks: &'w [Track],
    pub durations: &'w Durations,
    /// Seconds since 1970, as are all times here.
    pub now: u64,
    pub started: u64,
}

impl<'w> View<'w> {
    pub fn servers(&self) -> impl Iterator<Item = (&'w Member, &'w Track)> {
        self.fleet.members.iter().zip(self.tracks)
    }

    pub fn count(&self, state: State) -> usize {
        self.tracks.iter().filter(|track| track.state() == state).count()
    }
}
