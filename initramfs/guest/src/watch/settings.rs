//! `watch.settings`: every kernel setting that init has made is still made. `watch.tracing` and `watch.kernel`: the
//! settings of tracing are as at the first look, and nothing has marked the kernel as foreign.

use super::buffer::Buffer;
use super::trees::Trees;
use crate::stop::{OrStop as _, Step, Stop};
use crate::sysctl::{Presence, Setting};
use rustix::io::{pread, Errno};
use std::os::fd::OwnedFd;
use vitrine_attest::watch::Rule;

/// Nobody sets these, so they stay as the measured kernel and command line have them. What a kernel does not have is
/// left out.
const AS_FOUND: [(&str, Rule); 10] = [
    ("kernel/printk", Rule::Settings),
    ("kernel/printk_devkmsg", Rule::Settings),
    ("kernel/print-fatal-signals", Rule::Settings),
    ("kernel/core_pipe_limit", Rule::Settings),
    ("kernel/ftrace_enabled", Rule::Tracing),
    ("kernel/tracepoint_printk", Rule::Tracing),
    ("kernel/stack_tracer_enabled", Rule::Tracing),
    ("kernel/ftrace_dump_on_oops", Rule::Tracing),
    ("kernel/bpf_stats_enabled", Rule::Tracing),
    ("debug/kprobes-optimization", Rule::Tracing),
];
const TAINT: &str = "kernel/tainted";
/// Documentation/admin-guide/tainted-kernels: code that is proprietary (0), forced in (1) or out (3), marked by a user
/// (6), out of tree (12), unsigned (13), a live patch (15), for tests (18). A warning of the kernel itself, or a
/// processor that was kept waiting, is no reason to end a server.
const FOREIGN: u64 = 1 | 1 << 1 | 1 << 3 | 1 << 6 | 1 << 12 | 1 << 13 | 1 << 15 | 1 << 18;

pub struct Settings {
    made: Vec<Made>,
    found: Vec<(OwnedFd, Rule, Option<Vec<u8>>)>,
    taint: OwnedFd,
}

struct Made {
    file: OwnedFd,
    value: &'static str,
    /// The kernel shows it to nobody without a right that PID 1 has given up. Who could change it has that right.
    hidden: Option<bool>,
}

impl Settings {
    pub fn open(trees: &Trees, settings: impl Iterator<Item = &'static Setting>) -> Step<Self> {
        let mut made = Vec::new();
        for Setting(name, value, presence) in settings {
            match (open(trees, name)?, presence) {
                (Some(file), _) => made.push(Made { file, value, hidden: None }),
                (None, Presence::Optional) => {}
                (None, Presence::Required) => return Err(Stop("watch-tree")),
            }
        }
        let mut found = Vec::new();
        for (name, rule) in AS_FOUND {
            found.extend(open(trees, name)?.map(|file| (file, rule, None)));
        }
        Ok(Self { made, found, taint: open(trees, TAINT)?.or_stop("watch-tree")? })
    }

    pub fn look(&mut self, buffer: &mut Buffer) -> Step<Option<Rule>> {
        for setting in &mut self.made {
            if !setting.holds(buffer)? {
                return Ok(Some(Rule::Settings));
            }
        }
        for (file, rule, first) in &mut self.found {
            let now = buffer.file(&*file)?;
            if first.get_or_insert_with(|| now.to_vec()) != now {
                return Ok(Some(*rule));
            }
        }
        let taint = number(buffer.file(&self.taint)?).or_stop("watch-form")?;
        Ok((taint & FOREIGN != 0).then_some(Rule::Kernel))
    }
}

fn open(trees: &Trees, name: &str) -> Step<Option<OwnedFd>> {
    trees.proc(&["sys/", name].concat())
}

impl Made {
    fn holds(&mut self, buffer: &mut Buffer) -> Step<bool> {
        let hidden = *self.hidden.get_or_insert_with(|| pread(&self.file, &mut [0; 8], 0) == Err(Errno::PERM));
        Ok(hidden || same(buffer.file(&self.file)?, self.value))
    }
}

fn same(shown: &[u8], value: &str) -> bool {
    shown.trim_ascii() == value.as_bytes()
}

fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text.trim_ascii()).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values() {
        assert!(same(b"1\n", "1") && same(b"\n", "") && same(b"-1\n", "-1"));
        assert!(!same(b"0\n", "1") && !same(b"|/usr/bin/log %p\n", "") && !same(b"", "0"));
    }

    #[test]
    fn marks_of_foreign_code() {
        let is_foreign = |text: &str| number(text.as_bytes()).unwrap() & FOREIGN != 0;
        for fine in ["0\n", "512\n", "16384\n", "16896\n"] {
            assert!(!is_foreign(fine), "{fine}");
        }
        for foreign in ["1\n", "4096\n", "8192\n", "12800\n", "64\n", "262144\n"] {
            assert!(is_foreign(foreign), "{foreign}");
        }
        assert_eq!(number(b"x"), None);
    }
}
