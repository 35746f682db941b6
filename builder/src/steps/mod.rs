//! The stages of a build. Each is a type that only the stage before it can make, so that nothing is signed that was
//! not screened; each says which files it leaves in the output folder.
//!
//! `Locked` → [`Staged`] → [`Screened`] → [`Packed`] → [`Uki`] → [`SignedUki`] → [`Predicted`] → [`Stated`]

mod image;
mod pack;
mod predict;
mod screen;
mod stage;
mod state;

pub use image::{SignedUki, Uki};
pub use pack::Packed;
pub use predict::{json as prediction_json, Predicted, UnsignedPrediction};
pub use screen::Screened;
pub use stage::Staged;
pub use state::Stated;

use crate::lock::Locked;
use crate::out::{self, Leaves, Left};
use crate::progress::Progress;
use crate::store::Store;
use vitrine_attest::evidence::ImageId;
use vitrine_attest::statement::Input;
use vitrine_attest::{Result, Sha256};
use vitrine_initramfs::{Cache, Program};

/// What every step may use.
#[derive(Debug)]
pub struct Workshop<'a> {
    pub store: &'a Store,
    pub programs: &'a [Program],
    pub progress: &'a Progress,
}

/// Where an image comes from; handed on from step to step.
#[derive(Debug)]
pub(crate) struct Origin {
    pub locked: Locked,
    pub id: ImageId,
    /// Packages that gave a file, and our programs.
    pub inputs: Vec<Input>,
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

/// Derived data lie in the store. Losing them costs time, nothing else: errors are not worth stopping for.
impl Cache for Store {
    fn get(&self, kind: &str, key: Sha256) -> Option<Vec<u8>> {
        self.cache_get(kind, &key)
    }
    fn put(&self, kind: &str, key: Sha256, bytes: &[u8]) {
        let _ = self.cache_put(kind, &key, bytes);
    }
}
