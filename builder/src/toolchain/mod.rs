//! The programs inside an image, compiled in a root file system made from a lock: same lock, same sources, same bytes,
//! whatever the host has.
//!
//! ```text
//! toolchain.lock.toml ─▶ packages ─▶ root      ─┐
//! Cargo.lock          ─▶ .crate files ─▶ /cargo ├─▶ sandbox: no network, fixed environment ─▶ five programs + record
//! tracked sources     ─▶ /vitrine               ┘
//! ```
//! Below `toolchain/` in the store: `<lock digest>/root`, kept; `<lock digest>/work`, there only while it compiles.

mod compile;
mod crates;
mod ingredients;
mod inside;
mod keeper;
mod key;
mod members;
mod plan;
mod record;
mod root;
mod sandbox;
mod source;
mod tree;
mod vendor;

pub use compile::{compile, Compiled, Job};
pub use crates::{CargoLock, Crate, CRATE_LIMIT};
pub use ingredients::{Ingredients, CARGO_LOCK_LIMIT};
pub use plan::{Bind, Plan};
pub use record::{Record, RECORD};
pub use root::make as make_root;
pub use sandbox::{run, Ended};
pub use tree::listing;

/// The programs, and the packages of the workspace that they are made from. All but the agent are static.
pub const PROGRAMS: [(&str, &str, Linked); 6] = [
    ("vitrine-agent", "vitrine-agent", Linked::Dynamic),
    ("vitrine-gateway", "vitrine-gateway", Linked::StaticFast),
    ("vitrine-init", "vitrine-guest", Linked::Static),
    ("vitrine-launcher", "vitrine-launcher", Linked::Static),
    ("vitrine-metrics", "vitrine-metrics", Linked::Static),
    ("vitrine-resolver", "vitrine-resolver", Linked::Static),
];

/// How a program is linked, and what for. Each is a build of its own, so that what one needs of a crate makes no other larger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Linked {
    /// Against the libraries of the image.
    Dynamic,
    /// Holds all it needs.
    Static,
    /// The same, speed before size.
    StaticFast,
}

/// The parts of this program that run in new namespaces: called first thing in `main`, with one thread. Gives the exit
/// code when this process is such a part.
pub fn part() -> Option<u8> {
    let mut args = std::env::args();
    let (name, plan) = (args.next()?, args.next()?);
    match name.as_str() {
        keeper::NAME => Some(keeper::run(&plan)),
        inside::NAME => Some(inside::run(&plan)),
        _ => None,
    }
}
