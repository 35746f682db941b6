//! Which peers of one interface are over. Decided by the monotonic clock and by what changes: the wall clock, in which
//! the kernel writes handshakes, may jump.

use crate::net::peer_state::PeerState;
use std::time::Duration;
use vitrine_attest::digest::Key32;
use zeroize::{Zeroize, Zeroizing};

/// What is remembered of a peer from one look to the next, wiped with its list.
#[derive(Clone, Copy)]
struct Seen {
    key: Key32,
    handshake: [i64; 2],
    received: u64,
    /// Milliseconds, since when the handshake has been this one.
    since: u64,
}

impl Zeroize for Seen {
    fn zeroize(&mut self) {
        self.key.0.zeroize();
        self.handshake.zeroize();
        self.received.zeroize();
        self.since.zeroize();
    }
}

/// Peers that have left traces, sorted by key.
#[derive(Default)]
pub struct Watch(Zeroizing<Vec<Seen>>);

/// What one look found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Over: to be renewed. They are not watched any more until they leave new traces.
    pub idle: Vec<Key32>,
    /// Were watched, and the kernel knows nothing of them any more.
    pub gone: Vec<Key32>,
    pub alive: Vec<Key32>,
    /// More are over than were asked for.
    pub more: bool,
}

impl Watch {
    /// Takes in the state of all peers at a moment since the start. A peer is over when its handshake has been the
    /// same one for `idle`, or there was none in all that time, and when nothing came from it since the last look: a
    /// client that comes back may be between its first message and the end of the handshake.
    ///
    /// A handshake is at most one look old when it is seen first. At most `most` peers are called idle at a time.
    pub fn look(&mut self, states: &[PeerState], at: Duration, idle: Duration, most: usize) -> Look {
        let (at, idle) = (milliseconds(at), milliseconds(idle));
        let mut look = Look::default();
        // Neither list grows, so that no copy stays behind
        let mut seen = Zeroizing::new(Vec::with_capacity(states.len()));
        for state in states.iter().filter(|state| state.leaves_traces()) {
            let former = self.find(&state.key).filter(|former| former.handshake == state.handshake);
            let quiet = former.is_some_and(|former| former.received == state.received);
            let since = former.map_or(at, |former| former.since);
            let over = quiet && at.saturating_sub(since) >= idle;
            if over && look.idle.len() < most {
                look.idle.push(state.key);
                continue;
            }
            look.more |= over;
            if !over {
                look.alive.push(state.key);
            }
            seen.push(Seen { key: state.key, handshake: state.handshake, received: state.received, since });
        }
        seen.sort_unstable_by_key(|one| one.key);
        look.idle.sort_unstable();
        let former = std::mem::replace(&mut self.0, seen).iter().map(|one| one.key).collect::<Vec<_>>();
        look.gone = former
            .into_iter()
            .filter(|key| self.find(key).is_none() && look.idle.binary_search(key).is_err())
            .collect();
        look
    }

    /// The interface is gone; gives the peers that were watched on it.
    pub fn end(&mut self) -> Vec<Key32> {
        std::mem::take(&mut self.0).iter().map(|one| one.key).collect()
    }

    fn find(&self, key: &Key32) -> Option<&Seen> {
        self.0.binary_search_by_key(key, |one| one.key).ok().map(|place| &self.0[place])
    }
}

