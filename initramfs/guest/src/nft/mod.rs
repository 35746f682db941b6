//! The firewall: rules as data, and their encoding as one nfnetlink batch.
//!
//! A rule can only be made of [`rule::Match`] and [`rule::Verdict`]: logging, queueing to a program, duplicating
//! packets and dynamic sets cannot be written down.

pub mod batch;
pub mod rule;
pub mod ruleset;

mod attributes;
#[cfg(test)]
mod decode;
