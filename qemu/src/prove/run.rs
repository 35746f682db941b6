//! The proof, step by step.

use super::about;
use super::bystander::Bystander;
use super::caller::Caller;
use super::canary::Canary;
use super::disks::{Disks, Operations};
use super::egress::{Declared, Egress};
use super::fit::Fit;
use super::interfaces::{screen, Interfaces};
use super::memory::{Counts, Hunt, Memory};
use super::nic::Buffers;
use super::report::{Demand, Moment, Report, Searched};
use super::server::{Server, Subject};
use super::strangers::Stranger;
use super::survivors;
use super::traffic::Person;
use crate::commands::files;
use crate::scratch::Scratch;
use crate::world::{Api, Leases, Names, World, IANA_ROOTS, OTHER, WEB};
use serde_json::json;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use vitrine_attest::{Error, Result, Sha256};

/// Name of the record of frames, in the machine's folder.
const FRAMES: &str = "frames.pcap";
/// Seconds after the last packet: E2 is judged at the last of them.
pub const TIMES: [u64; 3] = [0, 60, 240];
/// E3: by then all that the janitor does is done.
pub const FLUSHED: u64 = 300;
/// After an order that removes users: the janitor's tick (10 s as shipped), and as long as its flush takes.
const REMOVED: u64 = 60;
/// The world's name servers.
const UPSTREAMS: [&str; 4] = ["198.51.100.1", "198.51.100.2", "198.51.100.3", "198.51.100.253"];

/// What to prove, and how long it may take.
#[derive(Debug, Clone)]
pub struct Options {
    /// Output folder of `vitrine build`.
    pub out: PathBuf,
    /// Folder of `vitrine keygen`.
    pub keys: PathBuf,
    /// Zones of `tools/test-zones.sh`.
    pub names: PathBuf,
    /// What `tools/test-ca.sh` left: the certificate of what stands behind a gateway.
    pub upstream: PathBuf,
    /// Without the second boot and the searches between: for CI.
    pub reduced: bool,
    /// With a third user who is there all the time.
    pub busy: bool,
    /// For the boot.
    pub patience: Duration,
    /// Where bytes around each copy are written, for who looks for a cause. They hold canaries, nobody's data.
    pub around: Option<PathBuf>,
}

/// Proves one image. `log` gets a line for each step.
///
/// Needs root, for network namespaces.
///
/// # Errors
/// When something cannot be done. What is found is no error: see [`Report::verdict`].
pub fn prove(options: &Options, log: &mut (dyn FnMut(&str) + Send)) -> Result<Report> {
    let subject = Subject::read(&options.out, &options.keys)?;
    let fit = Fit::of(subject.config(), &options.names)?;
    World::with(|world| {
        let _names = fit.resolves.then(|| Names::start(&options.names)).transpose()?;
        let api = fit.gateway.map(|_| Api::start(&options.upstream)).transpose()?;
        let _leases = fit.lease.then(Leases::start).transpose()?;
        let disks = Scratch::new()?;
        let disks = (Disks::make(&disks)?, disks);
        log("booting the image with a TPM, Secure Boot and four disks that it must not touch");
        let server = start(options, &subject, world, &disks.0, log)?;
        let report = about::report(options, &subject, fit)?;
        let memory = Memory::open(&server.guest)?;
        let run = Run {
            options,
            fit,
            api,
            server,
            memory,
            disks: disks.0,
            canaries: Vec::new(),
            report,
            last: None,
            log,
            mark: None,
            served: Vec::new(),
            wrote_variables: false,
        };
        run.whole()
    })
}

fn start<'s>(
    options: &Options,
    subject: &'s Subject,
    world: &World,
    disks: &Disks,
    log: &mut (dyn FnMut(&str) + Send),
) -> Result<Server<'s>> {
    let change = |machine: &mut crate::boot::Options| {
        machine.extra.extend(disks.arguments());
        machine.extra.extend(["-device".into(), "VGA,romfile=".into()]);
        let dump = format!("filter-dump,id=frames,netdev={},file={FRAMES}", crate::machine::NETDEV);
        machine.extra.extend(["-object".into(), dump]);
    };
    Server::start(subject, world, options.patience, change, &mut |line| log(line))
}