/// 584 million years fit.
fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Duration = Duration::from_secs(180);

    fn key(number: u32) -> Key32 {
        let mut key = [0; 32];
        key[..4].copy_from_slice(&number.to_be_bytes());
        Key32(key)
    }

    fn state(number: u32, handshake: i64, received: u64) -> PeerState {
        PeerState { key: key(number), handshake: [handshake, 1], endpoint: true, received, sent: 0 }
    }

    fn unused(number: u32) -> PeerState {
        PeerState { key: key(number), handshake: [0, 0], endpoint: false, received: 0, sent: 0 }
    }

    fn look(watch: &mut Watch, seconds: u64, states: &[PeerState]) -> Look {
        watch.look(states, Duration::from_secs(seconds), IDLE, 1000)
    }

    #[test]
    fn a_session_is_over_after_its_time() {
        let mut watch = Watch::default();
        for seconds in [0, 10, 179] {
            let found = look(&mut watch, seconds, &[state(1, 5, 100), unused(2)]);
            assert_eq!(found, Look { alive: vec![key(1)], ..Look::default() }, "{seconds}");
        }
        assert_eq!(look(&mut watch, 180, &[state(1, 5, 100)]).idle, [key(1)]);
        assert_eq!(look(&mut watch, 190, &[unused(1)]), Look::default(), "renewed, and not gone");
    }

    #[test]
    fn a_new_handshake_is_a_new_session() {
        let mut watch = Watch::default();
        look(&mut watch, 0, &[state(1, 5, 100)]);
        look(&mut watch, 120, &[state(1, 6, 200)]);
        assert!(look(&mut watch, 299, &[state(1, 6, 200)]).idle.is_empty());
        assert_eq!(look(&mut watch, 300, &[state(1, 6, 200)]).idle, [key(1)]);
    }

    /// The wall clock went back or forth: only whether the handshake is another one counts.
    #[test]
    fn clocks_may_jump() {
        let mut watch = Watch::default();
        look(&mut watch, 0, &[state(1, 2_000_000_000, 1), state(2, -5, 1)]);
        look(&mut watch, 100, &[state(1, 7, 2), state(2, i64::MAX, 2)]);
        assert!(look(&mut watch, 279, &[state(1, 7, 2), state(2, i64::MAX, 2)]).idle.is_empty());
        assert_eq!(look(&mut watch, 280, &[state(1, 7, 2), state(2, i64::MAX, 2)]).idle.len(), 2);
    }

    #[test]
    fn who_is_just_coming_back_is_left_alone() {
        let mut watch = Watch::default();
        look(&mut watch, 0, &[state(1, 5, 100)]);
        look(&mut watch, 170, &[state(1, 5, 100)]);
        assert_eq!(look(&mut watch, 180, &[state(1, 5, 248)]).alive, [key(1)], "148 bytes: a handshake has begun");
        assert_eq!(look(&mut watch, 190, &[state(1, 5, 248)]).idle, [key(1)], "and never ended");
    }

    #[test]
    fn an_endpoint_without_a_handshake_is_over_too() {
        let mut watch = Watch::default();
        let begun = PeerState { handshake: [0, 0], ..state(1, 0, 148) };
        assert_eq!(look(&mut watch, 0, &[begun]).alive, [key(1)]);
        assert_eq!(look(&mut watch, 180, &[begun]).idle, [key(1)]);
    }

    #[test]
    fn removed_peers_are_noticed() {
        let mut watch = Watch::default();
        look(&mut watch, 0, &[state(1, 5, 1), state(2, 5, 1)]);
        assert_eq!(look(&mut watch, 10, &[unused(1)]).gone, [key(1), key(2)]);
        look(&mut watch, 20, &[state(3, 5, 1)]);
        assert_eq!((watch.end(), watch.end()), (vec![key(3)], vec![]));
    }

    #[test]
    fn ten_thousand_at_once_take_turns() {
        let mut watch = Watch::default();
        let mut states: Vec<_> = (0..10_000).rev().map(|number| state(number, 5, 1)).collect();
        watch.look(&states, Duration::ZERO, IDLE, 256);
        let (mut rounds, mut renewed) = (0, 0);
        loop {
            let found = watch.look(&states, IDLE, IDLE, 256);
            (rounds, renewed) = (rounds + 1, renewed + found.idle.len());
            assert!(found.idle.len() <= 256 && found.alive.is_empty() && found.gone.is_empty());
            states.retain(|state| found.idle.binary_search(&state.key).is_err());
            if !found.more {
                break;
            }
        }
        assert_eq!((rounds, renewed), (40, 10_000));
    }
}
