//! What PID 1 does for the rest of its life: one loop, no threads.

use crate::agent::supervisor::Supervisor;
use crate::orders::Orders;
use crate::outside::Outside;
use crate::stop::{OrStop as _, Step};
use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::process::{waitpid, WaitOptions};
use std::convert::Infallible;
use std::time::{Duration, Instant};

/// Longest sleep: children that died without closing the channel are reaped by then.
const NAP: Duration = Duration::from_secs(30);

/// Never returns but by an error of `poll` itself.
pub fn run(mut agent: Supervisor, mut outside: Outside, mut orders: Orders) -> Step<Infallible> {
    loop {
        reap();
        agent.tick(Instant::now());
        outside.tick();
        let ready = sleep(&agent, &outside)?;
        if ready.agent {
            agent.receive(|sealed| orders.take(sealed));
        }
        if ready.outside {
            outside.receive();
        }
    }
}

struct Ready {
    agent: bool,
    outside: bool,
}

/// Sleeps until a descriptor or a deadline wants something.
fn sleep(agent: &Supervisor, outside: &Outside) -> Step<Ready> {
    let now = Instant::now();
    let wake = [agent.wake(), outside.wake(), Some(now + NAP)].into_iter().flatten().min().unwrap_or(now);
    let timeout = Timespec::try_from(wake.saturating_duration_since(now)).or_stop("poll")?;
    let mut fds: Vec<PollFd<'_>> = Vec::with_capacity(2);
    fds.extend(agent.fd().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
    let agents = fds.len();
    fds.extend(outside.fd().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
    match poll(&mut fds, Some(&timeout)) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(_) => return None.or_stop("poll"),
    }
    let wants = |fds: &[PollFd<'_>]| fds.iter().any(|fd| !fd.revents().is_empty());
    Ok(Ready { agent: wants(&fds[..agents]), outside: wants(&fds[agents..]) })
}

/// Takes the exit states of all children that have died; PID 1 inherits every orphan.
fn reap() {
    while let Ok(Some(_)) = waitpid(None, WaitOptions::NOHANG) {}
}
