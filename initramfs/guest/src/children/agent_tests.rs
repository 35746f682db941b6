use super::super::channel::Channel;
use super::super::process::Process;
use super::*;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::process::Command;
use vitrine_attest::boot::{BootFacts, BootKeys};
use vitrine_attest::digest::Key32;
use vitrine_attest::Sha256;

fn introduction() -> Introduction {
    Introduction {
        config_digest: Sha256::ZERO,
        keys: BootKeys {
            wg_pub: Key32([1; 32]),
            channel_pub: Key32([2; 32]),
            sign_pub: Key32([3; 32]),
            tls_spki: Sha256::ZERO,
        },
        rotated: vec![],
        image_id: "exit 1 x".into(),
        facts: BootFacts::sealed(),
        port: 8787,
        firmware_log: b"log".to_vec(),
        measured_already: false,
        violation: None,
        attached: None,
    }
}

fn key(generation: u32) -> RotatedKey {
    RotatedKey { generation, wg_pub: Key32([9; 32]), signature: [0; 64] }
}

/// An agent whose process sleeps, and the agent's end of the channel.
struct Fixture {
    agent: Agent,
    theirs: BufReader<UnixStream>,
    process: std::process::Child,
    now: Instant,
    /// What orders say shall be handed out.
    attached: Option<Sha256>,
}

impl Fixture {
    fn new() -> Self {
        let (process, child, theirs) = child();
        let now = Instant::now();
        let agent = Agent::measured(introduction(), child, now);
        Self { agent, theirs: BufReader::new(theirs), process, now, attached: None }
    }

    fn says(&mut self, line: &str) {
        self.theirs.get_mut().write_all(line.as_bytes()).unwrap();
        let attached = self.attached;
        self.agent.receive(self.now, |sealed| Ordered { answer: ToAgent::Answer(sealed.to_vec()), attached });
    }

    fn hears(&mut self) -> ToAgent {
        let mut line = String::new();
        self.theirs.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn child() -> (std::process::Child, Child, UnixStream) {
    let process = Command::new("sleep").arg("60").spawn().unwrap();
    let (ours, theirs) = UnixStream::pair().unwrap();
    let pid = Pid::from_child(&process);
    (process, Child { process: Process::of(pid).unwrap(), channel: Channel::new(ours.into()) }, theirs)
}

#[test]
fn orders_are_answered_and_keys_told() {
    let mut agent = Fixture::new();
    agent.agent.serve(agent.now).unwrap();
    assert_eq!(agent.hears(), ToAgent::Serve(true));
    agent.says("{\"order\":\"AQI=\"}\n");
    assert_eq!(agent.hears(), ToAgent::Answer(vec![1, 2]));
    agent.agent.rotated(vec![key(1)], agent.now);
    assert_eq!(agent.hears(), ToAgent::Rotated(vec![key(1)]));
    assert_eq!(agent.agent.introduction.rotated, [key(1)]);
    assert!(agent.agent.introduction.measured_already);
}

/// The agent knows it before the owner hears that the order was taken; a later agent is introduced with it.
#[test]
fn what_is_attached_is_told_before_the_answer() {
    let mut agent = Fixture::new();
    agent.agent.serve(agent.now).unwrap();
    assert_eq!(agent.hears(), ToAgent::Serve(true));
    for attached in [Some(Sha256([7; 32])), Some(Sha256([8; 32])), None] {
        agent.attached = attached;
        agent.says("{\"order\":\"AQI=\"}\n");
        assert_eq!((agent.hears(), agent.hears()), (ToAgent::Attach(attached), ToAgent::Answer(vec![1, 2])));
        assert_eq!(agent.agent.introduction.attached, attached);
        // another order, which changes nothing about it
        agent.says("{\"order\":\"AQM=\"}\n");
        assert_eq!(agent.hears(), ToAgent::Answer(vec![1, 3]));
    }
}

/// Keys that changed while it started are not lost.
#[test]
fn a_new_agent_serves_once_it_has_measured() {
    let mut agent = Fixture::new();
    agent.agent.rotated(vec![key(1), key(2)], agent.now);
    agent.says("{\"measured\":true}\n");
    assert_eq!(agent.hears(), ToAgent::Serve(true));
    assert_eq!(agent.hears(), ToAgent::Rotated(vec![key(1), key(2)]));
}

#[test]
fn what_does_not_belong_ends_it() {
    for bad in ["{\"order\":\"AQI=\"}\n", "{\"failed\":\"tpm\"}\n", "{\"measured\":false}\n", "?\n"] {
        let mut agent = Fixture::new();
        agent.says(bad);
        assert!(!agent.agent.keeper.is_up(), "{bad} before it measured");
    }
    let mut agent = Fixture::new();
    agent.agent.serve(agent.now).unwrap();
    agent.says("{\"measured\":true}\n");
    assert!(!agent.agent.keeper.is_up(), "a second time");
}

#[test]
fn one_that_does_not_measure_is_given_up() {
    let mut agent = Fixture::new();
    let late = agent.agent.wake().unwrap();
    assert_eq!(late, agent.now + MEASURE_PATIENCE);
    agent.agent.tick(late - Duration::from_millis(1));
    assert!(agent.agent.keeper.is_up());
    agent.agent.tick(late);
    assert!(!agent.agent.keeper.is_up());
    assert_eq!(agent.agent.wake(), None, "its end comes by its descriptor");
}
