//! What a proof found: counts, never values.

use super::canary::Kind;
use super::disks::Disk;
use super::egress::{Egress, Purpose};
use super::memory::Counts;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use vitrine_attest::fingerprint::Fingerprint;
use vitrine_attest::Sha256;

/// Why a search is worth what it is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// All classes are 0, and the search was shown to find.
    NothingFound,
    /// Something was found, or done, that should not be.
    Residue,
    /// The search found nothing where there had to be something, or something before anybody came.
    NotJudged,
}

impl Verdict {
    /// 0, 1, 2 as everywhere.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::NothingFound => 0,
            Self::Residue => 1,
            Self::NotJudged => 2,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NothingFound => "nothing found",
            Self::Residue => "RESIDUE",
            Self::NotJudged => "COULD NOT JUDGE",
        })
    }
}

/// Where there must be nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Class {
    /// On any medium that survives power-off.
    E0,
    /// Readable through any interface of the guest.
    E1,
    /// In memory 240 s after the last packet, but for the card's receive buffers.
    E2,
    /// In memory after the flush.
    E3,
}

impl Class {
    pub const ALL: [Self; 4] = [Self::E0, Self::E1, Self::E2, Self::E3];

    pub fn words(self) -> &'static str {
        match self {
            Self::E0 => "media that survive power-off",
            Self::E1 => "interfaces of the guest",
            Self::E2 => "memory 240 s after the last packet, without receive buffers",
            Self::E3 => "memory after the flush",
        }
    }
}

/// One search of the memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Moment {
    pub name: String,
    /// Since the last packet of the users.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
    /// What is demanded at this moment.
    pub demand: Demand,
    /// All copies, by kind and form.
    pub copies: Counts,
    /// Those of them in the card's receive buffers.
    pub in_receive_buffers: Counts,
    /// Copies that should not be there.
    pub wrong: usize,
    pub scan_ms: u64,
    pub touched_mib: u64,
    pub filled_mib: u64,
}

/// What a search is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Demand {
    /// Nobody has come: nothing may be found, or the canaries are no canaries.
    Baseline,
    /// Users are here: something of each kind has to be found, or the search is none.
    Control,
    /// It is told, and nothing is demanded.
    Told,
    /// No trace of traffic outside of receive buffers; of users only what their owner has told the server.
    Outside,
    /// No trace of traffic; of users only what their owner has told the server.
    Traffic,
    /// No trace of anything.
    Everything,
}

impl Moment {
    /// How many copies are more than `demand` allows.
    pub fn judge(demand: Demand, copies: &Counts, in_receive_buffers: &Counts) -> usize {
        let all = Kind::ALL.into_iter();
        let traffic = |kind: &Kind| !kind.is_membership();
        match demand {
            Demand::Baseline | Demand::Everything => copies.total(),
            Demand::Control | Demand::Told => 0,
            Demand::Traffic => all.filter(traffic).map(|kind| copies.of_kind(kind)).sum(),
            Demand::Outside => all
                .filter(traffic)
                .map(|kind| copies.of_kind(kind).saturating_sub(in_receive_buffers.of_kind(kind)))
                .sum(),
        }
    }
}

/// A file or an answer that was searched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Searched {
    pub name: String,
    pub bytes: u64,
    pub copies: Counts,
    /// Something else that should not be: the screen changed, a variable was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub complaint: Option<String>,
}

impl Searched {
    pub fn wrong(&self) -> usize {
        self.copies.total() + usize::from(self.complaint.is_some())
    }
}

/// The image that was booted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Image {
    pub name: String,
    pub version: String,
    pub fingerprint: Fingerprint,
    pub authenticode: Sha256,
}

/// What it was booted on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Host {
    pub qemu: String,
    pub swtpm: String,
    pub firmware: String,
    pub memory_mib: u32,
}

