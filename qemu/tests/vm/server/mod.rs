//! A whole server with users: real programs, real traffic.
//!
//! A boot takes half a minute, so each of the tests here boots once and takes many steps, each with a name of its own
//! (docs/promises.md uses them). A step that fails does not keep the next ones from being taken.

mod crowd;
mod dedicated;
mod flood;
mod janitor;
mod metrics;
mod names;
mod orders;
mod peers;
mod probe;
mod provision;
mod rotation;
mod rough;
mod shared;
mod stress;
mod traffic;

pub use provision::{accepted, provision, provision_by_lease, provision_with, start, Provisioned};
