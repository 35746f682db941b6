//! `fetch` and `proxy` against gateways of this test: honest ones, and each way in which one is not.

#[path = "../mock/mod.rs"]
mod mock;
#[path = "../person/mod.rs"]
mod person;

mod examples;
mod fetch;
mod proxied;
mod refused;
mod server;

use mock::Scene;
use person::{serve_scene, Person, Served};
use server::{Gateway, Identity};
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::atomic::Ordering::SeqCst;

const TRUST: &str = "--statement statement --key key --ek-roots roots";

/// A gateway, its server's evidence, and a person.
struct Here {
    person: Person,
    served: Served,
    gateway: Gateway,
}

impl Here {
    /// The server vouches for the first; the gateway is the second.
    fn with(attested: &Identity, shown: Identity) -> Self {
        let mut scene = Scene::good();
        scene.record.keys.tls_spki = attested.spki;
        let (person, gateway) = (Person::of(&scene), Gateway::start(shown));
        Self { person, served: serve_scene(scene), gateway }
    }

    fn new() -> Self {
        let identity = Identity::new();
        Self::with(&identity.clone(), identity)
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vitrine-verify"));
        command.args(line.split_whitespace()).current_dir(self.person.path(""));
        for name in ["https_proxy", "HTTPS_PROXY", "ALL_PROXY", "http_proxy"] {
            command.env(name, "http://127.0.0.1:9");
        }
        command.env("XDG_STATE_HOME", self.person.path("state-home"));
        command
    }

    fn fetching(&self, path: &str, more: &str) -> Command {
        let line = format!("fetch https://{}{path} --server {} {TRUST} {more}", self.gateway.address, self.served.url);
        self.command(&line)
    }

    fn fetch(&self, path: &str, more: &str) -> Output {
        self.fetching(path, more).stdin(Stdio::null()).output().unwrap()
    }

    /// Runs until it is dropped.
    fn proxy(&self, more: &str) -> Running {
        self.proxy_of(&self.served.url, more)
    }

    /// With the evidence at another address.
    fn proxy_of(&self, server: &str, more: &str) -> Running {
        let gateway = self.gateway.address;
        let line = format!("proxy --listen 127.0.0.1:0 --to https://{gateway} --server {server} {TRUST} --json {more}");
        let mut child = self.command(&line).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let ready = line_of(&mut lines);
        assert_eq!(ready["event"], "listening", "{ready}");
        let address = ready["address"].as_str().unwrap().strip_prefix("http://").unwrap().parse().unwrap();
        Running { child, lines, address }
    }

    fn nothing_was_sent(&self) {
        assert_eq!(self.gateway.bytes.load(SeqCst), 0, "the gateway got bytes of a request");
    }
}

fn line_of(lines: &mut BufReader<ChildStdout>) -> serde_json::Value {
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    serde_json::from_str(&line).unwrap_or_else(|e| panic!("{line:?}: {e}"))
}

struct Running {
    child: Child,
    lines: BufReader<ChildStdout>,
    address: SocketAddr,
}

impl Running {
    fn line(&mut self) -> serde_json::Value {
        line_of(&mut self.lines)
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Status and body.
    fn get(&self, path: &str) -> (u16, String) {
        let agent = ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build().new_agent();
        let mut answer = agent.get(self.url(path)).call().unwrap();
        (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap())
    }

    #[track_caller]
    fn refuses(&self, path: &str, word: &str) {
        let (status, body) = self.get(path);
        assert_eq!((status, body.as_str()), (502, format!("{{\"error\":\"{word}\"}}\n").as_str()));
    }

    fn signal(&self, signal: i32) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::from_named_raw(signal).unwrap()).unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn out(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

#[track_caller]
fn ends(output: &Output, code: i32, says: &str) {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{errors}{}", out(output));
    assert!(errors.contains(says), "{errors}");
}
