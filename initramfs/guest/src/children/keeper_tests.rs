use super::super::channel::Channel;
use super::super::program::METRICS;
use super::*;
use rustix::process::{waitpid, WaitOptions};
use std::os::unix::net::UnixStream;
use std::process::Command;

/// Starts a shell command that has a channel; gives the channel's other end.
#[allow(clippy::zombie_processes)] // `reap` below takes it
fn start(keeper: &mut Keeper, command: &str, now: Instant) -> UnixStream {
    let process = Command::new("sh").args(["-c", command]).spawn().unwrap();
    let (ours, theirs) = UnixStream::pair().unwrap();
    let process = Process::of(Pid::from_child(&process)).unwrap();
    keeper.started(Ok(Child { process, channel: Channel::new(ours.into()) }), now);
    theirs
}

/// Waits for the end of the child, and tells the keeper that it happened at `now`.
fn reap(keeper: &mut Keeper, now: Instant) {
    let pid = match &keeper.state {
        State::Up { child, .. } => child.process.pid,
        State::Ending { process, .. } => process.pid,
        State::Waiting { .. } => panic!("nothing to wait for"),
    };
    let (pid, status) = waitpid(Some(pid), WaitOptions::empty()).unwrap().unwrap();
    assert!(keeper.reaped(pid, status, now));
    assert!(!keeper.reaped(pid, status, now), "only once");
}

fn pause(keeper: &Keeper, now: Instant) -> Duration {
    keeper.wake().unwrap() - now
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn crashes_are_backed_off_and_a_lasting_one_starts_over() {
    let now = Instant::now();
    let mut keeper = Keeper::new(METRICS, CleanExit::Forgotten, now);
    assert!(keeper.due(now));
    let mut pauses = vec![];
    for _ in 0..8 {
        let _theirs = start(&mut keeper, "exit 3", now);
        assert!(keeper.is_up() && !keeper.due(now));
        reap(&mut keeper, now);
        assert!(!keeper.due(now));
        pauses.push(pause(&keeper, now).as_secs());
    }
    assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
    let _theirs = start(&mut keeper, "exit 3", now);
    let late = now + LASTING;
    reap(&mut keeper, late);
    assert_eq!(pause(&keeper, late), FIRST_PAUSE);
}

#[test]
fn one_that_forgot_starts_at_once() {
    let now = Instant::now();
    let mut keeper = Keeper::new(METRICS, CleanExit::Forgotten, now);
    let theirs = start(&mut keeper, "exit 0", now);
    drop(theirs);
    keeper.gone(now + SECOND);
    reap(&mut keeper, now + SECOND);
    assert!(keeper.due(now + SECOND));

    let _theirs = start(&mut keeper, "exit 0", now);
    reap(&mut keeper, now + SECOND / 2);
    assert!(!keeper.due(now + SECOND / 2), "too early to be honest: a loop without a pause would follow");
}

#[test]
fn exit_zero_of_others_is_a_crash() {
    let now = Instant::now();
    let mut keeper = Keeper::new(METRICS, CleanExit::Crash, now);
    let _theirs = start(&mut keeper, "exit 0", now);
    reap(&mut keeper, now + 2 * SECOND);
    assert!(!keeper.due(now + 2 * SECOND));
}

#[test]
fn a_hanging_one_is_killed() {
    let now = Instant::now();
    let mut keeper = Keeper::new(METRICS, CleanExit::Crash, now);
    let theirs = start(&mut keeper, "exec sleep 60", now);
    drop(theirs);
    keeper.gone(now);
    assert!(!keeper.is_up());
    keeper.tick(now + ENDING_PATIENCE / 2);
    assert_eq!(keeper.wake(), Some(now + ENDING_PATIENCE));
    keeper.tick(now + ENDING_PATIENCE);
    reap(&mut keeper, now);
    assert_eq!(pause(&keeper, now), FIRST_PAUSE);
}

#[test]
fn a_failed_start_is_backed_off() {
    let now = Instant::now();
    let mut keeper = Keeper::new(METRICS, CleanExit::Crash, now);
    keeper.started(Err(Stop("child-start")), now);
    assert_eq!(pause(&keeper, now), FIRST_PAUSE);
    assert!(keeper.due(now + FIRST_PAUSE));
}
