//! The agent: the only child, and the only program that speaks to strangers.

pub mod channel;
pub mod line;
pub mod message;
pub mod process;
pub mod supervisor;
