//! Counters of the kernel, by descriptors that stay open after /proc and /sys are gone. A counter that cannot be
//! read any more keeps its last value: nobody is told, and nothing stops.

use crate::net::OUTER;
use crate::stop::{OrStop, Step};
use rustix::fs::{open, Mode, OFlags};
use rustix::io::pread;
use std::os::fd::OwnedFd;

/// Bytes that are looked at: what is wanted is at the beginning.
const LIMIT: usize = 512;

#[derive(Debug)]
struct Counter(OwnedFd);

impl Counter {
    fn open(path: &str) -> Step<Self> {
        Ok(Self(open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).or_stop("metrics")?))
    }

    /// The beginning of the file as it is now.
    fn read<T>(&self, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let mut bytes = [0; LIMIT];
        let length = pread(&self.0, &mut bytes, 0).ok()?;
        parse(std::str::from_utf8(&bytes[..length]).ok()?)
    }
}

/// Time of all processors, in ticks of the kernel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Times {
    busy: u64,
    all: u64,
}

#[derive(Debug)]
pub struct Cpu {
    counter: Counter,
    before: Times,
}

impl Cpu {
    pub fn open() -> Step<Self> {
        let counter = Counter::open("/proc/stat")?;
        let before = counter.read(times).or_stop("metrics")?;
        Ok(Self { counter, before })
    }

    /// Of all processors, since the last call.
    pub fn percent(&mut self) -> u64 {
        let now = self.counter.read(times).unwrap_or(self.before);
        let (busy, all) = (now.busy.saturating_sub(self.before.busy), now.all.saturating_sub(self.before.all));
        self.before = now;
        percent(busy, all)
    }
}

/// `cpu  user nice system idle iowait irq softirq steal guest guest_nice` (proc_stat(5)); guests are in user already.
fn times(text: &str) -> Option<Times> {
    let mut words = text.lines().next()?.split_ascii_whitespace();
    if words.next()? != "cpu" {
        return None;
    }
    let numbers: Vec<u64> = words.take(8).map(str::parse).collect::<Result<_, _>>().ok()?;
    let idle = numbers.get(3)?.checked_add(*numbers.get(4)?)?;
    let all = numbers.iter().try_fold(0u64, |sum, number| sum.checked_add(*number))?;
    Some(Times { busy: all - idle, all })
}

#[derive(Debug)]
pub struct Memory {
    counter: Counter,
    last: u64,
}

impl Memory {
    pub fn open() -> Step<Self> {
        let counter = Counter::open("/proc/meminfo")?;
        let last = counter.read(used_memory).or_stop("metrics")?;
        Ok(Self { counter, last })
    }

    /// Per cent of the memory that nobody could get now.
    pub fn percent(&mut self) -> u64 {
        self.last = self.counter.read(used_memory).unwrap_or(self.last);
        self.last
    }
}

/// `MemTotal: … kB`, `MemAvailable: … kB` (proc_meminfo(5)).
fn used_memory(text: &str) -> Option<u64> {
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_ascii_whitespace().next()?.parse::<u64>().ok()
    };
    let (total, available) = (field("MemTotal:")?, field("MemAvailable:")?);
    Some(percent(total.saturating_sub(available), total))
}

#[derive(Debug)]
pub struct Bytes {
    counters: [Counter; 2],
    before: u64,
}

impl Bytes {
    /// Both directions of the outer interface.
    pub fn open() -> Step<Self> {
        Self::of(OUTER)
    }

    pub(super) fn of(interface: &str) -> Step<Self> {
        let counter = |name: &str| Counter::open(&["/sys/class/net/", interface, "/statistics/", name].concat());
        let mut bytes = Self { counters: [counter("rx_bytes")?, counter("tx_bytes")?], before: 0 };
        bytes.since_last();
        Ok(bytes)
    }

    pub fn since_last(&mut self) -> u64 {
        let number = |text: &str| text.trim_ascii().parse::<u64>().ok();
        let sum = self.counters.iter().try_fold(0u64, |sum, counter| sum.checked_add(counter.read(number)?));
        let now = sum.unwrap_or(self.before);
        let grown = now.saturating_sub(self.before);
        self.before = now;
        grown
    }
}

/// Seconds since the kernel started, sleep included.
pub fn uptime() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    time.tv_sec.try_into().unwrap_or(0)
}

fn percent(part: u64, whole: u64) -> u64 {
    u64::try_from(u128::from(part) * 100 / u128::from(whole.max(1))).unwrap_or(100).min(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_times() {
        let text = "cpu  10 0 20 60 10 0 0 0 5 0\ncpu0 1 1 1 1 1 1 1 1 1 1\n";
        assert_eq!(times(text), Some(Times { busy: 30, all: 100 }));
        for bad in [
            "",
            "cpu",
            "cpu 1 2 3",
            "cpu0 1 2 3 4 5 6 7 8\n",
            "cpu 1 2 x 4 5 6 7 8",
            "cpu 18446744073709551615 1 1 1 1",
        ] {
            assert_eq!(times(bad), None, "{bad}");
        }
    }

    #[test]
    fn memory() {
        let text = "MemTotal:         200 kB\nMemFree:           10 kB\nMemAvailable:      50 kB\n";
        assert_eq!(used_memory(text), Some(75));
        assert_eq!(used_memory("MemTotal: 5 kB\n"), None);
        assert_eq!(used_memory("MemTotal: 0 kB\nMemAvailable: 0 kB\n"), Some(0));
        assert_eq!(percent(u64::MAX, 1), 100);
    }

    #[test]
    fn this_machines_counters() {
        let (mut cpu, mut memory) = (Cpu::open().unwrap(), Memory::open().unwrap());
        assert!(cpu.percent() <= 100 && (1..=100).contains(&memory.percent()));
        assert!(Bytes::of("no such interface").is_err());
        let mut bytes = Bytes::of("lo").unwrap();
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.send_to(&[0; 1000], socket.local_addr().unwrap()).unwrap();
        assert!(bytes.since_last() >= 2000, "sent and received");
        assert!(uptime() > 0);
    }
}
