use super::super::channel::Channel;
use super::super::process::{Child, Process};
use super::*;
use rustix::process::{waitpid, Pid, WaitOptions};
use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::process::Command;

const CONFIG: &str = r#"{"wireguard":{"addresses":["10.66.0.1/24"]},"app":{"command":["/srv/app"],"port":8000}}"#;

/// One that runs, and the other end of its channel.
#[allow(clippy::zombie_processes)] // `end` takes it
fn running(now: Instant) -> (App, UnixStream) {
    let mut app = App::new(&serde_json::from_str(CONFIG).unwrap(), now).unwrap();
    let process = Command::new("sleep").arg("60").spawn().unwrap();
    let (ours, theirs) = UnixStream::pair().unwrap();
    let process = Process::of(Pid::from_child(&process)).unwrap();
    app.keeper.started(Ok(Child { process, channel: Channel::new(ours.into()) }), now);
    (app, theirs)
}

fn end(app: &mut App, now: Instant) {
    let (pid, status) = waitpid(app.keeper.known().map(|known| known.pid), WaitOptions::empty()).unwrap().unwrap();
    app.keeper.reaped(pid, status, now);
}

#[test]
fn none_without_configuration() {
    let config: Config = serde_json::from_str(r#"{"wireguard":{"addresses":["10.66.0.1/24"]}}"#).unwrap();
    assert!(App::new(&config, Instant::now()).is_none());
}

#[test]
fn a_word_from_it_is_its_end() {
    let now = Instant::now();
    let (mut app, mut theirs) = running(now);
    app.receive(now);
    assert!(app.keeper.is_up(), "silence is what is expected");
    theirs.write_all(b"GET /secret").unwrap();
    app.receive(now);
    assert!(!app.keeper.is_up());
    end(&mut app, now);
    assert!(!app.keeper.due(now), "as after a crash");
}

#[test]
fn what_has_to_forget_starts_at_once() {
    let now = Instant::now();
    let (mut app, _theirs) = running(now);
    app.forget(now);
    assert!(!app.keeper.is_up());
    end(&mut app, now);
    assert!(app.keeper.due(now));
}
