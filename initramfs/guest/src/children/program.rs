//! What is fixed about each program: where it is, who runs it, what it sees, what it may use up.

use rustix::process::Resource;
use std::ffi::CStr;
use vitrine_attest::config;

/// An empty, read-only folder: all that a static program sees of the file system.
pub const EMPTY_ROOT: &CStr = c"/run/empty";
/// The agent's libraries and its TPM.
pub const AGENT_ROOT: &CStr = c"/run/agent";
/// User and group of the agent; nobody else has them and no file belongs to them but the TPM.
pub const AGENT_USER: u32 = 200;
const RESOLVER_USER: u32 = 201;
const METRICS_USER: u32 = 202;

/// Everything in here is the same for each start of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Program {
    /// Opened by PID 1 and run by its descriptor: the program's own root does not hold it.
    pub path: &'static CStr,
    /// Group as well.
    pub user: u32,
    /// Its root, entered for ever.
    pub root: &'static CStr,
    pub limits: [(Resource, u64); 5],
}

/// No file can be written (bytes), no core dump (bytes); files, processes and threads of its user; memory of its
/// own (bytes of RLIMIT_DATA: heap, stacks of threads, private mappings).
const fn limits(files: u64, threads: u64, memory: u64) -> [(Resource, u64); 5] {
    [
        (Resource::Fsize, 0),
        (Resource::Core, 0),
        (Resource::Nofile, files),
        (Resource::Nproc, threads),
        (Resource::Data, memory),
    ]
}

/// 32 connections, a thread each. Libraries of the TPM in memory: some 20 MiB.
pub const AGENT: Program =
    Program { path: c"/usr/lib/vitrine/agent", user: AGENT_USER, root: AGENT_ROOT, limits: limits(256, 64, 256 << 20) };

/// One thread, a page, a few dozen connections.
pub const METRICS: Program = Program {
    path: c"/usr/lib/vitrine/metrics",
    user: METRICS_USER,
    root: EMPTY_ROOT,
    limits: limits(64, 1, 16 << 20),
};

/// Bytes that the resolver may have without any cache, and per entry of its cache: four times what an entry of
/// average size takes, so that a cache full of the largest answers meets the limit and not the machine.
const RESOLVER_BASE: u64 = 192 << 20;
const RESOLVER_ENTRY: u64 = 2 << 10;
/// The kernel's first process cannot have more than 4096, nor can its children.
const RESOLVER_FILES: u64 = 4096;

/// Its memory depends on the configuration: the size of its cache.
pub fn resolver(config: &config::Resolver) -> Program {
    let memory = RESOLVER_BASE + u64::from(config.cache.entries) * RESOLVER_ENTRY;
    Program {
        path: c"/usr/lib/vitrine/resolver",
        user: RESOLVER_USER,
        root: EMPTY_ROOT,
        limits: limits(RESOLVER_FILES, 32, memory),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_their_own() {
        let programs = [AGENT, METRICS, resolver(&config::Resolver::default())];
        assert_eq!(programs.map(|program| program.user), [200, 202, 201]);
        for program in programs {
            assert!(program.limits.contains(&(Resource::Core, 0)) && program.limits.contains(&(Resource::Fsize, 0)));
        }
    }
}
