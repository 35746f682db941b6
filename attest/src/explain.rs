//! Why a boot differs from its prediction, in words for people.
//!
//! It compares the firmware's log with the predicted events. The log is untrusted: a machine that lies can leave out or
//! rename what it likes. So nothing here decides anything; a verdict comes from signed PCR values alone, and this
//! helps an honest operator to find what is wrong. Texts from the log are escaped and shortened.

mod causes;
mod cmdline;
#[cfg(test)]
mod tests;

use crate::event_log::{Algorithm, Event, EventLog, EventView};
use crate::expected::{ExpectedBoot, ExpectedEvent};
use crate::pcr::Pcr;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The first event of one PCR that is not as predicted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Difference {
    pub pcr: Pcr,
    /// Number of the event among those of this PCR, from 0.
    pub index: usize,
    /// `None`: nothing more was to come.
    pub expected: Option<ExpectedEvent>,
    /// `None`: the log has no further event for this PCR.
    pub got: Option<EventView>,
    /// The likely cause, one sentence.
    pub cause: String,
    /// What to do about it, one sentence.
    pub advice: String,
}

impl fmt::Display for Difference {
    /// ```text
    /// PCR 12 (command line and credentials from outside the image), event 0: the kernel command line got "EVIL=1" …
    ///   expected: no event
    ///   got:      EV_IPL, digest 5fe4…, "EVIL=1"
    ///   remove it …
    /// ```
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} ({}), event {}: {}", self.pcr, self.pcr.meaning(), self.index, self.cause)?;
        match &self.expected {
            Some(event) => writeln!(f, "  expected: {}, digest {}", event.what, event.digest)?,
            None => writeln!(f, "  expected: no event")?,
        }
        match &self.got {
            Some(event) => writeln!(f, "  got:      {}, digest {}, \"{}\"", event.kind, event.digest, event.text)?,
            None => writeln!(f, "  got:      no event")?,
        }
        write!(f, "  {}", self.advice)
    }
}

/// The first difference of each quoted register but 15, in the order of the registers; empty when the log holds
/// exactly the predicted events. `cmdline` is [`crate::expected::Prediction::cmdline`].
///
/// An empty answer does not prove anything: only the quote does.
pub fn explain(log: &EventLog<'_>, expected: &ExpectedBoot, cmdline: &str) -> Vec<Difference> {
    let context = Context { log, expected, cmdline };
    Pcr::QUOTED.into_iter().filter(|pcr| *pcr != Pcr::RUNTIME).filter_map(|pcr| context.first_difference(pcr)).collect()
}

/// What the causes are found from.
struct Context<'a> {
    log: &'a EventLog<'a>,
    expected: &'a ExpectedBoot,
    cmdline: &'a str,
}

/// A difference before it has words.
struct Pair<'a> {
    expected: Option<&'a ExpectedEvent>,
    got: Option<&'a Event<'a>>,
    /// All events of this PCR in the log.
    all: &'a [&'a Event<'a>],
}

/// Cause and advice.
type Words = (String, String);

impl Context<'_> {
    fn events(&self, pcr: Pcr) -> Vec<&Event<'_>> {
        self.log.events.iter().filter(|e| e.extends() && e.pcr == u32::from(pcr.index())).collect()
    }

    fn first_difference(&self, pcr: Pcr) -> Option<Difference> {
        let got = self.events(pcr);
        let expected: Vec<_> = self.expected.events.iter().filter(|event| event.pcr == pcr).collect();
        let same = |index: usize| match (expected.get(index), got.get(index)) {
            (Some(expected), Some(got)) => got.digest(Algorithm::SHA256) == Some(&expected.digest.0[..]),
            _ => false,
        };
        let index = (0..expected.len().max(got.len())).find(|index| !same(*index))?;
        let pair = Pair { expected: expected.get(index).copied(), got: got.get(index).copied(), all: &got };
        let (cause, advice) = self.words(pcr, &pair);
        Some(Difference {
            pcr,
            index,
            expected: pair.expected.cloned(),
            got: pair.got.map(EventView::from),
            cause,
            advice,
        })
    }

    fn words(&self, pcr: Pcr, pair: &Pair<'_>) -> Words {
        match pair.got {
            Some(got) if got.digest(Algorithm::SHA256).is_none() => {
                ("the event has no SHA-256 digest".into(), "switch the TPM's SHA-256 bank on in the firmware".into())
            }
            Some(got) if got.data_fits() == Some(false) => (
                "the log's text was altered: the event's data does not hash to its digest".into(),
                "do not believe this log; look at the machine itself".into(),
            ),
            _ => match pcr {
                Pcr::BOOT_LOADER => causes::boot_loader(pair),
                Pcr::SECURE_BOOT => causes::secure_boot(pair),
                Pcr::KERNEL_INPUTS => self.kernel_inputs(pair),
                Pcr::UKI_SECTIONS => causes::sections(pair),
                Pcr::KERNEL_OVERRIDES => self.overrides(pair),
                Pcr::EXTENSIONS => causes::extensions(pair),
                _ => causes::fuse(pair),
            },
        }
    }
}
