//! A program of the operator's own behind the gateway.

use super::{Gateway, Span, UpstreamProtocol};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// It runs as a user of its own, in a root of its own (the image's `/app`), reads and writes no other file, calls nobody, starts no
/// other program, and its output goes nowhere. The gateway alone can call it, over loopback.
///
/// ```toml
/// [config.app]
/// command = ["/usr/bin/python3.13", "-I", "-B", "/srv/server.py"]
/// port = 8000
/// environment = { MODE = "plain" }
/// forget_after = "1m"
/// limits = { memory = 256, files = 1024, threads = 64 }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct App {
    /// The program, by its path in the app's root, and its arguments.
    pub command: Vec<String>,
    /// TCP, on 127.0.0.1.
    pub port: u16,
    /// All that it has of an environment.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, String>,
    /// Without a request for this long it is ended, and with it all its memory, and begins anew.
    #[serde(default = "default_forget_after")]
    pub forget_after: Span,
    #[serde(default)]
    pub limits: AppLimits,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AppLimits {
    /// MiB of heap, stacks of threads and private mappings (RLIMIT_DATA).
    pub memory: u32,
    /// Open descriptors.
    pub files: u32,
    pub threads: u32,
}

fn default_forget_after() -> Span {
    App::FORGET_AFTER
}

impl Default for AppLimits {
    fn default() -> Self {
        Self { memory: 256, files: 1024, threads: 64 }
    }
}

const MOST_WORDS: usize = 64;
/// Descriptors; those from here on are the launcher's.
pub const MOST_FILES: u32 = 16_384;
/// Bytes of a word of the command or of the environment.
const LONGEST_WORD: usize = 1024;
/// Below are the ports of services.
const FIRST_PORT: u16 = 1024;

impl App {
    /// Where nothing is said.
    pub const FORGET_AFTER: Span = Span::seconds(60);

    /// Where the gateway calls it.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        (IpAddr::V4(Ipv4Addr::LOCALHOST), self.port).into()
    }

    pub(super) fn problems(&self, gateway: Option<&Gateway>, problems: &mut Vec<String>) {
        self.command_problems(problems);
        self.environment_problems(problems);
        self.limits.problems(problems);
        if self.port < FIRST_PORT {
            problems.push(format!("app.port is {}, it has to be {FIRST_PORT} or more", self.port));
        }
        if !(Span::seconds(1)..=Span::seconds(3600)).contains(&self.forget_after) {
            problems.push(format!("app.forget_after is {}, it has to be 1s to 1h", self.forget_after));
        }
        let plain = gateway.iter().flat_map(|gateway| gateway.upstreams.values()).any(|upstream| {
            upstream.protocol == UpstreamProtocol::Plain && upstream.addresses.contains(&self.address())
        });
        if !plain {
            let address = self.address();
            problems.push(format!(
                "app: nobody calls it; gateway.upstreams needs one with addresses = [\"{address}\"] and protocol = \"plain\""
            ));
        }
    }

    fn command_problems(&self, problems: &mut Vec<String>) {
        if self.command.is_empty() || self.command.len() > MOST_WORDS {
            problems.push(format!("app.command: 1 to {MOST_WORDS} words are needed"));
        }
        if self.command.first().is_some_and(|program| !is_plain_path(program)) {
            problems.push("app.command: the program is a path from / on, without //, . and ..".into());
        }
        if self.command.iter().any(|word| !is_word(word)) {
            problems.push(format!("app.command: a word has at most {LONGEST_WORD} bytes, and no zero among them"));
        }
    }

    fn environment_problems(&self, problems: &mut Vec<String>) {
        if self.environment.len() > MOST_WORDS {
            problems.push(format!("app.environment: at most {MOST_WORDS}"));
        }
        let letters = |c: char| c.is_ascii_alphanumeric() || c == '_';
        for (name, value) in &self.environment {
            if name.is_empty()
                || !name.chars().all(letters)
                || name.len() + value.len() > LONGEST_WORD
                || !is_word(value)
            {
                problems.push(format!("app.environment: {name:?} is no name and value that a program can have"));
            }
            // each of these would load code, or write what the program does into a file
            if name.starts_with("LD_") || name == "SSLKEYLOGFILE" {
                problems.push(format!("app.environment: {name} is not for a program that has to forget"));
            }
        }
    }
}

impl AppLimits {
    fn problems(self, problems: &mut Vec<String>) {
        for (name, value, most) in
            [("memory", self.memory, 1 << 20), ("files", self.files, MOST_FILES), ("threads", self.threads, 4096)]
        {
            let least = if name == "threads" { 1 } else { 16 };
            if !(least..=most).contains(&value) {
                problems.push(format!("app.limits.{name} is {value}, it has to be {least} to {most}"));
            }
        }
    }
}

fn is_word(word: &str) -> bool {
    word.len() <= LONGEST_WORD && !word.contains('\0')
}

fn is_plain_path(path: &str) -> bool {
    let mut segments = path.split('/');
    segments.next() == Some("") && segments.all(|segment| !matches!(segment, "" | "." | ".."))
}

#[cfg(test)]
#[path = "app_tests.rs"]
mod tests;
