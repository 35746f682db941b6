//! Receive buffers of the outer card. virtio-net keeps what it received until later frames take its place: about 21 of
//! them were measured. Where the world sends nothing, neighbours are asked to.

use crate::net::OUTER;
use crate::stop::{OrStop as _, Step};
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

/// Frames after which a buffer is surely used again: three times what was measured.
const FRAMES: u64 = 64;
/// First the world has a chance: on a busy server nothing has to be asked.
const PATIENCE: Duration = Duration::from_secs(1);
/// Between two questions: the kernel asks a neighbour at its next timer tick, some milliseconds later.
const PAUSE: Duration = Duration::from_millis(50);
/// Questions in a row that brought nothing. Then the link may be down: one at a time, until something comes again.
const QUESTIONS: usize = 128;
const LONG_PAUSE: Duration = Duration::from_secs(10);

pub struct Turnover {
    /// `rx_packets` of the outer interface.
    counter: File,
    /// Value of the counter to wait for, and when to look.
    goal: Option<(u64, Instant)>,
    asked: usize,
    /// Of these, those since the last frame that came; and the counter's value then.
    in_vain: usize,
    seen: u64,
}

impl Turnover {
    /// Opens the counter, before /sys is unmounted.
    pub fn open() -> Step<Self> {
        Self::open_at(&Path::new("/sys/class/net").join(OUTER).join("statistics/rx_packets"))
    }

    pub(super) fn open_at(path: &Path) -> Step<Self> {
        let turnover =
            Self { counter: File::open(path).or_stop("rx-packets")?, goal: None, asked: 0, in_vain: 0, seen: 0 };
        turnover.received().or_stop("rx-packets")?;
        Ok(turnover)
    }

    /// From now on as many frames are needed as there are buffers.
    pub fn begin(&mut self, now: Instant) {
        let goal = self.received().unwrap_or(0).saturating_add(FRAMES);
        let wake = self.goal.map_or(now + PATIENCE, |(_, wake)| wake.min(now + PATIENCE));
        self.goal = Some((goal, wake));
        (self.asked, self.in_vain) = (0, 0);
    }

    pub fn wake(&self) -> Option<Instant> {
        self.goal.map(|(_, wake)| wake)
    }

    /// Looks when it is time, and has one question asked when the frames have not come yet. `ask` gets a number that
    /// rises by one.
    pub fn step(&mut self, now: Instant, ask: impl FnOnce(usize) -> Step) {
        let Some((goal, wake)) = self.goal else { return };
        if now < wake {
            return;
        }
        // A counter that cannot be read, or that began again with another card, is no reason to ask for ever
        let received = self.received().filter(|received| *received < goal && received + FRAMES >= goal);
        let Some(received) = received else {
            self.goal = None;
            return;
        };
        if received != self.seen {
            (self.in_vain, self.seen) = (0, received);
        }
        let asked = ask(self.asked).is_ok();
        self.asked = self.asked.saturating_add(1);
        self.in_vain = self.in_vain.saturating_add(1);
        let pause = if asked && self.in_vain < QUESTIONS { PAUSE } else { LONG_PAUSE };
        self.goal = Some((goal, now + pause));
    }

    fn received(&self) -> Option<u64> {
        let mut text = [0; 24];
        let length = self.counter.read_at(&mut text, 0).ok()?;
        std::str::from_utf8(text.get(..length)?.trim_ascii()).ok()?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stop::Stop;

    struct Card(std::path::PathBuf);

    impl Card {
        fn new(name: &str) -> Self {
            let card = Self(std::env::temp_dir().join(format!("vitrine-rx-{name}-{}", std::process::id())));
            card.has_received(1000);
            card
        }
        fn has_received(&self, frames: u64) {
            std::fs::write(&self.0, format!("{frames}\n")).unwrap();
        }
    }

    impl Drop for Card {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    /// Steps whenever it wants to; gives the number of questions and the seconds it took.
    fn run(turnover: &mut Turnover, start: Instant, mut ask: impl FnMut(usize) -> Step) -> (usize, u64) {
        let (mut questions, mut now) = (0, start);
        while let Some(wake) = turnover.wake() {
            now = wake;
            turnover.step(now, |turn| {
                questions += 1;
                ask(turn)
            });
            if questions == 1000 {
                break;
            }
        }
        (questions, (now - start).as_secs())
    }

    #[test]
    fn a_busy_card_needs_no_question() {
        let (card, start) = (Card::new("busy"), Instant::now());
        let mut turnover = Turnover::open_at(&card.0).unwrap();
        assert_eq!(turnover.wake(), None);
        turnover.begin(start);
        card.has_received(1064);
        assert_eq!(run(&mut turnover, start, |_| Ok(())), (0, 1));
    }

    #[test]
    fn a_quiet_card_gets_its_frames() {
        let (card, start) = (Card::new("quiet"), Instant::now());
        let mut turnover = Turnover::open_at(&card.0).unwrap();
        turnover.begin(start);
        let answer = |turn: usize| {
            card.has_received(1001 + turn as u64);
            Ok(())
        };
        assert_eq!(run(&mut turnover, start, answer), (64, 4));
    }

    #[test]
    fn a_dead_link_is_asked_seldom_until_it_comes_back() {
        let (card, start) = (Card::new("dead"), Instant::now());
        let mut turnover = Turnover::open_at(&card.0).unwrap();
        turnover.begin(start);
        let (questions, seconds) = run(&mut turnover, start, |_| Err(Stop("no-neighbour")));
        assert!(questions == 1000 && seconds > 9000, "{questions} in {seconds} s");
        card.has_received(1064);
        assert_eq!(run(&mut turnover, start, |_| Ok(())).0, 0);
    }

    /// The kernel takes the questions, and nobody hears them for a while.
    #[test]
    fn a_link_that_comes_back_is_asked_quickly_again() {
        let (card, start) = (Card::new("back"), Instant::now());
        let mut turnover = Turnover::open_at(&card.0).unwrap();
        turnover.begin(start);
        let answer = |turn: usize| {
            if turn > QUESTIONS {
                card.has_received(1000 + (turn - QUESTIONS) as u64);
            }
            Ok(())
        };
        let (questions, seconds) = run(&mut turnover, start, answer);
        assert!(questions == QUESTIONS + 65 && seconds < 45, "{questions} in {seconds} s");
    }

    #[test]
    fn a_second_beginning_moves_the_goal() {
        let (card, start) = (Card::new("second"), Instant::now());
        let mut turnover = Turnover::open_at(&card.0).unwrap();
        turnover.begin(start);
        card.has_received(1064);
        turnover.begin(start);
        turnover.step(start + PATIENCE, |_| Ok(()));
        assert!(turnover.wake().is_some());
        card.has_received(1128);
        turnover.step(start + PATIENCE * 2, |_| Ok(()));
        assert_eq!(turnover.wake(), None);
    }

    #[test]
    fn a_counter_that_began_again_ends_it() {
        let (card, start) = (Card::new("again"), Instant::now());
        let mut turnover = Turnover::open_at(&card.0).unwrap();
        turnover.begin(start);
        card.has_received(3);
        assert_eq!(run(&mut turnover, start, |_| Ok(())).0, 0);
    }
}
