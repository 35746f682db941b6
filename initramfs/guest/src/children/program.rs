//! What is fixed about each program: where it is, who runs it, what it sees, what it may use up.

use rustix::process::Resource;
use std::ffi::{CStr, CString};
use vitrine_attest::config;

/// An empty, read-only folder: all that a static program sees of the file system.
pub const EMPTY_ROOT: &CStr = c"/run/empty";
/// The agent's libraries and its TPM.
pub const AGENT_ROOT: &CStr = c"/run/agent";
/// User and group of the agent; nobody else has them and no file belongs to them but the TPM.
pub const AGENT_USER: u32 = 200;
const RESOLVER_USER: u32 = 201;
const METRICS_USER: u32 = 202;
const GATEWAY_USER: u32 = 203;
const APP_USER: u32 = 204;
/// What the operator's own program sees of the file system: the image has it here.
pub const APP_ROOT: &CStr = c"/app";

/// Everything in here is the same for each start of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Program {
    /// Opened by PID 1 and run by its descriptor: the program's own root does not hold it.
    pub path: &'static CStr,
    /// What it turns itself into, by PID 1's path.
    pub becomes: Option<&'static CStr>,
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
pub const AGENT: Program = Program {
    path: c"/usr/lib/vitrine/agent",
    becomes: None,
    user: AGENT_USER,
    root: AGENT_ROOT,
    limits: limits(256, 64, 256 << 20),
};

/// One thread, a page, a few dozen connections.
pub const METRICS: Program = Program {
    path: c"/usr/lib/vitrine/metrics",
    becomes: None,
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
        becomes: None,
        user: RESOLVER_USER,
        root: EMPTY_ROOT,
        limits: limits(RESOLVER_FILES, 32, memory),
    }
}

/// Bytes that the gateway may have without any request, for each connection of a client, and for each request with its connection
/// to an upstream: TLS buffers both ways, and the windows of HTTP/2; see docs/gateway.md.
const GATEWAY_BASE: u64 = 64 << 20;
const GATEWAY_CONNECTION: u64 = 384 << 10;
const GATEWAY_REQUEST: u64 = 512 << 10;
/// Descriptors beside those of clients and upstreams: connections that wait for the next request, and its own.
const GATEWAY_FILES: u64 = 384;

/// Memory and descriptors depend on the configuration: how many may call at a time.
pub fn gateway(config: &config::Gateway) -> Program {
    let (connections, requests) = (u64::from(config.limits.connections), u64::from(config.limits.requests));
    let memory = GATEWAY_BASE + connections * GATEWAY_CONNECTION + requests * GATEWAY_REQUEST;
    Program {
        path: c"/usr/lib/vitrine/gateway",
        becomes: None,
        user: GATEWAY_USER,
        root: EMPTY_ROOT,
        limits: limits(gateway_files(config), 32, memory),
    }
}

/// A client's connection each, and one to an upstream for each request.
pub fn gateway_files(config: &config::Gateway) -> u64 {
    u64::from(config.limits.connections) + u64::from(config.limits.requests) + GATEWAY_FILES
}

/// Descriptors of the launcher: those it puts away are the last ones.
pub const APP_FILES: u64 = config::MOST_FILES as u64 + 2;

/// Made once a boot: what it becomes depends on the configuration, and is kept for good. The launcher sets the program's own limit
/// of descriptors.
pub fn app(config: &config::App) -> Program {
    let path = format!("{}{}", APP_ROOT.to_string_lossy(), config.command.first().map_or("", String::as_str));
    let limits = limits(APP_FILES, u64::from(config.limits.threads), u64::from(config.limits.memory) << 20);
    Program {
        path: c"/usr/lib/vitrine/launcher",
        becomes: CString::new(path).ok().map(|path| &*Box::leak(path.into_boxed_c_str())),
        user: APP_USER,
        root: APP_ROOT,
        limits,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_their_own() {
        let config: config::Gateway = serde_json::from_str(r#"{"routes":[],"upstreams":{}}"#).unwrap();
        let app = app(&serde_json::from_str(r#"{"command":["/srv/server"],"port":8000}"#).unwrap());
        assert_eq!(app.becomes, Some(c"/app/srv/server"));
        let programs = [AGENT, METRICS, resolver(&config::Resolver::default()), gateway(&config), app];
        assert_eq!(programs.map(|program| program.user), [200, 202, 201, 203, 204]);
        for program in programs {
            assert!(program.limits.contains(&(Resource::Core, 0)) && program.limits.contains(&(Resource::Fsize, 0)));
        }
    }
}