/// A run in the middle.
struct Run<'r, 's> {
    options: &'r Options,
    fit: Fit,
    /// What stands behind the gateway.
    api: Option<Api>,
    server: Server<'s>,
    memory: Memory,
    disks: Disks,
    canaries: Vec<Canary>,
    report: Report,
    /// When the last packet of a user was sent.
    last: Option<Instant>,
    /// Operations on disks, and the variables' hash, when the server began to answer.
    mark: Option<(Vec<Operations>, Sha256)>,
    /// Operations while it answered, of all boots.
    served: Vec<Operations>,
    wrote_variables: bool,
    log: &'r mut (dyn FnMut(&str) + Send),
}

impl Run<'_, '_> {
    fn whole(mut self) -> Result<Report> {
        let mut interfaces = Interfaces::default();
        let people = [Person::by_ipv6(2)?, Person::by_ipv4(3)?];
        let callers = self.callers()?;
        let stranger = Stranger::new()?;
        for person in &people {
            self.canaries.extend(person.canaries()?);
        }
        self.canaries.extend(stranger.canaries());

        let picture = screen(&mut self.server)?;
        self.serves()?;
        self.look("before anybody comes", Demand::Baseline)?;
        let bystander = self.bystander()?;
        let mut people = self.live(people, callers, &stranger, &mut interfaces)?;
        self.forgotten(&mut people)?;

        self.say("evidence, metrics and answers once more");
        self.server.is_accepted()?;
        let mut declared = self.declared(&people);
        declared.destinations.extend(bystander.iter().map(Bystander::destination));
        drop(bystander);
        self.report.interfaces = interfaces.search(&self.hunt()?);
        let changed = !screen(&mut self.server)?.is_subset(&picture);
        if let (true, Some(folder)) = (changed, &self.options.around) {
            let _ = std::fs::copy(self.server.guest.folder().join("screen.ppm"), folder.join("screen.ppm"));
        }
        self.complain_interface(
            "screen",
            changed.then(|| "it shows something else than when the server answered".into()),
        );
        if !self.options.reduced {
            self.reset(&mut declared)?;
        }
        self.cut(&mut declared)?;
        self.report.judge(&self.fit.purposes());
        Ok(self.report)
    }

    /// Two who call the gateway, when there is one; what they have is looked for from now on.
    fn callers(&mut self) -> Result<Vec<Caller>> {
        let (Some(port), Some(api)) = (self.fit.gateway, &self.api) else { return Ok(vec![]) };
        let app = self.fit.app;
        let callers = vec![Caller::by_ipv6(port, app)?, Caller::by_ipv4(port, app)?];
        for caller in &callers {
            self.canaries.extend(caller.canaries(api)?);
        }
        Ok(callers)
    }

    /// Comes early enough that nobody else shakes hands in the same second.
    fn bystander(&mut self) -> Result<Option<Bystander>> {
        if !self.options.busy {
            return Ok(None);
        }
        self.say("somebody comes who stays");
        let bystander = Bystander::come(&self.server)?;
        self.pause(Duration::from_secs(2))?;
        Ok(Some(bystander))
    }

    /// Users and strangers come and do everything.
    fn live(
        &mut self,
        mut people: [Person; 2],
        mut callers: Vec<Caller>,
        stranger: &Stranger,
        interfaces: &mut Interfaces,
    ) -> Result<[Person; 2]> {
        self.say("two users come, by IPv6 and by IPv4");
        for person in &mut people {
            person.come(&self.server)?;
        }
        self.look("users are here", Demand::Control)?;
        for person in &people {
            self.acts(person)?;
        }
        if let Some(api) = &self.api {
            callers.iter().try_for_each(|caller| caller.act(api))?;
        }
        callers.iter_mut().try_for_each(Caller::listen)?;
        self.look("users have done what they do", Demand::Control)?;
        self.say("everything that goes wrong, and strangers");
        // What else there is to find is found all the same
        let people_err = people.iter().filter(|_| self.fit.exit).map(|person| person.err(self.fit.names));
        let errors = people_err.chain(callers.iter().map(Caller::err)).filter_map(Result::err);
        self.report.doubts.extend(errors.map(|error| error.to_string()));
        stranger.act(self.server.keys.wireguard, self.server.agent_port(), interfaces)?;
        interfaces.ask(&self.server, people[0].client()?, "while users are here")?;
        self.report.driven = about::driven(self.fit);
        callers.iter_mut().for_each(Caller::vanish);
        for person in &people {
            person.vanish()?;
        }
        self.last = Some(Instant::now());
        for person in &people {
            self.canaries.extend(person.times());
        }
        Ok(people)
    }

