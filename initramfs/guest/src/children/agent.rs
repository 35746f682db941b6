//! The agent: it measures this boot, makes evidence, and carries sealed orders to PID 1.
//!
//! One that is started again is told "measured already": PCR 15 holds the three events of this boot, and a fourth
//! would make all evidence worthless. The attestation key is derived from the TPM's endorsement seed and a fixed
//! template, so the new agent has the same one.

use super::keeper::{CleanExit, Keeper};
use super::process::Child;
use super::program::AGENT;
use super::Known;
use crate::stop::{Step, Stop};
use rustix::event::PollFd;
use rustix::process::{Pid, WaitStatus};
use std::time::{Duration, Instant};
use vitrine_attest::inside::{FromAgent, Introduction, ToAgent};
use vitrine_attest::rotation::RotatedKey;
use vitrine_attest::watch::Rule;
use vitrine_attest::Sha256;

/// How long EK, AK and three extends may take. A slow discrete TPM needs some ten seconds for an RSA key.
const MEASURE_PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// It has not said yet that PCR 15 is as it should be; given up at the deadline.
    Measuring {
        deadline: Instant,
    },
    Serving,
}

/// What has become of an order.
pub struct Ordered {
    pub answer: ToAgent,
    /// What the owner wants to be handed out beside the evidence, from now on.
    pub attached: Option<Sha256>,
}

pub struct Agent {
    introduction: Introduction,
    keeper: Keeper,
    phase: Phase,
}

impl Agent {
    /// Starts the first agent of this boot and waits until the three events are in PCR 15.
    ///
    /// # Errors
    /// When it fails, dies, says something else, or takes longer than [`MEASURE_PATIENCE`].
    pub fn measure(introduction: Introduction) -> Step<Self> {
        let now = Instant::now();
        let mut child = Child::start(&AGENT, None)?;
        child.channel.tell(&introduction, now)?;
        match child.channel.wait_message(now + MEASURE_PATIENCE)? {
            FromAgent::Measured(true) => {}
            FromAgent::Failed(_) => return Err(Stop("tpm")),
            _ => return Err(Stop("child-line")),
        }
        Ok(Self::measured(introduction, child, now))
    }

    fn measured(introduction: Introduction, child: Child, now: Instant) -> Self {
        let mut keeper = Keeper::new(AGENT, CleanExit::Crash, now);
        keeper.started(Ok(child), now);
        Self {
            introduction: Introduction { measured_already: true, ..introduction },
            keeper,
            phase: Phase::Measuring { deadline: now + MEASURE_PATIENCE },
        }
    }

    /// The network is up.
    ///
    /// # Errors
    /// When the agent is gone.
    pub fn serve(&mut self, now: Instant) -> Step {
        self.phase = Phase::Serving;
        match self.keeper.child() {
            Some(child) => child.channel.tell(&ToAgent::Serve(true), now),
            None => Err(Stop("child-gone")),
        }
    }

    pub fn tick(&mut self, now: Instant) {
        if self.keeper.due(now) {
            self.phase = Phase::Measuring { deadline: now + MEASURE_PATIENCE };
            self.keeper.started(self.keeper.launch(None), now);
            self.keeper.tell(&self.introduction, now);
        }
        if matches!(self.phase, Phase::Measuring { deadline } if now >= deadline) {
            self.keeper.kill(now);
        }
        self.keeper.tick(now);
    }

    /// For the watch.
    pub fn known(&self) -> Option<Known> {
        self.keeper.known()
    }

    /// The watch has found this: all evidence of this boot will say so, also that of an agent that is started again.
    pub fn violation(&mut self, rule: Rule, now: Instant) {
        self.introduction.violation = Some(rule);
        self.keeper.tell(&ToAgent::Violation(rule), now);
    }

    #[cfg(feature = "probe")]
    pub fn serving(&self) -> Option<Pid> {
        self.keeper.pid().filter(|_| self.phase == Phase::Serving)
    }

    pub fn wake(&self) -> Option<Instant> {
        let deadline = match self.phase {
            Phase::Measuring { deadline } if self.keeper.is_up() => Some(deadline),
            _ => None,
        };
        [deadline, self.keeper.wake()].into_iter().flatten().min()
    }

    pub fn watch<'a>(&'a self, fds: &mut Vec<PollFd<'a>>) {
        self.keeper.watch(fds);
    }

    pub fn reaped(&mut self, pid: Pid, status: WaitStatus, now: Instant) {
        self.keeper.reaped(pid, status, now);
    }

    /// Takes in what the agent sent, and answers its orders through `order`.
    pub fn receive(&mut self, now: Instant, order: impl FnMut(&[u8]) -> Ordered) {
        let heard = self.hear(now, order);
        self.keeper.heard(heard, now);
    }

    fn hear(&mut self, now: Instant, mut order: impl FnMut(&[u8]) -> Ordered) -> Step {
        let Some(child) = self.keeper.child() else {
            return Ok(());
        };
        child.channel.receive()?;
        while let Some(message) = child.channel.message()? {
            match (message, self.phase) {
                (FromAgent::Measured(true), Phase::Measuring { .. }) => {
                    self.phase = Phase::Serving;
                    child.channel.tell(&ToAgent::Serve(true), now)?;
                    // Keys that changed since it was introduced
                    child.channel.tell(&ToAgent::Rotated(self.introduction.rotated.clone()), now)?;
                }
                (FromAgent::Order(sealed), Phase::Serving) => {
                    let Ordered { answer, attached } = order(&sealed);
                    if self.introduction.attached != attached {
                        self.introduction.attached = attached;
                        child.channel.tell(&ToAgent::Attach(attached), now)?;
                    }
                    child.channel.tell(&answer, now)?;
                }
                _ => return Err(Stop("child-line")),
            }
        }
        Ok(())
    }

    /// These later keys are alive from now on, and no others.
    pub fn rotated(&mut self, keys: Vec<RotatedKey>, now: Instant) {
        self.introduction.rotated.clone_from(&keys);
        if self.phase == Phase::Serving {
            self.keeper.tell(&ToAgent::Rotated(keys), now);
        }
    }
}

#[cfg(test)]
#[path = "agent_tests.rs"]
mod tests;
