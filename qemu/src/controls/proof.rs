//! The behavioural proof as a judge: a variant is booted, used and searched like a server that is shipped.

use super::variant::Variants;
use super::{Control, Expected, Judge, Layer, Server, Verdict};
use crate::prove::report::{Class, Report};
use crate::prove::run::{prove, Options};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;
use vitrine_attest::Result;

/// Runs shortened proofs.
pub struct ProofJudge<'a> {
    variants: &'a Variants<'a>,
    patience: Duration,
    log: RefCell<&'a mut (dyn FnMut(&str) + Send)>,
    /// What each server without a mistake left, once somebody asked.
    unchanged: RefCell<BTreeMap<Server, Counts>>,
}

/// What is in a class, as words: `E0: 0, E1: 0, …`, with what could not be done; and the classes in which there is something.
#[derive(Clone)]
struct Counts {
    words: String,
    found: Vec<String>,
    /// Nothing is in doubt.
    judged: bool,
}

impl Counts {
    fn of(report: &Report) -> Self {
        let name = |class: &Class| format!("{class:?}");
        let each = report.classes.iter();
        let words = each.clone().map(|(class, count)| format!("{}: {count}", name(class)));
        let words: Vec<String> = words.chain(report.doubts.iter().cloned()).collect();
        let found = each.filter(|(_, count)| **count > 0).map(|(class, _)| name(class)).collect();
        Self { words: words.join(", "), found, judged: report.doubts.is_empty() }
    }
}

impl<'a> ProofJudge<'a> {
    pub fn new(variants: &'a Variants<'a>, patience: Duration, log: &'a mut (dyn FnMut(&str) + Send)) -> Self {
        Self { variants, patience, log: RefCell::new(log), unchanged: RefCell::default() }
    }

    fn count(&self, control: &Control) -> Result<Counts> {
        let (out, keys) = self.variants.build(control)?;
        let around = self.variants.surroundings();
        let options = Options {
            out,
            keys,
            names: around.names.clone(),
            upstream: around.upstream.clone(),
            reduced: true,
            busy: false,
            patience: self.patience,
            around: None,
        };
        prove(&options, &mut **self.log.borrow_mut()).map(|report| Counts::of(&report))
    }

    /// A proof that finds something in the server without a mistake, too, tells nothing of the mistake.
    fn unchanged(&self, server: Server) -> Result<Counts> {
        if let Some(counts) = self.unchanged.borrow().get(&server) {
            return Ok(counts.clone());
        }
        (self.log.borrow_mut())("first the server without a mistake");
        let counts = self.count(&Control::unchanged(server))?;
        (self.log.borrow_mut())(&format!("the server without a mistake: {}", counts.words));
        self.unchanged.borrow_mut().insert(server, counts.clone());
        Ok(counts)
    }
}

impl Judge for ProofJudge<'_> {
    fn layers(&self) -> &'static [Layer] {
        &[Layer::Proof]
    }

    fn judge(&self, control: &Control, expected: &Expected) -> Result<Verdict> {
        if let Some(missing) = self.variants.missing(control) {
            return Ok(missing);
        }
        let unchanged = self.unchanged(control.server)?;
        if !unchanged.judged || unchanged.found.iter().any(|class| expected.rules.contains(class)) {
            return Ok(Verdict::NotTried(format!("the server without a mistake does not pass: {}", unchanged.words)));
        }
        (self.log.borrow_mut())(&format!("the proof of {}", control.name));
        let counts = self.count(control)?;
        let hit: Vec<String> = counts.found.iter().filter(|class| expected.rules.contains(class)).cloned().collect();
        Ok(match hit.is_empty() {
            true => Verdict::Missed(counts.words),
            false => Verdict::Caught(hit),
        })
    }
}