    /// A user does what this server is for.
    fn acts(&self, person: &Person) -> Result<()> {
        match self.fit.gateway {
            Some(port) if !self.fit.exit => person.call(port),
            _ => person.act(self.fit.names),
        }
    }

    /// The users are gone without a word; then their owner removes them.
    fn forgotten(&mut self, people: &mut [Person; 2]) -> Result<()> {
        for seconds in TIMES {
            let demand = if Some(&seconds) == TIMES.last() { Demand::Outside } else { Demand::Told };
            if demand == Demand::Told && seconds > 0 && self.options.reduced {
                continue;
            }
            self.at(seconds)?;
            self.look(&format!("{seconds} s after the last packet"), demand)?;
        }
        self.at(FLUSHED)?;
        self.look(&format!("{FLUSHED} s: after the flush"), Demand::Traffic)?;
        self.say("their owner removes both users");
        for person in people.iter() {
            self.server.remove(person.user.public())?;
        }
        self.pause(Duration::from_secs(REMOVED))?;
        self.look(&format!("{REMOVED} s after their removal"), Demand::Everything)
    }

    /// A reset with users in the middle of something: what the next boot finds, and what it leaves.
    fn reset(&mut self, declared: &mut Declared) -> Result<()> {
        self.say("another user, and a reset in the middle");
        self.last = None;
        let person = self.somebody(4, declared)?;
        self.look("another user is here", Demand::Control)?;
        self.served()?;
        self.server.guest.qmp().execute("stop", json!({}))?;
        self.server.guest.qmp().execute("system_reset", json!({}))?;
        self.look_at_rest("reset, before the firmware runs", Demand::Told)?;
        person.vanish()?;
        self.server.guest.qmp().execute("cont", json!({}))?;
        self.server.wait_again(self.options.patience)?;
        self.serves()?;
        self.look("the server answers after the reset", Demand::Everything)
    }

    /// The power goes with users in the middle of something.
    fn cut(&mut self, declared: &mut Declared) -> Result<()> {
        self.say("another user, and the power is cut in the middle");
        let _person = self.somebody(5, declared)?;
        self.look("the last user is here", Demand::Control)?;
        self.served()?;
        self.server.guest.cut_power();
        let hunt = self.hunt()?;
        // A reset lets the firmware look at the disks again: then only writes and contents can be judged
        self.report.media = survivors::search(&hunt, self.server.guest.folder())?;
        for path in self.disks.paths() {
            let file = std::fs::File::open(path).map_err(|e| Error::host(format!("{}: {e}", path.display()), ""))?;
            let (copies, scanned) = hunt.search(&file)?;
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let copies = Counts::of(&copies);
            self.report.media.push(Searched { name, bytes: scanned.length, copies, complaint: None });
        }
        if self.wrote_variables {
            if let Some(vars) = self.report.media.iter_mut().find(|file| file.name == "vars.fd") {
                vars.complaint = Some("a firmware variable was written while the server ran".into());
            }
        }
        let frames = self.server.guest.folder().join(FRAMES);
        let frames = std::fs::read(&frames).map_err(|e| Error::host(format!("{}: {e}", frames.display()), ""))?;
        self.report.egress = Egress::judge(&frames, declared, &hunt)?;
        for canary in &self.canaries {
            *self.report.canaries.entry(canary.kind).or_default() += 1;
        }
        Ok(())
    }

    /// From here on nothing may touch disks and variables.
    fn serves(&mut self) -> Result<()> {
        let now = self.disks.operations(&mut self.server.guest)?;
        self.mark = Some((now, super::disks::hash(&self.server.guest.vars())?));
        Ok(())
    }

