//! The report as text for people.

use super::canary::Kind;
use super::report::{Class, Demand, Moment, Report, Searched};
use std::fmt;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.reduced { ", reduced run" } else { "" };
        let busy = if self.busy { ", with a user who stays" } else { "" };
        writeln!(f, "zero-log report: {}{kind}{busy}", self.verdict)?;
        writeln!(f, "image  {} {} {}", self.image.name, self.image.version, self.image.fingerprint)?;
        writeln!(f, "on     {}; {}", self.host.qemu, self.host.swtpm)?;
        for class in Class::ALL {
            let count = self.classes.get(&class).copied().unwrap_or(0);
            writeln!(f, "{class:?}     {count:<5} {}", class.words())?;
        }
        for doubt in &self.doubts {
            writeln!(f, "doubt  {doubt}")?;
        }
        moments(f, "copies in memory (in receive buffers)", &self.moments)?;
        if !self.plain.is_empty() {
            moments(f, "copies in the memory of a plain Debian server, for comparison", &self.plain)?;
        }
        writeln!(f, "\ndisks: operations by the firmware, and since the server answered")?;
        for disk in &self.disks {
            let (before, since) = (disk.by_firmware, disk.since);
            let state = if disk.is_untouched() { "untouched" } else { "TOUCHED" };
            let writes = before.writes + since.writes + since.others;
            writeln!(
                f,
                "  {:<12} {:>4} read, then {}; {writes} written; {state}",
                disk.kind, before.reads, since.reads
            )?;
        }
        list(f, "media that survive power-off", &self.media)?;
        list(f, "interfaces", &self.interfaces)?;
        writeln!(f, "\nframes of the guest")?;
        for (purpose, count) in &self.egress.frames {
            writeln!(f, "  {:<12} {count}", format!("{purpose:?}"))?;
        }
        for violation in &self.egress.violations {
            writeln!(f, "  not declared: {violation}")?;
        }
        for (kind, count) in &self.egress.misplaced {
            writeln!(f, "  {count} of \"{}\" where it does not belong", kind.words())?;
        }
        lines(f, "done by users and strangers", &self.driven)?;
        lines(f, "left out", &self.left_out)?;
        lines(f, "not proven", &self.not_proven)
    }
}

/// One row for each kind, one column for each moment.
fn moments(f: &mut fmt::Formatter<'_>, title: &str, moments: &[Moment]) -> fmt::Result {
    writeln!(f, "\n{title}")?;
    for (number, moment) in moments.iter().enumerate() {
        let demand = match moment.demand {
            Demand::Baseline => "none may be found",
            Demand::Control => "some have to be found",
            Demand::Told => "told only",
            Demand::Outside => "E2: none outside of receive buffers",
            Demand::Traffic => "E3: none of traffic",
            Demand::Everything => "E3: none at all",
        };
        writeln!(
            f,
            "  {:>2} {:<34} {demand}; {} MiB in {} ms, {} MiB filled",
            number + 1,
            moment.name,
            moment.touched_mib,
            moment.scan_ms,
            moment.filled_mib
        )?;
    }
    write!(f, "  {:<22}", "")?;
    (1..=moments.len()).try_for_each(|number| write!(f, "{number:>9}"))?;
    writeln!(f)?;
    for kind in Kind::ALL {
        write!(f, "  {:<22}", kind.words())?;
        for moment in moments {
            let (all, buffers) = (moment.copies.of_kind(kind), moment.in_receive_buffers.of_kind(kind));
            let text = if buffers > 0 { format!("{all}({buffers})") } else { all.to_string() };
            write!(f, "{text:>9}")?;
        }
        writeln!(f)?;
    }
    Ok(())
}

fn list(f: &mut fmt::Formatter<'_>, title: &str, all: &[Searched]) -> fmt::Result {
    writeln!(f, "\n{title}: {} searched", all.len())?;
    for one in all.iter().filter(|one| one.wrong() > 0) {
        let complaint = one.complaint.as_deref().unwrap_or("canaries were found");
        writeln!(f, "  {}: {complaint}: {:?}", one.name, one.copies.0)?;
    }
    Ok(())
}

fn lines(f: &mut fmt::Formatter<'_>, title: &str, all: &[String]) -> fmt::Result {
    if all.is_empty() {
        return Ok(());
    }
    writeln!(f, "\n{title}")?;
    all.iter().try_for_each(|line| writeln!(f, "  - {line}"))
}
