//! `vitrine slots` as a person uses it: two releases in a folder, forward, back, and everything that is refused.

mod damaged;
mod disks;
mod killed;
mod life;
mod refused;
#[path = "../../src/testpe.rs"]
mod testpe;
mod world;