    /// To here.
    fn served(&mut self) -> Result<()> {
        let now = self.disks.operations(&mut self.server.guest)?;
        let Some((before, variables)) = self.mark.take() else { return Ok(()) };
        let since = now.iter().zip(before).map(|(now, before)| *now - before);
        self.served = match self.served.is_empty() {
            true => since.collect(),
            false => self.served.iter().zip(since).map(|(sum, since)| *sum + since).collect(),
        };
        self.wrote_variables |= super::disks::hash(&self.server.guest.vars())? != variables;
        self.report.disks = self.disks.judge(&self.served, &now)?;
        Ok(())
    }

    /// One more user who is in the middle of something.
    fn somebody(&mut self, n: u8, declared: &mut Declared) -> Result<Person> {
        let mut person = Person::by_ipv6(n)?;
        self.canaries.extend(person.canaries()?);
        declared.destinations.insert(person.destination);
        person.come(&self.server)?;
        self.acts(&person)?;
        Ok(person)
    }

    fn declared(&self, people: &[Person]) -> Declared {
        let parse = |text: &&str| text.parse::<IpAddr>().ok();
        let mut destinations: std::collections::BTreeSet<IpAddr> = people.iter().map(|p| p.destination).collect();
        destinations.extend([OTHER].iter().filter_map(parse));
        destinations.extend(self.api.iter().filter_map(|_| parse(&WEB)));
        Declared {
            gateway: self.fit.gateway,
            ports: files::guest_ports(self.server.config()),
            destinations,
            upstreams: UPSTREAMS.iter().chain(&IANA_ROOTS).filter_map(parse).collect(),
        }
    }

    fn hunt(&self) -> Result<Hunt> {
        Hunt::new(&self.canaries)
    }

    /// Stops the guest, searches its memory, and lets it go on.
    fn look(&mut self, name: &str, demand: Demand) -> Result<()> {
        self.server.guest.qmp().execute("stop", json!({}))?;
        let looked = self.look_at_rest(name, demand);
        self.server.guest.qmp().execute("cont", json!({}))?;
        looked
    }

    /// The same of a guest that stands still.
    fn look_at_rest(&mut self, name: &str, demand: Demand) -> Result<()> {
        let (copies, scanned) = self.hunt()?.in_memory(&self.memory)?;
        let buffers = Buffers::read(&mut self.server.guest, &self.memory)?;
        let in_buffers: Vec<_> = copies.iter().filter(|copy| buffers.contain(copy.at)).cloned().collect();
        let (all, in_receive_buffers) = (Counts::of(&copies), Counts::of(&in_buffers));
        let wrong = Moment::judge(demand, &all, &in_receive_buffers);
        let seconds = self.last.filter(|_| matches!(demand, Demand::Told | Demand::Outside | Demand::Traffic));
        let line = format!(
            "{name}: {} copies, {} of them in {} receive buffers, {wrong} too many",
            all.total(),
            in_buffers.len(),
            buffers.len()
        );
        self.say(&line);
        if let Some(folder) = &self.options.around {
            super::around::write(folder, self.report.moments.len(), &self.memory, &copies, &buffers)?;
        }
        self.report.moments.push(Moment {
            name: name.into(),
            seconds: seconds.map(|last| last.elapsed().as_secs()),
            demand,
            copies: all,
            in_receive_buffers,
            wrong,
            scan_ms: u64::try_from(scanned.time.as_millis()).unwrap_or(u64::MAX),
            touched_mib: scanned.touched >> 20,
            filled_mib: scanned.filled >> 20,
        });
        Ok(())
    }

    /// Waits until so many seconds after the last packet.
    fn at(&mut self, seconds: u64) -> Result<()> {
        let since = self.last.map_or(Duration::ZERO, |last| last.elapsed());
        self.pause(Duration::from_secs(seconds).saturating_sub(since))
    }

    fn pause(&mut self, time: Duration) -> Result<()> {
        let end = Instant::now() + time;
        crate::interrupt::poll(end, Duration::from_millis(200), || Ok(None::<()>)).map(drop)
    }

    fn complain_interface(&mut self, name: &str, complaint: Option<String>) {
        self.report.interfaces.push(Searched { name: name.into(), bytes: 0, copies: Counts::default(), complaint });
    }

    fn say(&mut self, line: &str) {
        (self.log)(line);
    }
}

/// What `make images` leaves beside an image's folder.
pub fn beside(out: &Path, name: &str) -> PathBuf {
    files::absolute(out).parent().map(|parent| parent.join(name)).unwrap_or_default()
}
