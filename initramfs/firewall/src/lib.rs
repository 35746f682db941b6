//! The packet filter: rules from the configuration, their netlink bytes, and a reader of such bytes.
//!
//! ```text
//! Config → ruleset → Vec<Chain> → encode → Batch   at build time, /etc/vitrine/firewall.batch
//!                                 bytes  → decode  → Table, readable: `vitrine inspect`
//!                                 bytes  → acknowledgements: what PID 1 waits for
//! ```
//! A rule can only be made of [`Match`] and [`Action`]: logging, tracing, queueing to a program, duplicating packets,
//! meters and dynamic sets cannot be written down, and the reader refuses them as unknown.
//!
//! No I/O.
#![forbid(unsafe_code)]

mod attributes;
mod batch;
mod chain;
mod expressions;
mod reader;
mod rule;
mod ruleset;

pub use batch::{encode, Batch};
pub use chain::{Chain, Hook, Kind, Policy};
pub use reader::{acknowledgements, decode, ReadChain, Table};
pub use rule::{Action, Family, Interface, Match, Rule, Transport};
pub use ruleset::ruleset;
