//! Keeps an agent running. One that dies is started again with back-off, as "measured already": PCR 15 holds the
//! three events of this boot, and a fourth would make all evidence worthless. The attestation key is derived from
//! the TPM's endorsement seed and a fixed template, so the new agent has the same one.

use super::message::{FromAgent, Introduction, ToAgent};
use super::process::{Agent, MEASURE_PATIENCE};
use crate::stop::{Step, Stop};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::time::{Duration, Instant};

/// First pause before a restart; doubled for each agent that does not last.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LAST_PAUSE: Duration = Duration::from_secs(60);
/// An agent that ran this long is not part of a series of crashes.
const LASTING: Duration = Duration::from_secs(60);

enum Slot {
    Serving {
        agent: Agent,
        since: Instant,
    },
    /// Started again and not yet ready; given up at `deadline`.
    Starting {
        agent: Agent,
        deadline: Instant,
    },
    Waiting {
        until: Instant,
    },
}

pub struct Supervisor {
    introduction: Introduction,
    slot: Slot,
    pause: Duration,
}

impl Supervisor {
    /// Takes over the first agent of this boot, which has measured and been told to serve.
    pub fn new(introduction: Introduction, agent: Agent) -> Self {
        let introduction = Introduction { measured_already: true, ..introduction };
        Self { introduction, slot: Slot::Serving { agent, since: Instant::now() }, pause: FIRST_PAUSE }
    }

    /// To be polled for reading.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        match &self.slot {
            Slot::Serving { agent, .. } | Slot::Starting { agent, .. } => Some(agent.channel.as_fd()),
            Slot::Waiting { .. } => None,
        }
    }

    /// When [`Self::tick`] has something to do.
    pub fn wake(&self) -> Option<Instant> {
        match self.slot {
            Slot::Serving { .. } => None,
            Slot::Starting { deadline: time, .. } | Slot::Waiting { until: time } => Some(time),
        }
    }

    pub fn tick(&mut self, now: Instant) {
        match self.slot {
            Slot::Waiting { until } if now >= until => match Agent::start(&self.introduction) {
                Ok(agent) => self.slot = Slot::Starting { agent, deadline: now + MEASURE_PATIENCE },
                Err(_) => self.give_up(now),
            },
            Slot::Starting { deadline, .. } if now >= deadline => self.give_up(now),
            _ => {}
        }
    }

    /// Takes in what the agent sent, and answers its orders through `order`.
    pub fn receive(&mut self, order: impl FnMut(&[u8]) -> ToAgent) {
        if self.try_receive(order).is_err() {
            self.give_up(Instant::now());
        }
    }

    fn try_receive(&mut self, mut order: impl FnMut(&[u8]) -> ToAgent) -> Step {
        match &mut self.slot {
            Slot::Waiting { .. } => return Ok(()),
            Slot::Serving { agent, .. } | Slot::Starting { agent, .. } => agent.channel.receive()?,
        }
        while let Some(message) = self.message()? {
            match (message, &self.slot) {
                (FromAgent::Measured(true), Slot::Starting { .. }) => self.serve()?,
                (FromAgent::Order(sealed), Slot::Serving { agent, .. }) => agent.tell(order(&sealed))?,
                _ => return Err(Stop("agent-line")),
            }
        }
        Ok(())
    }

    fn message(&mut self) -> Step<Option<FromAgent>> {
        match &mut self.slot {
            Slot::Serving { agent, .. } | Slot::Starting { agent, .. } => agent.channel.message(),
            Slot::Waiting { .. } => Ok(None),
        }
    }

    fn serve(&mut self) -> Step {
        let now = Instant::now();
        self.slot = match std::mem::replace(&mut self.slot, Slot::Waiting { until: now }) {
            Slot::Starting { agent, .. } => {
                agent.tell(ToAgent::Serve)?;
                Slot::Serving { agent, since: now }
            }
            other => other,
        };
        Ok(())
    }

    /// Ends the agent, if it still runs, and plans the next one.
    fn give_up(&mut self, now: Instant) {
        match std::mem::replace(&mut self.slot, Slot::Waiting { until: now + self.pause }) {
            Slot::Serving { agent, since } => {
                agent.kill();
                if now.saturating_duration_since(since) >= LASTING {
                    self.pause = FIRST_PAUSE;
                    self.slot = Slot::Waiting { until: now + self.pause };
                }
            }
            Slot::Starting { agent, .. } => agent.kill(),
            Slot::Waiting { .. } => {}
        }
        self.pause = (self.pause * 2).min(LAST_PAUSE);
    }
}
