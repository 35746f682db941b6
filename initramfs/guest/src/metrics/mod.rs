//! What is told about the server: at most six classes, and those of the gateway, which change at ticks only. `docs/metrics.md`.
//!
//! Everything is computed here, in PID 1, from four kernel counters and a few numbers of its own; the program that
//! answers requests knows nothing but the finished page.

mod gateway;
mod page;
mod scale;
mod source;

use crate::stop::Step;
use gateway::Requests;
use page::Values;
use source::{Bytes, Cpu, Memory};
use std::time::Instant;
use vitrine_attest::config::{Config, Level};
use vitrine_attest::inside::Count;

/// Numbers of PID 1's own, taken at the tick.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Own {
    /// Peers with a handshake in the last 180 s.
    pub sessions: u32,
    /// Names refused because of the blocklist since the boot.
    pub blocked: u64,
    /// Requests since the gateway's start.
    pub requests: Vec<Count>,
}

pub struct Metrics {
    level: Level,
    tick: std::time::Duration,
    next: Instant,
    last: Instant,
    cpu: Cpu,
    memory: Memory,
    bytes: Bytes,
    blocked: u64,
    /// With a gateway, from level L2 on.
    requests: Option<Requests>,
}

impl Metrics {
    /// Opens the counters: call it while /proc and /sys are there, and the outer interface has its name. None at L0.
    ///
    /// # Errors
    /// `metrics` when the kernel has no such counter.
    pub fn open(config: &Config, now: Instant) -> Step<Option<Self>> {
        let (level, tick) = (config.metrics.level, config.metrics.tick.duration());
        if level == Level::L0 {
            return Ok(None);
        }
        let (cpu, memory, bytes) = (Cpu::open()?, Memory::open()?, Bytes::open()?);
        let requests = Requests::new(config).filter(|_| level >= Level::L2);
        Ok(Some(Self { level, tick, next: now + tick, last: now, cpu, memory, bytes, blocked: 0, requests }))
    }

    /// The page before the first tick: a server that has just started and done nothing.
    pub fn first_page(&self) -> String {
        let requests = self.requests.as_ref().map(Requests::first_page);
        Values::default().render(self.level) + &requests.unwrap_or_default()
    }

    /// When [`Self::tick`] has a new page.
    pub fn wake(&self) -> Option<Instant> {
        Some(self.next)
    }

    /// The new page, when it is time for one. `own` is asked for its numbers at that moment only.
    pub fn tick(&mut self, now: Instant, own: impl FnOnce() -> Own) -> Option<String> {
        if now < self.next {
            return None;
        }
        let own = if self.level >= Level::L2 { own() } else { Own::default() };
        let seconds = now.saturating_duration_since(self.last).as_secs().max(1);
        let values = Values {
            blocked: own.blocked.saturating_sub(self.blocked),
            cpu: self.cpu.percent(),
            memory: self.memory.percent(),
            sessions: own.sessions.into(),
            throughput: self.bytes.since_last().saturating_mul(8) / seconds,
            uptime: source::uptime(),
        };
        (self.blocked, self.last, self.next) = (own.blocked, now, now + self.tick);
        let requests = self.requests.as_mut().map(|requests| requests.tick(&own.requests));
        Some(values.render(self.level) + &requests.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics(level: &str) -> Option<Metrics> {
        let text = [r#"{"wireguard":{"addresses":["10.66.0.1/24"]},"metrics":{"level":""#, level, r#"","tick":"5s"}}"#];
        let config: Config = serde_json::from_str(&text.concat()).unwrap();
        Metrics::open(&config, Instant::now()).ok().flatten()
    }

    #[test]
    fn nothing_at_level_0() {
        assert!(metrics("L0").is_none());
    }

    /// The interface of the image is not there on a test machine, so the parts are put together here.
    fn assembled(level: Level, now: Instant) -> Metrics {
        Metrics {
            level,
            tick: std::time::Duration::from_secs(5),
            next: now + std::time::Duration::from_secs(5),
            last: now,
            cpu: Cpu::open().unwrap(),
            memory: Memory::open().unwrap(),
            bytes: Bytes::of("lo").unwrap(),
            blocked: 0,
            requests: None,
        }
    }

    #[test]
    fn values_are_frozen_between_ticks() {
        let now = Instant::now();
        let mut metrics = assembled(Level::L2, now);
        assert_eq!(metrics.tick(now, || panic!("asked between ticks")), None);
        assert_eq!(metrics.tick(now + std::time::Duration::from_millis(4999), Own::default), None);
        let late = metrics.wake().unwrap();
        let page = metrics.tick(late, || Own { sessions: 12, blocked: 150, ..Own::default() }).unwrap();
        assert!(page.contains("vitrine_sessions{class=\"tens\"} 1\n"), "{page}");
        assert!(page.contains("vitrine_blocked_names{class=\"hundreds\"} 1\n"), "{page}");
        let later = metrics.wake().unwrap();
        let page = metrics.tick(later, || Own { sessions: 9, blocked: 151, ..Own::default() }).unwrap();
        assert!(page.contains("vitrine_sessions{class=\"few\"} 1\n"), "{page}");
        assert!(page.contains("vitrine_blocked_names{class=\"few\"} 1\n"), "counted per tick: {page}");
    }

    #[test]
    fn level_1_asks_for_nothing_of_the_service() {
        let now = Instant::now();
        let mut metrics = assembled(Level::L1, now);
        let page = metrics.tick(metrics.next, || panic!("the service is asked")).unwrap();
        assert!(!page.contains("sessions") && page.contains("vitrine_cpu"));
    }
}