/// The whole report: the predicate of `zero-log-report.dsse.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    pub v: u32,
    pub verdict: Verdict,
    /// Copies and violations in each class.
    pub classes: BTreeMap<Class, usize>,
    pub image: Image,
    pub host: Host,
    /// Shorter than a whole run: see [`Self::left_out`].
    pub reduced: bool,
    /// Somebody else used the server all the time.
    pub busy: bool,
    /// Values looked for, of each kind.
    pub canaries: BTreeMap<Kind, usize>,
    pub moments: Vec<Moment>,
    pub disks: Vec<Disk>,
    /// What survives a power cut.
    pub media: Vec<Searched>,
    pub interfaces: Vec<Searched>,
    pub egress: Egress,
    /// The same users on a plain Debian server, for comparison: nothing is demanded of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub plain: Vec<Moment>,
    /// What users and strangers did.
    pub driven: Vec<String>,
    /// Why it could not be judged.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub doubts: Vec<String>,
    pub left_out: Vec<String>,
    pub not_proven: Vec<String>,
}

impl Report {
    /// Fills in classes and verdict from everything else. A frame of each of these purposes has to have been seen.
    pub fn judge(&mut self, purposes: &[Purpose]) {
        let moments = |demands: &[Demand]| {
            self.moments.iter().filter(|m| demands.contains(&m.demand)).map(|m| m.wrong).sum::<usize>()
        };
        let disks = self.disks.iter().filter(|disk| !disk.is_untouched()).count();
        let media: usize = self.media.iter().map(Searched::wrong).sum();
        let interfaces: usize = self.interfaces.iter().map(Searched::wrong).sum();
        self.classes = [
            (Class::E0, disks + media),
            (Class::E1, interfaces + self.egress.wrong()),
            (Class::E2, moments(&[Demand::Outside])),
            (Class::E3, moments(&[Demand::Traffic, Demand::Everything])),
        ]
        .into();
        self.doubts.extend(self.baseline_and_control());
        for purpose in purposes {
            if !self.egress.frames.contains_key(purpose) {
                self.doubts.push(format!("no frame of the guest was seen that is for {purpose:?}"));
            }
        }
        for (class, demand) in [(Class::E2, Demand::Outside), (Class::E3, Demand::Traffic)] {
            if !self.moments.iter().any(|moment| moment.demand == demand) {
                self.doubts.push(format!("{class:?} was not looked at"));
            }
        }
        self.verdict = match (self.doubts.is_empty(), self.classes.values().all(|count| *count == 0)) {
            (false, _) => Verdict::NotJudged,
            (true, true) => Verdict::NothingFound,
            (true, false) => Verdict::Residue,
        };
    }

