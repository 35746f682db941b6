//! The shipped programs and images in virtual machines: what is accepted, and what is refused for which reason.
//!
//! The images are built once, by `make images`, into `$CARGO_TARGET_DIR/vm` (or `VITRINE_VM`). Where they are
//! absent these tests say so and skip at home, and fail in CI. At most two machines run at a time.

mod accepted;
mod ask;
mod attached;
// the longest comes early: with two at a time, the others are done beside it
mod behaviour;
mod controls;
mod crosscheck;
mod enrolled;
mod evidence;
mod exported;
mod faults;
mod gateway;
mod images;
mod lease;
mod machine;
mod metal;
mod monitored;
mod platform;
mod published;
mod refused;
mod relay;
mod server;
mod slots;
mod systemd;
mod user;
mod watch;
mod world;
