//! New WireGuard keys while the server runs. Generation n begins `n × every` after the boot; the one before it lives
//! on for `overlap`, so that clients learn the new key from the evidence and move while both work.

use crate::keys::KeyPair;
use crate::peers::Peers;
use crate::stop::Step;
use ed25519_dalek::SigningKey;
use std::time::{Duration, Instant};
use vitrine_attest::boot::BootKeys;
use vitrine_attest::config::{self, Config};
use vitrine_attest::rotation::RotatedKey;
use vitrine_attest::Sha256;

/// Pause after the kernel refused a step, for want of memory for example.
const RETRY: Duration = Duration::from_secs(10);

/// Whoever has the interfaces.
pub trait Generations {
    /// Interfaces with this key and all peers come up. On an error there is nothing of them.
    fn begin(&mut self, generation: u32, key: &KeyPair, peers: &Peers) -> Step;
    /// The generation's interfaces go. Once more is no error.
    fn end(&mut self, generation: u32) -> Step;
}

pub struct Rotation {
    plan: Option<config::Rotation>,
    started: Instant,
    config_digest: Sha256,
    boot: BootKeys,
    /// Wiped when dropped.
    signing: SigningKey,
    newest: u32,
    /// The generation before the newest still lives.
    overlapping: bool,
    live: Vec<RotatedKey>,
    /// Not before.
    retry: Option<Instant>,
}

impl Rotation {
    pub fn new(config: &Config, config_digest: Sha256, boot: BootKeys, signing: SigningKey, now: Instant) -> Self {
        Self {
            plan: config.wireguard.rotation.clone(),
            started: now,
            config_digest,
            boot,
            signing,
            newest: 0,
            overlapping: false,
            live: Vec::new(),
            retry: None,
        }
    }

    /// When [`Self::tick`] has something to do.
    pub fn wake(&self) -> Option<Instant> {
        let plan = self.plan.as_ref()?;
        let next = self.end_of_overlap(plan).or_else(|| self.start_of(plan, self.newest.checked_add(1)?))?;
        Some(self.retry.map_or(next, |retry| retry.max(next)))
    }

    /// At most one step of the plan, also when the machine was asleep for several: generations rise by one.
    /// `Some` when the list of live later keys has changed: the agent has to be told.
    pub fn tick(&mut self, now: Instant, tunnels: &mut impl Generations, peers: &Peers) -> Option<Vec<RotatedKey>> {
        if self.wake()? > now {
            return None;
        }
        let before = self.live.clone();
        let step = if self.overlapping { self.end_former(tunnels) } else { self.begin_next(tunnels, peers) };
        self.retry = step.is_err().then(|| now + RETRY);
        (self.live != before).then(|| self.live.clone())
    }

    fn end_former(&mut self, tunnels: &mut impl Generations) -> Step {
        tunnels.end(self.newest - 1)?;
        self.overlapping = false;
        self.live.retain(|key| key.generation == self.newest);
        Ok(())
    }

    /// The secret half is in the kernel afterwards, and nowhere else.
    fn begin_next(&mut self, tunnels: &mut impl Generations, peers: &Peers) -> Step {
        let (generation, key) = (self.newest + 1, KeyPair::generate()?);
        tunnels.begin(generation, &key, peers)?;
        self.live.push(RotatedKey::sign(generation, key.public, &self.config_digest, &self.boot, &self.signing));
        (self.newest, self.overlapping) = (generation, true);
        Ok(())
    }

    fn start_of(&self, plan: &config::Rotation, generation: u32) -> Option<Instant> {
        self.started.checked_add(plan.every.duration().checked_mul(generation)?)
    }

