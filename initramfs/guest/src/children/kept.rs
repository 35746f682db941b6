//! A child that PID 1 keeps alive, whatever it is for. The agent is not one of them: it measures first, and carries orders.

use super::keeper::Keeper;
use super::process::Child;
use crate::stop::Step;
use std::time::Instant;

/// What differs from child to child: what it needs to start, what it is told first, and what it may say.
pub trait Kept {
    fn keeper(&self) -> &Keeper;

    fn keeper_mut(&mut self) -> &mut Keeper;

    /// Starts the next one; what belonged only to the one before it is put away first.
    fn launch(&mut self) -> Step<Child> {
        self.keeper().launch(None)
    }

    /// Tells one that has just started what it has to know.
    fn introduce(&mut self, now: Instant);

    /// Takes in what it has said, without waiting.
    ///
    /// # Errors
    /// `child-gone` at the end of its output, anything else when it says what it must not say.
    fn hear(&mut self) -> Step;

    /// Starts it when that is due, ends it when it hangs.
    fn tick(&mut self, now: Instant) {
        if self.keeper().due(now) {
            let child = self.launch();
            self.keeper_mut().started(child, now);
            self.introduce(now);
        }
        self.keeper_mut().tick(now);
    }

    /// Hears it, and ends it when it was the last time.
    fn receive(&mut self, now: Instant) {
        let heard = self.hear();
        self.keeper_mut().heard(heard, now);
    }
}
