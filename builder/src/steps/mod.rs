//! The stages of a build. Each is a type that only the stage before it can make, so that nothing is signed that was
//! not screened; each says which files it leaves in the output folder.
//!
//! `Locked` → [`Audited`] → [`Staged`] → [`Screened`] → [`Packed`] → [`Uki`] → [`SignedUki`] → [`Predicted`] → [`Stated`]

mod audit;
mod image;
mod pack;
mod predict;
mod screen;
mod stage;
mod state;

pub use audit::Audited;
pub use image::{SignedUki, Uki};
pub use pack::Packed;
pub use predict::{json as prediction_json, Predicted, UnsignedPrediction};
pub use screen::Screened;
pub use stage::Staged;
pub use state::Stated;

use crate::derived::Derived;
use crate::lock::Locked;
use crate::out::{self, Leaves, Left};
use crate::progress::Progress;
use crate::store::Store;
use vitrine_attest::app_facts::AppFacts;
use vitrine_attest::evidence::ImageId;
use vitrine_attest::statement::Input;
use vitrine_attest::{Error, Result};
use vitrine_initramfs::Program;

/// What every step may use.
#[derive(Debug)]
pub struct Workshop<'a> {
    pub store: &'a Store,
    pub programs: &'a [Program],
    /// Toolchain and sources of the programs, as inputs of a statement.
    pub compiled_from: &'a [Input],
    pub progress: &'a Progress,
}

impl Workshop<'_> {
    /// What earlier builds have kept.
    fn cache(&self) -> Derived<'_> {
        Derived::new(self.store, self.progress)
    }
}

/// Does both at the same time: what a step has left is written while the next one works. The writer's error goes first.
fn beside<T>(keep: impl FnOnce() -> Result<()> + Send, work: impl FnOnce() -> Result<T>) -> Result<T> {
    std::thread::scope(|scope| {
        let kept = scope.spawn(keep);
        let made = work();
        kept.join().unwrap_or_else(|_| Err(Error::bug("the writer of the output folder stopped")))?;
        made
    })
}

/// Where an image comes from; handed on from step to step.
#[derive(Debug)]
pub(crate) struct Origin {
    pub locked: Locked,
    pub id: ImageId,
    /// Packages that gave a file, and our programs.
    pub inputs: Vec<Input>,
    /// Of a program of the operator's own.
    pub app: Option<AppFacts>,
}

/// Steps 1 and 2.
impl Leaves for Locked {
    fn files(&self) -> Result<Left<'_>> {
        Ok(vec![
            (out::RECIPE, self.recipe().to_toml()?.into_bytes().into()),
            (out::LOCK, self.lock().to_toml()?.into_bytes().into()),
        ])
    }
}
