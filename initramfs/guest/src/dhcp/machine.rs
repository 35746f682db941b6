//! The client's states (RFC 2131 §4.4, figure 5) as a pure machine: time goes in, actions come out.

use super::lease::Lease;
use super::message::{Answer, Client};
use std::net::Ipv4Addr;
use std::time::Duration;

/// Time since some fixed moment.
pub type Time = Duration;

/// First wait for an answer; each later one is twice as long up to the last. §4.1 starts at 4 s with a random
/// second more; we start at 1 s, because a single server that boots does not make a storm.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LAST_WAIT: Duration = Duration::from_secs(64);
/// So many requests without an answer, then the search begins again.
const REQUEST_TRIES: u32 = 4;
/// §4.4.5: wait half of what is left, but at least so long, while renewing.
const RENEW_WAIT: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    Send {
        to: Ipv4Addr,
        bytes: Vec<u8>,
    },
    /// The interface has this address and gateway from now on. Repeated at each renewal.
    Configure(Lease),
    /// It has lost them.
    Remove(Lease),
}

#[derive(Debug)]
enum State {
    Selecting { tries: u32 },
    Requesting { offer: Lease, tries: u32, since: Time },
    Bound { lease: Lease, since: Time, asked: Option<Time> },
}

#[derive(Debug)]
pub struct Machine {
    client: Client,
    state: State,
    /// When [`Self::tick`] has to be called next.
    wake: Time,
}

impl Machine {
    /// Begins the search; the first `tick` sends.
    pub fn new(client: Client, now: Time) -> Self {
        Self { client, state: State::Selecting { tries: 0 }, wake: now }
    }

    pub fn wake(&self) -> Time {
        self.wake
    }

    /// To be called when [`Self::wake`] has come; earlier calls do nothing.
    pub fn tick(&mut self, now: Time) -> Vec<Action> {
        if now < self.wake {
            return vec![];
        }
        match self.state {
            State::Selecting { tries } => {
                self.state = State::Selecting { tries: tries.saturating_add(1) };
                self.wake = now + wait(tries);
                broadcast(self.client.discover())
            }
            State::Requesting { tries: REQUEST_TRIES.., .. } => self.search(now),
            State::Requesting { offer, tries, .. } => {
                self.state = State::Requesting { offer, tries: tries + 1, since: now };
                self.wake = now + wait(tries);
                broadcast(self.client.request(&offer))
            }
            State::Bound { lease, since, .. } if now >= since + lease.end => {
                let mut actions = vec![Action::Remove(lease)];
                actions.extend(self.search(now));
                actions
            }
            State::Bound { lease, since, .. } => self.renew(lease, since, now),
        }
    }

    /// A datagram has come.
    pub fn receive(&mut self, bytes: &[u8], now: Time) -> Vec<Action> {
        let Some(answer) = self.client.parse(bytes) else { return vec![] };
        match (answer, &self.state) {
            (Answer::Offer(offer), State::Selecting { .. }) => {
                self.state = State::Requesting { offer, tries: 0, since: now };
                self.wake = now;
                self.tick(now)
            }
            (Answer::Acknowledged(lease), State::Requesting { offer, since, .. }) if lease.address == offer.address => {
                let since = *since;
                self.bind(lease, since)
            }
            (Answer::Refused, State::Requesting { .. }) => self.back_off(now),
            (Answer::Acknowledged(lease), State::Bound { lease: old, asked: Some(asked), .. }) => {
                let (old, asked) = (*old, *asked);
                let mut actions = if old.cidr() == lease.cidr() { vec![] } else { vec![Action::Remove(old)] };
                actions.extend(self.bind(lease, asked));
                actions
            }
            (Answer::Refused, State::Bound { lease, asked: Some(_), .. }) => {
                let mut actions = vec![Action::Remove(*lease)];
                actions.extend(self.back_off(now));
                actions
            }
            _ => vec![],
        }
    }

    fn bind(&mut self, lease: Lease, since: Time) -> Vec<Action> {
        self.state = State::Bound { lease, since, asked: None };
        self.wake = since + lease.renew;
        vec![Action::Configure(lease)]
    }

    fn search(&mut self, now: Time) -> Vec<Action> {
        self.state = State::Selecting { tries: 0 };
        self.wake = now;
        self.tick(now)
    }

    /// After a refusal: search again, but not in the same moment, so that two machines cannot keep each other busy.
    fn back_off(&mut self, now: Time) -> Vec<Action> {
        self.state = State::Selecting { tries: 2 };
        self.wake = now + wait(2);
        vec![]
    }

    /// From T1 on the server is asked, from T2 on everybody.
    fn renew(&mut self, lease: Lease, since: Time, now: Time) -> Vec<Action> {
        let rebinding = now >= since + lease.rebind;
        let next = since + if rebinding { lease.end } else { lease.rebind };
        let pause = (next.saturating_sub(now) / 2).max(RENEW_WAIT);
        self.wake = (now + pause).min(next);
        self.state = State::Bound { lease, since, asked: Some(now) };
        let to = if rebinding { Ipv4Addr::BROADCAST } else { lease.server };
        vec![Action::Send { to, bytes: self.client.renew(&lease) }]
    }
}