    fn end_of_overlap(&self, plan: &config::Rotation) -> Option<Instant> {
        self.overlapping.then(|| self.start_of(plan, self.newest)?.checked_add(plan.overlap.duration())).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::BootSecrets;
    use crate::stop::Stop;
    use vitrine_attest::rotation::{check, newest};

    /// What happened, and whether the kernel refuses.
    #[derive(Default)]
    struct Log {
        steps: Vec<(&'static str, u32)>,
        keys: Vec<vitrine_attest::digest::Key32>,
        refuses: bool,
    }

    impl Log {
        fn note(&mut self, what: &'static str, generation: u32) -> Step {
            self.steps.push((what, generation));
            if self.refuses {
                Err(Stop("netlink-refused"))
            } else {
                Ok(())
            }
        }
    }

    impl Generations for Log {
        fn begin(&mut self, generation: u32, key: &KeyPair, _: &Peers) -> Step {
            self.keys.push(key.public);
            self.note("begin", generation)
        }
        fn end(&mut self, generation: u32) -> Step {
            self.note("end", generation)
        }
    }

    struct Sample {
        rotation: Rotation,
        boot: BootKeys,
        start: Instant,
        log: Log,
        peers: Peers,
    }

    fn sample(rotation: &str) -> Sample {
        let text = format!(r#"{{"wireguard":{{"addresses":["10.66.0.1/24"]{rotation}}}}}"#);
        let config: Config = serde_json::from_str(&text).unwrap();
        let (secrets, boot) = BootSecrets::generate().unwrap();
        let start = Instant::now();
        let rotation = Rotation::new(&config, Sha256::of(b"config"), boot.clone(), secrets.signing.clone(), start);
        let peers = Peers::new(boot.wg_pub, vec![], 10);
        Sample { rotation, boot, start, log: Log::default(), peers }
    }

    const EVERY_MINUTE: &str = r#","rotation":{"every":"60s","overlap":"20s","ports":[2]}"#;

    impl Sample {
        fn tick(&mut self, seconds: u64) -> Option<Vec<u32>> {
            let now = self.start + Duration::from_secs(seconds);
            let told = self.rotation.tick(now, &mut self.log, &self.peers)?;
            check(&told, &Sha256::of(b"config"), &self.boot).unwrap();
            let (generation, key) = newest(&told, &self.boot);
            assert_eq!((generation, Some(&key)), (self.rotation.newest, self.log.keys.last()), "the key that is used");
            Some(told.iter().map(|key| key.generation).collect())
        }
        fn wake(&self) -> Option<u64> {
            self.rotation.wake().map(|wake| (wake - self.start).as_secs())
        }
    }

    #[test]
    fn without_a_plan_nothing_happens() {
        let mut sample = sample("");
        assert_eq!((sample.wake(), sample.tick(1_000_000)), (None, None));
        assert!(sample.log.steps.is_empty());
    }

    #[test]
    fn generations_overlap() {
        let mut sample = sample(EVERY_MINUTE);
        assert_eq!((sample.wake(), sample.tick(59)), (Some(60), None));
        assert_eq!((sample.tick(60), sample.wake()), (Some(vec![1]), Some(80)));
        assert_eq!((sample.tick(79), sample.tick(80), sample.wake()), (None, None, Some(120)));
        assert_eq!((sample.tick(120), sample.wake()), (Some(vec![1, 2]), Some(140)));
        assert_eq!((sample.tick(140), sample.wake()), (Some(vec![2]), Some(180)));
        assert_eq!(sample.log.steps, [("begin", 1), ("end", 0), ("begin", 2), ("end", 1)]);
    }

    #[test]
    fn refusals_are_tried_again_with_another_key() {
        let mut sample = sample(EVERY_MINUTE);
        sample.log.refuses = true;
        assert_eq!((sample.tick(60), sample.wake()), (None, Some(70)));
        assert_eq!((sample.tick(69), sample.tick(70), sample.wake()), (None, None, Some(80)));
        sample.log.refuses = false;
        assert_eq!(sample.tick(80), Some(vec![1]));
        assert_ne!(sample.log.keys[0], sample.log.keys[1]);
        sample.log.refuses = true;
        assert_eq!((sample.tick(80), sample.wake()), (None, Some(90)), "it would have ended at 80");
        sample.log.refuses = false;
        assert_eq!((sample.tick(90), sample.wake()), (None, Some(120)));
    }

    #[test]
    fn a_machine_that_slept_catches_up_one_by_one() {
        let mut sample = sample(EVERY_MINUTE);
        let told: Vec<_> = (0..6).map(|_| sample.tick(190)).collect();
        assert_eq!(told, [Some(vec![1]), None, Some(vec![1, 2]), Some(vec![2]), Some(vec![2, 3]), None]);
        assert_eq!(sample.wake(), Some(200));
    }
}