    /// A search is worth something when it finds nothing before and something meanwhile.
    fn baseline_and_control(&self) -> Vec<String> {
        let mut doubts = Vec::new();
        let of = |demand| self.moments.iter().filter(move |moment| moment.demand == demand);
        if of(Demand::Baseline).count() == 0 || of(Demand::Baseline).any(|moment| moment.wrong > 0) {
            doubts.push("canaries were found before anybody came, or nobody looked".into());
        }
        for kind in self.canaries.keys().filter(|kind| kind.has_to_be_found()) {
            if !of(Demand::Control).any(|moment| moment.copies.of_kind(*kind) > 0) {
                doubts.push(format!("no copy of \"{}\" was found while users were here", kind.words()));
            }
        }
        doubts
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::forms::Form;
    use super::*;

    fn counts(kind: Kind, copies: usize) -> Counts {
        Counts([(kind, [(Form::Raw, copies)].into())].into())
    }

    fn moment(demand: Demand, copies: Counts, buffers: Counts) -> Moment {
        let wrong = Moment::judge(demand, &copies, &buffers);
        Moment {
            name: String::new(),
            seconds: None,
            demand,
            copies,
            in_receive_buffers: buffers,
            wrong,
            scan_ms: 0,
            touched_mib: 0,
            filled_mib: 0,
        }
    }

    pub fn report(moments: Vec<Moment>) -> Report {
        let mut report = Report {
            v: 1,
            verdict: Verdict::NotJudged,
            classes: BTreeMap::new(),
            image: Image {
                name: "exit".into(),
                version: "1".into(),
                fingerprint: Fingerprint(Sha256::ZERO),
                authenticode: Sha256::ZERO,
            },
            host: Host { qemu: "q".into(), swtpm: "s".into(), firmware: "f".into(), memory_mib: 1024 },
            reduced: false,
            busy: false,
            canaries: [(Kind::Endpoint, 1)].into(),
            moments,
            disks: vec![],
            media: vec![],
            interfaces: vec![],
            egress: Egress { frames: PURPOSES.map(|p| (p, 1)).into(), ..Egress::default() },
            plain: vec![],
            driven: vec![],
            doubts: vec![],
            left_out: vec![],
            not_proven: vec![],
        };
        report.judge(&PURPOSES);
        report
    }

    const PURPOSES: [Purpose; 4] = [Purpose::WireGuard, Purpose::Client, Purpose::Resolver, Purpose::Evidence];

    fn good() -> Vec<Moment> {
        let none = Counts::default;
        vec![
            moment(Demand::Baseline, none(), none()),
            moment(Demand::Control, counts(Kind::Endpoint, 9), none()),
            moment(Demand::Outside, counts(Kind::Endpoint, 2), counts(Kind::Endpoint, 2)),
            moment(Demand::Traffic, counts(Kind::UserKey, 3), none()),
            moment(Demand::Everything, none(), none()),
        ]
    }

    #[test]
    fn nothing_found() {
        let report = report(good());
        assert_eq!((report.verdict, report.verdict.exit_code()), (Verdict::NothingFound, 0), "{:?}", report.doubts);
    }

    #[test]
    fn one_copy_is_enough() {
        for (place, class, kind) in
            [(2, Class::E2, Kind::Endpoint), (3, Class::E3, Kind::Name), (4, Class::E3, Kind::UserKey)]
        {
            let mut moments = good();
            moments[place] = moment(moments[place].demand, counts(kind, 3), counts(Kind::Endpoint, 2));
            let report = report(moments);
            assert_eq!((report.verdict, report.verdict.exit_code()), (Verdict::Residue, 1));
            assert!(report.classes[&class] > 0 && report.classes.values().filter(|count| **count > 0).count() == 1);
        }
    }

    #[test]
    fn a_search_that_finds_nothing_judges_nothing() {
        let mut blind = good();
        blind[1] = moment(Demand::Control, Counts::default(), Counts::default());
        let mut dirty = good();
        dirty[0] = moment(Demand::Baseline, counts(Kind::Name, 1), Counts::default());
        let missing = good().into_iter().filter(|moment| moment.demand != Demand::Outside).collect();
        for moments in [blind, dirty, missing, vec![]] {
            assert_eq!(report(moments).verdict.exit_code(), 2);
        }
    }

    #[test]
    fn a_record_without_frames_judges_nothing() {
        let mut blind = report(good());
        blind.egress = Egress::default();
        blind.judge(&PURPOSES);
        assert_eq!(blind.verdict, Verdict::NotJudged);
    }

    #[test]
    fn disks_media_interfaces_and_frames_count() {
        let mut bad = report(good());
        bad.doubts.clear();
        bad.media.push(Searched { name: "x".into(), bytes: 1, copies: counts(Kind::Name, 1), complaint: None });
        bad.interfaces.push(Searched {
            name: "y".into(),
            bytes: 1,
            copies: Counts::default(),
            complaint: Some("changed".into()),
        });
        bad.egress.misplaced.insert(Kind::Name, 2);
        bad.judge(&PURPOSES);
        assert_eq!(bad.verdict, Verdict::Residue);
        assert_eq!((bad.classes[&Class::E0], bad.classes[&Class::E1]), (1, 3));
    }
}
