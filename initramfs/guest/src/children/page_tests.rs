use super::super::channel::Channel;
use super::super::process::{Child, Process};
use super::*;
use rustix::process::Pid;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::process::Command;

const CONFIG: &str = r#"{"wireguard":{"addresses":["10.66.0.1/24"]},"metrics":{"level":"L1"}}"#;

/// One that runs, its process, and the other end of its channel.
fn running(now: Instant) -> (Page, std::process::Child, UnixStream) {
    let mut page = Page::new(&serde_json::from_str(CONFIG).unwrap(), "a 1\n".into(), now).unwrap();
    let process = Command::new("sleep").arg("60").spawn().unwrap();
    let (ours, theirs) = UnixStream::pair().unwrap();
    let child = Child { process: Process::of(Pid::from_child(&process)).unwrap(), channel: Channel::new(ours.into()) };
    page.keeper.started(Ok(child), now);
    (page, process, theirs)
}

#[test]
fn none_without_metrics() {
    let config: Config = serde_json::from_str(&CONFIG.replace("L1", "L0")).unwrap();
    assert!(Page::new(&config, String::new(), Instant::now()).is_none());
}

#[test]
fn it_is_told_its_port_and_each_page() {
    let now = Instant::now();
    let (mut page, mut process, theirs) = running(now);
    page.introduce(now);
    page.replace("a 2\n".into(), now);
    process.kill().unwrap();
    process.wait().unwrap();
    let lines = BufReader::new(theirs).lines().take(3);
    let told: Vec<ToMetrics> = lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect();
    assert_eq!(told, [ToMetrics::Port(page.port), ToMetrics::Text("a 1\n".into()), ToMetrics::Text("a 2\n".into())]);
}

#[test]
fn whatever_it_says_ends_it() {
    let now = Instant::now();
    for bad in ["{\"counts\":[]}\n", "null\n", "GET /secret\n"] {
        let (mut page, mut process, mut theirs) = running(now);
        page.receive(now);
        assert!(page.keeper.is_up(), "silence is what is expected");
        theirs.write_all(bad.as_bytes()).unwrap();
        page.receive(now);
        assert!(!page.keeper.is_up(), "{bad}");
        let status = std::os::unix::process::ExitStatusExt::signal(&process.wait().unwrap());
        assert_eq!(status, Some(9), "{bad}");
    }
}

#[test]
fn one_that_closes_its_channel_may_end_by_itself() {
    let now = Instant::now();
    let (mut page, mut process, theirs) = running(now);
    drop(theirs);
    page.receive(now);
    assert!(!page.keeper.is_up());
    assert!(process.try_wait().unwrap().is_none(), "not killed yet");
    page.tick(page.keeper.wake().unwrap());
    process.wait().unwrap();
}
