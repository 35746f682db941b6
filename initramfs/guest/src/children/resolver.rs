//! The resolver. It ends itself to forget, and says one number.

use super::keeper::{CleanExit, Keeper};
use super::kept::Kept;
use super::process::Child;
use super::program;
use crate::stop::{OrStop as _, Step};
use rustix::fs::{open, Mode, OFlags};
use std::ffi::CStr;
use std::time::Instant;
use vitrine_attest::config::Config;
use vitrine_attest::inside::{FromResolver, ResolverStart, TlsKey};

/// One name per line; its digest is in the measured configuration.
const BLOCKLIST: &CStr = c"/etc/vitrine/blocklist";

pub struct Resolver {
    start: ResolverStart,
    keeper: Keeper,
    /// Of the resolvers before this one, and of this one so far.
    former: u64,
    current: u64,
}

impl Resolver {
    /// Due at once, when the configuration has a resolver.
    pub fn new(config: &Config, tls_key: TlsKey, now: Instant) -> Option<Self> {
        let resolver = config.resolver.clone()?;
        let keeper = Keeper::new(program::resolver(&resolver), CleanExit::Forgotten, now);
        let addresses = config.wireguard.addresses.iter().map(|network| network.address).collect();
        let start = ResolverStart { resolver, addresses, tls_key };
        Some(Self { start, keeper, former: 0, current: 0 })
    }

    /// Names refused because of the blocklist since the boot.
    pub fn blocked(&self) -> u64 {
        self.former.saturating_add(self.current)
    }
}

impl Kept for Resolver {
    fn keeper(&self) -> &Keeper {
        &self.keeper
    }

    fn keeper_mut(&mut self) -> &mut Keeper {
        &mut self.keeper
    }

    fn launch(&mut self) -> Step<Child> {
        self.former = self.blocked();
        self.current = 0;
        let list = match self.start.resolver.blocklist {
            Some(_) => Some(open(BLOCKLIST, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).or_stop("child-start")?),
            None => None,
        };
        self.keeper.launch(list)
    }

    fn introduce(&mut self, now: Instant) {
        self.keeper.tell(&self.start, now);
    }

    fn hear(&mut self) -> Step {
        let Some(child) = self.keeper.child() else {
            return Ok(());
        };
        child.channel.receive()?;
        while let Some(FromResolver::Blocked(count)) = child.channel.message()? {
            (count >= self.current).then_some(()).or_stop("child-line")?;
            self.current = count;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::channel::Channel;
    use super::super::process::Process;
    use super::*;
    use rustix::process::Pid;
    use std::io::Write as _;
    use std::os::unix::net::UnixStream;
    use std::process::Command;
    use std::time::Duration;

    fn resolver(now: Instant) -> Resolver {
        let config: Config =
            serde_json::from_str(r#"{"resolver":{},"wireguard":{"addresses":["10.66.0.1/24","fd66::1/64"]}}"#).unwrap();
        Resolver::new(&config, TlsKey(vec![1]), now).unwrap()
    }

    /// A process that waits for nothing, and the other end of the channel.
    fn child() -> (std::process::Child, Child, UnixStream) {
        let process = Command::new("sleep").arg("60").spawn().unwrap();
        let (ours, theirs) = UnixStream::pair().unwrap();
        let pid = Pid::from_child(&process);
        (process, Child { process: Process::of(pid).unwrap(), channel: Channel::new(ours.into()) }, theirs)
    }

    #[test]
    fn none_without_configuration() {
        let config: Config = serde_json::from_str(r#"{"wireguard":{"addresses":["10.66.0.1/24"]}}"#).unwrap();
        assert!(Resolver::new(&config, TlsKey(vec![]), Instant::now()).is_none());
    }

    #[test]
    fn counter_outlives_the_process_and_never_falls() {
        let now = Instant::now();
        let mut resolver = resolver(now);
        let (mut process, running, mut theirs) = child();
        resolver.keeper.started(Ok(running), now);
        theirs.write_all(b"{\"blocked\":3}\n{\"blocked\":12}\n").unwrap();
        resolver.receive(now);
        assert_eq!(resolver.blocked(), 12);

        theirs.write_all(b"{\"blocked\":11}\n").unwrap();
        resolver.receive(now);
        assert!(!resolver.keeper.is_up(), "a counter that falls is not ours");
        let status = std::os::unix::process::ExitStatusExt::signal(&process.wait().unwrap());
        assert_eq!(status, Some(9));
        resolver.former = resolver.blocked();
        resolver.current = 0;
        assert_eq!(resolver.blocked(), 12);
    }

    #[test]
    fn other_lines_end_it() {
        let now = Instant::now();
        for bad in ["{\"blocked\":-1}\n", "{\"order\":\"AQI=\"}\n", "x\n"] {
            let mut resolver = resolver(now);
            let (mut process, running, mut theirs) = child();
            resolver.keeper.started(Ok(running), now);
            theirs.write_all(bad.as_bytes()).unwrap();
            resolver.receive(now);
            assert!(!resolver.keeper.is_up(), "{bad}");
            process.wait().unwrap();
        }
    }

    #[test]
    fn one_that_closes_its_channel_may_end_by_itself() {
        let now = Instant::now();
        let mut resolver = resolver(now);
        let (mut process, running, theirs) = child();
        resolver.keeper.started(Ok(running), now);
        drop(theirs);
        resolver.receive(now);
        assert!(process.try_wait().unwrap().is_none(), "not killed yet");
        let late = resolver.keeper.wake().unwrap();
        assert!(late <= now + Duration::from_secs(2));
        resolver.tick(late);
        process.wait().unwrap();
    }
}