fn wait(tries: u32) -> Duration {
    FIRST_WAIT.saturating_mul(1 << tries.min(6)).min(LAST_WAIT)
}

fn broadcast(bytes: Vec<u8>) -> Vec<Action> {
    vec![Action::Send { to: Ipv4Addr::BROADCAST, bytes }]
}

#[cfg(test)]
mod tests {
    use super::super::message::tests::{answer, CLIENT};
    use super::super::wire::Kind;
    use super::*;

    const HOUR: u32 = 3600;
    const DISCOVER: u8 = Kind::Discover as u8;
    const REQUEST: u8 = Kind::Request as u8;

    fn at(seconds: u64) -> Time {
        Duration::from_secs(seconds)
    }

    fn sent(actions: &[Action]) -> Option<(u8, Ipv4Addr)> {
        actions.iter().find_map(|action| match action {
            // The message type is the first option of our questions
            Action::Send { to, bytes } => Some((bytes[242], *to)),
            _ => None,
        })
    }

    fn bound() -> Machine {
        let mut machine = Machine::new(CLIENT, at(0));
        assert_eq!(sent(&machine.tick(at(0))), Some((DISCOVER, Ipv4Addr::BROADCAST)));
        let actions = machine.receive(&answer(Kind::Offer, CLIENT, HOUR), at(0));
        assert_eq!(sent(&actions), Some((REQUEST, Ipv4Addr::BROADCAST)));
        let actions = machine.receive(&answer(Kind::Acknowledged, CLIENT, HOUR), at(0));
        assert!(matches!(actions[..], [Action::Configure(_)]));
        machine
    }

    #[test]
    fn discover_backs_off() {
        let mut machine = Machine::new(CLIENT, at(0));
        let mut times = Vec::new();
        for _ in 0..9 {
            times.push(machine.wake().as_secs());
            assert!(sent(&machine.tick(machine.wake())).is_some());
        }
        assert_eq!(times, [0, 1, 3, 7, 15, 31, 63, 127, 191]);
        assert!(machine.tick(machine.wake() - at(1)).is_empty(), "too early");
    }

    #[test]
    fn unanswered_requests_end_in_a_new_search() {
        let mut machine = Machine::new(CLIENT, at(0));
        machine.tick(at(0));
        machine.receive(&answer(Kind::Offer, CLIENT, HOUR), at(0));
        for _ in 1..REQUEST_TRIES {
            assert_eq!(sent(&machine.tick(machine.wake())).unwrap().0, REQUEST);
        }
        assert_eq!(sent(&machine.tick(machine.wake())).unwrap().0, DISCOVER);
    }

    #[test]
    fn renewal_is_unicast_and_extends() {
        let mut machine = bound();
        assert_eq!(machine.wake(), at(1800));
        let server = Ipv4Addr::new(10, 0, 2, 2);
        assert_eq!(sent(&machine.tick(at(1800))), Some((REQUEST, server)));
        let actions = machine.receive(&answer(Kind::Acknowledged, CLIENT, HOUR), at(1801));
        assert!(matches!(actions[..], [Action::Configure(_)]));
        assert_eq!(machine.wake(), at(3600));
    }

    #[test]
    fn silence_leads_over_rebinding_to_loss() {
        let mut machine = bound();
        let (mut unicast, mut broadcast) = (0, 0);
        loop {
            let now = machine.wake();
            let actions = machine.tick(now);
            if let [Action::Remove(_), ..] = actions[..] {
                assert_eq!(now, at(3600));
                assert_eq!(sent(&actions).unwrap().0, DISCOVER);
                break;
            }
            match sent(&actions).unwrap().1 {
                Ipv4Addr::BROADCAST => broadcast += 1,
                _ => unicast += 1,
            }
        }
        assert!((2..20).contains(&unicast) && (2..20).contains(&broadcast), "{unicast} {broadcast}");
    }

    #[test]
    fn refusal_while_renewing_removes_the_address() {
        let mut machine = bound();
        machine.tick(at(1800));
        let actions = machine.receive(&answer(Kind::Refused, CLIENT, HOUR), at(1801));
        assert!(matches!(actions[..], [Action::Remove(_)]));
        assert!(machine.wake() > at(1801));
    }

    #[test]
    fn answers_nobody_asked_for_change_nothing() {
        let mut machine = bound();
        for kind in [Kind::Offer, Kind::Acknowledged, Kind::Refused] {
            assert!(machine.receive(&answer(kind, CLIENT, HOUR), at(10)).is_empty());
        }
        assert!(machine.receive(b"noise", at(10)).is_empty());
        assert_eq!(machine.wake(), at(1800));
    }
}
